// guard.ts: `zerohop/guard`: web APIs that would send a view of shared memory as text throw a TypeError instead.
//
// A view of the cache lies over a SharedArrayBuffer. Node 24 and 26 do not take such a view for bytes: fetch, Request,
// Response and WebSocket make a string of its numbers, and send that without a word. This is for development and tests:
// it replaces globals, and nothing else of the library imports it.
import { types } from 'node:util';
import { received } from './base/options.js';

const INSTALLED = Symbol.for('zerohop.guard');

const shared = (value: unknown): boolean => types.isSharedArrayBuffer(ArrayBuffer.isView(value) ? value.buffer : value);

function check(what: string, value: unknown): void {
  if (!shared(value)) return;
  throw Object.assign(
    new TypeError(
      `${what}: expected bytes of an ArrayBuffer, received ${received(value)} over shared memory, which it would ` +
        'send as text; pass new Uint8Array(view), or what getCopy gives',
    ),
    { code: 'ERR_INVALID_ARG_TYPE' },
  );
}

/** Has `guarded` stand in for the global of this name; some versions of Node lack some. */
function replace(name: string, guarded: (own: never) => unknown): void {
  const own = (globalThis as Record<string, unknown>)[name];
  if (typeof own !== 'function') return;
  Object.defineProperty(globalThis, name, {
    value: guarded(own as never),
    configurable: true,
    enumerable: Object.getOwnPropertyDescriptor(globalThis, name)?.enumerable ?? false,
    writable: true,
  });
}

type Constructor = new (...args: unknown[]) => object;

/** The class itself but for `new`: `instanceof`, subclasses and static functions are as before. */
function guardedClass(own: Constructor, checkArguments: (args: unknown[]) => void): Constructor {
  return new Proxy(own, {
    construct(target, args: unknown[], newTarget) {
      checkArguments(args);
      return Reflect.construct(target, args, newTarget);
    },
  });
}

/** Has methods of a global class check the argument at this place. */
function guardMethods(className: string, methods: readonly string[], place: number): void {
  const prototype = (globalThis as unknown as Record<string, { prototype?: Record<string, unknown> }>)[className]
    ?.prototype;
  for (const method of prototype === undefined ? [] : methods) {
    const own = prototype![method] as (...args: unknown[]) => unknown;
    prototype![method] = {
      [method](this: unknown, ...args: unknown[]) {
        check(`${className}.${method}`, args[place]);
        return own.apply(this, args);
      },
    }[method];
  }
}

const bodyOf = (init: unknown) => (init as { body?: unknown } | null | undefined)?.body;

if (!(INSTALLED in globalThis)) {
  Object.defineProperty(globalThis, INSTALLED, { value: true });
  replace('fetch', (own: typeof fetch) => {
    // Asynchronous, because fetch rejects where others throw.
    return async function fetch(...args: Parameters<typeof own>) {
      check('fetch', bodyOf(args[1]));
      return own(...args);
    };
  });
  replace('Request', (own: Constructor) => guardedClass(own, ([, init]) => check('Request', bodyOf(init))));
  replace('Response', (own: Constructor) => guardedClass(own, ([body]) => check('Response', body)));
  guardMethods('WebSocket', ['send'], 0);
  guardMethods('FormData', ['append', 'set'], 1);
}
