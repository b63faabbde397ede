// What other realms make (vm contexts, as test runners use them) is as good as our own, and what is none is refused.
import { createContext, runInContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { bytes, float32, int8, json, type Keyspace, number, open, utf8 } from 'zerohop';
import { isBranded } from '../../dist/base/kinds.js';
import { anything, errorOf, openCache, textOf } from '../fixtures/opened.js';

const context = createContext({});
/** The value of `code` in a realm of its own. */
const foreign = (code: string) => runInContext(code, context);

const openSpaces = () => {
  const cache = openCache();
  return {
    cache,
    texts: cache.keyspace('texts', { codec: utf8 }),
    objects: cache.keyspace('objects', { codec: json }),
    vectors: cache.keyspace('vectors', { codec: float32(2), keys: 'integer' }),
  };
};

describe('a cache takes, from another realm,', () => {
  test('values, by set and setMany', () => {
    const { cache, objects, vectors } = openSpaces();
    cache.set('k', foreign('new Uint8Array([1, 2])'));
    objects.set('k', foreign('({ a: [1, null] })'));
    vectors.setMany(foreign('[[1, new Float32Array([1, 2])], [2, new Float32Array([3, 4])]]'));
    expect([...cache.get('k')!]).toEqual([1, 2]);
    expect(objects.get('k')).toEqual({ a: [1, null] });
    expect(vectors.getMany([1, 2]).map((row) => [...row!])).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  test('keys: arrays, bytes, and typed arrays of integers', () => {
    const { cache, vectors } = openSpaces();
    cache.set(foreign('new Uint8Array([65])'), Buffer.from('v'));
    expect(cache.getMany(foreign("['A', 'b', new Uint8Array([65])]")).map(textOf)).toEqual(['v', undefined, 'v']);
    for (const name of ['Int32Array', 'Uint32Array', 'Float64Array']) {
      vectors.set(1, Float32Array.of(1, 2));
      const keys = foreign(`new ${name}([1, 7])`);
      expect(vectors.getMany(keys).map((row) => row && [...row])).toEqual([[1, 2], undefined]);
      expect(vectors.gather(keys, new Float32Array(4))).toEqual({ hits: 1, missing: [1] });
      expect(vectors.deleteMany(keys)).toBe(1);
    }
  });

  test('the array that gather fills', () => {
    const { vectors } = openSpaces();
    vectors.set(1, Float32Array.of(1, 2));
    const out = foreign('new Float32Array(2)');
    expect([vectors.gather([1], out), ...out]).toEqual([{ hits: 1, missing: [] }, 1, 2]);
  });

  test('options, their tags, and codecs of one’s own', () => {
    const { cache, texts } = openSpaces();
    texts.set('k', 'v', foreign("({ ttl: '1h', tags: ['t'], cost: 1 })"));
    expect(texts.deleteByTag('t')).toBe(1);
    const own = cache.keyspace(
      'own',
      foreign('({ codec: { encode: (n) => new Uint8Array([n]), decode: ([n]) => n } })'),
    );
    own.set('k', 7);
    expect(own.get('k')).toBe(7);
    expect(open(foreign("({ maxBytes: '1MB' })")).close()).toBe(undefined);
  });
});

describe('a promise or another thenable as a value, of whatever realm, is a TypeError for', () => {
  // biome-ignore lint/suspicious/noThenProperty: it is the case
  const thenable = { then: () => 1 };
  const codecs = { bytes, utf8, number, float32: float32(2), int8: int8(), json };
  test.each(Object.entries(codecs))('%s', (_, codec) => {
    const space = openCache().keyspace('space', anything({ codec })) as Keyspace<unknown, unknown, unknown>;
    for (const value of [Promise.resolve(1), foreign('Promise.resolve(1)'), thenable]) {
      expect(errorOf(() => space.set('k', value)).name).toBe('TypeError');
      expect(errorOf(() => space.setMany([['k', value]])).name).toBe('TypeError');
    }
    expect(space.has('k')).toBe(false);
  });

  test('a codec of one’s own whose encode gives a promise', () => {
    const codec = { encode: async () => new Uint8Array(1), decode: () => 1 };
    const space = openCache().keyspace('space', anything({ codec })) as Keyspace<unknown, unknown, unknown>;
    expect(errorOf(() => space.set('k', 1)).message).toMatch(
      /^what encode returned: expected a Uint8Array, .*Promise$/,
    );
  });
});

test('caches and keyspaces are known by a brand, which another copy of the library has as well', () => {
  const { cache, texts } = openSpaces();
  expect([isBranded(cache, 'Cache'), isBranded(cache, 'Keyspace')]).toEqual([true, true]);
  expect([isBranded(texts, 'Cache'), isBranded(texts, 'Keyspace')]).toEqual([false, true]);
  expect(isBranded(texts, 'Model')).toBe(false);
});

/** Without memory for them. */
const holes = (length: number) => Object.assign([] as unknown[], { length });

describe('a batch judges each key when it is read', () => {
  const calls: [string, (keys: never) => unknown][] = [
    ['getMany', (keys) => openSpaces().vectors.getMany(keys)],
    ['deleteMany', (keys) => openSpaces().vectors.deleteMany(keys)],
    ['gather', (keys) => openSpaces().vectors.gather(keys, new Float32Array(2))],
  ];
  test.each(calls)('%s of a long array of holes ends at the first one', (_, call) => {
    for (const keys of [holes(2 ** 24), Object.assign(holes(2 ** 24), { 0: 'a', 1: 'b' })])
      expect(errorOf(() => call(keys as never)).message).toMatch(
        /^keys\[[02]\]: expected a string, a Uint8Array, .* received undefined$/,
      );
  });

  test.each(calls)('%s of more than 16 777 216 keys is a RangeError, before one is read', (_, call) => {
    const endless = new Proxy([], {
      get: (_, name) => (name === 'length' ? 2 ** 32 - 1 : 1),
    });
    for (const keys of [holes(2e8), endless, new Int32Array(2 ** 24 + 1)])
      expect(errorOf(() => call(keys as never)).message).toMatch(/^keys\.length: expected at most 16777216, received/);
  });

  test('setMany of an array of holes ends at the first one', () => {
    expect(errorOf(() => openCache().setMany(anything(holes(2e8)))).message).toMatch(
      /^entries: expected .* undefined$/,
    );
  });

  test('an array that grows while it is read ends at the same number', () => {
    let length = 0;
    const growing = new Proxy([], {
      get(_, name) {
        if (name === 'length') length += 2 ** 20;
        return name === 'length' ? length : 1;
      },
    });
    expect(errorOf(() => openSpaces().vectors.getMany(anything(growing))).message).toMatch(/^keys\.length: expected/);
  });
});
