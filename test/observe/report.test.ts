// Reports of what a cache saved: against arithmetic done by hand, and against input that nobody should give.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { PUBLIC, utf8 } from 'zerohop';
import {
  GPU_PRICES,
  type LedgerSnapshot,
  ledgerOf,
  type MoneyOptions,
  type PriceTable,
  report,
  reportText,
  tokenPrices,
} from 'zerohop/report';
import { emptyTally, type Period } from '../../lib/model/ledger.js';
import { emptySample } from '../../lib/model/traffic.js';
import { shouting } from '../fixtures/models.js';
import { anything, errorOf, openCache } from '../fixtures/opened.js';

const HOUR_MS = 3_600_000;
const DAY = Date.UTC(2026, 10, 1);

type Figures = Record<string, number | Record<string, number>>;

/** A period of an hour, with these figures. */
function period(figures: Figures, hour = 0): Period {
  const one = { from: DAY + hour * HOUR_MS, to: DAY + (hour + 1) * HOUR_MS - 1, ...emptyTally() };
  for (const [name, value] of Object.entries(figures))
    if (typeof value === 'number') anything(one)[name] = value;
    else Object.assign(anything(one)[name], value);
  return one;
}

const snapshotOf = (periods: Period[], model = 'm', version = '1'): LedgerSnapshot => ({
  ...{ format: 'zerohop-ledger', formatVersion: 1, at: DAY },
  models: [{ model, version, periods, traffic: emptySample() }],
});

const hits = (count: number, ms: number) => ({ hit: { count, measured: count, ms } });
const only = (figures: Figures, options?: MoneyOptions) => report(snapshotOf([period(figures)]), options).models[0]!;

const table = (over: Partial<PriceTable>): PriceTable => ({ name: 't', date: '2026-11-01', ...over });
const gpu = (usdPerHour: number, over: Partial<PriceTable> = {}): PriceTable =>
  table({ instances: { gpu: { usdPerHour, gpus: 1 } }, ...over });

describe('seconds', () => {
  test('are what hits avoided, less wrong hits, runs without a caller, and our own time', () => {
    const { seconds } = only({
      hit: { count: 10, measured: 10, ms: 10_000 },
      rejected: { count: 1, measured: 1, ms: 1000 },
      refresh: { count: 2, measured: 2, ms: 500 },
      verify: { count: 3, measured: 3, ms: 250 },
      coalesced: { count: 4, measured: 4, ms: 4000 },
      asked: { count: 5, measured: 5, ms: 5000 },
      overheadMs: 50,
    });
    expect(seconds).toMatchObject({
      avoided: 10,
      wrong: 1,
      refresh: 0.5,
      verify: 0.25,
      overhead: [0.05, 0.05],
      used: 5,
    });
    expect(seconds.saved[0]).toBeCloseTo(8.2, 4);
    expect(seconds.saved[0]).toBeLessThan(8.2);
    expect(seconds.coalesced).toBeCloseTo(4, 4);
  });

  test('have a range where lookups were timed by sample: four standard errors around their mean', () => {
    // 100 timed lookups, half of 1 ms and half of 3: mean 2, deviation 1, error 0.1. 900 others.
    const sampled = { lookups: 1000, timed: 100, timedMs: 200, timedSquares: 50 * 1 + 50 * 9 };
    const { overhead, saved } = only({ ...hits(1, 10_000), ...sampled }).seconds;
    expect(overhead[0]).toBeCloseTo((200 + 900 * 1.6) / 1000, 9);
    expect(overhead[1]).toBeCloseTo((200 + 900 * 2.4) / 1000, 9);
    expect(saved[1] - saved[0]).toBeCloseTo(0.72, 4);
    const all = only({ ...hits(1, 10_000), ...sampled, lookups: 100 }).seconds;
    expect(all.overhead).toEqual([0.2, 0.2]);
  });

  test('may be below 0: a cache that costs more than it saves says so', () => {
    const { seconds, usd } = only({ ...hits(0, 0), overheadMs: HOUR_MS }, { otherwise: { usdPerHour: 2 } });
    expect([seconds.saved[0], usd!.saved[0]]).toEqual([-3600, -2]);
  });

  test('tell how many hits are not measured', () => {
    const money = only({ hit: { count: 5, measured: 2, ms: 2 } });
    expect(money.unmeasuredHits).toBe(3);
    expect(money.notes.join()).toContain('3 hits count as 0 s');
  });
});

