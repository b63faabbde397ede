// keyv over a keyspace: its own test suite, and what that leaves out. Of what the suite depends on, package.json
// overrides what it does not use: a database, and a tool that measures coverage.
import { setTimeout as sleep } from 'node:timers/promises';
import keyvTestSuite, { keyvIteratorTests } from '@keyv/test-suite';
import Keyv from 'keyv';
import * as vitest from 'vitest';
import { type Cache, json, open, utf8 } from 'zerohop';
import { keyvStore } from 'zerohop/keyv';
import { anything, errorOf, openCache } from '../fixtures/opened.js';

const { afterAll, beforeAll, describe, expect, test } = vitest;

describe('the suite of keyv', () => {
  let cache: Cache;
  beforeAll(() => {
    cache = open({ maxBytes: '4MB' });
  });
  afterAll(() => cache.close());
  const store = () => keyvStore(cache.keyspace('suite', { codec: utf8 }));
  keyvTestSuite(vitest, Keyv, store);
  keyvIteratorTests(vitest, Keyv, store);
});

const spaceOf = (cache: Cache, name = 'keyv') => cache.keyspace(name, { codec: utf8 });

describe('a Keyv', () => {
  test('keeps falsy values, and tells them from none', async () => {
    const keyv = new Keyv({ store: keyvStore(spaceOf(openCache())) });
    for (const value of [0, '', false, null, []]) {
      expect(await keyv.set('k', value)).toBe(true);
      expect(await keyv.get('k')).toEqual(value);
      expect(await keyv.getMany(['k', 'none', 'k'])).toEqual([value, undefined, value]);
    }
    expect(await keyv.getMany([])).toEqual([]);
    expect(await keyv.hasMany(['k', 'none'])).toEqual([true, false]);
  });

  test('lets the cache end its entries too: ttl in ms', async () => {
    const space = spaceOf(openCache());
    const keyv = new Keyv({ store: keyvStore(space), ttl: 30 });
    await keyv.set('short', 1);
    await keyv.set('long', 1, 60_000);
    await keyv.set('ever', 1, 0);
    expect(space.entry('keyv:short')?.ttl ?? 0).toBeLessThanOrEqual(30);
    expect(space.entry('keyv:long')!.ttl).toBeGreaterThan(50_000);
    expect(space.entry('keyv:ever')!.ttl).toBe(Infinity);
    await sleep(60);
    expect([space.has('keyv:short'), space.has('keyv:long')]).toEqual([false, true]);
    await keyv.set('centuries', 1, Number.MAX_SAFE_INTEGER);
    expect(await keyv.get('centuries')).toBe(1);
    await keyv.set('long', 1, -1);
    expect(await keyv.get('long')).toBeUndefined();
  });

  test('leaves its ttl to the keyspace if it has none', async () => {
    const space = openCache().keyspace('keyv', { codec: utf8, ttl: '1h' });
    await new Keyv({ store: keyvStore(space) }).set('k', 1);
    expect(space.entry('keyv:k')!.ttl).toBeLessThanOrEqual(3_600_000);
  });

  test('clears its namespace alone; without one, the keyspace; never another keyspace', async () => {
    const cache = openCache();
    const space = spaceOf(cache);
    spaceOf(cache, 'other').set('one:k', 'v');
    const [one, two] = ['one', 'on'].map((namespace) => new Keyv({ store: keyvStore(space), namespace }));
    await one!.set('k', 1);
    await two!.set('k', 2);
    space.set('onward', 'v');
    await two!.clear();
    expect([await one!.get('k'), await two!.get('k'), space.has('onward')]).toEqual([1, undefined, true]);
    const all = new Keyv({ store: keyvStore(space), useKeyPrefix: false });
    all.namespace = undefined;
    await all.clear();
    expect([...space.keys()]).toEqual([]);
    expect(spaceOf(cache, 'other').has('one:k')).toBe(true);
  });

  describe.each([{}, { useKeyPrefix: false }])('with a namespace and %j', (over) => {
    const ofNamespace = (space: ReturnType<typeof spaceOf>, namespace: string) =>
      new Keyv({ store: keyvStore(space), namespace, ...over });

    async function entriesOf(keyv: Keyv): Promise<[string, unknown][]> {
      const entries: [string, unknown][] = [];
      for await (const [key, value] of keyv.iterator!(undefined)) entries.push([key as string, value]);
      return entries.sort();
    }

    test('iterates over its own keys as it was given them, and clears them alone', async () => {
      const space = spaceOf(openCache());
      const [a, b] = [ofNamespace(space, 'a'), ofNamespace(space, 'b')];
      const keys = ['x', 'y:z', 'c:x', '']; // keyv 5 itself takes `a:x` for `x` of the namespace a
      for (const key of keys) {
        await a.set(key, `a ${key}`);
        await b.set(key, `b ${key}`);
      }
      for (const key of keys) expect([await a.get(key), await b.get(key)]).toEqual([`a ${key}`, `b ${key}`]);
      expect(await entriesOf(a)).toEqual(keys.sort().map((key) => [key, `a ${key}`]));
      await a.clear();
      expect(await entriesOf(a)).toEqual([]);
      expect(await b.getMany(['x', 'y:z'])).toEqual(['b x', 'b y:z']);
      expect(await b.delete('x')).toBe(true);
      expect([await b.has('x'), await b.has('y:z')]).toEqual([false, true]);
    });

    test('clears what another Keyv of that namespace stored, before it has stored anything itself', async () => {
      const space = spaceOf(openCache());
      await ofNamespace(space, 'a').set('x', 1);
      await ofNamespace(space, 'a').clear();
      expect([...space.keys()]).toEqual([]);
    });
  });

  test('that leaves namespaces to the store keeps apart keys that begin with one (keyv#1431)', async () => {
    const keyv = new Keyv({ store: keyvStore(spaceOf(openCache())), namespace: 'web', useKeyPrefix: false });
    for (const key of ['web:x', 'x', 'web:web:x', ':x']) await keyv.set(key, key);
    for (const key of ['web:x', 'x', 'web:web:x', ':x']) expect(await keyv.get(key)).toBe(key);
  });

  test('on a store that another has, too, never clears the other’s keys: it says why not (keyv#1142)', async () => {
    const space = spaceOf(openCache());
    const store = keyvStore(space);
    const [a, b] = ['a', 'b'].map((namespace) => new Keyv({ store, namespace, throwOnErrors: true })) as [Keyv, Keyv];
    await a.set('x', 'of a');
    await b.set('x', 'of b');
    for (const keyv of [a, b]) await expect(keyv.clear()).rejects.toMatchObject({ code: 'ERR_CACHE_OPTIONS' });
    await expect(async () => {
      for await (const _ of a.iterator!(undefined));
    }).rejects.toThrow(/namespaces "a" and "b" have one store.*give each Keyv a store of its own/);
    expect([await a.get('x'), await b.get('x')]).toEqual(['of a', 'of b']);
    expect([await a.delete('x'), await a.has('x'), await b.has('x')]).toEqual([true, false, true]);
    const bare = [1, 2].map((n) => new Keyv({ store, namespace: `${n}`, useKeyPrefix: false, throwOnErrors: true }));
    await expect(bare[0]!.set('x', 1)).rejects.toMatchObject({ code: 'ERR_CACHE_OPTIONS' });
  });

  test('that is given another namespace goes on with that', async () => {
    const keyv = new Keyv({ store: keyvStore(spaceOf(openCache())), namespace: 'a', throwOnErrors: true });
    await keyv.set('x', 1);
    keyv.namespace = 'b';
    await keyv.set('x', 2);
    await keyv.clear();
    keyv.namespace = 'a';
    expect(await keyv.get('x')).toBe(1);
  });

  test('deletes many, and says whether all of them were there', async () => {
    const keyv = new Keyv({ store: keyvStore(spaceOf(openCache())) });
    for (const key of ['a', 'b', 'c']) await keyv.set(key, key);
    expect(await keyv.delete(['a', 'b'])).toBe(true);
    expect(await keyv.delete(['b', 'c'])).toBe(false);
    expect(await keyv.has(['a', 'b', 'c'])).toEqual([false, false, false]);
  });

  test('that serializes nothing may use json', async () => {
    const store = keyvStore(openCache().keyspace('objects', { codec: json }));
    const keyv = new Keyv({ store, ...anything({ serialize: undefined, deserialize: undefined }) });
    await keyv.set('k', { a: [1, null] }, 1000);
    expect(await keyv.get('k')).toEqual({ a: [1, null] });
    expect(await keyv.set('without an end', { a: 1 })).toBe(true);
    expect(await keyv.get('without an end')).toEqual({ a: 1 });
  });

  test('emits an error for what fails', async () => {
    const cache = openCache();
    const keyv = new Keyv({ store: keyvStore(spaceOf(cache)) });
    const errors: Error[] = [];
    keyv.on('error', (error) => errors.push(error));
    expect(await keyv.set('k', 1, Number.NaN)).toBe(false);
    expect(await keyv.set('x'.repeat(70_000), 1)).toBe(false);
    cache.close();
    expect(await keyv.set('k', 1)).toBe(false);
    expect(await keyv.delete('k')).toBe(false);
    await keyv.clear();
    expect(errors.map((error) => (error as { code?: string }).code)).toEqual([
      'ERR_OUT_OF_RANGE',
      'ERR_OUT_OF_RANGE',
      'ERR_CACHE_CLOSED',
      'ERR_CACHE_CLOSED',
      'ERR_CACHE_CLOSED',
    ]);
    const throwing = new Keyv({ store: keyvStore(spaceOf(openCache())), throwOnErrors: true });
    await expect(throwing.set('k', 1, Number.NaN)).rejects.toThrow(RangeError);
  });
});

