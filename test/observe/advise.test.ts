// Advice from live traffic: against a plain LRU and a plain ttl on the same requests, and against published figures.
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { PUBLIC, utf8 } from 'zerohop';
import {
  advise,
  breakEvenHitRate,
  type LedgerSnapshot,
  ledgerOf,
  type ModelAdvice,
  meanLatencyMs,
} from 'zerohop/report';
import { emptyTally } from '../../lib/model/ledger.js';
import { distanceOf, emptySample, isSampled, Traffic, TTLS_MS } from '../../lib/model/traffic.js';
import { anything, errorOf, openCache } from '../fixtures/opened.js';
import { randomFrom } from '../fixtures/values.mjs';

const sampledKey = () => Uint8Array.of(0, ...randomBytes(31));

/** Requests of so many keys, some of them far more often than others. */
function requestsOf(keys: number, count: number, seed: number): number[] {
  const random = randomFrom(seed);
  return Array.from({ length: count }, () => Math.floor(keys * random() ** 3));
}

describe('the formula', () => {
  test('of the third article: hit 1 ms, miss 100 ms: break-even 1 %, 50.5 ms at 50 %, 10.9 ms at 90 %', () => {
    expect(breakEvenHitRate(1, 100)).toBe(0.01);
    expect(meanLatencyMs(0.5, 1, 100)).toBe(50.5);
    expect(meanLatencyMs(0.9, 1, 100)).toBeCloseTo(10.9, 12);
  });

  test('takes no hit rate above 1, and no run of 0 ms', () => {
    for (const call of [
      () => meanLatencyMs(1.1, 1, 1),
      () => meanLatencyMs(Number.NaN, 1, 1),
      () => breakEvenHitRate(1, 0),
      () => breakEvenHitRate(-1, 1),
    ])
      expect(errorOf(call)).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
  });
});

describe('a sample of traffic', () => {
  test.each([10, 300, 1000])('tells how many distinct inputs of %i were in between', (keys) => {
    const ids = Array.from({ length: keys }, sampledKey);
    const traffic = new Traffic();
    const requests = requestsOf(keys, 6000, keys);
    for (const key of requests) traffic.ask(ids[key]!, 0, undefined);
    const { asked, fresh, distances } = traffic.snapshot();
    expect([asked, fresh]).toEqual([6000, new Set(requests).size]);
    // A plain LRU of each size answers as many.
    let hits = 0;
    for (const [step, count] of distances.entries()) {
      hits += count;
      expect(hits).toBe(lruHits(requests, distanceOf(step) + 1));
    }
  });

  function lruHits(requests: readonly number[], size: number): number {
    const kept = new Set<number>();
    let hits = 0;
    for (const key of requests) {
      if (kept.delete(key)) ++hits;
      else if (kept.size === size) kept.delete(kept.values().next().value!);
      kept.add(key);
    }
    return hits;
  }

  test('tells what a cache of each ttl answers', () => {
    const ids = Array.from({ length: 50 }, sampledKey);
    const requests = requestsOf(50, 3000, 7);
    const random = randomFrom(8);
    const times = requests.map((_, i) => i * 1000 + Math.floor(random() * 1000));
    const traffic = new Traffic();
    for (const [i, key] of requests.entries()) traffic.ask(ids[key]!, times[i]!, undefined);
    const hitsOf = (ttlMs: number) => {
      const stored = new Map<number, number>();
      return requests.filter((key, i) => {
        if (times[i]! - (stored.get(key) ?? Number.NEGATIVE_INFINITY) <= ttlMs) return true;
        stored.set(key, times[i]!);
        return false;
      }).length;
    };
    expect(traffic.snapshot().hitsByTtl).toEqual(TTLS_MS.map(hitsOf));
  });

  test('forgets what was asked for longest ago, and stays small', () => {
    const ids = Array.from({ length: 3000 }, sampledKey);
    const traffic = new Traffic();
    for (let round = 0; round < 3; ++round) for (const id of ids) traffic.ask(id, 0, 10);
    expect(traffic.snapshot()).toMatchObject({ asked: 9000, fresh: 9000, sized: 9000, bytes: 90_000 });
    for (const id of ids.slice(-1024)) traffic.ask(id, 0, undefined);
    expect(traffic.snapshot().fresh).toBe(9000);
  });

  test('is one input in 64', () => {
    const drawn = Array.from({ length: 64_000 }, () => isSampled(randomBytes(32))).filter((one) => one).length;
    expect(drawn).toBeGreaterThan(800);
    expect(drawn).toBeLessThan(1200);
  });
});