describe('money', () => {
  const hour = { ...hits(10, HOUR_MS) };

  test('is GPU time at the price of the GPUs that a run keeps busy', () => {
    const prices = table({ instances: { big: { usdPerHour: 16, gpus: 8 } } });
    const usdOf = (price: object) => only(hour, { prices, otherwise: anything(price) }).usd!.saved[0];
    expect(usdOf({ instance: 'big' })).toBeCloseTo(2, 4);
    expect(usdOf({ instance: 'big', gpus: 4 })).toBeCloseTo(8, 4);
    expect(usdOf({ usdPerHour: 3 })).toBeCloseTo(3, 4);
  });

  test('counts our own time at the price of a processor, or of the GPU that waits for it', () => {
    const figures = { ...hour, overheadMs: HOUR_MS / 2 };
    expect(only(figures, { otherwise: { usdPerHour: 4 } }).usd).toMatchObject({ overhead: [2, 2] });
    expect(only(figures, { otherwise: { usdPerHour: 4 }, cpuUsdPerHour: 0.2 }).usd).toMatchObject({
      overhead: [0.1, 0.1],
    });
  });

  test('is not guessed: a model of which nothing is known has seconds only, and says why', () => {
    const money = report([snapshotOf([period(hour)]), snapshotOf([period(hour)], 'n')], {
      models: { n: { usdPerHour: 1 } },
    });
    expect(money.models[0]).toMatchObject({
      model: 'm',
      usd: null,
      notes: ['No money: nothing says what this model runs on.'],
    });
    expect(money.total).toMatchObject({ unpricedModels: 1 });
    expect(money.total.usd.saved[0]).toBeCloseTo(1, 4);
    expect(money.total.seconds.saved[0]).toBeCloseTo(7200, 1);
  });

  test('is told by version where the versions run on other machines', () => {
    const source = [snapshotOf([period(hour)]), snapshotOf([period(hour)], 'm', '2')];
    const { models } = report(source, { models: { m: { usdPerHour: 1 }, 'm@2': { usdPerHour: 2 } } });
    expect(models.map(({ usd }) => Math.round(usd!.saved[0]))).toEqual([1, 2]);
  });

  test.each(['__proto__', 'constructor', 'toString'])('takes no price from a prototype: %s', (name) => {
    expect(report(snapshotOf([period(hour)], name), { prices: gpu(1) }).models[0]!.usd).toBeNull();
    expect(errorOf(() => report(snapshotOf([]), { prices: gpu(1), otherwise: { instance: name } })).message).toContain(
      name,
    );
  });
});

