// What every method does, and every mistake it names.
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { afterEach, describe, expect, test } from 'vitest';
import { bytes, Cache, CacheError, defaultMaxBytes, float32, type Key, type OpenOptions, open } from 'zerohop';

const opened: Cache[] = [];
let names = 0;

function openCache(options: OpenOptions = { maxBytes: '4MB' }): Cache {
  const cache = open(options);
  opened.push(cache);
  return cache;
}

const uniqueName = () => `api-${process.pid}-${names++}`;

afterEach(() => {
  for (const cache of opened.splice(0)) cache.close();
});

const utf8 = (text: string) => new TextEncoder().encode(text);
const textOf = (view: { slice(): Uint8Array } | undefined) => view && Buffer.from(view.slice()).toString();

/** For what TypeScript would refuse. */
// biome-ignore lint/suspicious/noExplicitAny: callers in JavaScript pass anything
const anything = (value: unknown) => value as any;

function errorOf(call: () => unknown): { name: string; code: string; message: string } {
  try {
    call();
  } catch (error) {
    return error as { name: string; code: string; message: string };
  }
  throw new Error('it did not throw');
}

describe('keys', () => {
  test('a string and its UTF-8 bytes are the same key', () => {
    const cache = openCache();
    for (const key of ['user:1', 'Grüße', '日本語', '🦊', 'nul\0inside', '\0', '\uFFFD', '\uFEFFbom']) {
      cache.set(key, utf8(`value of ${key}`));
      expect(textOf(cache.get(utf8(key)))).toBe(`value of ${key}`);
      cache.set(utf8(key), utf8('other'));
      expect(textOf(cache.get(key))).toBe('other');
    }
  });

  test('strings that differ only in normalisation differ', () => {
    const cache = openCache();
    cache.set('\u00e9', utf8('composed'));
    expect(cache.get('e\u0301')).toBeUndefined();
    cache.set('e\u0301', utf8('decomposed'));
    expect(textOf(cache.get('\u00e9'))).toBe('composed');
  });

  test.each([1, 50, 250, 251, 252, 253, 254, 255, 256, 257, 1000, 65_534, 65_535])('%i bytes are a key', (length) => {
    const cache = openCache();
    const key = 'k'.repeat(length);
    expect(cache.set(key, utf8('v'))).toBe(true);
    expect(textOf(cache.get(Buffer.from(key)))).toBe('v');
    expect(cache.get(`${key.slice(1)}x`)).toBeUndefined();
    expect(cache.delete(key)).toBe(true);
  });

  test('multi-byte characters count as their bytes, whatever the offset', () => {
    const cache = openCache();
    for (let before = 240; before < 262; ++before) {
      const key = `${'k'.repeat(before)}🦊日é`;
      cache.set(key, utf8(String(before)));
      expect(textOf(cache.get(utf8(key)))).toBe(String(before));
    }
    expect(cache.set('é'.repeat(32_767), utf8('v'))).toBe(true);
    expect(() => cache.get('é'.repeat(32_768))).toThrow(RangeError);
  });

  test.each([
    ['an empty string', ''],
    ['empty bytes', new Uint8Array(0)],
    ['a string of 65 536 bytes', 'k'.repeat(65_536)],
    ['65 536 bytes', new Uint8Array(65_536)],
  ])('%s is a RangeError that names the limit', (_, key) => {
    const cache = openCache();
    for (const call of callsWith(cache, key)) {
      expect(call).toThrow(RangeError);
      expect(call).toThrow(/key: expected 1 to 65535 bytes, received (0|65536)/);
      expect(errorOf(call).code).toBe('ERR_OUT_OF_RANGE');
    }
  });

  test.each([
    ['a number', 1],
    ['null', null],
    ['undefined', undefined],
    ['an object', { toString: () => 'k' }],
    ['a Symbol', Symbol('k')],
    ['a bigint', 1n],
    ['a String object', new String('k')],
    ['an ArrayBuffer', new ArrayBuffer(4)],
    ['a DataView', new DataView(new ArrayBuffer(4))],
    ['a Float32Array', new Float32Array(1)],
    ['an Int8Array', new Int8Array(1)],
    ['a Proxy of a Uint8Array', new Proxy(new Uint8Array(1), {})],
  ])('%s is a TypeError', (_, key) => {
    const cache = openCache();
    for (const call of callsWith(cache, anything(key))) {
      expect(call).toThrow(TypeError);
      expect(errorOf(call).code).toBe('ERR_INVALID_ARG_TYPE');
      expect(errorOf(call).message).toMatch(/^key: /);
    }
  });

  test.each(['\uD800', 'a\uD800', '\uDC00a', '\uDC00\uD800', `\uFFFD\uD800`, `${'k'.repeat(300)}\uDFFF`])(
    'a lone surrogate is a TypeError, not the replacement character (%j)',
    (key) => {
      const cache = openCache();
      for (const call of callsWith(cache, key)) {
        expect(call).toThrow(TypeError);
        expect(call).toThrow(/lone surrogate/);
      }
    },
  );

  test('bytes that are no UTF-8 are keys like any other', () => {
    const cache = openCache();
    cache.set(Buffer.from([0xff, 0xfe]), utf8('1'));
    cache.set(Buffer.from([0xff]), utf8('2'));
    expect(textOf(cache.get(Buffer.from([0xff, 0xfe])))).toBe('1');
    expect(textOf(cache.get(Buffer.from([0xff])))).toBe('2');
  });

  test('a key may be a Buffer, a subarray, or shared memory, and may change afterwards', () => {
    const cache = openCache();
    const shared = new Uint8Array(new SharedArrayBuffer(8));
    shared.set(utf8('abc'));
    cache.set(shared.subarray(0, 3), utf8('v'));
    shared.fill(0);
    expect(textOf(cache.get(Buffer.from('xabcx').subarray(1, 4)))).toBe('v');
  });
});

