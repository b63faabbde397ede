// kinds.ts: what a value is, whichever realm made it.
//
// `instanceof` compares with the classes of one realm. A value made in another one (a vm context, as Jest and vitest
// make one for each test file) fails it. So does an object of a second copy of this library. Everything that a user
// hands over is judged here instead: by internal slots where the language shows them, by a brand for our own classes.

const util = (globalThis as { process?: NodeJS.Process }).process?.getBuiltinModule?.('node:util');

/** Node's; undefined where there is no Node. */
export const types = util?.types;
export const inspect = util?.inspect;

/** The name of a typed array's class, such as `'Float32Array'`; undefined for everything else. Runs no user code. */
export const typedArrayName: (value: unknown) => string | undefined = functionOf(
  Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)!.get!,
);

/** Whether `value` is a typed array of the class with this name, of any realm. A Buffer is a `'Uint8Array'`. */
export function isTypedArray(value: unknown, name: string): boolean {
  return typedArrayName(value) === name;
}

export function isUint8Array(value: unknown): value is Uint8Array {
  return typedArrayName(value) === 'Uint8Array';
}

export function isFloat32Array(value: unknown): value is Float32Array {
  return typedArrayName(value) === 'Float32Array';
}

/** Whether `value` is the Object.prototype of some realm. */
export function isRootPrototype(value: object): boolean {
  return value === Object.prototype || (Object.getPrototypeOf(value) === null && Object.hasOwn(value, 'isPrototypeOf'));
}

/** Whether `value` inherits from nothing but the Object.prototype of some realm: it is of no class. */
export function hasPlainPrototype(value: object): boolean {
  const prototype: object | null = Object.getPrototypeOf(value);
  return prototype === null || isRootPrototype(prototype);
}

/** What `value` or its class says that its member `name` is. What Object.prototype says is nobody's. */
export function memberOf(value: object, name: string): unknown {
  for (let of: object | null = value; of !== null && !isRootPrototype(of); of = Object.getPrototypeOf(of))
    if (Object.hasOwn(of, name)) return (value as Record<string, unknown>)[name];
  return undefined;
}

/** An `Error` of any realm, and whatever inherits from ours. A DOMException, which `fetch` throws, is one too. */
export function isError(value: unknown): value is Error {
  if (typeof value !== 'object' || value === null) return false;
  if (types === undefined ? tagOf(value) === 'Error' : types.isNativeError(value)) return true;
  return value instanceof Error || tagOf(value) === 'DOMException';
}

export function isDate(value: unknown): value is Date {
  return types === undefined ? tagOf(value) === 'Date' : types.isDate(value);
}

export function isMap(value: unknown): value is Map<unknown, unknown> {
  return types === undefined ? tagOf(value) === 'Map' : types.isMap(value);
}

export function isAsyncFunction(value: unknown): boolean {
  return types === undefined ? tagOf(value) === 'AsyncFunction' : types.isAsyncFunction(value);
}

/** Whether `await` would wait for `value`: it has a `then` that can be called. Reads `then` once, which may throw. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}

/** An AbortSignal of any realm or library: what we use of one is there. */
export function isAbortSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null) return false;
  const signal = value as Partial<AbortSignal>;
  return typeof signal.aborted === 'boolean' && typeof signal.addEventListener === 'function';
}

/**
 * Marks the instances of one of our classes, so that another copy of the library knows them.
 *
 * @param name  the class's name; the brand is a registered symbol, the same in every realm of the process
 */
export function brand(prototype: object, name: string): void {
  Object.defineProperty(prototype, Symbol.for(`zerohop.${name}`), { value: true });
}

/** Whether `value` is an instance of a class that was marked with `name`, of any copy of the library. */
export function isBranded(value: unknown, name: string): boolean {
  return typeof value === 'object' && value !== null && Symbol.for(`zerohop.${name}`) in value;
}

function tagOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}

/** `getter` as a function of its receiver. The getter of %TypedArray% answers undefined for a foreign receiver. */
function functionOf(getter: () => unknown): (value: unknown) => string | undefined {
  return Function.prototype.call.bind(getter) as never;
}