/** A ledger of a model with these figures. */
function ledger(traffic: object, { runMs = 10, lookupMs = 0.01 } = {}): LedgerSnapshot {
  const period = { from: 0, to: 1, ...emptyTally() };
  Object.assign(period.asked, { count: 100, measured: 100, ms: 100 * runMs });
  Object.assign(period, { lookups: 1000, timed: 1000, timedMs: 1000 * lookupMs });
  const models = [{ model: 'm', version: '1', periods: [period], traffic: { ...emptySample(), ...traffic } }];
  return { format: 'zerohop-ledger', formatVersion: 1, at: 0, models };
}

const only = (source: LedgerSnapshot): ModelAdvice => advise(source)[0]!;

describe('advice', () => {
  test('says yes or no only when the sample does', () => {
    const worth = (fresh: number, lookupMs: number) => only(ledger({ asked: 1000, fresh }, { lookupMs })).worthCaching;
    expect(worth(500, 0.01)).toBe(true); // half of it comes again; 0.1 % would do
    expect(worth(1000, 0.5)).toBe(false); // nothing comes again; 5 % are needed
    expect(worth(950, 0.5)).toBeNull(); // 5 % come again, as many as are needed
    expect(only(ledger({ asked: 99, fresh: 0 }))).toMatchObject({
      worthCaching: null,
      recommended: null,
      sizes: [],
      ttls: [],
    });
  });

  test('gives the least size and ttl that reach most of the best hit rate', () => {
    const distances = emptySample().distances;
    distances[4] = 600; // up to 3 others of the sample in between: 256 entries
    distances[8] = 60;
    const hitsByTtl = [100, 640, 660, 660, 660, 660, 660, 660];
    const { sizes, recommended } = only(
      ledger({ asked: 1000, fresh: 340, distances, hitsByTtl, sized: 10, bytes: 10_000 }),
    );
    expect(sizes[4]).toEqual({ entries: 256, bytes: 256 * 1096, hitRate: 0.6 });
    expect(recommended).toEqual({ size: { entries: 1024, bytes: 1024 * 1096, hitRate: 0.66 }, ttlMs: 10_000 });
    const least = advise(ledger({ asked: 1000, fresh: 340, distances, hitsByTtl }), { reach: 0.9 })[0]!.recommended;
    expect(least).toEqual({ size: { entries: 256, bytes: null, hitRate: 0.6 }, ttlMs: 10_000 });
  });

  test('of nothing is nothing, with no NaN', () => {
    expect(advise([])).toEqual([]);
    const cache = openCache();
    cache.model({ name: 'm', version: '1', scope: PUBLIC, codec: utf8, run: (texts: string[]) => texts });
    const [nothing] = advise(cache);
    expect(nothing).toMatchObject({
      asked: 0,
      hitRate: 0,
      runMs: null,
      lookupMs: null,
      breakEven: null,
      latencyMs: null,
      worthCaching: null,
    });
    expect(JSON.stringify(nothing)).not.toMatch(/NaN|Infinity/);
  });

  test('is refused for a reach that is none, and for a sample of another shape', () => {
    expect(errorOf(() => advise([], { reach: 2 })).code).toBe('ERR_OUT_OF_RANGE');
    expect(errorOf(() => advise([], anything({ size: 1 }))).message).toContain('options.size');
    for (const traffic of [{ distances: [] }, { hitsByTtl: [1] }, { asked: Number.NaN }, { distances: 'x' }])
      expect(errorOf(() => advise(ledger(traffic))).code).toMatch(/^ERR_/);
  });

  test('comes from what was asked for, singly and in batches, and outlives the cache', async () => {
    const cache = openCache({ maxBytes: '8MB' });
    const model = cache.model({
      name: 'm',
      version: '1',
      scope: PUBLIC,
      codec: utf8,
      run: async (texts: string[]) => texts.map((text) => text.repeat(10)),
    });
    const texts = Array.from({ length: 4000 }, (_, i) => `text ${i}`);
    const inSample = texts.filter((text) => isSampled(model.fingerprint(text))).length;
    await model.predictMany(texts);
    for (const text of texts) await model.predict(text);
    const { traffic } = ledgerOf(cache).models[0]!;
    cache.close();
    expect(traffic).toMatchObject({ asked: 2 * inSample, fresh: inSample, sized: inSample });
    expect(traffic.bytes / traffic.sized).toBeGreaterThan(60);
    expect(traffic.bytes / traffic.sized).toBeLessThan(100);
    const [advice] = advise([cache, ledgerOf(cache)]);
    expect(advice).toMatchObject({ asked: 16_000, sampled: 4 * inSample, hitRate: 0.5 });
  });
});
