// What a model counts of its own work: what hits avoided is what the runs took that made them.
import { describe, expect, test } from 'vitest';
import { type Cache, type Model, PUBLIC, promote, utf8 } from 'zerohop';
import { wall } from '../../lib/base/time.js';
import { LEDGER, Ledger, type Tally } from '../../lib/model/ledger.js';
import { answer, backends } from '../fixtures/child.js';
import { shouting, TERMS } from '../fixtures/models.js';
import { errorOf, openCache, until } from '../fixtures/opened.js';

type Counted = Cache | Model<string, string, string>;

/** What the only model of a cache counted, in its one period. */
function countsOf(of: Counted): Tally {
  const { models } = of[LEDGER]();
  expect(models).toHaveLength(1);
  expect(models[0]!.periods).toHaveLength(1);
  return models[0]!.periods[0]!;
}

const costOf = (model: Model<string, string, string>, input: string) => model.entry(input)!.cost;

describe('a hit', () => {
  test('saves what the run took that made its entry', async () => {
    const { model } = shouting(openCache());
    const texts = ['a', 'b', 'c'];
    for (const text of texts) await model.predict(text);
    let ms = 0;
    for (let i = 0; i < 30; ++i) {
      await model.predict(texts[i % 3]!);
      ms += costOf(model, texts[i % 3]!);
    }
    const { hit, asked } = countsOf(model);
    expect(hit).toMatchObject({ count: 30, measured: 30 });
    expect(hit.ms).toBeCloseTo(ms, 9);
    expect(asked).toMatchObject({ count: 3, measured: 3, ms: model.stats().runMs });
    expect(model.stats().savedMs).toBe(hit.ms);
  });

  test.each([
    ['texts', (i: number) => `text ${i % 50}`],
    ['data', (i: number) => Float32Array.of(i % 50)],
    ['inputs of several kinds', (i: number) => (i % 2 === 0 ? `text ${i % 50}` : Float32Array.of(i % 50))],
  ])('of a batch of %s does too', async (_, inputOf) => {
    const model = openCache().model({ ...TERMS, codec: utf8, run: async (inputs: unknown[]) => inputs.map(String) });
    const inputs = Array.from({ length: 300 }, (_, i) => inputOf(i));
    await model.predictMany(inputs);
    await model.predictMany(inputs);
    const ms = inputs.reduce((sum: number, input) => sum + model.entry(input)!.cost, 0);
    const { hit, coalesced } = countsOf(model as never);
    expect(hit).toMatchObject({ count: 300, measured: 300 });
    expect(hit.ms / ms).toBeCloseTo(1, 9);
    expect(coalesced.count).toBe(250); // of the first batch: each input came six times
  });

  test('of a result that was set by hand saves nothing that is known', async () => {
    const { model } = shouting(openCache());
    model.set('a', 'A');
    await model.predict('a');
    await model.predictMany(['a', 'a']);
    expect(countsOf(model).hit).toMatchObject({ count: 3, measured: 0, ms: 0 });
  });

  test('that only looks in the cache avoids no run', async () => {
    const { model } = shouting(openCache());
    await model.predict('a');
    await model.predict('a', { cache: 'only-if-cached' });
    await model.predictMany(['a', 'a'], { cache: 'only-if-cached' });
    expect(model.peek('a')).toBe('A');
    const { hit, otherHits } = countsOf(model);
    expect([hit.count, otherHits, model.stats().hits]).toEqual([0, 3, 3]);
  });

  test('that was stale is counted, and so is the run that renews its result', async () => {
    const { model } = shouting(openCache(), { ttl: 1, staleWhileRevalidate: '1h' });
    await model.predict('a');
    await until(() => Number(model.entry('a')?.ttl) < 3_600_000);
    await model.predict('a');
    await until(() => countsOf(model).refresh.count === 1);
    const { hit, asked, refresh } = countsOf(model);
    expect([hit.count, asked.count]).toEqual([1, 1]);
    expect(asked.ms + refresh.ms).toBeCloseTo(model.stats().runMs, 9);
    expect(model.stats().refreshMs).toBe(refresh.ms);
  });

  test('that was found wrong is counted as such, with what it seemed to save', async () => {
    let runs = 0;
    const { model } = shouting(openCache(), { verify: 1, run: async () => [`${++runs % 3}`] });
    await model.predict('a');
    const ms = costOf(model, 'a');
    for (let i = 0; i < 6; ++i) {
      await model.predict('a');
      await until(() => countsOf(model).compared === i + 1);
    }
    const { hit, verify, rejected } = countsOf(model);
    expect([hit.count, verify.count, rejected.count]).toEqual([6, 6, 4]);
    expect(rejected.ms).toBeCloseTo(4 * ms, 9);
    model.trust(); // begins anew; what was counted stays
    expect(countsOf(model)).toMatchObject({ compared: 6, rejected: { count: 4 } });
  });
});

