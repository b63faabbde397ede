// Keyspaces whose keys are integers: safe ones, and nothing else.
import { describe, expect, test } from 'vitest';
import { bytes, type CustomCodec, float32, int32, type Keyspace, number, utf8 } from 'zerohop';
import { anything, errorOf, makeNear, openCache, utf8Of } from '../fixtures/opened.js';

const MAX = Number.MAX_SAFE_INTEGER;
const MIN = Number.MIN_SAFE_INTEGER;

const scores = (cache = openCache()) => cache.keyspace('scores', { codec: number, keys: 'integer' });

/** Every method that takes a key. */
const callsWith = (space: Keyspace<number, unknown, unknown>, key: unknown): [string, () => unknown][] => [
  ['get', () => space.get(anything(key))],
  ['getCopy', () => space.getCopy(anything(key))],
  ['getMany', () => space.getMany([1, anything(key)])],
  ['gather', () => space.gather([1, anything(key)], new Float64Array(2))],
  ['peek', () => space.peek(anything(key))],
  ['entry', () => space.entry(anything(key))],
  ['has', () => space.has(anything(key))],
  ['set', () => space.set(anything(key), 1)],
  ['set with options', () => space.set(anything(key), 1, { ttl: '1h', tags: ['t'] })],
  ['setMany', () => space.setMany([[anything(key), 1]])],
  ['touch', () => space.touch(anything(key), { ttl: '1h' })],
  ['delete', () => space.delete(anything(key))],
  ['deleteMany', () => space.deleteMany([1, anything(key)])],
];

describe('an integer key', () => {
  test('is any safe integer, and each is a key of its own', () => {
    const space = scores();
    const keys = [0, 1, -1, 127, 128, 255, 256, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 32 + 1, -(2 ** 32)];
    keys.push(2 ** 52, MAX, MAX - 1, MIN, MIN + 1);
    for (const [i, key] of keys.entries()) expect(space.set(key, i)).toBe(true);
    expect(keys.map((key) => space.get(key))).toEqual(keys.map((_, i) => i));
    expect(space.getMany(keys)).toEqual(keys.map((_, i) => i));
    expect(space.stats().entries).toBe(keys.length);
    expect(new Set(space.keys())).toEqual(new Set(keys));
    expect(space.get(2)).toBeUndefined();
    expect(keys.every((key) => space.delete(key))).toBe(true);
    expect(space.stats().entries).toBe(0);
  });

  test('of -0 is 0', () => {
    const space = scores();
    space.set(-0, 1);
    expect(space.get(0)).toBe(1);
    space.set(0, 2);
    expect(space.get(-0)).toBe(2);
    expect(space.getMany([-0, 0])).toEqual([2, 2]);
    expect(space.getMany(new Float64Array([-0]))).toEqual([2]);
    const keys = [...space.keys()];
    expect(keys).toHaveLength(1);
    expect(Object.is(keys[0], 0)).toBe(true);
    expect(space.delete(-0)).toBe(true);
  });

  test.each([2 ** 53, -(2 ** 53), 1.5, -0.5, Number.MIN_VALUE, Number.MAX_VALUE, Number.NaN, Infinity, -Infinity])(
    'of %d is a RangeError that names the key, and nothing happens',
    (key) => {
      const space = scores();
      space.set(1, 7);
      for (const [name, call] of callsWith(space, key)) {
        const error = errorOf(call);
        expect([name, error.name, error.code]).toEqual([name, 'RangeError', 'ERR_OUT_OF_RANGE']);
        expect(error.message).toMatch(/^keys?: expected (a )?safe integers?, received /);
      }
      expect(space.stats()).toMatchObject({ entries: 1, sets: 1, hits: 0, misses: 0, deletes: 0 });
      expect(space.peek(1)).toBe(7);
    },
  );

  test.each([
    ["'1'", '1'],
    ['1n', 1n],
    ['bytes', utf8Of('1')],
    ['null', null],
    ['undefined', undefined],
    ['true', true],
    ['a Number object', new Number(1)],
    ['an object with valueOf', { valueOf: () => 1 }],
    ['an array', [1]],
    ['a symbol', Symbol('1')],
    ['a Date', new Date(1)],
  ])('is not %s: a TypeError that names the key, and nothing happens', (_, key) => {
    const space = scores();
    space.set(1, 7);
    for (const [name, call] of callsWith(space, key)) {
      const error = errorOf(call);
      expect([name, error.name, error.code]).toEqual([name, 'TypeError', 'ERR_INVALID_ARG_TYPE']);
      expect(error.message).toMatch(/^key(: expected an integer|s\[1\]: expected a string)/);
    }
    expect(space.stats()).toMatchObject({ entries: 1, sets: 1, hits: 0, misses: 0, deletes: 0 });
    expect(space.peek(1)).toBe(7);
  });

  test('is kept by the near cache like any other', async () => {
    const space = scores();
    for (const key of [0, -5, MAX]) {
      space.set(key, key);
      await makeNear(space, key);
      space.set(key, 0.5);
      expect(space.get(key)).toBe(0.5);
      space.delete(key);
      expect(space.get(key)).toBeUndefined();
    }
    space.set(0, 3);
    await makeNear(space, -0);
    expect([space.get(0), space.get(-0)]).toEqual([3, 3]);
    space.set(1, 4);
    await makeNear(space, 1);
    for (const key of ['1', 1n, true]) expect(() => space.get(anything(key))).toThrow(TypeError);
  });

  test('where keys are strings is a TypeError', () => {
    const cache = openCache();
    for (const call of [() => cache.get(1), () => cache.set(1, utf8Of('v')), () => cache.getMany([1])]) {
      expect(errorOf(call)).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    }
    for (const keys of [new Int32Array(2), new Uint32Array(2), new Float64Array(2)]) {
      for (const call of [() => cache.getMany(keys), () => cache.deleteMany(keys)]) {
        expect(errorOf(call)).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
        expect(errorOf(call).message).toMatch(/^keys?: /);
      }
    }
  });
});

