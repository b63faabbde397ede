// The near cache: answers that a thread keeps. Nobody can tell but by the time it takes, and by stats().nearHits.
import { afterEach, describe, expect, test, vi } from 'vitest';
import { bytes, type Cache, float32, json, type Keyspace, number, utf8 } from 'zerohop';
import { native } from '../../dist/addon/native.js';
import { makeNear, openCache, spin, spinUntil, textOf, turn, uniqueName, until, utf8Of } from '../fixtures/opened.js';
import { randomFrom } from '../fixtures/values.mjs';

type Texts = Keyspace<string, string, string>;

afterEach(() => {
  vi.useRealTimers();
});

const textsOf = (cache: Cache): Texts => cache.keyspace('texts', { codec: utf8 });

/** V8's hash of a small integer: it has no secret. */
function hashInV8(integer: number): number {
  let hash = integer | 0;
  hash = (~hash + (hash << 15)) | 0;
  hash ^= hash >>> 12;
  hash = (hash + (hash << 2)) | 0;
  hash ^= hash >>> 4;
  hash = Math.imul(hash, 2057);
  hash ^= hash >>> 16;
  return hash & 0x3fffffff;
}

describe('integers in the near cache', () => {
  const integers = (cache = openCache()) => cache.keyspace('integers', { codec: number, keys: 'integer' });

  test('that all collide in V8 are kept under names that do not', () => {
    const BUCKETS = 1024;
    const hostile: number[] = [];
    for (let i = 0; hostile.length < BUCKETS; ++i) if (hashInV8(i) % BUCKETS === 0) hostile.push(i);
    const space = integers();
    for (const key of hostile) space.set(key, -key);
    const seen = new Set<unknown>();
    const { get } = Map.prototype;
    const spy = vi.spyOn(Map.prototype, 'get').mockImplementation(function (this: Map<unknown, unknown>, name) {
      seen.add(name);
      return get.call(this, name);
    });
    try {
      for (let round = 0; round < 20; ++round) for (const key of hostile) expect(space.get(key)).toBe(-key);
    } finally {
      spy.mockRestore();
    }
    expect(space.stats().nearHits).toBeGreaterThan(hostile.length);
    const names = [...seen].filter((name) => typeof name === 'number');
    expect(names.length).toBeGreaterThan(hostile.length - 10);
    const buckets = new Array<number>(BUCKETS).fill(0);
    for (const name of names) buckets[hashInV8(name) % BUCKETS]!++;
    expect(Math.max(...buckets)).toBeLessThan(20); // of one a bucket; the attack would be 1 024
  });

  test('of more than 32 bits, and what is no integer, are told apart from those whose low bits they share', () => {
    const space = integers();
    const keys = [5, 5 + 2 ** 32, 5 - 2 ** 32, 5 + 2 ** 33, -5, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0];
    for (const [i, key] of keys.entries()) space.set(key, i);
    for (let round = 0; round < 200; ++round) {
      for (const [i, key] of keys.entries()) expect(space.get(key)).toBe(i);
    }
    expect(space.stats().nearHits).toBeGreaterThan(100);
    for (const key of [5.5, -0.5, Number.NaN, 2 ** 64 + 5]) expect(() => space.get(key)).toThrow(RangeError);
    expect(space.get(-0)).toBe(7);
    expect(space.get(6)).toBeUndefined();
  });
});