describe('a run', () => {
  test('is counted for each caller who joined it, whether or not it was their batch', async () => {
    const { model } = shouting(openCache());
    await Promise.all([model.predict('a'), model.predict('a'), model.predictMany(['a', 'b', 'b'])]);
    const { asked, coalesced } = countsOf(model);
    expect([asked.count, coalesced.count]).toEqual([2, 3]);
    expect(coalesced.ms).toBeGreaterThan(0);
  });

  test('that fails is counted, and nobody who joined it', async () => {
    const run = () => Promise.reject(new Error('no'));
    const { model } = shouting(openCache(), { run });
    await Promise.allSettled([model.predict('a'), model.predict('a')]);
    expect(countsOf(model)).toMatchObject({ asked: { count: 1 }, coalesced: { count: 0 }, hit: { count: 0 } });
  });

  test('of promote is counted as one that nobody waits for', async () => {
    const cache = openCache();
    const from = shouting(cache, { keepInputs: 10 }).model;
    const to = shouting(cache, { version: '2' }).model;
    await from.predict('a');
    await promote({ from, to });
    const [, promoted] = cache[LEDGER]().models;
    expect(promoted).toMatchObject({
      model: 'm',
      version: '2',
      periods: [{ asked: { count: 0 }, coalesced: { count: 0 } }],
    });
    expect(promoted!.periods[0]!.refresh.count).toBe(1);
  });

  test('of a pipeline that verifies lets its stages save nothing', async () => {
    const cache = openCache();
    const { model: stage } = shouting(cache, { name: 'stage' });
    const pipeline = cache.pipeline<string, string>([stage], { name: 'p', scope: PUBLIC, verify: 1 });
    await pipeline.predict('a');
    for (let i = 0; i < 5; ++i) await pipeline.predict('a');
    await until(() => pipeline.stats().verified === 5);
    expect(countsOf(stage)).toMatchObject({ hit: { count: 0 }, otherHits: 5, asked: { count: 1 } });
    expect(countsOf(pipeline as never)).toMatchObject({ hit: { count: 5 }, verify: { count: 5 } });
    await stage.predict('a');
    expect(countsOf(stage).hit.count).toBe(1);
  });
});

