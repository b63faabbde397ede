// What became of each request: one result each, whatever the model made of the lookup.
import { Registry } from 'prom-client';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Cache, json, PUBLIC } from 'zerohop';
import { registerMetrics } from 'zerohop/metrics';
import { report } from 'zerohop/report';
import { openCache } from '../fixtures/opened.js';
import { samplesOf } from '../fixtures/promtool.js';

let cache: Cache;
let register: Registry;
beforeEach(() => {
  cache = openCache();
  register = new Registry();
  registerMetrics(cache, register);
});

const scrape = async () => samplesOf(await register.metrics());
const double = (inputs: number[]) => inputs.map((input) => input * 2);
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Those results that there are, of a model's keyspace. A hit is a hit, with a view or a copy. */
async function results(): Promise<Record<string, number>> {
  const shown = await scrape();
  const of = (result: string) =>
    shown.get(`zerohop_lookups_total{cache="default",keyspace="model m",result="${result}"}`)!;
  const counted = ['miss', 'stale', 'coalesced', 'negative', 'bypass'].map((result) => [result, of(result)] as const);
  const all = [['hit', of('hit') + of('copied')] as const, ...counted];
  return Object.fromEntries(all.filter(([, count]) => count > 0));
}

function model(more: object = {}) {
  return cache.model({
    name: 'm',
    version: '1',
    scope: PUBLIC,
    codec: json,
    run: double,
    ...more,
  } as never) as unknown as {
    predict(input: number, options?: object): Promise<number>;
    predictMany(inputs: number[], options?: object): Promise<number[]>;
    stats(): { asked: number };
  };
}

describe('a request to a model is counted once', () => {
  test('as a miss, and then as a hit', async () => {
    const m = model();
    for (let i = 0; i < 3; ++i) await m.predict(1);
    expect(await results()).toEqual({ miss: 1, hit: 2 });
  });

  test('as coalesced, if it joins a run under way', async () => {
    const m = model();
    await Promise.all([m.predict(1), m.predict(1), m.predict(1), m.predict(2)]);
    expect(await results()).toEqual({ miss: 2, coalesced: 2 });
  });

  test('in a batch, each input for itself', async () => {
    const m = model();
    await m.predictMany([1, 2, 3]);
    await Promise.all([m.predictMany([1, 4, 4]), m.predictMany([4, 5])]);
    expect(await results()).toEqual({ miss: 5, hit: 1, coalesced: 2 });
  });

  test('as a bypass, if the caller does not want a stored result', async () => {
    const m = model();
    await m.predict(1);
    await m.predict(1, { cache: 'reload' });
    await m.predictMany([1, 2], { cache: 'no-store' });
    expect(await results()).toEqual({ miss: 1, bypass: 3 });
  });

  test('as stale, if it is served beyond its time to live', async () => {
    const m = model({ ttl: 20, staleWhileRevalidate: '1h' });
    await m.predict(1);
    await sleep(40);
    await m.predict(1);
    expect(await results()).toEqual({ miss: 1, stale: 1 });
  });

  test('as a miss, if the stored result is served only should the run fail', async () => {
    const m = model({ ttl: 20, staleIfError: '1h' });
    await m.predict(1);
    await sleep(40);
    await Promise.all([m.predict(1), m.predict(1)]);
    expect(await results()).toEqual({ miss: 2, coalesced: 1 });
  });

  test('as negative, if its run failed a moment ago', async () => {
    const failing = () => {
      throw new Error('no');
    };
    const m = model({ negativeTtl: '1h', run: failing });
    for (let i = 0; i < 3; ++i) await expect(m.predict(1)).rejects.toThrow('no');
    expect(await results()).toEqual({ miss: 1, negative: 2 });
  });

  test('so all results together are what the model was asked', async () => {
    const m = model({ ttl: 15, staleWhileRevalidate: 10, negativeTtl: 20, run: flaky });
    const asked: Promise<unknown>[] = [];
    for (let i = 0; i < 400; ++i) {
      const mode = ['default', 'default', 'default', 'no-store', 'reload', 'only-if-cached'][i % 6];
      asked.push(m.predict(i % 7, { cache: mode }).catch(() => {}));
      if (i % 40 === 0) await sleep(4);
    }
    await Promise.all(asked);
    const sum = Object.values(await results()).reduce((all, count) => all + count, 0);
    expect(sum).toBe(400);
    expect(m.stats().asked).toBe(400);
  });
});