/** Every method that takes a key. */
function callsWith(cache: Cache, key: Key): (() => unknown)[] {
  return [
    () => cache.get(key),
    () => cache.getCopy(key),
    () => cache.getMany([key]),
    () => cache.getMany(['fine', key]),
    () => cache.set(key, utf8('v')),
    () => cache.has(key),
    () => cache.delete(key),
  ];
}

describe('values', () => {
  test.each([
    ['an empty Uint8Array', new Uint8Array(0), 0],
    ['a Buffer', Buffer.from('hello'), 5],
    ['a pooled Buffer at an odd offset', Buffer.from('xhello').subarray(1), 5],
    ['a subarray at an odd offset', new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8, 9]).subarray(3, 8), 5],
    ['a SharedArrayBuffer', new Uint8Array(new SharedArrayBuffer(9), 3, 5).fill(7), 5],
    ['a subclass', new (class Mine extends Uint8Array {})([1, 2, 3]), 3],
    [
      'a length-tracking view of a resizable buffer',
      new Uint8Array(new (anything(ArrayBuffer))(8, { maxByteLength: 64 })),
      8,
    ],
    ['a growable SharedArrayBuffer', new Uint8Array(new (anything(SharedArrayBuffer))(8, { maxByteLength: 64 })), 8],
    ['255 bytes', randomBytes(255), 255],
    ['256 bytes', randomBytes(256), 256],
    ['a whole segment and more', randomBytes(300_001), 300_001],
  ])('%s is stored', (_, value, length) => {
    const cache = openCache();
    expect(cache.set('k', value)).toBe(true);
    const expected = Buffer.from(value);
    value.fill(255);
    expect(cache.get('k')?.length).toBe(length);
    expect(expected.equals(cache.get('k')!.slice())).toBe(true);
    expect(expected.equals(cache.getCopy('k')!)).toBe(true);
    expect(expected.equals(cache.getMany(['k'])[0]!.slice())).toBe(true);
  });

  test('empty and zero values are hits', () => {
    const cache = openCache();
    cache.set('empty', new Uint8Array(0));
    cache.set('zero', new Uint8Array(1));
    expect(cache.get('empty')).toHaveLength(0);
    expect(cache.getCopy('empty')).toHaveLength(0);
    expect(cache.has('empty')).toBe(true);
    expect(cache.getMany(['empty', 'zero', 'absent']).map((one) => one?.length)).toEqual([0, 1, undefined]);
    expect(cache.stats()).toMatchObject({ hits: 4, misses: 1 });
  });

  test('a resized buffer gives the bytes it has now', () => {
    const cache = openCache();
    const buffer = new (anything(ArrayBuffer))(8, { maxByteLength: 64 });
    const view = new Uint8Array(buffer);
    buffer.resize(20);
    cache.set('k', view);
    expect(cache.get('k')).toHaveLength(20);
  });

  test('a view that its buffer shrank away from is a TypeError', () => {
    const cache = openCache();
    const buffer = new (anything(ArrayBuffer))(64, { maxByteLength: 64 });
    const view = new Uint8Array(buffer, 32, 16);
    buffer.resize(8);
    expect(() => cache.set('k', view)).toThrow(/value: its buffer .* shrank/);
    expect(cache.has('k')).toBe(false);
  });

  test('a detached value is a TypeError, and the old value stays', () => {
    const cache = openCache();
    cache.set('k', utf8('old'));
    const value = new Uint8Array(16);
    structuredClone(value.buffer, { transfer: [value.buffer] });
    expect(() => cache.set('k', value)).toThrow(TypeError);
    expect(() => cache.set('k', value)).toThrow(/value: its buffer was detached/);
    expect(textOf(cache.get('k'))).toBe('old');
  });

  test.each([
    ['a string', 'text'],
    ['undefined', undefined],
    ['null', null],
    ['a number', 5],
    ['an array', [1, 2]],
    ['an ArrayBuffer', new ArrayBuffer(4)],
    ['a DataView', new DataView(new ArrayBuffer(4))],
    ['a Float32Array', new Float32Array(4)],
    ['a Uint8ClampedArray', new Uint8ClampedArray(4)],
    ['an impostor', Object.create(Uint8Array.prototype)],
  ])('%s is a TypeError', (_, value) => {
    const cache = openCache();
    const call = () => cache.set('k', anything(value));
    expect(call).toThrow(TypeError);
    expect(call).toThrow(/value/);
    expect(errorOf(call).code).toBe('ERR_INVALID_ARG_TYPE');
    expect(cache.has('k')).toBe(false);
  });

  test('a value beyond half of maxBytes is a RangeError that names the limit and maxBytes', () => {
    const cache = openCache({ maxBytes: '2MB' });
    const call = () => cache.set('k', new Uint8Array(1.5 * 2 ** 20));
    expect(call).toThrow(RangeError);
    const { code, message } = errorOf(call);
    expect(code).toBe('ERR_OUT_OF_RANGE');
    expect(message).toMatch(/^value: expected at most \d+ bytes, received 1572864; raise maxBytes$/);
    const limit = Number(/at most (\d+)/.exec(message)![1]);
    expect(cache.set('k', new Uint8Array(limit))).toBe(true);
    expect(cache.get('k')).toHaveLength(limit);
    expect(() => cache.set('k', new Uint8Array(limit + 1))).toThrow(RangeError);
  });

  test('set overwrites, and a view of the old value stays as it was', () => {
    const cache = openCache();
    cache.set('k', utf8('old'));
    const view = cache.get('k');
    cache.set('k', utf8('new value'));
    expect(textOf(view)).toBe('old');
    expect(textOf(cache.get('k'))).toBe('new value');
    expect(cache.stats().entries).toBe(1);
  });

  test('a view stays while its entry is deleted', () => {
    const cache = openCache();
    cache.set('k', utf8('value'));
    const view = cache.get('k');
    expect(cache.delete('k')).toBe(true);
    expect(cache.delete('k')).toBe(false);
    expect(cache.get('k')).toBeUndefined();
    expect(cache.has('k')).toBe(false);
    expect(textOf(view)).toBe('value');
  });

  test('views stay through clear and what is stored after it', () => {
    const cache = openCache({ maxBytes: '1MB' });
    const value = randomBytes(5000);
    cache.set('k', value);
    const large = randomBytes(200_000);
    cache.set('large', large);
    const views = [cache.get('k')!, cache.get('large')!];
    cache.clear();
    expect(cache.getMany(['k', 'large'])).toEqual([undefined, undefined]);
    expect(cache.stats().entries).toBe(0);
    for (let i = 0; i < 500; ++i) cache.set(`new ${i}`, randomBytes(5000));
    expect(value.equals(views[0]!.slice())).toBe(true);
    expect(large.equals(views[1]!.slice())).toBe(true);
  });

  test('a copy is the caller’s own', () => {
    const cache = openCache();
    cache.set('k', utf8('value'));
    const copy = cache.getCopy('k')!;
    expect(copy.buffer).toBeInstanceOf(ArrayBuffer);
    expect(copy.buffer.byteLength).toBe(5);
    copy.fill(0);
    structuredClone(copy.buffer, { transfer: [copy.buffer] });
    expect(textOf(cache.get('k'))).toBe('value');
    expect(cache.getCopy('absent')).toBeUndefined();
  });
});