describe('an answer that the near cache keeps', () => {
  // Each changes what `get('k')` must give, through a handle of its own.
  const changes: [string, (texts: Texts, cache: Cache) => unknown, string | undefined][] = [
    ['set', (texts) => texts.set('k', 'new'), 'new'],
    ['set with bytes for a key', (texts) => texts.set(utf8Of('k'), 'new'), 'new'],
    ['set with options', (texts) => texts.set('k', 'new', { ttl: '1h', tags: ['u'] }), 'new'],
    ['setMany', (texts) => texts.setMany([['k', 'new']]), 'new'],
    ['delete', (texts) => texts.delete('k'), undefined],
    ['delete by bytes', (texts) => texts.delete(utf8Of('k')), undefined],
    ['deleteMany', (texts) => texts.deleteMany(['l', 'k']), undefined],
    ['deleteByTag', (texts) => texts.deleteByTag('t'), undefined],
    ['clear of the keyspace', (texts) => texts.clear(), undefined],
    ['clear of the cache', (_, cache) => cache.clear(), undefined],
    ['delete and set', (texts) => texts.delete('k') && texts.set('k', 'again'), 'again'],
    ['clear and set', (texts) => [texts.clear(), texts.set('k', 'again')], 'again'],
    ['set of the same value', (texts) => texts.set('k', 'old'), 'old'],
    ['touch', (texts) => texts.touch('k', { ttl: '1h' }), 'old'],
    ['changes of other keys', (texts) => [texts.set('l', 'other'), texts.delete('m')], 'old'],
  ];

  test.each(changes)('is right after %s', async (_, change, expected) => {
    const name = uniqueName();
    const [here, there] = [openCache({ name }), openCache({ name })];
    const texts = textsOf(here);
    for (const [through, cache] of [
      [texts, here],
      [textsOf(here), here],
      [textsOf(there), there],
    ] as const) {
      texts.set('k', 'old', { tags: ['t'] });
      await makeNear(texts, 'k');
      change(through, cache);
      expect(texts.get('k')).toBe(expected);
      for (let i = 0; i < 600; ++i) expect(texts.get('k')).toBe(expected);
      expect(texts.getMany(['k'])).toEqual([expected]);
    }
  });

  test('is right at every step of a long random history, of few keys and many', () => {
    for (const [keys, clears, seed] of [
      [3, 200, 1],
      [40, 200, 2],
      [2000, 5, 3],
    ] as const) {
      const random = randomFrom(seed);
      const below = (n: number) => Math.floor(random() * n);
      const cache = openCache({ maxBytes: '32MB' });
      const space = cache.keyspace('numbers', { codec: number });
      const oracle = new Map<string, number>();
      for (let key = 0; key < keys; ++key) oracle.set(`${key}`, -key);
      space.setMany(oracle);
      for (let i = 0; i < 200_000; ++i) {
        const key = `${below(below(2) === 0 ? Math.min(keys, 40) : keys)}`;
        const choice = below(1000);
        if (choice < 20) {
          space.set(key, i, choice < 5 ? { tags: [`${key.at(-1)}`] } : undefined);
          oracle.set(key, i);
        } else if (choice < 26) {
          expect(space.delete(key)).toBe(oracle.delete(key));
        } else if (choice === 30 && below(200) < clears) {
          space.clear();
          oracle.clear();
        } else if (choice < 33) {
          space.touch(key, { ttl: '1h' });
        } else if (space.get(key) !== oracle.get(key)) {
          throw new Error(`step ${i}, seed ${seed}: ${key} is ${space.get(key)}, not ${oracle.get(key)}`);
        }
      }
      const { hits, misses, nearHits } = space.stats();
      expect(hits + misses).toBeGreaterThan(190_000);
      expect(nearHits, `of ${keys} keys`).toBeGreaterThan(1000);
    }
  });

  test('is never kept for a miss, nor given for another key', async () => {
    const texts = textsOf(openCache());
    for (let i = 0; i < 2000; ++i) expect(texts.get('absent')).toBeUndefined();
    texts.set('absent', 'there');
    expect(texts.get('absent')).toBe('there');
    texts.set('k', 'v');
    texts.set('k\0', 'other');
    await makeNear(texts, 'k');
    expect([texts.get('k\0'), texts.get('K'), texts.get('kk')]).toEqual(['other', undefined, undefined]);
  });

  test('belongs to one keyspace', async () => {
    const cache = openCache();
    const a = cache.keyspace('a', { codec: utf8 });
    const b = cache.keyspace('b', { codec: utf8 });
    a.set('k', 'in a');
    await makeNear(a, 'k');
    expect([b.get('k'), cache.get('k')]).toEqual([undefined, undefined]);
    b.set('k', 'in b');
    await makeNear(b, 'k');
    expect([a.get('k'), b.get('k')]).toEqual(['in a', 'in b']);
    b.clear();
    expect([a.get('k'), b.get('k')]).toEqual(['in a', undefined]);
  });

  test('may be an empty string, 0, NaN or an empty vector', async () => {
    const cache = openCache();
    const numbers = cache.keyspace('numbers', { codec: number });
    const vectors = cache.keyspace('vectors', { codec: float32() });
    const texts = textsOf(cache);
    texts.set('k', '');
    numbers.set('0', -0);
    numbers.set('NaN', Number.NaN);
    vectors.set('k', new Float32Array(0));
    for (let i = 0; i < 3000; ++i) {
      expect(texts.get('k')).toBe('');
      expect(numbers.get('0')).toBe(-0);
      expect(numbers.get('NaN')).toBe(Number.NaN);
      expect(vectors.get('k')).toHaveLength(0);
      if (i % 1000 === 0) await turn();
    }
    expect(cache.stats()).toMatchObject({ hits: 12_000, misses: 0 });
  });

  test('is not given after the cache was closed: ERR_CACHE_CLOSED', async () => {
    const cache = openCache();
    const texts = textsOf(cache);
    texts.set('k', 'v');
    await makeNear(texts, 'k');
    cache.close();
    expect(() => texts.get('k')).toThrow('the cache was closed');
  });

  test('is not given by a cache that was closed and opened again under the same name', async () => {
    const name = uniqueName();
    for (let round = 0; round < 3; ++round) {
      const cache = openCache({ name });
      const texts = textsOf(cache);
      expect([texts.get('k'), texts.stats().nearHits]).toEqual([undefined, 0]);
      texts.set('k', `round ${round}`);
      await makeNear(texts, 'k');
      expect(texts.get('k')).toBe(`round ${round}`);
      cache.close();
    }
  });
});