let runs = 0;
function flaky(inputs: number[]): number[] {
  if (++runs % 5 === 0) throw new Error('no');
  return double(inputs);
}

describe('a model', () => {
  const of = (shown: Map<string, number>, name: string, more = '') =>
    shown.get(`zerohop_model_${name}{cache="default",model="m"${more}}`);

  test('shows its runs as a histogram, its inputs and its failures', async () => {
    const m = model({ maxBatch: 2 });
    await m.predictMany([1, 2, 3]);
    const broken = model({ version: '2', run: () => [] });
    await expect(broken.predict(1)).rejects.toThrow();
    const shown = await scrape();
    expect(of(shown, 'run_duration_seconds_count')).toBe(3);
    expect(of(shown, 'run_duration_seconds_bucket', ',le="+Inf"')).toBe(3);
    expect(of(shown, 'run_duration_seconds_bucket', ',le="1099.511627776"')).toBe(3);
    expect(of(shown, 'run_duration_seconds_sum')).toBeGreaterThan(0);
    expect(of(shown, 'inputs_total')).toBe(4);
    expect(of(shown, 'failed_inputs_total')).toBe(1);
  });

  test('shows a run that took too long in the buckets above its time, and as a timeout', async () => {
    const m = model({ timeout: 20, run: () => sleep(200) });
    await expect(m.predict(1)).rejects.toThrow(/within 20 ms/);
    const shown = await scrape();
    expect(of(shown, 'run_duration_seconds_bucket', ',le="0.016777216"')).toBe(0);
    expect(of(shown, 'run_duration_seconds_count')).toBe(1);
    expect(of(shown, 'timeouts_total')).toBe(1);
  });

  test('shows hits that were computed again by what came of it', async () => {
    let result = 1;
    const m = model({ verify: { rate: 1, bound: 1 }, run: (inputs: number[]) => inputs.map(() => result) });
    await m.predict(1);
    await m.predict(1);
    await sleep(5);
    result = 2;
    await m.predict(1);
    await sleep(5);
    const shown = await scrape();
    expect(of(shown, 'verifications_total', ',outcome="match"')).toBe(1);
    expect(of(shown, 'verifications_total', ',outcome="mismatch"')).toBe(1);
  });

  const slow = async (inputs: number[]) => {
    await sleep(20);
    return double(inputs);
  };

  test('shows the run time that hits saved as a report does', async () => {
    const m = model({ run: slow });
    await m.predict(1);
    expect(of(await scrape(), 'saved_seconds_total')).toBe(0);
    for (let i = 0; i < 10; ++i) await m.predict(1);
    const saved = of(await scrape(), 'saved_seconds_total')!;
    expect(saved).toBeCloseTo(report(cache).total.seconds.saved[0], 9);
    expect(saved / of(await scrape(), 'run_duration_seconds_sum')!).toBeCloseTo(10, 0);
  });

  test('shows saved run time that does not fall when comparing takes as much as hits saved', async () => {
    const m = model({ run: slow, verify: 1 });
    let before = 0;
    for (let i = 0; i < 8; ++i) {
      await m.predict(1);
      const saved = of(await scrape(), 'saved_seconds_total')!;
      expect(saved).toBeGreaterThanOrEqual(before);
      before = saved;
      await sleep(30);
    }
    expect(before).toBeGreaterThan(report(cache).total.seconds.saved[0]);
  });

  test('has no tenant, version or digest in its labels', async () => {
    await model({ scope: 'tenant-a', version: 'v-secret' }).predict(1);
    await model({ scope: 'tenant-b' }).predict(1);
    cache.keyspace('words', { codec: json, scope: 'tenant-a' }).set('k', 1);
    const text = await register.metrics();
    expect(text).not.toMatch(/tenant|secret/);
    const shown = samplesOf(text);
    expect(of(shown, 'inputs_total')).toBe(2);
    expect(shown.get('zerohop_sets_total{cache="default",keyspace="words"}')).toBe(1);
  });

  test('keeps its counts when it is gone, and counts on as one when it is made again', async () => {
    await model().predict(1);
    await model().predict(1);
    expect(of(await scrape(), 'run_duration_seconds_count')).toBe(1);
    expect(await results()).toEqual({ miss: 1, hit: 1 });
  });
});
