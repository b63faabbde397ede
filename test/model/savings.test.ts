// What a cache saves: against arithmetic done by hand, against what others published, and against the guide.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { estimateSavings, type Savings, type SavingsOptions, WORKLOADS } from 'zerohop';
import { errorOf } from '../fixtures/opened.js';
import { randomFrom } from '../fixtures/values.mjs';

const OPTIONS: SavingsOptions = { requests: 1e6, hitRate: 0.4, gpuMs: 10, gpuHourPrice: 0.9 };

describe('estimateSavings', () => {
  test('counts hits, GPU time, GPUs, money and waiting, as one does by hand', () => {
    // 1 000 000 x 0.4 = 400 000 hits; x 10 ms = 4 000 s = 1.111 h; x 0.9 = 1 a day.
    const savings = estimateSavings(OPTIONS);
    const expected: Savings = {
      currency: 'USD',
      requestsPerDay: 1e6,
      hitsPerDay: 4e5,
      gpuSecondsAvoided: 4000,
      gpuSecondsNeeded: 6000,
      gpusBefore: 10_000 / 86_400,
      gpusAfter: 6000 / 86_400,
      gpusFreed: 4000 / 86_400,
      wholeGpusFreed: 0,
      lookupCostPerDay: 0,
      savedPerDay: 1,
      savedPerMonth: 30,
      savedPerYear: 365,
      latencyMsBefore: 10,
      latencyMsAfter: 6,
    };
    expect(Object.keys(savings)).toEqual(Object.keys(expected));
    for (const [name, value] of Object.entries(expected)) {
      const got = savings[name as keyof Savings];
      if (typeof value === 'string') expect(got).toBe(value);
      else expect(got, name).toBeCloseTo(value, 9);
    }
  });

  test('subtracts what the lookups of hits and misses cost, at the price of the processor', () => {
    // 36 000 000 lookups of 100 µs = 3 600 s = 1 h of a processor.
    const options = { requests: 36e6, hitRate: 0.5, gpuMs: 1, gpuHourPrice: 2, lookupUs: 100 };
    expect(estimateSavings({ ...options, cpuHourPrice: 0.04 }).lookupCostPerDay).toBeCloseTo(0.04, 12);
    expect(estimateSavings({ ...options, cpuHourPrice: 0.04 }).savedPerDay).toBeCloseTo(5 * 2 - 0.04, 12);
    expect(estimateSavings(options).savedPerDay).toBeCloseTo(5 * 2 - 2, 12); // a processor as dear as a GPU
  });

  test('says when a cache costs more than it saves', () => {
    const savings = estimateSavings({ ...OPTIONS, hitRate: 0, lookupUs: 10 });
    expect(savings.savedPerDay).toBeLessThan(0);
    expect(savings.latencyMsAfter).toBeGreaterThan(savings.latencyMsBefore);
  });

  test('takes a volume of any period', () => {
    const day = estimateSavings(OPTIONS);
    for (const [requests, period] of [
      [1e6, '1d'],
      [1e6 / 24, '1h'],
      [365e6, '365d'],
      [1e6, 86_400_000],
    ] as const)
      expect(estimateSavings({ ...OPTIONS, requests, period }).savedPerYear).toBeCloseTo(day.savedPerYear, 9);
  });

  test('pays for the time a GPU is idle, too', () => {
    const half = estimateSavings({ ...OPTIONS, utilization: 0.5 });
    expect(half.gpusFreed).toBeCloseTo(2 * estimateSavings(OPTIONS).gpusFreed, 12);
    expect(half.savedPerDay).toBeCloseTo(2, 12);
    expect(half.gpuSecondsAvoided).toBe(4000);
  });

  test('frees whole GPUs of a fleet that is not shared', () => {
    const fleet = (gpus: number, hitRate: number) =>
      estimateSavings({ requests: gpus * 86.4e6, hitRate, gpuMs: 1, gpuHourPrice: 1 }).wholeGpusFreed;
    expect(fleet(10, 0.4)).toBe(4);
    expect(fleet(10, 0.45)).toBe(4); // 5.5 are needed: 6
    expect(fleet(0.9, 0.99)).toBe(0);
    expect(fleet(0.9, 1)).toBe(1);
    for (let tens = 1; tens <= 100; ++tens) expect(fleet(10 * tens, 0.1 + 0.2)).toBe(3 * tens); // 0.30000000000000004
  });

  test('counts the wait for the model and for the network, which a hit is spared', () => {
    const savings = estimateSavings({ ...OPTIONS, hitRate: 0.75, callMs: 30, networkMs: 2, lookupUs: 500 });
    expect(savings.latencyMsBefore).toBe(32);
    expect(savings.latencyMsAfter).toBeCloseTo(8.5, 12);
  });

  test('names the currency it was given', () => {
    expect(estimateSavings({ ...OPTIONS, currency: 'EUR' }).currency).toBe('EUR');
  });

  test('gives zeros, and no NaN, where there is nothing to count', () => {
    for (const savings of [
      estimateSavings({ ...OPTIONS, requests: 0 }),
      estimateSavings({ ...OPTIONS, gpuMs: 0 }),
      estimateSavings({ ...OPTIONS, gpuHourPrice: 0 }),
    ])
      expect(savings.savedPerYear).toBe(0);
    expect(estimateSavings({ ...OPTIONS, hitRate: 1 })).toMatchObject({ gpuSecondsNeeded: 0, gpusAfter: 0 });
  });
});