describe('keyvStore', () => {
  test('has no namespace until keyv gives it one', () => {
    expect('namespace' in keyvStore(spaceOf(openCache()))).toBe(false);
  });

  test('yields whole keys of a namespace, uncounted', async () => {
    const space = spaceOf(openCache());
    const store = keyvStore(space);
    for (const key of ['a:1', 'a:2', 'ab:3', 'a']) await store.set(key, key);
    const { hits } = space.stats();
    const keys = [];
    for await (const [key, value] of store.iterator('a')) {
      expect(value).toBe(key);
      keys.push(key);
    }
    expect(keys.sort()).toEqual(['a:1', 'a:2']);
    expect(space.stats().hits).toBe(hits);
  });

  test('takes a keyspace of another copy of the library', () => {
    const foreign = Object.create(null, { [Symbol.for('zerohop.Keyspace')]: { value: true } });
    expect(typeof keyvStore(anything(foreign)).get).toBe('function');
  });

  test.each([undefined, {}, new Map(), 'keyv'])('of what is no keyspace is refused (%#)', (wrong) => {
    const error = errorOf(() => keyvStore(anything(wrong)));
    expect(error.message).toMatch(/^keyspace: expected a keyspace, as cache\.keyspace\(\) gives, received /);
    expect(error.code).toBe('ERR_INVALID_ARG_TYPE');
  });
});