describe('a price that changes', () => {
  const periods = [0, 1, 2].map((at) => period(hits(1, HOUR_MS), at));
  const at = (hour: number, minute = 0) => new Date(DAY + hour * HOUR_MS + minute * 60_000).toISOString();
  const usd = (prices: PriceTable[]) =>
    report(snapshotOf(periods), { prices, otherwise: { instance: 'gpu' } }).models[0]!;

  test('holds from its day on, whatever the order of the tables', () => {
    const tables = [gpu(10, { from: at(1) }), gpu(1, { name: 'old' })];
    const money = usd(tables);
    expect(money.usd!.saved[0]).toBeCloseTo(21, 3);
    expect(money.prices.map((one) => one.table)).toEqual(['old', 't']);
    expect(usd(tables.reverse()).usd).toEqual(money.usd);
  });

  test('within a period saves what the lower one says, and costs what the higher one says', () => {
    expect(usd([gpu(1), gpu(10, { from: at(1, 30) })]).usd!.saved[0]).toBeCloseTo(1 + 1 + 10, 3);
    expect(usd([gpu(10), gpu(1, { from: at(1, 30) })]).usd!.saved[0]).toBeCloseTo(10 + 1 + 1, 3);
    const costs = [period({ refresh: { count: 1, measured: 1, ms: HOUR_MS } })];
    const options = { prices: [gpu(1), gpu(10, { from: at(0, 30) })], otherwise: { instance: 'gpu' } };
    expect(report(snapshotOf(costs), options).models[0]!.usd!.saved).toEqual([-10, -1]);
  });

  test('that did not hold yet is none', () => {
    expect(usd([gpu(1, { from: at(1) })])).toMatchObject({
      usd: null,
      notes: ['No money: no price held at some time of these figures.'],
    });
  });

  test('keeps prices of other names in the earlier table', () => {
    const later = table({ from: at(1), instances: { other: { usdPerHour: 9, gpus: 1 } } });
    expect(usd([gpu(1), later]).usd!.saved[0]).toBeCloseTo(3, 4);
  });
});

describe('tokens', () => {
  const million = (inputTokens: number, cachedInputTokens: number, outputTokens: number, count = 10) => ({
    ...{ count, measured: count, ms: 0, priced: count },
    ...{ inputTokens: inputTokens * 1e6, cachedInputTokens: cachedInputTokens * 1e6, outputTokens: outputTokens * 1e6 },
  });
  const price = { inputUsd: 2, cachedInputUsd: 0.5, outputUsd: 8 };
  const prices = (over: object = {}) => table({ tokens: { m: { ...price, ...over } } });

  test('are priced as billed if the provider does not cache a repeated call', () => {
    const money = only({ hit: million(3, 1, 1) }, { prices: prices({ repeatsAreCached: false }) });
    expect(money.usd!.saved[0]).toBeCloseTo(2 * 2 + 0.5 + 8, 3);
    expect(money.tokens).toEqual({ hits: 10, input: 3e6, cachedInput: 1e6, output: 1e6 });
  });

  test('are priced at the discount if it may have been given for all of the input; the range tells the rest', () => {
    const { saved } = only({ hit: million(3, 1, 1) }, { prices: prices() }).usd!;
    expect(saved[0]).toBeCloseTo(3 * 0.5 + 8, 3);
    expect(saved[1]).toBeCloseTo(2 * 2 + 0.5 + 8, 3);
  });

  test('of runs without a caller and of wrong hits are subtracted', () => {
    const { saved } = only(
      { hit: million(3, 0, 1), rejected: million(1, 0, 0), verify: million(0, 0, 0.25), refresh: million(0.5, 0.5, 0) },
      { prices: prices({ repeatsAreCached: false }) },
    ).usd!;
    expect(saved[0]).toBeCloseTo(2 * 2 + 8 - 2 - 0.25, 3);
  });

  test('that are not known are said, and not counted', () => {
    const unknown = only({ hit: { ...million(1, 0, 0, 4), count: 10 } }, { prices: prices() });
    expect(unknown.notes.join()).toContain('6 hits count as 0 tokens');
    const { notes, usd } = report(snapshotOf([period({ hit: million(1, 0, 0) })], 'x'), { prices: prices() })
      .models[0]!;
    expect([usd, notes]).toEqual([null, ['No money: no table has a price for the tokens of this model.']]);
  });

  test('pay for our own time, too', () => {
    const { overhead } = only({ hit: million(1, 0, 0), overheadMs: HOUR_MS }, { prices: prices() }).usd!;
    expect(overhead).toEqual([0.1, 0.1]);
  });
});