describe('the kind of keys', () => {
  const named = (name: string): CustomCodec<string> => ({ name, encode: (text) => utf8Of(text), decode: () => '' });

  test('cannot be another when the keyspace is opened again', () => {
    const cache = openCache();
    cache.keyspace('strings', { codec: bytes });
    cache.keyspace('integers', { codec: float32(4), keys: 'integer' });
    for (const call of [
      () => cache.keyspace('strings', { codec: bytes, keys: 'integer' }),
      () => cache.keyspace('integers', { codec: float32(4) }),
      () => cache.keyspace('integers', { codec: float32(4), keys: 'string' }),
      () => cache.keyspace('integers', { codec: int32(4), keys: 'integer' }),
    ]) {
      expect(errorOf(call)).toMatchObject({ name: 'CacheError', code: 'ERR_CACHE_OPTIONS' });
    }
    expect(() => cache.keyspace('strings', { codec: bytes, keys: 'string' })).not.toThrow();
    expect(() => cache.keyspace('integers', { codec: float32(4), keys: 'integer' })).not.toThrow();
  });

  test.each(['x, integer keys', 'integer keys, x', 'integer keys', ', integer keys'])(
    'can not be imitated by a codec that is called %j',
    (name) => {
      for (const other of ['x', name.replace(/^integer keys, |, integer keys$/, ''), 'custom:x']) {
        const cache = openCache();
        cache.keyspace('a', { codec: named(name) }).set('text', 'value');
        const reopen = () => cache.keyspace('a', { codec: named(other || 'y'), keys: 'integer' });
        expect(errorOf(reopen).code).toBe('ERR_CACHE_OPTIONS');
      }
    },
  );

  test.each(['numbers', 'Integer', '', null, 5, true, ['integer']])('is not %j', (keys) => {
    const error = errorOf(() => openCache().keyspace('a', anything({ codec: utf8, keys })));
    expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    expect(error.message).toMatch(/^options\.keys: expected 'string' or 'integer', received/);
  });
});

