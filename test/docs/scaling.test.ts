// docs/SCALING.md: its tables are what plan.mts makes of the raw figures, and these agree with what is known otherwise.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { float32, open } from 'zerohop';
import type { Report } from '../../bench/harness/report.mjs';
import { ASSUMED, figuresOf, hitRate, meanNs, mostOf, planOf, SHARES } from '../../bench/tier/plan.mjs';
import { REDIS_FIGURES, SCALING_FIGURES, scalingTables } from '../../bench/tier/scaling-tables.mjs';
import { zipfStream } from '../../bench/workloads/zipf.mjs';
import { useRedis } from '../fixtures/upstream.js';

const read = (file: string) => readFileSync(join(__dirname, '..', '..', file), 'utf8');
const report = (file: string) => JSON.parse(read(file)) as Report;
const document = read('docs/SCALING.md');
const scaling = report(SCALING_FIGURES);
const figures = figuresOf(scaling, report(REDIS_FIGURES));
const tables = scalingTables(figures, ASSUMED);

/** The lines between the marks of a table. */
function drawn(name: string): string[] {
  const found = new RegExp(`<!-- scaling ${name}: begin -->\n(.*?)\n<!-- scaling ${name}: end -->`, 's').exec(document);
  return found?.[1]?.split('\n') ?? [];
}

describe('SCALING.md', () => {
  test.each(Object.keys(tables))('shows the table of %s as its inputs give it', (name) => {
    expect(drawn(name)).toEqual(tables[name]);
  });

  test('marks no other table', () => {
    const marked = [...document.matchAll(/<!-- scaling (\w+): begin -->/g)].map((match) => match[1]);
    expect(marked.sort()).toEqual(Object.keys(tables).sort());
  });
});

describe('a value in Redis', () => {
  const redis = useRedis();

  test.each([
    [4090, 4096],
    [4091, 5120],
    [4096, 5120],
    [1018, 1024],
    [1024, 1280],
  ])('of %d bytes takes %d', async (bytes, taken) => {
    const usage = async (value: number) => {
      await redis.other.set('emb:user:00000001', Buffer.alloc(value, 1));
      return Number(await redis.other.sendCommand(['MEMORY', 'USAGE', 'emb:user:00000001']));
    };
    // 2 042 bytes and what is around them fill 2 048.
    expect((await usage(bytes)) - (await usage(2042))).toBe(taken - 2048);
  });
});

describe('the plan', () => {
  const workload = { vectors: 1_000_000, vectorBytes: 4096, readsPerSecond: 20_000, processes: 4, exponent: 1 };
  const measured = (name: string) => scaling.cases.find((one) => one.name === name)!.median;

  test('is arithmetic over what was measured', () => {
    const plan = planOf(figures, ASSUMED, { ...workload, share: 0.2 });
    const rate = measured('rate/1000000/1/0.2');
    expect(plan.hitRate).toBeCloseTo(rate, 10);
    expect(plan.l0Bytes).toBeCloseTo(200_000 * measured('bytes/l0/4096'), 0);
    expect(plan.redisBytes).toBeCloseTo(1_000_000 * measured('bytes/redis/4096'), 0);
    expect(plan.redisReadsPerSecond).toBeCloseTo(20_000 * (1 - rate), 6);
    const miss = figures.getNs * scaling.ratios['miss-vs-get']! + 200_000;
    expect(plan.meanNs).toBeCloseTo(rate * figures.hitNs + (1 - rate) * miss, 6);
    expect(plan.l0Price).toBeCloseTo((4 * plan.l0Bytes * 5) / 2 ** 30, 6);
  });

  test('has as many primaries as memory or reads ask for, and replicas', () => {
    const small = planOf(figures, ASSUMED, { ...workload, share: 0.2 });
    expect([small.primariesByMemory, small.primaries, small.servers]).toEqual([1, small.primariesByReads, 2]);
    const large = planOf(figures, ASSUMED, { ...workload, vectors: 100_000_000, share: 0.01 });
    const room = 32 * 2 ** 30 * 0.6;
    expect(large.primariesByMemory).toBe(Math.ceil((1e8 * measured('bytes/redis/4096')) / room));
    const busy = planOf(figures, ASSUMED, { ...workload, share: 0.2, readsPerSecond: 2_000_000 });
    expect(busy.primaries).toBe(busy.primariesByReads);
    expect(busy.primariesByReads).toBeGreaterThan(busy.primariesByMemory);
  });

  test('waits less the more L0 answers', () => {
    const waits = [0, 0.5, 0.9, 1].map((rate) => meanNs(figures, ASSUMED, rate));
    expect(waits).toEqual(waits.toSorted((a, b) => b - a));
    expect(waits[3]).toBe(figures.hitNs);
  });

  test('refuses a size or an exponent that was not measured', () => {
    expect(() => planOf(figures, ASSUMED, { ...workload, share: 0.1, vectorBytes: 512 })).toThrow('4096, 1024');
    expect(() => planOf(figures, ASSUMED, { ...workload, share: 0.1, exponent: 2 })).toThrow('0.8, 1');
  });
});

describe('hit rates', () => {
  test('are near what the most wanted take, and not above', () => {
    for (const vectors of [10_000, 1_000_000, 100_000_000])
      for (const exponent of [0.8, 1])
        for (const share of SHARES) {
          const part = hitRate(figures, vectors, exponent, share) / mostOf(vectors, exponent, share);
          expect(part, `${vectors} vectors, exponent ${exponent}, L0 of ${share}`).toBeGreaterThan(0.85);
          expect(part, `${vectors} vectors, exponent ${exponent}, L0 of ${share}`).toBeLessThan(1.01); // chance
        }
  });

  test('sum up by integral as they do one by one', () => {
    const sum = (ranks: number, exponent: number) =>
      Array.from({ length: ranks }, (_, i) => (i + 1) ** -exponent).reduce((a, b) => a + b);
    for (const exponent of [0.8, 1])
      expect(mostOf(200_000, exponent, 0.1)).toBeCloseTo(sum(20_000, exponent) / sum(200_000, exponent), 6);
  });

  test('of five million are those that were simulated in another report', () => {
    const { median } = report('bench/results/2026-11-21-policy-hitratio.json').cases.find(
      ({ name }) => name === 'tiering/learned',
    )!;
    expect(hitRate(figures, 5_000_000, 1, 0.2)).toBeCloseTo(median, 2);
    expect(mostOf(5_000_000, 1, 0.05)).toBeCloseTo(0.8, 1);
  });

  test('are those of a real keyspace', () => {
    const vectors = 10_000;
    const share = 0.2;
    const { l0Bytes } = planOf(figures, ASSUMED, {
      ...{ vectors, vectorBytes: 4096, readsPerSecond: 1, processes: 1, share, exponent: 1 },
    });
    const cache = open({ maxBytes: Math.round(l0Bytes) });
    const l0 = cache.keyspace('emb', { codec: float32(1024) });
    const vector = new Float32Array(1024);
    const reads = zipfStream(vectors, 240_000, 3, 1);
    let hits = 0;
    for (const [i, id] of reads.entries()) {
      const key = `user:${String(id).padStart(8, '0')}`;
      if (l0.get(key) === undefined) l0.set(key, vector);
      else if (i >= reads.length / 2) hits++;
    }
    cache.close();
    expect(hits / (reads.length / 2)).toBeGreaterThan(hitRate(figures, vectors, 1, share) - 0.03);
    expect(hits / (reads.length / 2)).toBeLessThan(mostOf(vectors, 1, share));
  });
});