describe('prices of tokens from llm-zoo', () => {
  const capabilities = { supportsPromptCaching: true, supportsAutoPromptCaching: true, cacheDiscountFactor: 0.1 };
  const model = (fullName: string, over: object = {}) => ({
    fullName,
    shortName: fullName.slice(0, 3),
    inputPrice: 2,
    outputPrice: 8,
    capabilities,
    ...over,
  });
  const read = (...models: object[]) =>
    tokenPrices(
      { MODEL_CONFIGS: anything(Object.fromEntries(models.map((one, i) => [i, one]))) },
      { version: '1', date: '2026-09-23' },
    );

  test('are those of a name, with the discount for cached input', () => {
    expect(read(model('abc-1'), model('plain', { capabilities: {} }))).toEqual({
      name: 'llm-zoo 1',
      date: '2026-09-23',
      tokens: {
        'abc-1': { inputUsd: 2, cachedInputUsd: 0.2, outputUsd: 8 },
        abc: { inputUsd: 2, cachedInputUsd: 0.2, outputUsd: 8 },
        plain: { inputUsd: 2, outputUsd: 8, repeatsAreCached: false },
        pla: { inputUsd: 2, outputUsd: 8, repeatsAreCached: false },
      },
    });
  });

  test('leave out a name with two prices, and one without a price', () => {
    expect(Object.keys(read(model('abc-1'), model('abc-2', { inputPrice: 3 })).tokens!)).toEqual(['abc-1', 'abc-2']);
    const strange = [0, -1, Number.NaN, '2', undefined].map((inputPrice, i) => model(`n${i}x`, { inputPrice }));
    expect(read(...strange.filter((_, i) => i !== 3)).tokens).toEqual({});
  });

  test('are refused if it is another package, or has no date', () => {
    expect(errorOf(() => tokenPrices(anything({}), { version: '1', date: '2026-09-23' })).message).toContain(
      'MODEL_CONFIGS',
    );
    expect(errorOf(() => tokenPrices({ MODEL_CONFIGS: {} }, anything({ version: '1' }))).message).toContain(
      'about.date',
    );
    expect(errorOf(() => tokenPrices({ MODEL_CONFIGS: {} }, { version: '1', date: 'lately' })).message).toContain(
      'about.date',
    );
  });
});

describe('the table of GPU prices', () => {
  test('names its date, and a source and a date for each price', () => {
    expect(GPU_PRICES).toMatchObject({ name: 'zerohop list prices', date: '2026-11-30' });
    for (const { usdPerHour, gpus, source } of Object.values(GPU_PRICES.instances!)) {
      expect(Math.min(usdPerHour, gpus)).toBeGreaterThan(0);
      expect(source).toMatch(/seen 20\d\d/);
    }
    expect(Object.isFrozen(GPU_PRICES.instances!['aws g5.xlarge'])).toBe(true);
  });
});