describe('float32 vectors', () => {
  test('come back bit for bit: NaN payloads, -0, denormals, infinities', () => {
    const vectors = openCache().keyspace('vectors', { codec: float32(8) });
    const bits = new Uint32Array([
      0x7fc00001, 0x7f800001, 0xffc12345, 0x80000000, 1, 0x7f800000, 0xff800000, 0x3f800000,
    ]);
    vectors.set('k', new Float32Array(bits.buffer));
    const view = vectors.get('k')!;
    expect(view).toBeInstanceOf(Float32Array);
    expect(new Uint32Array(view.slice().buffer)).toEqual(bits);
    expect(new Uint32Array(vectors.getCopy('k')!.buffer)).toEqual(bits);
    expect(Object.is(view[3], -0)).toBe(true);
  });

  test('of 64 dimensions and more are aligned to 64 bytes', () => {
    const vectors = openCache().keyspace('vectors', { codec: float32(100) });
    for (let i = 0; i < 20; ++i) {
      vectors.set(`key ${'x'.repeat(i)}`, new Float32Array(100).fill(i));
      expect(vectors.get(`key ${'x'.repeat(i)}`)!.byteOffset % 64).toBe(0);
    }
  });

  test('of other dimensions are a RangeError; other types a TypeError', () => {
    const vectors = openCache().keyspace('vectors', { codec: float32(4) });
    for (const length of [0, 3, 5]) {
      const call = () => vectors.set('k', new Float32Array(length));
      expect(call).toThrow(RangeError);
      expect(call).toThrow(`value.length: expected 4 (the keyspace's dimensions), received number ${length}`);
    }
    for (const value of [[1, 2, 3, 4], new Float64Array(4), new Uint8Array(16), null, undefined, 'text']) {
      expect(() => vectors.set('k', anything(value))).toThrow(TypeError);
    }
    expect(vectors.has('k')).toBe(false);
  });

  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 28 + 1, '4', null])(
    'dimensions of %s are a RangeError',
    (dimensions) => {
      expect(() => float32(anything(dimensions))).toThrow(RangeError);
      expect(() => float32(anything(dimensions))).toThrow(/^dimensions: expected a whole number from 1 to 268435456/);
    },
  );
});

