// What is counted, for each keyspace and for the cache: exactly what happened, each thing once.
import { describe, expect, test } from 'vitest';
import { bytes, type Cache, type CacheStats, float32, type KeyspaceStats, number, utf8 } from 'zerohop';
import { makeNear, openCache, spin, turn, uniqueName, utf8Of } from '../fixtures/opened.js';
import { randomFrom } from '../fixtures/values.mjs';

const COUNTS = [
  'hits',
  'misses',
  'copiedHits',
  'nearHits',
  'sets',
  'refusals',
  'deletes',
  'evictions',
  'expired',
  'corrupted',
  'entries',
] as const;

type Counts = Record<(typeof COUNTS)[number], number>;

function countsOf(stats: KeyspaceStats): Counts {
  return Object.fromEntries(COUNTS.map((name) => [name, stats[name]])) as Counts;
}

function sumOf(parts: Counts[]): Counts {
  return Object.fromEntries(COUNTS.map((name) => [name, parts.reduce((sum, part) => sum + part[name], 0)])) as Counts;
}

/** Counts of the nameless keyspace: what the cache has beyond its other keyspaces. */
const restOf = (stats: CacheStats, others: Counts[]): Counts => {
  const whole = countsOf(stats);
  const sum = sumOf(others);
  return Object.fromEntries(COUNTS.map((name) => [name, whole[name] - sum[name]])) as Counts;
};