describe('the near cache', () => {
  test('goes by the bytes that a Uint8Array as a key has at the time of the call', () => {
    const cache = openCache();
    const keys = Array.from({ length: 4 }, (_, i) => new Uint8Array([1, 2, i]));
    for (const [i, key] of keys.entries()) cache.set(key, utf8Of(`value ${i}`));
    const key = new Uint8Array([1, 2, 0]);
    for (let i = 0; i < 4000; ++i) {
      key[2] = i % 5;
      expect(textOf(cache.get(key))).toBe(i % 5 === 4 ? undefined : `value ${i % 5}`);
    }
  });

  test('keeps nothing where it is told not to, nor for codecs whose answers are the caller’s own', async () => {
    const cache = openCache();
    const spaces = [
      cache.keyspace('near: false', { codec: utf8, near: false }),
      cache.keyspace('copy', { codec: utf8, copy: true }),
      cache.keyspace('json', { codec: json }),
      cache.keyspace('custom', {
        codec: { encode: (text: string) => utf8Of(text), decode: (encoded) => textOf(encoded)! },
      }),
    ];
    for (const space of spaces) {
      space.set('k', 'value');
      for (let i = 0; i < 2000; ++i) space.get('k');
      await turn();
      for (let i = 0; i < 2000; ++i) expect(space.get('k')).toBe('value');
      expect(space.stats()).toMatchObject({ nearHits: 0, hits: 4000 });
    }
    const objects = cache.keyspace('objects', { codec: json });
    objects.set('k', { list: [1] });
    for (let i = 0; i < 1000; ++i) {
      const found = objects.get('k') as { list: number[] };
      expect(found.list).toEqual([1]);
      found.list.push(2);
    }
  });

  test('asks native code now and then, so that the policy knows of a key that is in use', () => {
    const cache = openCache({ maxBytes: '8MB' });
    const texts = textsOf(cache);
    texts.set('k', 'v');
    for (let i = 0; i < 50_000; ++i) texts.get('k');
    const { hits, nearHits } = texts.stats();
    expect(hits).toBe(50_000);
    expect(nearHits).toBeGreaterThan(40_000);
    expect(hits - nearHits).toBeGreaterThan(20);
    expect(texts.entry('k')!.frequency).toBeGreaterThanOrEqual(2);
  });

  test('keeps the answers of more keys than it has places for right', () => {
    const cache = openCache({ maxBytes: '32MB' });
    const numbers = cache.keyspace('numbers', { codec: number, keys: 'integer' });
    for (let key = 0; key < 50_000; ++key) numbers.set(key, -key);
    const random = randomFrom(4);
    for (let i = 0; i < 400_000; ++i) {
      // Half of them from a few keys, else it would rest.
      const key = Math.floor(random() * (i % 2 === 0 ? 100 : 50_000));
      if (numbers.get(key) !== -key) throw new Error(`${key} is ${numbers.get(key)}`);
    }
    expect(numbers.stats()).toMatchObject({ hits: 400_000, misses: 0 });
    expect(numbers.stats().nearHits).toBeGreaterThan(100_000);
  });

  test('answers again after it has rested, because all keys were asked for once', () => {
    const cache = openCache({ maxBytes: '32MB' });
    const numbers = cache.keyspace('numbers', { codec: number, keys: 'integer' });
    for (let key = 0; key < 150_000; ++key) numbers.set(key, key);
    for (let key = 0; key < 150_000; ++key) numbers.get(key);
    const { nearHits } = numbers.stats();
    for (let i = 0; i < 50_000; ++i) numbers.get(7);
    expect(numbers.stats().nearHits - nearHits).toBe(0);
    spinUntil(() => {
      for (let i = 0; i < 1000; ++i) numbers.get(7);
      return numbers.stats().nearHits > nearHits + 10_000;
    }, 10);
  });

  test('gives no view of an entry that was written to for long: its checksum is compared now and then', async () => {
    const cache = openCache();
    const vectors = cache.keyspace('vectors', { codec: float32(64) });
    vectors.set('k', new Float32Array(64).fill(1));
    await makeNear(vectors, 'k');
    (vectors.get('k') as Float32Array)[0] = 2;
    let gets = 0;
    while (gets < 100_000 && vectors.get('k') !== undefined) ++gets;
    expect(gets).toBeLessThan(100_000);
    expect(vectors.stats()).toMatchObject({ corrupted: 1, entries: 0 });
  });

  test('works with mocked timers', async () => {
    const texts = textsOf(openCache());
    texts.set('k', 'v', { ttl: '1h' });
    await makeNear(texts, 'k');
    vi.useFakeTimers();
    texts.touch('k', { ttl: 300 });
    spinUntil(() => texts.get('k') === undefined, 5);
  });
});