describe('open', () => {
  test.each([
    ['1MB', 2 ** 20],
    ['1.5 mb', 1.5 * 2 ** 20],
    [' 2048KB ', 2 ** 21],
    ['1048576B', 2 ** 20],
    [3 * 2 ** 20, 3 * 2 ** 20],
    [2 ** 20 + 0.5, 2 ** 20],
  ])('takes maxBytes %j', (maxBytes, expected) => {
    const name = uniqueName();
    openCache({ name, maxBytes });
    expect(() => openCache({ name, maxBytes: expected })).not.toThrow();
    expect(openCache({ name, maxBytes: expected }).stats().bytes.capacity).toBeLessThanOrEqual(expected);
  });

  test.each([
    [Number.NaN, RangeError],
    [-1, RangeError],
    [0, RangeError],
    [2 ** 20 - 1, RangeError],
    ['1023KB', RangeError],
    [Number.POSITIVE_INFINITY, RangeError],
    [2 ** 39, RangeError],
    ['600GB', RangeError],
    ['', TypeError],
    ['256', TypeError],
    ['256 MiB', TypeError],
    ['-1MB', TypeError],
    ['1e9B', TypeError],
    ['0x10MB', TypeError],
    ['constructorB', TypeError],
    [null, TypeError],
    [10n, TypeError],
    [{}, TypeError],
    [[2 ** 20], TypeError],
    [true, TypeError],
  ])('refuses maxBytes %s', (maxBytes, kind) => {
    const call = () => openCache({ maxBytes: anything(maxBytes) });
    expect(call).toThrow(kind);
    expect(call).toThrow(/^options\.maxBytes: expected .*, received /);
    expect(errorOf(call).code).toBe(kind === TypeError ? 'ERR_INVALID_ARG_TYPE' : 'ERR_OUT_OF_RANGE');
  });

  test.each([
    [{ maxbytes: 1 }, /^options\.maxbytes: expected one of the options name, maxBytes, verify/],
    [{ tll: 1 }, /^options\.tll/],
    [null, /^options: expected an object, received null/],
    [[], /^options: expected an object/],
    ['256MB', /^options: expected an object, received string "256MB"/],
    [{ verify: 'always' }, /^options\.verify: expected 'off' or 'sample' or 'trap', received string "always"/],
    [{ verify: true }, /^options\.verify/],
    [{ verify: 0 }, /^options\.verify/],
    [{ name: 5 }, /^options\.name: expected a string, received number 5/],
    [{ name: null }, /^options\.name/],
  ])('refuses options %j', (options, message) => {
    expect(() => open(anything(options))).toThrow(TypeError);
    expect(() => open(anything(options))).toThrow(message);
  });

  test('refuses names that UTF-8 can not carry, or that are too long', () => {
    for (const name of ['\uD800', 'x'.repeat(1025), 'é'.repeat(513)]) {
      expect(() => open({ name, maxBytes: '1MB' })).toThrow(RangeError);
    }
  });

  test('an undefined option is one that was not given', () => {
    const cache = open(anything({ name: undefined, maxBytes: '1MB', verify: undefined }));
    opened.push(cache);
    expect(cache.set('k', utf8('v'))).toBe(true);
  });

  test('a message never quotes a whole long value', () => {
    const { message } = errorOf(() => open({ maxBytes: 'x'.repeat(10_000) }));
    expect(message.length).toBeLessThan(200);
  });

  test('the default is a quarter of the memory this process may use', () => {
    expect(defaultMaxBytes()).toBeGreaterThanOrEqual(2 ** 20);
    expect(Number.isInteger(defaultMaxBytes())).toBe(true);
    const cache = openCache({});
    expect(cache.stats().bytes.capacity).toBeLessThanOrEqual(defaultMaxBytes());
    expect(cache.stats().bytes.capacity).toBeGreaterThan(defaultMaxBytes() / 2);
  });

  test('caches of one name are one cache; nameless ones are their own', () => {
    const name = uniqueName();
    const first = openCache({ name, maxBytes: '2MB' });
    const second = openCache({ name, maxBytes: '2MB' });
    first.set('k', utf8('v'));
    expect(textOf(second.get('k'))).toBe('v');
    expect(openCache().get('k')).toBeUndefined();
    expect(openCache({ name: uniqueName(), maxBytes: '2MB' }).get('k')).toBeUndefined();
  });

  test('a name with other options is ERR_CACHE_OPTIONS, until its last handle is closed', () => {
    const name = uniqueName();
    const first = openCache({ name, maxBytes: '2MB' });
    const second = openCache({ name, maxBytes: '2MB' });
    for (const options of [{ maxBytes: '3MB' }, { maxBytes: '2MB', verify: 'off' as const }]) {
      const call = () => open({ name, ...options });
      expect(call).toThrow(CacheError);
      expect(errorOf(call)).toMatchObject({ name: 'CacheError', code: 'ERR_CACHE_OPTIONS' });
      expect(errorOf(call).message).toContain(name);
    }
    first.set('k', utf8('v'));
    first.close();
    expect(() => open({ name, maxBytes: '3MB' })).toThrow(CacheError);
    expect(textOf(second.get('k'))).toBe('v');
    second.close();
    const third = openCache({ name, maxBytes: '3MB' });
    expect(third.get('k')).toBeUndefined();
  });
});