describe('an estimate, whatever is given,', () => {
  const random = randomFrom(20_261_122);
  const between = (least: number, most: number) => least + random() * (most - least);
  const any = (): Required<SavingsOptions> => ({
    requests: between(1, 1e10),
    period: between(1, 3650 * 86_400_000),
    hitRate: random(),
    gpuMs: between(0.001, 1000),
    gpuHourPrice: between(0.1, 50),
    currency: 'USD',
    utilization: between(0.001, 1),
    lookupUs: between(0, 1000),
    cpuHourPrice: between(0, 5),
    callMs: between(0, 1000),
    networkMs: between(0, 100),
  });
  const cases = Array.from({ length: 500 }, any);

  test('loses nothing: hits and misses, seconds and GPUs add up', () => {
    for (const options of cases) {
      const savings = estimateSavings(options);
      const seconds = (savings.requestsPerDay * options.gpuMs) / 1000;
      expect((savings.gpuSecondsAvoided + savings.gpuSecondsNeeded) / seconds).toBeCloseTo(1, 9);
      expect((savings.gpusAfter + savings.gpusFreed) / savings.gpusBefore).toBeCloseTo(1, 9);
      expect(Math.abs(savings.wholeGpusFreed - savings.gpusFreed)).toBeLessThanOrEqual(1 + 1e-9 * savings.gpusBefore);
      for (const value of Object.values(savings))
        if (typeof value === 'number') expect(value).toSatisfy(Number.isFinite);
    }
  });

  test.each([
    ['hitRate', 'up', (options: Required<SavingsOptions>) => ({ hitRate: (1 + options.hitRate) / 2 })],
    ['gpuMs', 'up', (options: Required<SavingsOptions>) => ({ gpuMs: options.gpuMs * 2 })],
    ['gpuHourPrice', 'up', (options: Required<SavingsOptions>) => ({ gpuHourPrice: options.gpuHourPrice * 2 })],
    ['utilization', 'down', (options: Required<SavingsOptions>) => ({ utilization: (1 + options.utilization) / 2 })],
    ['lookupUs', 'down', (options: Required<SavingsOptions>) => ({ lookupUs: options.lookupUs * 2 })],
    ['cpuHourPrice', 'down', (options: Required<SavingsOptions>) => ({ cpuHourPrice: options.cpuHourPrice * 2 })],
  ])('more %s takes what is saved %s', (_name, direction, more) => {
    for (const options of cases) {
      const less = estimateSavings(options).savedPerDay;
      const greater = estimateSavings({ ...options, ...more(options) }).savedPerDay;
      if (direction === 'up') expect(greater).toBeGreaterThanOrEqual(less);
      else expect(greater).toBeLessThanOrEqual(less);
    }
  });

  test('saves twice as much for twice the requests, with the same latency', () => {
    for (const options of cases) {
      const [one, two] = [estimateSavings(options), estimateSavings({ ...options, requests: options.requests * 2 })];
      expect(two.savedPerDay).toBe(one.savedPerDay * 2);
      expect(two.latencyMsAfter).toBe(one.latencyMsAfter);
    }
  });

  test('never shows a longer wait for a better hit rate', () => {
    for (const options of cases)
      expect(estimateSavings({ ...options, hitRate: (1 + options.hitRate) / 2 }).latencyMsAfter).toBeLessThanOrEqual(
        estimateSavings(options).latencyMsAfter,
      );
  });
});

