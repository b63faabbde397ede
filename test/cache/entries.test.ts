// What is stored: asking without counting, what is known of an entry, all keys, and forgetting all of them.
import { createHash, randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { bytes, type Cache, float32, json, type Key, type Keyspace, number, utf8 } from 'zerohop';
import { native } from '../../dist/addon/native.js';
import { anything, errorOf, makeNear, nowMs, openCache, spin, textOf, until, utf8Of } from '../fixtures/opened.js';

const VALUE = utf8Of('value');

describe('peek, entry and has', () => {
  test('count as nothing: no lookup, no use', () => {
    const cache = openCache();
    cache.set('k', VALUE);
    for (let i = 0; i < 50; ++i) {
      expect(textOf(cache.peek('k'))).toBe('value');
      expect(cache.has('k')).toBe(true);
      expect(cache.entry('k')!).toMatchObject({ frequency: 1, gap: 0 });
      expect([cache.peek('absent'), cache.entry('absent'), cache.has('absent')]).toEqual([undefined, undefined, false]);
      expect([...cache.entries()]).toHaveLength(1);
    }
    expect(cache.stats()).toMatchObject({ hits: 0, misses: 0, copiedHits: 0, nearHits: 0 });
  });

  test('peek gives what get gives, of every codec', () => {
    const cache = openCache();
    const value = new Float32Array([1, 2]);
    const spaces: [Keyspace<unknown, unknown, unknown>, unknown][] = [
      [anything(cache.keyspace('bytes', { codec: bytes })), VALUE],
      [anything(cache.keyspace('utf8', { codec: utf8 })), 'text'],
      [anything(cache.keyspace('json', { codec: json })), { a: [1, null] }],
      [anything(cache.keyspace('number', { codec: number })), -0],
      [anything(cache.keyspace('float32', { codec: float32(2) })), value],
    ];
    for (const [space, given] of spaces) {
      space.set('k', given);
      for (let i = 0; i < 500; ++i) space.get('k'); // until it is shown
      expect(space.peek('k')).toEqual(given);
      expect(space.entry('k')!.value).toEqual(given);
      expect([...space.entries()]).toEqual([['k', given]]);
    }
  });
});

describe('entry', () => {
  test('tells age, ttl, size, frequency, worth and cost', () => {
    const cache = openCache();
    cache.set('k', new Uint8Array(300), { ttl: 60_000, cost: 2.5 });
    cache.set('plain', new Uint8Array(0));
    const before = nowMs();
    const young = cache.entry('k')!;
    expect(young).toMatchObject({ size: 300, frequency: 1, gap: 0, cost: 2.5, threshold: 0 });
    expect(young.value).toHaveLength(300);
    expect(young.worth).toBeGreaterThan(0);
    expect(young.ttl).toBeLessThanOrEqual(60_000);
    expect(young.age).toBeLessThan(10_000);
    expect(cache.entry('plain')).toMatchObject({ size: 0, frequency: 1, cost: 0, ttl: Number.POSITIVE_INFINITY });
    spin(300);
    for (let i = 0; i < 40_000; ++i) cache.getCopy('k');
    expect(cache.entry('k')!.frequency).toBe(12);
    const old = cache.entry('k')!;
    const passed = nowMs() - before;
    expect(old.age).toBeGreaterThanOrEqual(300 - 64 - 10); // the clock of ages is a coarse one
    expect(old.ttl).toBeLessThanOrEqual(young.ttl - 300);
    expect(old.ttl).toBeGreaterThanOrEqual(young.ttl - passed - 1);
    cache.set('k', new Uint8Array(5));
    const anew = cache.entry('k')!;
    expect(anew).toMatchObject({ size: 5, cost: 0, ttl: Number.POSITIVE_INFINITY });
    expect(anew.age).toBeLessThan(200);
  });

  test.each([0, 0.1, 1, 1e-30, 123_456.75, 3e38])('keeps a cost of %d to seven digits', (cost) => {
    const cache = openCache();
    cache.set('k', VALUE, { cost });
    expect(cache.entry('k')!.cost).toBe(Math.fround(cost));
  });

  test('tells the entry’s own size if its codec looks up another while it decodes', () => {
    const cache = openCache();
    cache.set('other', new Uint8Array(1000));
    const texts = cache.keyspace('texts', {
      codec: {
        encode: (text: string) => utf8Of(text),
        decode: (encoded: Uint8Array) => {
          cache.get('other');
          cache.entry('other');
          return Buffer.from(encoded.slice()).toString();
        },
      },
    });
    texts.set('k', 'abc', { cost: 3 });
    expect(texts.entry('k')).toMatchObject({ value: 'abc', size: 3, cost: 3, ttl: Number.POSITIVE_INFINITY });
  });
});

/** Keys so that they can be compared, and told in a few words. */
function plain(key: Key): string {
  const digest = createHash('sha1')
    .update(typeof key === 'number' ? `${key}` : key)
    .digest('hex');
  return `${typeof key} ${digest} ${typeof key === 'string' ? key.slice(0, 20) : ''}`;
}

describe('keys and entries', () => {
  test('come back as they were given: strings, bytes', () => {
    const cache = openCache();
    const keys: Key[] = ['a', 'Grüße', '🦊', '\uFEFFbom', '\uFFFD', 'nul\0', '\0', 'x'.repeat(65_535), 'k'.repeat(256)];
    keys.push(utf8Of('bytes'), Buffer.from([0xff, 0xfe]), new Uint8Array(2), randomBytes(300), randomBytes(65_535));
    for (const key of keys) cache.set(key, utf8Of(`of ${plain(key)}`));
    expect(new Set([...cache.keys()].map(plain))).toEqual(new Set(keys.map(plain)));
    const entries = [...cache];
    expect(entries).toHaveLength(keys.length);
    for (const [key, value] of entries) expect(textOf(value)).toBe(`of ${plain(key)}`);
    for (const key of cache.keys()) if (typeof key === 'object') expect(key.constructor).toBe(Uint8Array);
  });

  test('come back as they were given last, once', () => {
    const cache = openCache();
    cache.set('k', VALUE);
    cache.set(utf8Of('k'), VALUE);
    expect([...cache.keys()]).toEqual([utf8Of('k')]);
    cache.set('k', VALUE, { ttl: '1h', tags: ['t'] });
    expect([...cache.keys()]).toEqual(['k']);
  });

  test('are those of the keyspace', () => {
    const cache = openCache();
    const a = cache.keyspace('a', { codec: bytes });
    const b = cache.keyspace('b', { codec: number, keys: 'integer', scope: 'b' });
    cache.set('root', VALUE);
    a.set('in a', VALUE);
    b.set(5, 1);
    b.set(-7, 2);
    expect([[...cache.keys()], [...a.keys()], [...b.keys()].sort()]).toEqual([['root'], ['in a'], [-7, 5]]);
    expect(new Map(b)).toEqual(
      new Map([
        [5, 1],
        [-7, 2],
      ]),
    );
    a.clear();
    expect([...a]).toEqual([]);
  });

  test('given away are the caller’s own to change', () => {
    const cache = openCache();
    cache.set(utf8Of('bytes'), VALUE);
    for (const key of cache.keys()) (key as Uint8Array).fill(0);
    expect([...cache.keys()]).toEqual([utf8Of('bytes')]);
  });

  test('that are stored all the while are given exactly once, while others come and go and the index grows', () => {
    const cache = openCache({ maxBytes: '32MB' });
    const stable = Array.from({ length: 2000 }, (_, i) => `stable ${i}`);
    for (const key of stable) cache.set(key, VALUE);
    const { bytes: before } = cache.stats();
    const given = new Map<Key, number>();
    let others = 0;
    for (const key of cache.keys()) {
      given.set(plain(key), (given.get(plain(key)) ?? 0) + 1);
      for (let n = 0; n < 10 && others < 60_000; ++n) {
        cache.set(`other ${others++}`, VALUE);
        cache.delete(`other ${others - 5000}`);
      }
      if (others % 7 === 0) cache.set(stable[others % stable.length]!, utf8Of('overwritten'));
    }
    expect(cache.stats().bytes.index).toBeGreaterThan(before.index);
    expect(stable.filter((key) => given.get(plain(key)) !== 1)).toEqual([]);
    expect([...given.values()].every((count) => count === 1)).toBe(true);
  });

  test('may be left early, and be iterated several at a time', () => {
    const cache = openCache();
    for (let i = 0; i < 1000; ++i) cache.set(`${i}`, VALUE);
    let seen = 0;
    for (const _ of cache.entries()) if (++seen === 10) break;
    expect(seen).toBe(10);
    const two = [cache.keys(), cache.keys()];
    const both = [new Set<Key>(), new Set<Key>()];
    for (let i = 0; i < 1000; ++i) for (const n of [0, 1]) both[n]!.add(two[n]!.next().value!);
    expect(both.map((set) => set.size)).toEqual([1000, 1000]);
    expect(two.map((keys) => keys.next().done)).toEqual([true, true]);
    expect(two[0]![Symbol.iterator]()).toBe(two[0]);
  });

  test('end in ERR_CACHE_CLOSED if the cache is closed in the middle', () => {
    for (const iterate of [(cache: Cache) => cache.keys(), (cache: Cache) => cache.entries()]) {
      const cache = openCache();
      for (let i = 0; i < 1000; ++i) cache.set(`${i}`, VALUE);
      const run = () => {
        let seen = 0;
        for (const _ of iterate(cache)) if (++seen === 100) cache.close();
      };
      expect(errorOf(run)).toMatchObject({ name: 'CacheError', code: 'ERR_CACHE_CLOSED' });
      expect(errorOf(() => iterate(cache).next()).code).toBe('ERR_CACHE_CLOSED');
    }
  });

  test('of which each is deleted as it comes leave nothing', () => {
    const cache = openCache();
    for (let i = 0; i < 3000; ++i) cache.set(`${i}`, VALUE);
    for (const key of cache.keys()) expect(cache.delete(key)).toBe(true);
    expect(cache.stats().entries).toBe(0);
    for (let i = 0; i < 3000; ++i) cache.set(`${i}`, VALUE);
    for (const _ of cache.keys()) cache.clear();
    expect([...cache.keys()]).toEqual([]);
  });
});

describe('clear of a keyspace', () => {
  test('forgets its entries and no others; views stay as they were', async () => {
    const cache = openCache();
    const a = cache.keyspace('a', { codec: bytes });
    const b = cache.keyspace('b', { codec: utf8 });
    for (let i = 0; i < 500; ++i) {
      a.set(`${i}`, utf8Of(`in a ${i}`));
      b.set(`${i}`, `in b ${i}`);
      cache.set(`${i}`, utf8Of(`in root ${i}`));
    }
    await makeNear(a, '7');
    const view = a.get('7');
    a.clear();
    expect([a.get('7'), a.peek('8'), a.has('9'), a.entry('10'), a.touch('11'), a.delete('12')]).toEqual([
      undefined,
      undefined,
      false,
      undefined,
      false,
      false,
    ]);
    expect(a.getMany(['1', '2'])).toEqual([undefined, undefined]);
    expect([...a.keys()]).toEqual([]);
    for (let i = 0; i < 500; ++i) {
      expect(b.peek(`${i}`)).toBe(`in b ${i}`);
      expect(textOf(cache.peek(`${i}`))).toBe(`in root ${i}`);
    }
    expect([a, b, cache].map((space) => space.stats().entries)).toEqual([0, 500, 1000]);
    for (let i = 0; i < 500; ++i) a.set(`${i}`, utf8Of(`again ${i}`));
    expect(textOf(view)).toBe('in a 7');
    expect(textOf(a.get('7'))).toBe('again 7');
    expect(a.stats()).toMatchObject({ entries: 500, sets: 1000, evictions: 0, deletes: 0 });
  });

  test('is seen by another handle of the same keyspace, and its near cache', async () => {
    const cache = openCache();
    const one = cache.keyspace('a', { codec: utf8 });
    const two = cache.keyspace('a', { codec: utf8 });
    one.set('k', 'v');
    await makeNear(two, 'k');
    one.clear();
    expect([two.get('k'), two.stats().entries]).toEqual([undefined, 0]);
  });

  test.each([
    ['without tags', {}],
    ['with tags', { tags: ['a', 'b', 'c', 'd'], ttl: '1h' }],
  ])('20 000 times in a row, an entry each (%s), works, and nothing comes back', (_, options) => {
    const cache = openCache();
    const space = cache.keyspace('a', { codec: number });
    const other = cache.keyspace('other', { codec: number });
    other.set('k', -1);
    let refused = 0;
    let index = 0;
    for (let i = 0; i < 20_000; ++i) {
      if (!space.set('k', i, options)) ++refused;
      else expect(space.get('k')).toBe(i);
      space.clear();
      if (space.get('k') !== undefined || space.deleteByTag('a') > 0) throw new Error(`it is back in round ${i}`);
      if (i % 1000 === 0) index = Math.max(index, cache.stats().bytes.index);
    }
    expect(refused).toBe(0);
    expect(index).toBeLessThan(2 ** 20);
    expect(space.stats()).toMatchObject({ entries: 0, sets: 20_000, hits: 20_000, misses: 20_000, evictions: 0 });
    expect([[...space.keys()], other.get('k')]).toEqual([[], -1]);
    expect(cache.stats().entries).toBe(1);
  });

  test('again and again of a full keyspace keeps room for everyone', () => {
    const cache = openCache({ maxBytes: '2MB' });
    const space = cache.keyspace('a', { codec: bytes });
    const other = cache.keyspace('other', { codec: bytes });
    for (let i = 0; i < 100; ++i) other.set(`${i}`, new Uint8Array(1000));
    for (let round = 0; round < 40; ++round) {
      for (let i = 0; i < 300; ++i) expect(space.set(`${i}`, new Uint8Array(1000).fill(round))).toBe(true);
      for (let i = 0; i < 100; ++i) other.getCopy(`${i}`);
      expect(space.getCopy('299')![999]).toBe(round); // no view: those keep segments of few
      space.clear();
      expect(space.stats().entries).toBe(0);
    }
    expect(cache.stats()).toMatchObject({ refusals: 0, corrupted: 0 });
    expect(other.stats().entries).toBeGreaterThan(50);
  });

  test('gives its memory back by and by', async () => {
    const cache = openCache({ maxBytes: '16MB' });
    const space = cache.keyspace('a', { codec: bytes });
    for (let i = 0; i < 5000; ++i) space.set(`${i}`, new Uint8Array(2000));
    expect(cache.stats().bytes.live).toBeGreaterThan(9 * 2 ** 20);
    space.clear();
    for (let i = 0; i < 130; ++i) native.maintain(); // two minutes of upkeep
    await until(() => {
      native.maintain();
      return cache.stats().bytes.live < 2 ** 20;
    });
  });
});