describe('keyspaces', () => {
  test('do not see each other’s keys, nor the cache’s own', () => {
    const cache = openCache();
    const a = cache.keyspace('a', { codec: bytes });
    const b = cache.keyspace('b', { codec: bytes });
    cache.set('k', utf8('root'));
    a.set('k', utf8('in a'));
    expect(b.get('k')).toBeUndefined();
    b.set('k', utf8('in b'));
    expect([cache, a, b].map((one) => textOf(one.get('k')))).toEqual(['root', 'in a', 'in b']);
    expect(a.delete('k')).toBe(true);
    expect([cache, a, b].map((one) => one.has('k'))).toEqual([true, false, true]);
    cache.clear();
    expect([cache, a, b].map((one) => one.has('k'))).toEqual([false, false, false]);
  });

  test('of one name are one, through every handle of the cache', () => {
    const name = uniqueName();
    const first = openCache({ name, maxBytes: '2MB' });
    const second = openCache({ name, maxBytes: '2MB' });
    first.keyspace('a', { codec: float32(2) }).set('k', new Float32Array([1, 2]));
    expect([...second.keyspace('a', { codec: float32(2) }).get('k')!]).toEqual([1, 2]);
  });

  test('with another codec or scope are ERR_CACHE_OPTIONS', () => {
    const cache = openCache();
    cache.keyspace('a', { codec: float32(4), scope: 'tenant' });
    for (const options of [
      { codec: float32(4) },
      { codec: float32(5), scope: 'tenant' },
      { codec: bytes, scope: 'tenant' },
    ]) {
      const call = () => cache.keyspace('a', anything(options));
      expect(call).toThrow(CacheError);
      expect(errorOf(call).code).toBe('ERR_CACHE_OPTIONS');
      expect(errorOf(call).message).toContain("keyspace 'a'");
    }
    expect(() => cache.keyspace('a', { codec: float32(4), scope: 'tenant' })).not.toThrow();
  });

  test('more scopes than there is room for are ERR_CACHE_OPTIONS', () => {
    const cache = openCache({ maxBytes: '1MB' });
    const call = () => {
      for (let i = 0; i < 100; ++i) cache.keyspace(`space ${i}`, { codec: bytes, scope: `scope ${i}` });
    };
    expect(errorOf(call)).toMatchObject({ name: 'CacheError', code: 'ERR_CACHE_OPTIONS' });
    expect(errorOf(call).message).toContain('raise maxBytes');
    expect(cache.set('k', utf8('v'))).toBe(true);
  });

  test('more than 1023 of them are ERR_CACHE_OPTIONS', () => {
    const cache = openCache();
    for (let i = 0; i < 1023; ++i) cache.keyspace(`space ${i}`, { codec: bytes });
    expect(errorOf(() => cache.keyspace('one more', { codec: bytes }))).toMatchObject({ code: 'ERR_CACHE_OPTIONS' });
    expect(() => cache.keyspace('space 0', { codec: bytes })).not.toThrow();
  });

  test.each([
    ['', { codec: bytes }],
    [5, { codec: bytes }],
    [undefined, { codec: bytes }],
    ['a', undefined],
    ['a', {}],
    ['a', { codec: 'bytes' }],
    ['a', { codec: bytes, scope: 5 }],
    ['a', { codec: bytes, tll: 5 }],
  ])('keyspace(%j, %j) is a TypeError', (name, options) => {
    const cache = openCache();
    expect(() => cache.keyspace(anything(name), anything(options))).toThrow(TypeError);
  });

  test('keep their cache open while they are used', () => {
    const keyspace = open({ maxBytes: '1MB' }).keyspace('a', { codec: bytes });
    for (let i = 0; i < 5; ++i) globalThis.gc?.();
    expect(keyspace.set('k', utf8('v'))).toBe(true);
    expect(textOf(keyspace.get('k'))).toBe('v');
  });
});

