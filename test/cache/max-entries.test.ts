// maxEntries: as many entries as one says, and not one more after a set.
import { describe, expect, test } from 'vitest';
import { bytes, type Cache, utf8 } from 'zerohop';
import { makeNear, openCache, spin, utf8Of } from '../fixtures/opened.js';

const VALUE = utf8Of('value');

const storedOf = (cache: Cache, count: number) =>
  Array.from({ length: count }, (_, i) => `${i}`).filter((key) => cache.has(key));

describe('maxEntries', () => {
  test.each([1, 2, 7, 1000])(
    'of %i is reached, never exceeded after a set, and the entry that was set last is there',
    (max) => {
      const cache = openCache({ maxEntries: max });
      for (let i = 0; i < 3 * max + 50; ++i) {
        cache.set(`${i}`, VALUE);
        const { entries } = cache.stats();
        expect(entries).toBe(Math.min(i + 1, max));
        expect(cache.has(`${i}`)).toBe(true);
      }
      expect(storedOf(cache, 3 * max + 50)).toHaveLength(max);
      expect([...cache.keys()]).toHaveLength(max);
      expect(cache.stats()).toMatchObject({
        evictions: 2 * max + 50,
        evictionsBy: { capacity: 0, maxEntries: 2 * max + 50 },
        refusals: 0,
        corrupted: 0,
      });
    },
  );

  test.each([
    [10, 0],
    [10, 100_000],
    [3, 300_000],
    [1, 1_000_000],
    [40, 20_000],
  ])('of %i hold for values of %i bytes, and for any mix', (max, size) => {
    const cache = openCache({ maxEntries: max });
    for (let i = 0; i < 100; ++i) {
      expect(cache.set(`${i}`, new Uint8Array(i % 3 === 0 ? 5 : size).fill(i))).toBe(true);
      expect(cache.stats().entries).toBeLessThanOrEqual(max);
      expect(cache.peek(`${i}`)!.every((byte) => byte === i)).toBe(true);
    }
    expect(cache.stats()).toMatchObject({ refusals: 0, corrupted: 0 });
  });

  test('is a limit for all keyspaces together', () => {
    const cache = openCache({ maxEntries: 100 });
    const a = cache.keyspace('a', { codec: bytes });
    const b = cache.keyspace('b', { codec: utf8, scope: 'b' });
    for (let i = 0; i < 200; ++i) {
      cache.set(`${i}`, VALUE);
      a.set(`${i}`, VALUE);
      b.set(`${i}`, 'value');
      expect(cache.stats().entries).toBeLessThanOrEqual(100);
    }
    expect(cache.stats().entries).toBe(100);
    const { evictions } = cache.stats();
    expect(evictions).toBe(500);
    expect(a.stats().evictions).toBeGreaterThan(0);
    expect(b.stats().evictions).toBeGreaterThan(0);
  });

  test('counts a key once, however often it is set, and deleting makes room', () => {
    const cache = openCache({ maxEntries: 3 });
    for (let i = 0; i < 100; ++i) for (const key of ['a', 'b', 'c']) cache.set(key, VALUE);
    cache.delete('b');
    cache.set('d', VALUE);
    expect([...cache.keys()].sort()).toEqual(['a', 'c', 'd']);
    expect(cache.stats().evictions).toBe(0);
  });

  test('evicts entries that nobody asked for before entries that somebody did', () => {
    const cache = openCache({ maxEntries: 200 });
    for (let i = 0; i < 100; ++i) cache.set(`${i}`, VALUE);
    for (let i = 100; i < 2000; ++i) {
      cache.set(`${i}`, VALUE);
      for (let n = 0; n < 5; ++n) cache.getCopy(`${(i * 5 + n) % 100}`);
    }
    const asked = storedOf(cache, 100).length;
    expect(asked).toBeGreaterThan(80);
    // And nobody else is as well off: of 1 900 others, at most 200 are left.
    expect(storedOf(cache, 2000)).toHaveLength(200);
  });

  test('evicts entries past their time first, and counts them as expired', () => {
    const cache = openCache({ maxEntries: 20 });
    for (let i = 0; i < 10; ++i) cache.set(`stays ${i}`, VALUE);
    for (let i = 0; i < 10; ++i) {
      cache.set(`expires ${i}`, VALUE, { ttl: 10_000 });
      for (let n = 0; n < 3; ++n) cache.getCopy(`expires ${i}`);
      cache.touch(`expires ${i}`, { ttl: 1 });
    }
    spin(3);
    for (let i = 0; i < 20; ++i) cache.set(`new ${i}`, VALUE);
    const { expired, evictions } = cache.stats();
    expect({ expired, evictions }).toEqual({ expired: 10, evictions: 10 });
  });

  test('counts what is stored now: a keyspace that was cleared takes no room from the others', () => {
    const cache = openCache({ maxEntries: 1000 });
    const a = cache.keyspace('a', { codec: bytes });
    const b = cache.keyspace('b', { codec: bytes });
    for (let i = 0; i < 500; ++i) a.set(`${i}`, VALUE);
    for (let i = 0; i < 500; ++i) b.set(`${i}`, VALUE);
    b.clear();
    for (let i = 500; i < 1000; ++i) a.set(`${i}`, VALUE);
    expect(cache.stats()).toMatchObject({ entries: 1000, evictions: 0 });
    expect(a.stats().entries).toBe(1000);
    a.set('one more', VALUE);
    expect(cache.stats()).toMatchObject({ entries: 1000, evictions: 1 });
  });

  test('is seen by the near cache, which does not answer with an evicted entry', async () => {
    const cache = openCache({ maxBytes: '64MB', maxEntries: 10 });
    const texts = cache.keyspace('texts', { codec: utf8 });
    texts.set('k', 'value');
    await makeNear(texts, 'k');
    for (let i = 0; texts.has('k'); ++i) texts.set(`${i % 100}`, 'other');
    expect(texts.get('k')).toBeUndefined();
  });

  test('takes no more memory than the entries, and starts no eviction of segments', () => {
    const cache = openCache({ maxEntries: 10 });
    for (let i = 0; i < 20_000; ++i) cache.set(`${i}`, VALUE);
    const { bytes: sizes, evicting, segmentBytes, evictionsBy } = cache.stats();
    expect(evicting).toBe(false);
    expect(evictionsBy).toEqual({ capacity: 0, maxEntries: 19_990 });
    expect(sizes.live).toBeLessThan(sizes.capacity - 2 * segmentBytes);
  });

  test('beyond what maxBytes has room for is never reached, and changes nothing', () => {
    const cache = openCache({ maxBytes: '1MB', maxEntries: 1_000_000 });
    for (let i = 0; i < 3000; ++i) expect(cache.set(`${i}`, new Uint8Array(1000))).toBe(true);
    const { entries, evictionsBy } = cache.stats();
    expect(evictionsBy.maxEntries).toBe(0);
    expect(evictionsBy.capacity).toBe(3000 - entries);
    expect(entries).toBeGreaterThan(300);
  });

  test('holds together with maxBytes, and each eviction is counted for the limit that caused it', () => {
    const cache = openCache({ maxBytes: '1MB', maxEntries: 400 });
    for (let i = 0; i < 6000; ++i) {
      const size = i % 1000 < 500 ? 100 : 4000;
      expect(cache.set(`${i}`, new Uint8Array(size))).toBe(true);
      expect(cache.stats().entries).toBeLessThanOrEqual(400);
    }
    const { entries, evictions, evictionsBy, sets, corrupted } = cache.stats();
    expect(evictionsBy.capacity).toBeGreaterThan(100);
    expect(evictionsBy.maxEntries).toBeGreaterThan(500);
    expect(evictions).toBe(evictionsBy.capacity + evictionsBy.maxEntries);
    expect(sets - evictions).toBe(entries);
    expect(corrupted).toBe(0);
  });
});