describe('many integer keys at once', () => {
  const ids = [3, 0, 5, 3, 77, 1];
  const shared = new Int32Array(new SharedArrayBuffer(4 * ids.length));
  shared.set(ids);

  function vectors() {
    const space = openCache().keyspace('vectors', { codec: float32(2), keys: 'integer' });
    for (const id of [0, 1, 3, 5, -7]) space.set(id, new Float32Array([id, -id]));
    return space;
  }
  const firsts = (views: ({ readonly [index: number]: number } | undefined)[]) => views.map((view) => view?.[0]);

  test.each([
    ['an array', ids],
    ['an Int32Array', new Int32Array(ids)],
    ['a Uint32Array', new Uint32Array(ids)],
    ['a Float64Array', new Float64Array(ids)],
    ['a BigInt64Array', BigInt64Array.from(ids, BigInt)],
    ['a subarray', new Int32Array([9, 9, ...ids, 9]).subarray(2, 8)],
    ['shared memory', shared],
  ])('may be %s', (_, keys) => {
    const space = vectors();
    expect(firsts(space.getMany(keys))).toEqual([3, 0, 5, 3, undefined, 1]);
    const out = new Float32Array(12).fill(9);
    expect(space.gather(keys, out)).toEqual({ hits: 5, missing: [4] });
    expect([...out]).toEqual([3, -3, 0, -0, 5, -5, 3, -3, 9, 9, 1, -1]);
    expect(space.stats()).toMatchObject({ hits: 10, misses: 2 });
    expect(space.deleteMany(keys)).toBe(4);
    expect([...space.keys()]).toEqual([-7]);
  });

  test('that are negative or large are found in arrays that can hold them', () => {
    const space = scores();
    for (const key of [-7, -(2 ** 31), 2 ** 32 - 1, MAX, MIN]) space.set(key, key);
    expect(space.getMany(new Int32Array([-7, -(2 ** 31), -1]))).toEqual([-7, -(2 ** 31), undefined]);
    expect(space.getMany(new Uint32Array([2 ** 32 - 1, 2 ** 32 - 7]))).toEqual([2 ** 32 - 1, undefined]);
    expect(space.getMany(new Float64Array([MAX, MIN]))).toEqual([MAX, MIN]);
    expect(space.getMany(BigInt64Array.of(-7n, BigInt(MAX), BigInt(MIN)))).toEqual([-7, MAX, MIN]);
  });

  test.each([Number.NaN, 0.5, 2 ** 53, Infinity])('of which one is %d are a RangeError; none is looked up', (key) => {
    const space = vectors();
    const keys = new Float64Array([1, key]);
    for (const call of [
      () => space.getMany(keys),
      () => space.gather(keys, new Float32Array(4)),
      () => space.deleteMany(keys),
    ]) {
      expect(errorOf(call)).toMatchObject({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
      expect(errorOf(call).message).toMatch(/^keys?: /);
    }
    expect(space.stats()).toMatchObject({ hits: 0, misses: 0, deletes: 0, entries: 5 });
  });

  test.each([2n ** 53n, -(2n ** 60n)])('of 64 bits of which one is %d are a RangeError that names it', (key) => {
    const error = errorOf(() => vectors().getMany(BigInt64Array.of(1n, key)));
    expect(error).toMatchObject({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
    expect(error.message).toBe(`keys[1]: expected a safe integer, received bigint ${key}`);
  });

  test.each([
    ['a Float32Array', new Float32Array(2)],
    ['an Int16Array', new Int16Array(2)],
    ['a BigUint64Array', new BigUint64Array(2)],
    ['a Uint8Array', new Uint8Array(2)],
    ['a Set', new Set([1])],
    ['a number', 1],
  ])('may not be %s', (_, keys) => {
    const space = vectors();
    for (const call of [
      () => space.getMany(anything(keys)),
      () => space.gather(anything(keys), new Float32Array(4)),
      () => space.deleteMany(anything(keys)),
    ]) {
      expect(errorOf(call)).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
      expect(errorOf(call).message).toMatch(/^keys: /);
    }
  });

  test('of a buffer that was transferred away are a TypeError, not an empty batch', () => {
    const space = vectors();
    const keys = new Int32Array([1, 3]);
    structuredClone(keys.buffer, { transfer: [keys.buffer] });
    for (const call of [
      () => space.getMany(keys),
      () => space.gather(keys, new Float32Array(4)),
      () => space.deleteMany(keys),
    ]) {
      expect(errorOf(call)).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
      expect(errorOf(call).message).toMatch(/^keys: its buffer was detached/);
    }
    expect(space.getMany(new Int32Array(0))).toEqual([]);
  });
});