describe('close', () => {
  test('every method of a closed cache and of its keyspaces throws ERR_CACHE_CLOSED', () => {
    const cache = openCache();
    const keyspace = cache.keyspace('a', { codec: bytes });
    cache.close();
    for (const each of [cache, keyspace]) {
      const calls = [...callsWith(anything(each), 'k'), () => each.getMany([])];
      for (const call of calls) {
        expect(call).toThrow(CacheError);
        expect(errorOf(call)).toMatchObject({ code: 'ERR_CACHE_CLOSED', message: 'the cache was closed' });
      }
    }
    for (const call of [() => cache.clear(), () => cache.stats(), () => cache.keyspace('b', { codec: bytes })]) {
      expect(errorOf(call).code).toBe('ERR_CACHE_CLOSED');
    }
  });

  test('again has no effect, and no effect on caches opened since', () => {
    const cache = openCache();
    cache.close();
    const next = openCache();
    next.set('k', utf8('v'));
    cache.close();
    cache[Symbol.dispose]();
    expect(() => cache.get('k')).toThrow(CacheError);
    expect(textOf(next.get('k'))).toBe('v');
  });

  test('Symbol.dispose closes', () => {
    const cache = openCache();
    cache[Symbol.dispose]();
    expect(() => cache.get('k')).toThrow(CacheError);
  });

  test('views outlive it', () => {
    const cache = openCache();
    const value = randomBytes(4096);
    cache.set('k', value);
    const view = cache.get('k')!;
    cache.close();
    globalThis.gc?.();
    expect(value.equals(view.slice())).toBe(true);
  });
});