describe('tokens', () => {
  const usage = (text: string) =>
    text === 'THROWS' ? expect.unreachable() : { inputTokens: 10, cachedInputTokens: 4, outputTokens: text.length };

  test('are those of the result, for hits, runs and who joined', async () => {
    const { model } = shouting(openCache(), { usage });
    await Promise.all([model.predict('abc'), model.predict('abc')]);
    await model.predict('abc');
    await model.predictMany(['abc', 'abc']);
    const { hit, asked, coalesced } = countsOf(model);
    expect(hit).toMatchObject({ priced: 3, inputTokens: 30, cachedInputTokens: 12, outputTokens: 9 });
    expect(asked).toMatchObject({ priced: 1, inputTokens: 10, cachedInputTokens: 4, outputTokens: 3 });
    expect(coalesced).toMatchObject({ priced: 1, inputTokens: 10 });
  });

  test('that cannot be told are not counted, and harm nobody', async () => {
    const strange = [Number.NaN, -1, Number.POSITIVE_INFINITY, '3'];
    for (const one of [
      () => undefined,
      () => null,
      () => Promise.reject,
      ...strange.map((n) => () => ({ inputTokens: n, outputTokens: 1 })),
    ]) {
      const { model } = shouting(openCache(), { usage: one });
      expect([await model.predict('a'), await model.predict('a')]).toEqual(['A', 'A']);
      expect(countsOf(model).hit).toMatchObject({ count: 1, priced: 0, inputTokens: 0, outputTokens: 0 });
    }
    const { model } = shouting(openCache(), { usage });
    expect([await model.predict('throws'), await model.predict('throws')]).toEqual(['THROWS', 'THROWS']);
    expect(countsOf(model).hit.priced).toBe(0);
  });

  test('are told by a function', () => {
    expect(errorOf(() => shouting(openCache(), { usage: 1 }))).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
  });
});

describe('a ledger', () => {
  test('outlives its cache, and the model', async () => {
    const cache = openCache();
    await shouting(cache).model.predict('a');
    await shouting(cache).model.predict('a');
    const before = countsOf(cache);
    cache.close();
    expect(countsOf(cache)).toEqual(before);
    expect(before).toMatchObject({ hit: { count: 1 }, asked: { count: 1 } });
  });

  test('is apart for each cache, version and scope', async () => {
    const cache = openCache();
    for (const over of [{}, { version: '2' }, { scope: 'acme' }]) await shouting(cache, over).model.predict('a');
    expect(cache[LEDGER]().models.map(({ version }) => version)).toEqual(['1', '2', '1']);
    expect(openCache()[LEDGER]().models).toEqual([]);
  });

  test('times all of the first lookups, and one of 64 of the others', () => {
    const ledger = new Ledger('m', '1');
    for (let i = 0; i < 1024 + 640; ++i) if (ledger.times()) ledger.timed(2);
    const { lookups, timed, timedMs, timedSquares } = ledger.total();
    expect([lookups, timed, timedMs, timedSquares]).toEqual([1664, 1034, 2068, 4136]);
  });

  test('keeps an hour apart, and less so what is long ago', () => {
    const begin = wall.ms;
    const ledger = new Ledger('m', '1');
    try {
      for (let hour = 0; hour < 24 * 400; ++hour) {
        ledger.count('hit', 1);
        wall.ms += 3_600_000;
      }
      const { periods } = ledger.snapshot();
      const now = wall.ms;
      expect(periods.reduce((sum, { hit }) => sum + hit.count, 0)).toBe(24 * 400);
      expect(ledger.total().hit).toMatchObject({ count: 24 * 400, measured: 24 * 400, ms: 24 * 400 });
      expect(periods.length).toBeLessThan(500);
      for (const [i, { from, to }] of periods.entries()) {
        expect(to).toBeGreaterThanOrEqual(from);
        if (i > 0) expect(from).toBeGreaterThanOrEqual(periods[i - 1]!.to);
        expect(to - from).toBeLessThanOrEqual(Math.max(3_600_000, (now - to) / 64));
        const isYoung = now - to < 64 * 86_400_000;
        if (isYoung) expect(Math.floor(to / 86_400_000)).toBe(Math.floor(from / 86_400_000));
      }
    } finally {
      wall.ms = begin;
    }
  });
});

test.each(backends)('hits save the same whether they are views or copies (%s)', async (backend) => {
  const { singles, batch } = await answer('costs.mjs', { backend });
  expect(singles).toBeCloseTo(1, 9);
  expect(batch).toBeCloseTo(1, 9);
});