describe('what estimateSavings cannot take', () => {
  const bad = (over: object): SavingsOptions => ({ ...OPTIONS, ...over }) as SavingsOptions;

  test.each([
    ['hitRate', -0.01],
    ['hitRate', 1.01],
    ['hitRate', 40],
    ['requests', -1],
    ['requests', Number.POSITIVE_INFINITY],
    ['requests', 2 ** 53],
    ['gpuMs', Number.NaN],
    ['gpuMs', -1],
    ['gpuHourPrice', -0.5],
    ['utilization', 0],
    ['utilization', 1.5],
    ['lookupUs', -1],
    ['cpuHourPrice', Number.NaN],
    ['callMs', -1],
    ['networkMs', Number.POSITIVE_INFINITY],
    ['period', 0],
    ['period', Number.POSITIVE_INFINITY],
    ['period', Number.NaN],
    ['currency', ''],
  ])('%s of %s is out of range', (name, value) => {
    const error = errorOf(() => estimateSavings(bad({ [name]: value })));
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    expect(error.message).toMatch(new RegExp(`^options\\.${name}: expected `));
  });

  test.each([
    ['requests', undefined],
    ['hitRate', undefined],
    ['hitRate', '40%'],
    ['gpuMs', null],
    ['gpuHourPrice', undefined],
    ['gpuHourPrice', 1n],
    ['period', 'a day'],
    ['currency', 7],
    ['hitRatio', 0.4],
  ])('%s of %s is of the wrong type', (name, value) => {
    const error = errorOf(() => estimateSavings(bad({ [name]: value })));
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
    expect(error.message).toMatch(new RegExp(`^options\\.${name}: expected `));
  });

  test.each([[undefined], [null], [[]], [7]])('is a TypeError: %s', (options) => {
    expect(errorOf(() => estimateSavings(options as never))).toBeInstanceOf(TypeError);
  });

  test('is judged in one read of each term', () => {
    let reads = 0;
    const options = {
      ...OPTIONS,
      get hitRate() {
        return ++reads === 1 ? 0.4 : 40;
      },
    };
    expect(estimateSavings(options).hitsPerDay).toBe(4e5);
    expect(reads).toBe(1);
  });
});

// What others worked out, from their inputs.
describe('published arithmetic agrees:', () => {
  /** A fleet of so many GPUs, all of the time busy. */
  const fleet = (gpus: number, gpuHourPrice: number, hitRate: number) =>
    estimateSavings({ requests: gpus * 86.4e6, gpuMs: 1, gpuHourPrice, hitRate });

  test('System Overflow, "Cost Savings and Observability": 40 % takes 10 GPUs to 6; 4 x 3 USD x 730 h = 8 760 USD a month', () => {
    const savings = fleet(10, 3, 0.4);
    expect([savings.gpusBefore, savings.gpusAfter, savings.wholeGpusFreed]).toEqual([10, 6, 4]);
    expect(savings.savedPerYear / 12).toBeCloseTo(8760, 6);
  });

  test('System Overflow, the same: 43 % of 10 million requests a month are 4.3 million calls avoided', () => {
    expect(estimateSavings({ ...OPTIONS, requests: 10e6, period: '30d', hitRate: 0.43 }).hitsPerDay * 30).toBeCloseTo(
      4.3e6,
      6,
    );
  });

  test('Redis, "LangCache cost reduction": 120 USD a month at a hit rate of 50 % saves 60 USD', () => {
    const all = { requests: 120, period: '30d', gpuMs: 3_600_000, gpuHourPrice: 1 }; // 120 GPU-hours
    expect(estimateSavings({ ...all, hitRate: 1 }).savedPerMonth).toBeCloseTo(120, 9);
    expect(estimateSavings({ ...all, hitRate: 0.5 }).savedPerMonth).toBeCloseTo(60, 9);
  });

  test('System Overflow, "Three Layers of Model Caching": hit 1 ms, miss 100 ms: 50.5 ms at 50 %, 10.9 ms at 90 %', () => {
    // There a miss pays no lookup; here it does.
    for (const [hitRate, published] of [
      [0.5, 50.5],
      [0.9, 10.9],
    ] as const) {
      const { latencyMsAfter } = estimateSavings({ ...OPTIONS, hitRate, callMs: 100, lookupUs: 1000 });
      expect(latencyMsAfter - (1 - hitRate) * 1).toBeCloseTo(published, 9);
    }
  });

  test('Cachee, "Why Your GPU Is 40 % Idle": 12.25 USD an hour are 107 310 USD a year', () => {
    expect(fleet(1, 12.25, 1).savedPerYear).toBeCloseTo(107_310, 6);
  });

  test('Cachee, "ML Inference Caching": 10 GPUs of 2 USD to 200 of 8 USD are about 15 000 to 1.2 million USD a month', () => {
    const monthly = (gpus: number, price: number) => fleet(gpus, price, 1).savedPerYear / 12;
    expect(Number(monthly(10, 2).toPrecision(2))).toBe(15_000);
    expect(Number(monthly(200, 8).toPrecision(2))).toBe(1_200_000);
  });
});