describe('getMany', () => {
  test('answers in the order of the keys, duplicates and misses included', () => {
    const cache = openCache();
    for (const key of ['a', 'b', 'c']) cache.set(key, utf8(key.toUpperCase()));
    const values = cache.getMany(['c', 'absent', 'a', utf8('b'), 'a', 'absent']);
    expect(values.map((one) => textOf(one))).toEqual(['C', undefined, 'A', 'B', 'A', undefined]);
    expect(cache.stats()).toMatchObject({ hits: 4, misses: 2 });
  });

  test('of no keys is empty', () => {
    expect(openCache().getMany([])).toEqual([]);
  });

  test('of thousands of keys and many segments gives each its value', () => {
    const cache = openCache({ maxBytes: '16MB' });
    const keys = Array.from({ length: 5000 }, (_, i) => `key ${i}`);
    for (const key of keys) cache.set(key, utf8(key.repeat(50)));
    const values = cache.getMany(keys);
    keys.forEach((key, i) => {
      expect(textOf(values[i])).toBe(key.repeat(50));
    });
    expect(cache.getMany(keys.map((key) => `${key}?`)).every((one) => one === undefined)).toBe(true);
  });

  test('mixes small and large values', () => {
    const cache = openCache({ maxBytes: '8MB' });
    const values = [10, 100_000, 20, 1_000_000, 300].map((length) => randomBytes(length));
    for (const [i, value] of values.entries()) cache.set(`${i}`, value);
    const found = cache.getMany(['0', '1', '2', '3', '4']);
    for (const [i, value] of values.entries()) expect(value.equals(found[i]!.slice()), `${i}`).toBe(true);
  });

  test.each([
    ['a string', 'abc'],
    ['undefined', undefined],
    ['null', null],
    ['a Set', new Set(['a'])],
    ['an array-like', { length: 1, 0: 'a' }],
    ['a Uint8Array', new Uint8Array(3)],
  ])('of %s is a TypeError', (_, keys) => {
    expect(() => openCache().getMany(anything(keys))).toThrow(TypeError);
    expect(() => openCache().getMany(anything(keys))).toThrow(/^keys: expected an array/);
  });

  test('of an array with a hole, or something else that is no key, is a TypeError and looks nothing up', () => {
    const cache = openCache();
    cache.set('a', utf8('v'));
    for (const keys of [Object.assign(new Array(3), { 0: 'a', 2: 'a' }), ['a', 5], ['a', null], ['a', '']]) {
      expect(() => cache.getMany(anything(keys))).toThrow(/^key: /);
    }
    expect(cache.stats()).toMatchObject({ hits: 0, misses: 0 });
  });

  test('of a Proxy reads what the Proxy says', () => {
    const cache = openCache();
    cache.set('a', utf8('v'));
    const keys = new Proxy(['a', 'b'], {});
    expect(cache.getMany(keys).map((one) => one && textOf(one))).toEqual(['v', undefined]);
  });

  test('a getter that throws among the keys throws through', () => {
    const keys = Object.defineProperty(['a', 'b'], 1, {
      get() {
        throw new RangeError('mine');
      },
    });
    expect(() => openCache().getMany(keys)).toThrow('mine');
  });

  test('a getter that closes the cache ends in ERR_CACHE_CLOSED', () => {
    const cache = openCache();
    cache.set('a', utf8('v'));
    const keys = Object.defineProperty(['a', 'b'], 1, {
      get() {
        cache.close();
        return 'b';
      },
    });
    expect(errorOf(() => cache.getMany(keys)).code).toBe('ERR_CACHE_CLOSED');
  });

  test('a getter that closes the cache and opens another never reads the other', () => {
    const cache = openCache();
    cache.set('a', utf8('mine'));
    cache.get('a'); // what is copied has somewhere to go
    const keys = Object.defineProperty(['a', 'b'], 1, {
      get() {
        cache.close();
        openCache().set('a', utf8('of another cache'));
        return 'b';
      },
    });
    expect(errorOf(() => cache.getMany(keys)).code).toBe('ERR_CACHE_CLOSED');
  });

  test('a getter that looks up others does not disturb the batch around it', () => {
    const cache = openCache();
    for (const key of ['a', 'b', 'c']) cache.set(key, utf8(key));
    cache.get('a');
    const keys = Object.defineProperty(['a', 'b', 'c'], 1, {
      get() {
        cache.getMany(Array.from({ length: 3000 }, () => 'c'));
        return 'b';
      },
    });
    expect(cache.getMany(keys).map((one) => textOf(one))).toEqual(['a', 'b', 'c']);
  });

  test('a getter that lengthens or shortens the array changes what is looked up, and nothing else', () => {
    const cache = openCache();
    for (const key of ['a', 'b', 'c']) cache.set(key, utf8(key.repeat(9)));
    cache.get('a');
    cache.getMany(['c', 'c', 'c', 'c', 'c', 'c']); // leaves its locations behind
    const longer: string[] = Object.defineProperty(['a', 'b'], 1, {
      get() {
        if (longer.length === 2) longer.push('absent', 'absent');
        return 'b';
      },
    });
    const values = cache.getMany(longer).map((one) => textOf(one));
    expect(values.slice(0, 2)).toEqual(['a'.repeat(9), 'b'.repeat(9)]);
    expect(values.slice(2).every((one) => one === undefined)).toBe(true);
    const shorter: string[] = Object.defineProperty(['a', 'b', 'c'], 1, {
      get() {
        shorter.length = 2;
        return 'b';
      },
    });
    expect(cache.getMany(shorter).map((one) => textOf(one))).toEqual(['a'.repeat(9), 'b'.repeat(9)]);
  });

  test('a codec that looks up others while it makes a view does not disturb the batch around it', () => {
    const cache = openCache();
    const text = {
      encode: (value: string) => utf8(value),
      decode: (encoded: Uint8Array) => {
        cache.getMany(['other', 'other', 'other', 'other']);
        return Buffer.from(encoded.slice()).toString();
      },
    };
    const texts = cache.keyspace('texts', { codec: text });
    cache.set('other', utf8('of another keyspace'));
    for (const key of ['a', 'b', 'c']) texts.set(key, key);
    texts.get('a');
    expect(texts.getMany(['a', 'b', 'c'])).toEqual(['a', 'b', 'c']);
  });
});