describe('what the near cache keeps', () => {
  /** All segments of which this thread has seen something. */
  const seenBytes = (cache: Cache) => cache.stats().bytes.exposedHere;

  async function kept(cache: Cache) {
    const space = cache.keyspace('values', { codec: bytes });
    for (let i = 0; i < 400; ++i) space.set(`${i}`, new Uint8Array(5000).fill(i));
    for (let round = 0; round < 100; ++round) {
      for (let i = 0; i < 400; ++i) space.get(`${i}`);
      await turn();
      if (space.stats().nearHits > 2000) break;
    }
    expect(space.stats().nearHits).toBeGreaterThan(2000);
    expect(seenBytes(cache)).toBeGreaterThan(10 * 2 ** 17);
    return space;
  }

  test('is released when the keyspace or the cache is cleared', async () => {
    for (const clear of [
      (space: Keyspace<Uint8Array, unknown, unknown>) => space.clear(),
      (_: unknown, cache: Cache) => cache.clear(),
    ]) {
      const cache = openCache({ maxBytes: '8MB' });
      const space = await kept(cache);
      clear(space, cache);
      await until(() => {
        globalThis.gc?.();
        for (let i = 0; i < 2; ++i) space.get('0');
        native.maintain(); // the segments of a cleared keyspace are emptied by upkeep
        const { retired, live } = cache.stats().bytes;
        return retired === 0 && live < 2 ** 18 && seenBytes(cache) < 2 ** 18;
      }, 20);
    }
  });

  test('is released when the cache is cleared, also in keyspaces that nobody asks any more', async () => {
    const cache = openCache({ maxBytes: '8MB' });
    await kept(cache);
    cache.clear();
    await until(() => {
      globalThis.gc?.();
      return cache.stats().bytes.retired === 0 && seenBytes(cache) === 0;
    }, 10);
  });

  test('is released when eviction begins, so that no set is refused', async () => {
    const cache = openCache({ maxBytes: '8MB' });
    const space = await kept(cache);
    const other = cache.keyspace('other', { codec: bytes });
    let refused = 0;
    for (let i = 0; i < 5000; ++i) {
      if (!other.set(`${i}`, new Uint8Array(5000))) ++refused;
      if (i % 100 === 0) await turn();
    }
    expect(cache.stats().evicting).toBe(true);
    expect(refused).toBe(0);
    await until(() => {
      globalThis.gc?.();
      other.set('k', new Uint8Array(5000));
      return cache.stats().bytes.retired === 0 && seenBytes(cache) < 2 ** 20;
    }, 10);
    // Nothing is kept while it evicts.
    const { nearHits } = space.stats();
    for (let i = 0; i < 3000; ++i) other.get('k');
    spin(1);
    expect(other.stats().nearHits + space.stats().nearHits).toBe(nearHits);
  });
});