describe('a report', () => {
  test('is the same of a cache, of its models, of a closed cache, and of a snapshot that was kept as JSON', async () => {
    const cache = openCache();
    const { model } = shouting(cache);
    for (const text of ['a', 'a', 'b', 'a']) await model.predict(text);
    const options = { otherwise: { usdPerHour: 1 } };
    const whole = report(cache, options);
    expect(report([model], options)).toEqual(whole);
    const kept = JSON.stringify(ledgerOf(cache));
    cache.close();
    expect(report(cache, options)).toEqual(whole);
    expect(report(JSON.parse(kept), options)).toEqual(whole);
    expect(JSON.parse(JSON.stringify(whole))).toEqual(whole);
    expect(whole.models[0]).toMatchObject({ model: 'm', hits: 2, asked: 2 });
  });

  test('adds up processes and runs', () => {
    const one = snapshotOf([period(hits(1, 1000))]);
    const { models, total } = report([one, one, [one]], { otherwise: { usdPerHour: 3600 } });
    expect(models).toHaveLength(1);
    expect(models[0]!.hits).toBe(3);
    expect(total.usd.saved[0]).toBeCloseTo(3, 4);
  });

  test('only grows, whatever happens to the cache', async () => {
    const cache = openCache();
    const { model } = shouting(cache);
    let last = 0;
    for (const change of [
      () => {},
      () => cache.clear(),
      () => model.clear(),
      () => model.delete('a'),
      () => model.trust(),
      () => cache.close(),
    ]) {
      await model.predict('a');
      await model.predict('a');
      change();
      const { avoided } = report(cache).models[0]!.seconds;
      expect(avoided).toBeGreaterThan(last);
      last = avoided;
    }
  });

  test('of models of several scopes tells no tenant', async () => {
    const cache = openCache();
    for (const scope of ['acme', 'rival', PUBLIC]) {
      const model = cache.model({ name: 'm', version: '1', scope, codec: utf8, run: (texts: string[]) => texts });
      await model.predict('a');
      await model.predict('a');
    }
    const whole = report(cache);
    expect(whole.models).toHaveLength(1);
    expect(whole.models[0]!.hits).toBe(3);
    expect(JSON.stringify([whole, ledgerOf(cache)])).not.toMatch(/acme|rival/);
  });

  test('of nothing is empty, with no NaN', async () => {
    const cache = openCache();
    for (const source of [cache, [], shouting(cache).model, { ...snapshotOf([]), models: [] }]) {
      const whole = report(source);
      expect(JSON.stringify(whole)).not.toContain('NaN');
      expect(whole.total.seconds.saved).toEqual([0, 0]);
      expect(reportText(whole)).not.toMatch(/NaN|undefined|null/);
    }
  });

  test('since a moment leaves out what began before', () => {
    const source = snapshotOf([0, 1, 2].map((at) => period(hits(1, 1000), at)));
    for (const since of [DAY + HOUR_MS, new Date(DAY + HOUR_MS), new Date(DAY + 1).toISOString()]) {
      const whole = report(source, { since });
      expect(whole.models[0]!.hits).toBe(2);
      expect(whole.from).toBe(new Date(DAY + HOUR_MS).toISOString());
    }
    expect(report(source, { since: DAY * 2 })).toMatchObject({ from: null, models: [{ hits: 0 }] });
  });

  test('of counters beyond 2^53 is finite', () => {
    const huge = 2 ** 60;
    const { usd, seconds } = only(
      { hit: { count: huge, measured: huge, ms: 1e300 } },
      { otherwise: { usdPerHour: 1e6 } },
    );
    for (const one of [...usd!.saved, ...seconds.saved]) expect(Number.isFinite(one)).toBe(true);
  });

  test('says how sure it is that answers are right', () => {
    expect(only({ ...hits(10, 10), compared: 0 }).wrong).toEqual({ compared: 0, differed: 0, share: [0, 1] });
    const { share } = only({ ...hits(10, 10), compared: 1000, rejected: { count: 10 } }).wrong;
    expect(share[0]).toBeCloseTo(0.00544, 4); // Wilson's interval, as of any table
    expect(share[1]).toBeCloseTo(0.0183, 4);
    expect(only({ ...hits(10, 10), compared: 5, rejected: { count: 5 } }).wrong.share[1]).toBe(1);
  });
});