describe('stats', () => {
  test('hits and misses are the lookups: get, getCopy and each key of getMany; has is none', () => {
    const cache = openCache();
    for (let i = 0; i < 10; ++i) cache.set(`${i}`, randomBytes(100 + i * 1000));
    let lookups = 0;
    for (let i = 0; i < 1000; ++i) {
      const key = `${i % 15}`;
      if (i % 3 === 0) cache.get(key);
      else if (i % 3 === 1) cache.getCopy(key);
      else lookups += cache.getMany([key, key, 'absent']).length - 1;
      ++lookups;
      cache.has(key);
    }
    const { hits, misses, sets, entries } = cache.stats();
    expect(hits + misses).toBe(lookups);
    expect(misses).toBeGreaterThan(300);
    expect(hits).toBeGreaterThan(600);
    expect({ sets, entries }).toEqual({ sets: 10, entries: 10 });
  });

  test('say what there is', () => {
    const cache = openCache({ maxBytes: '8MB' });
    for (let i = 0; i < 100; ++i) cache.set(`${i}`, randomBytes(1000));
    cache.delete('1');
    cache.delete('absent');
    const stats = cache.stats();
    expect(stats).toMatchObject({
      sets: 100,
      deletes: 1,
      entries: 99,
      refusals: 0,
      evictions: 0,
      corrupted: 0,
      evicting: false,
    });
    const { bytes: sizes } = stats;
    expect(sizes.capacity).toBeLessThanOrEqual(8 * 2 ** 20);
    expect(sizes.live + sizes.free + sizes.retired).toBe(sizes.capacity);
    expect(sizes.live).toBeGreaterThanOrEqual(99_000);
    expect(sizes.capacity + sizes.index).toBeLessThanOrEqual(8 * 2 ** 20 + stats.segmentBytes);
    expect(['shared', 'array', 'copy']).toContain(stats.backend);
  });

  test('counters survive clear; evictions and overwrites keep entries right', () => {
    const cache = openCache({ maxBytes: '1MB' });
    for (let i = 0; i < 3000; ++i) cache.set(`${i % 1500}`, randomBytes(1000));
    const { evictions, entries, sets } = cache.stats();
    expect(sets).toBe(3000);
    expect(evictions).toBeGreaterThan(0);
    let found = 0;
    for (let i = 0; i < 1500; ++i) found += cache.has(`${i}`) ? 1 : 0;
    expect(found).toBe(entries);
    cache.clear();
    expect(cache.stats()).toMatchObject({ sets: 3000, entries: 0 });
  });
});

describe('the package', () => {
  test('require and import give the same classes and the same caches', () => {
    const required = createRequire(__filename)('zerohop') as typeof import('zerohop');
    expect(required.Cache).toBe(Cache);
    expect(required.CacheError).toBe(CacheError);
    expect(required.open).toBe(open);
    const name = uniqueName();
    openCache({ name, maxBytes: '1MB' }).set('k', utf8('v'));
    const cache = required.open({ name, maxBytes: '1MB' });
    opened.push(cache);
    expect(cache).toBeInstanceOf(Cache);
    expect(textOf(cache.get('k'))).toBe('v');
  });

  test('errors of the world’s are CacheErrors and Errors, with a code and a stack', () => {
    const cache = openCache();
    cache.close();
    const error = errorOf(() => cache.get('k'));
    expect(error).toBeInstanceOf(CacheError);
    expect(error).toBeInstanceOf(Error);
    expect((error as unknown as Error).stack).toContain('api.test');
  });
});