describe('counts', () => {
  test('of keyspaces and of the cache’s own keys add up to those of the cache', async () => {
    const random = randomFrom(20_251_121);
    const below = (n: number) => Math.floor(random() * n);
    const cache = openCache({ maxBytes: '1MB' });
    const spaces = [
      cache,
      cache.keyspace('a', { codec: bytes }),
      cache.keyspace('b', { codec: bytes, scope: 'tenant', near: false }),
      cache.keyspace('c', { codec: bytes, copy: true, ttl: 5 }),
    ];
    const mine = spaces.map(() => ({ lookups: 0, sets: 0, deletes: 0 }));
    for (let i = 0; i < 40_000; ++i) {
      const n = below(4);
      const space = spaces[n]!;
      const own = mine[n]!;
      const key = `${below(300)}`;
      switch (below(9)) {
        case 0:
        case 1:
          own.sets += space.set(key, new Uint8Array(below(4000)), below(2) ? { tags: [`${below(5)}`] } : undefined)
            ? 1
            : 0;
          break;
        case 2:
          own.deletes += space.delete(key) ? 1 : 0;
          break;
        case 3:
          own.lookups += space.getMany([key, `${below(300)}`, 'absent']).length;
          break;
        case 4:
          space.getCopy(key);
          ++own.lookups;
          break;
        case 5:
          space.peek(key);
          space.has(key);
          space.entry(key);
          if (below(50) === 0) own.deletes += space.deleteByTag(`${below(5)}`);
          break;
        default:
          space.get(`${below(3)}`);
          ++own.lookups;
      }
      if (i % 5000 === 0) await turn();
    }
    const whole = cache.stats();
    const others = spaces.slice(1).map((space) => countsOf(space.stats()));
    const all = [restOf(whole, others), ...others];
    for (const [n, counts] of all.entries()) {
      expect({ lookups: counts.hits + counts.misses, sets: counts.sets, deletes: counts.deletes }, `${n}`).toEqual(
        mine[n],
      );
      for (const name of COUNTS) expect(counts[name], `${n} ${name}`).toBeGreaterThanOrEqual(0);
      expect(counts.nearHits + counts.copiedHits).toBeLessThanOrEqual(counts.hits);
    }
    expect(whole.evictions).toBeGreaterThan(1000);
    expect(all[3]!.expired).toBeGreaterThan(10);
    expect(all[2]!.nearHits).toBe(0);
    expect([all[0]!.expired, all[1]!.expired, whole.corrupted, whole.refusals]).toEqual([0, 0, 0, 0]);
    // The keys that there are, asked one by one.
    for (const [n, space] of spaces.entries()) {
      let stored = 0;
      for (let key = 0; key < 300; ++key) stored += space.has(`${key}`) ? 1 : 0;
      expect(stored, `${n}`).toBe(
        n === 0
          ? cache.stats().entries - sumOf(spaces.slice(1).map((one) => countsOf(one.stats()))).entries
          : space.stats().entries,
      );
    }
  });

  test('of what was stored and of what left agree: no entry leaves twice, or unseen', () => {
    const cache = openCache({ maxBytes: '1MB', maxEntries: 500 });
    const space = cache.keyspace('a', { codec: bytes });
    for (let i = 0; i < 20_000; ++i) {
      // Each key once: what is stored has left, or is there.
      const ttl = i % 5 === 0 ? 2 : Number.POSITIVE_INFINITY;
      expect(space.set(`${i}`, new Uint8Array(i % 3000), { ttl, tags: [`${i % 11}`] })).toBe(true);
      if (i % 4 === 0) space.delete(`${i - 60}`);
      if (i % 500 === 0) space.deleteByTag(`${i % 11}`);
      if (i % 1000 === 0) space.getMany(Array.from({ length: 300 }, (_, n) => `${i - n}`));
    }
    const { sets, deletes, evictions, expired, entries, corrupted, refusals } = space.stats();
    expect({ corrupted, refusals, sets }).toEqual({ corrupted: 0, refusals: 0, sets: 20_000 });
    expect(expired).toBeGreaterThan(100);
    expect(deletes).toBeGreaterThan(100);
    expect(sets - deletes - evictions - expired).toBe(entries);
  });

  test('are of all handles: of a name in one thread, and of those that were closed', async () => {
    const name = uniqueName();
    const first = openCache({ name });
    const second = openCache({ name });
    const texts = [first, second].map((cache) => cache.keyspace('texts', { codec: utf8 }));
    texts[0]!.set('k', 'v');
    await makeNear(texts[0]!, 'k');
    await makeNear(texts[1]!, 'k');
    const before = texts[0]!.stats();
    for (let i = 0; i < 1000; ++i) for (const space of texts) space.get('k');
    for (const space of texts) {
      expect(space.stats()).toEqual({ ...before, hits: before.hits + 2000, nearHits: space.stats().nearHits });
      expect(space.stats().nearHits).toBeGreaterThan(before.nearHits + 1500);
    }
    const known = texts[1]!.stats();
    first.close();
    expect(texts[1]!.stats()).toEqual(known);
    const third = openCache({ name }).keyspace('texts', { codec: utf8 });
    second.close();
    expect(third.stats()).toEqual(known);
    third.get('k');
    expect(third.stats().hits).toBe(known.hits + 1);
  });

  test('of near hits are of the keyspace that had them, whatever keyspaces were closed before', async () => {
    for (let round = 0; round < 5; ++round) {
      const cache: Cache = openCache();
      const spaces = Array.from({ length: 8 }, (_, i) => cache.keyspace(`${i}`, { codec: number }));
      expect(spaces.map((space) => space.stats().nearHits)).toEqual(new Array(8).fill(0));
      const one = spaces[round]!;
      one.set('k', 1);
      await makeNear(one, 'k');
      for (const [i, space] of spaces.entries()) {
        if (i === round) expect(space.stats().nearHits).toBeGreaterThan(100);
        else expect(space.stats()).toMatchObject({ hits: 0, nearHits: 0, misses: 0, sets: 0 });
      }
      expect(cache.stats().nearHits).toBe(one.stats().nearHits);
      cache.close();
    }
  });

  test('are right also for more keyspaces than near hits have places for', () => {
    const cache = openCache();
    const spaces = Array.from({ length: 1023 }, (_, i) => cache.keyspace(`${i}`, { codec: number }));
    const more = openCache();
    const others = Array.from({ length: 40 }, (_, i) => more.keyspace(`${i}`, { codec: number }));
    for (const space of [...spaces.slice(-40), ...others]) {
      space.set('k', 1);
      for (let i = 0; i < 300; ++i) expect(space.get('k')).toBe(1);
      expect(space.stats()).toMatchObject({ hits: 300, misses: 0, sets: 1, entries: 1 });
    }
    expect([cache.stats().hits, more.stats().hits]).toEqual([40 * 300, 40 * 300]);
  });

  test('stay through clear, and are none of what fails', () => {
    const cache = openCache();
    const space = cache.keyspace('vectors', { codec: float32(2) });
    space.set('k', new Float32Array(2), { ttl: 1 });
    spin(2);
    space.get('k');
    space.set('l', new Float32Array(2));
    space.get('l');
    space.delete('l');
    for (const call of [
      () => space.set('k', new Float32Array(3)),
      () => space.set('', new Float32Array(2)),
      () => cache.set('k', new Uint8Array(2 ** 22)),
      () => space.get(''),
      () => cache.set('k', utf8Of('v'), { ttl: 0 }),
    ]) {
      expect(call).toThrow();
    }
    const counts = { sets: 2, hits: 1, misses: 1, deletes: 1, expired: 1, evictions: 0, refusals: 0, entries: 0 };
    expect(space.stats()).toMatchObject(counts);
    space.clear();
    cache.clear();
    expect(space.stats()).toMatchObject(counts);
    expect(cache.stats()).toMatchObject(counts);
  });
});
