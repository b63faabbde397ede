// plain.ts: what an object is, whichever realm made it: a plain object, an array, or an instance of a built-in class.

import { types } from '../base/kinds.js';

/** `{…}` of any realm, or an object without a prototype. */
export function isPlain(value: object): boolean {
  if (Object.prototype.toString.call(value) !== '[object Object]') return false;
  return isPlainPrototype(Object.getPrototypeOf(value));
}

/** Object.prototype of any realm, or none. */
export function isPlainPrototype(prototype: object | null): boolean {
  if (prototype === Object.prototype || prototype === null) return true;
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf');
}

/** Array.prototype of any realm, which is an array itself. */
export function isArrayPrototype(prototype: object | null): boolean {
  return prototype === Array.prototype || (Array.isArray(prototype) && isBuiltInPrototype(prototype));
}

/** Whether only Object's prototype is behind this one: then it is not that of a subclass. */
export function isBuiltInPrototype(prototype: object | null): boolean {
  const base: object | null = prototype && Object.getPrototypeOf(prototype);
  return base !== null && Object.getPrototypeOf(base) === null;
}

export type BuiltIn = 'Date' | 'Map' | 'Set' | 'ArrayBuffer' | 'SharedArrayBuffer';

const PROBES = new Map<BuiltIn, (this: unknown) => unknown>([
  ['Date', Date.prototype.getTime],
  ['Map', getterOf(Map.prototype, 'size')],
  ['Set', getterOf(Set.prototype, 'size')],
  ['ArrayBuffer', getterOf(ArrayBuffer.prototype, 'byteLength')],
]);
// Browsers have it only in isolated pages.
if (typeof SharedArrayBuffer === 'function')
  PROBES.set('SharedArrayBuffer', getterOf(SharedArrayBuffer.prototype, 'byteLength'));

/** The built-in class of an object, by its internal slots, not by what it says about itself. */
export function builtInOf(value: object): BuiltIn | undefined {
  if (types !== undefined) {
    if (types.isDate(value)) return 'Date';
    if (types.isMap(value)) return 'Map';
    if (types.isSet(value)) return 'Set';
    if (types.isArrayBuffer(value)) return 'ArrayBuffer';
    return types.isSharedArrayBuffer(value) ? 'SharedArrayBuffer' : undefined;
  }
  // A probe that fails throws, which takes microseconds. So the class that the object names is tried first.
  const said = Object.prototype.toString.call(value).slice('[object '.length, -1) as BuiltIn;
  if (is(value, said)) return said;
  for (const kind of PROBES.keys()) if (kind !== said && is(value, kind)) return kind;
  return undefined;
}

function is(value: object, kind: BuiltIn): boolean {
  const probe = PROBES.get(kind);
  if (probe === undefined) return false;
  try {
    probe.call(value);
    return true;
  } catch {
    return false;
  }
}

export function getterOf(prototype: object, name: string): (this: unknown) => unknown {
  return Object.getOwnPropertyDescriptor(prototype, name)!.get!;
}