describe('WORKLOADS', () => {
  const workloads = Object.entries(WORKLOADS);

  test('are five, and no figure of theirs is without a source', () => {
    expect(Object.keys(WORKLOADS)).toEqual([
      'embeddings',
      'classification',
      'recommendation',
      'fraud',
      'semanticSearch',
    ]);
    for (const [, { terms: options, sources }] of workloads) {
      expect(Object.keys(sources)).toEqual(Object.keys(options));
      for (const { basis, source } of Object.values(sources)) {
        expect(['published', 'assumption']).toContain(basis);
        if (basis === 'published')
          expect(source).toMatch(/\b(19|20)\d\d\b|\[DLE\]/); // a year
        else expect(source).not.toBe('');
      }
    }
  });

  test('cannot be changed for others', () => {
    for (const [, one] of workloads)
      for (const part of [WORKLOADS, one, one.terms, one.sources, ...Object.values(one.sources)])
        expect(Object.isFrozen(part)).toBe(true);
  });

  test('save what one works out by hand', () => {
    const perDay = (name: keyof typeof WORKLOADS) => estimateSavings(WORKLOADS[name].terms).savedPerDay;
    // Hits x GPU-hours x price, less lookups of 10 µs at the same price.
    const lookups = (requests: number, price: number) => ((requests * 10e-6) / 3600) * price;
    expect(perDay('embeddings')).toBeCloseTo((4e6 / 106.78 / 3600) * 0.526 - lookups(1e7, 0.526), 9);
    expect(perDay('classification')).toBeCloseTo((4e8 / 1050 / 3600) * 0.526 - lookups(1e9, 0.526), 9);
    expect(perDay('recommendation')).toBeCloseTo(((2.6e9 * 1500) / 1.488e6 / 3600) * 3.06 - lookups(5e9, 3.06), 6);
    expect(perDay('fraud')).toBeCloseTo(((0.4e9 / 365) * 0.002 * 0.526) / 3600 - lookups(8e9 / 365, 0.526), 9);
    expect(perDay('semanticSearch')).toBeCloseTo((0.33e9 / 365 / 289.52 / 3600) * 0.526 - lookups(1e9 / 365, 0.526), 9);
  });
});

describe('the guide', () => {
  const guide = readFileSync(join(__dirname, '../../docs/guide/savings.md'), 'utf8');
  const rows = [...guide.matchAll(/^\| `(\w+)` \|.*$/gm)].flatMap(([row, name]) => (name! in WORKLOADS ? [row] : []));
  const cells = (name: string, ...values: string[]) => `| \`${name}\` | ${values.join(' | ')} |`;
  const figure = (value: number) => Number(value.toPrecision(3)).toLocaleString('en-US').replaceAll(',', ' ');
  const entries = Object.entries(WORKLOADS);

  test('shows what goes into the calculator, with an asterisk for an assumption', () => {
    for (const [name, { gpu, terms: options, sources }] of entries) {
      const shown = (term: keyof typeof options, text: string) =>
        sources[term].basis === 'assumption' ? `${text}*` : text;
      expect(rows).toContain(
        cells(
          name,
          shown('requests', `${figure(options.requests / 1e6)} million`),
          shown('hitRate', `${figure(options.hitRate * 100)} %`),
          shown('gpuMs', `${figure(options.gpuMs)} ms`),
          shown('callMs', `${figure(options.callMs)} ms`),
          shown('gpuHourPrice', `${options.gpuHourPrice} USD, ${gpu.replace('NVIDIA ', '')}`),
        ),
      );
    }
  });

  test('shows what the calculator makes of it', () => {
    for (const [name, { terms: options }] of entries) {
      const savings = estimateSavings(options);
      expect(rows).toContain(
        cells(
          name,
          figure(savings.gpuSecondsAvoided / 3600),
          `${figure(savings.gpusBefore)} → ${figure(savings.gpusAfter)}`,
          figure(savings.savedPerDay),
          figure(savings.savedPerMonth),
          figure(savings.savedPerYear),
          `${figure(savings.latencyMsBefore)} → ${figure(savings.latencyMsAfter)} ms`,
        ),
      );
    }
    expect(rows).toHaveLength(2 * entries.length);
  });

  test('names the source of each figure', () => {
    for (const [, { sources }] of entries)
      for (const { source } of Object.values(sources)) {
        const author = /^(\[DLE\]|Amazon EC2|Cachee|Facebook|Twitter|Zhou|NVIDIA|DuckDuckGo|Teevan)/.exec(source)?.[0];
        if (author !== undefined) expect(guide).toContain(author.replace('[DLE]', 'DeepLearningExamples'));
      }
  });
});