describe('what nobody should give', () => {
  const price = (member: string, value: unknown) => ({
    prices: anything(table({ instances: { x: { usdPerHour: 1, gpus: 1, [member]: value } } as never })),
  });

  test.each([Number.NaN, -1, Number.POSITIVE_INFINITY, '1', undefined, null])('a price of %s is refused', (value) => {
    const error = errorOf(() => report(snapshotOf([]), price('usdPerHour', value)));
    expect(error.code).toMatch(/^ERR_(OUT_OF_RANGE|INVALID_ARG_TYPE)$/);
    expect(error.message).toContain('options.prices.instances["x"].usdPerHour');
    expect(errorOf(() => report(snapshotOf([]), { otherwise: anything({ usdPerHour: value }) })).code).toMatch(/^ERR_/);
  });

  test.each([
    ['a table without a name', { prices: { date: '2026-11-01' } }, 'options.prices.name'],
    ['a table without a date', { prices: { name: 't' } }, 'options.prices.date'],
    ['a date that is none', { prices: { name: 't', date: 'yesterday' } }, 'options.prices.date'],
    ['a machine of no GPU', price('gpus', 0), 'gpus'],
    ['a machine of no table', { otherwise: { instance: 'x' } }, 'options.otherwise.instance'],
    ['a model of no table', { models: { m: { tokens: 'x' } } }, 'options.models["m"].tokens'],
    ['two prices at once', { otherwise: { usdPerHour: 1, tokens: 'x' } }, 'options.otherwise'],
    ['no price', { otherwise: {} }, 'options.otherwise'],
    ['a moment that is none', { since: 'lately' }, 'options.since'],
    ['an unknown option', { price: 1 }, 'options.price'],
  ])('%s is refused', (_, options, names) => {
    const error = errorOf(() => report(snapshotOf([]), anything(options)));
    expect(error.code).toMatch(/^ERR_(OUT_OF_RANGE|INVALID_ARG_TYPE)$/);
    expect(error.message).toContain(names);
  });

  test.each([
    ['nothing', undefined],
    ['a number', 7],
    ['another object', {}],
    ['another format', { ...snapshotOf([]), format: 'x' }],
    ['a later version', { ...snapshotOf([]), formatVersion: 2 }],
    ['no models', { ...snapshotOf([]), models: undefined }],
    ['a name that is none', { ...snapshotOf([]), models: [{ ...snapshotOf([]).models[0], model: 7 }] }],
    ['a negative count', snapshotOf([period({ hit: { count: -1 } })])],
    ['NaN', snapshotOf([period({ overheadMs: Number.NaN })])],
    ['a text for a number', snapshotOf([period({ hit: { ms: anything('1') } })])],
    ['a missing figure', snapshotOf([anything({ from: 0, to: 1 })])],
    ['no sample of traffic', { ...snapshotOf([]), models: [{ ...snapshotOf([]).models[0], traffic: undefined }] }],
    ['a period that ends before it begins', snapshotOf([{ ...period({}), to: 0 }])],
  ])('%s is no source', (_, source) => {
    expect(errorOf(() => report(anything(source))).code).toMatch(/^ERR_(OUT_OF_RANGE|INVALID_ARG_TYPE)$/);
  });

  test('times that no calendar has are not shown', () => {
    expect(report(snapshotOf([{ ...period({}), to: 1e300 }])).to).toBeNull();
  });
});

describe('the text of a report', () => {
  const source = snapshotOf([period({ ...hits(2, 1999), compared: 3 })], 'm\u001b[31m\r\n\u202eevil', 'v\u0000');

  test('shows what is in a name, and does nothing of it', () => {
    const text = reportText(
      report(source, { prices: gpu(1, { name: 'a\u001b]0;x\u0007' }), otherwise: { instance: 'gpu' } }),
    );
    expect(text).toContain('m\\u{1b}[31m\\u{d}\\u{a}\\u{202e}evil v\\u{0}');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
  });

  test('rounds towards what saves least', () => {
    const text = reportText(report(source, { otherwise: { usdPerHour: 3600 } }));
    expect(text).toMatch(/^ {2}saved +1\.998 s {2}1\.99 USD, at most 1\.99 USD$/m);
    expect(reportText(report(snapshotOf([period({ overheadMs: 0.1 })])))).toMatch(/saved +-0\.001 s/);
  });

  test('says what is not known', () => {
    const text = reportText(report(source));
    expect(text).toContain('No money: nothing says what this model runs on.');
    expect(text).toContain('1 of them without a price');
    expect(reportText(report([]))).toBe('No model was asked.\n');
  });
});

test('the report loads no addon', () => {
  const loaded = new Set<string>();
  const visit = (file: string): void => {
    if (loaded.has(file)) return;
    loaded.add(file);
    for (const [, next] of readFileSync(file, 'utf8').matchAll(/require\("(\.[^"]+)"\)/g))
      visit(require.resolve(next!, { paths: [file.replace(/\/[^/]+$/, '')] }));
  };
  visit(require.resolve('zerohop/report'));
  expect(loaded.size).toBeGreaterThan(5);
  expect([...loaded].filter((file) => file.includes('/addon/'))).toEqual([]);
});
