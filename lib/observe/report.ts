// report.ts: what caches saved, in seconds and in money, as little as can be proved.
//
//   seconds saved = what the runs of hits took - hits that were found wrong - runs without a caller - our own time
//   usd saved     = those seconds x the price of a GPU; or the tokens of hits x their prices, less the same costs
//
// Where something is not exactly known, the report takes the end of the range at which the cache saves least, and tells
// the other end beside it. What it does not know, it says. It needs no addon: a snapshot may be read anywhere.

import { amountOption, optionsObject, textOption, typeError } from '../base/options.js';
import type { KindTally, ModelLedger, Period, Tally } from '../model/ledger.js';
import { type LedgerSource, modelsOf, sumOf } from './ledgers.js';
import { type CheckedTable, type PriceTable, pricesDuring, priceTables } from './prices.js';
import { type Range, shareBetween } from './ranges.js';

/** What an hour of a model's GPUs costs, or that it is paid by the token. */
export type ModelPrice =
  /** A machine of a price table. `gpus`: how many of its GPUs a run keeps busy. Default 1. */
  | { instance: string; gpus?: number }
  /** An hour of the GPUs that a run keeps busy. */
  | { usdPerHour: number }
  /** A model of a price table, paid by the token. */
  | { tokens: string };

export interface MoneyOptions {
  /** One table, or several: a later one replaces prices of those before it; with `from`, from that moment on. */
  prices?: PriceTable | readonly PriceTable[] | undefined;
  /**
   * How models are paid, by name, or by `name@version`. Default: as `otherwise`, or by the token if a table has a model
   * of this name and its tokens were counted (option `usage` of a model).
   */
  models?: Readonly<Record<string, ModelPrice>> | undefined;
  otherwise?: ModelPrice | undefined;
  /** Only what happened since. A period that began before is left out whole; periods of late are an hour long. */
  since?: Date | string | number | undefined;
  /**
   * An hour of a processor, for our own time. Default: the price of the GPU, as if it waited for the processor; for
   * models that are paid by the token 0.1 USD, twice the list price of a virtual processor.
   */
  cpuUsdPerHour?: number | undefined;
}

/** Seconds. `saved` is the least that it can be. */
export interface SavedSeconds {
  /** What the runs took that made what hits were answered with. */
  avoided: number;
  /** Of that, hits that were compared and found wrong: they saved nothing. */
  wrong: number;
  /** Runs that renewed a stale result, and runs of `promote`. */
  refresh: number;
  /** Runs that compared a hit. */
  verify: number;
  /** Our own time. Some lookups are timed; the range is that of the others. */
  overhead: Range;
  /** `avoided - wrong - refresh - verify - overhead`. */
  saved: Range;
  /** Of callers who joined a run: a line apart, because a queue may have done that without a cache. */
  coalesced: number;
  /** What runs for callers took. */
  used: number;
}

/** US dollars. `saved[0]` is the least that it can be. */
export interface SavedUsd {
  saved: Range;
  coalesced: number;
  overhead: Range;
}

export interface ModelMoney {
  model: string;
  version: string;
  /** Hits that avoided a run, and inputs that were run for a caller, or joined such a run. */
  hits: number;
  asked: number;
  coalesced: number;
  /** Hits whose run was not measured, as of results that were set by hand. They count as 0 s. */
  unmeasuredHits: number;
  seconds: SavedSeconds;
  /** Tokens of hits, as their runs were billed. Null: the model was opened without `usage`. */
  tokens: { hits: number; input: number; cachedInput: number; output: number } | null;
  /** Null: there is no price. */
  usd: SavedUsd | null;
  /** The prices that were used. */
  prices: { name: string; table: string; date: string }[];
  /** Of the hits that were compared (`verify`): how many differed, and what share of all hits that may be (95 %). */
  wrong: { compared: number; differed: number; share: Range };
  /** What a reader must know of these figures. */
  notes: string[];
}

export interface MoneyReport {
  format: 'zerohop-report';
  formatVersion: 1;
  /** When what is counted began and ended; null: nothing happened. */
  from: string | null;
  to: string | null;
  tables: { name: string; date: string }[];
  models: ModelMoney[];
  /** `usd` is of the models that have a price; `unpricedModels` have none. */
  total: { seconds: Pick<SavedSeconds, 'saved' | 'coalesced' | 'used'>; usd: SavedUsd; unpricedModels: number };
}

const HOUR_MS = 3_600_000;

/** An entry's cost has 24 bits, and sums are rounded: so much less is sure. */
const EXACT = 1 - 1e-6;

const CPU_USD_PER_HOUR = 0.1;

/** How far from the mean of those that were timed the mean of the other lookups may be, in standard errors. */
const SIGMAS = 4;

/**
 * What the models of a cache saved. Counted are hits that avoided a run; not counted are hits of calls with
 * `only-if-cached`, callers who joined a run (a line apart), and what a provider's own cache would have served at its
 * discount. Subtracted are hits that were found wrong, runs that no caller waited for, and our own time. docs/MONEY.md
 * has the formulae.
 *
 * @param source a cache or a model, also a closed one; a snapshot of `ledgerOf`; or a list of them.
 * @throws {TypeError | RangeError} an option is wrong: a price is negative or not a number, a named machine or model is
 *   in no table.
 * @example report(cache, { prices: GPU_PRICES, otherwise: { instance: 'aws g5.xlarge' } }).total.usd.saved[0]
 */
export function report(source: LedgerSource, options: MoneyOptions = {}): MoneyReport {
  const checked = checkedOptions(options);
  const ledgers = modelsOf(source).map((one) => ({
    ...one,
    periods: one.periods.filter(({ from }) => from >= checked.sinceMs),
  }));
  const models = ledgers.map((one) => moneyOf(one, checked));
  const periods = ledgers.flatMap((one) => one.periods);
  const priced = models.flatMap(({ usd }) => usd ?? []);
  return {
    format: 'zerohop-report',
    formatVersion: 1,
    from: momentOf(
      periods.map(({ from }) => from),
      Math.min,
    ),
    to: momentOf(
      periods.map(({ to }) => to),
      Math.max,
    ),
    tables: checked.tables.map(({ name, date }) => ({ name, date })),
    models,
    total: {
      seconds: {
        saved: addRanges(models.map(({ seconds }) => seconds.saved)),
        coalesced: add(models.map(({ seconds }) => seconds.coalesced)),
        used: add(models.map(({ seconds }) => seconds.used)),
      },
      usd: {
        saved: addRanges(priced.map(({ saved }) => saved)),
        coalesced: add(priced.map(({ coalesced }) => coalesced)),
        overhead: addRanges(priced.map(({ overhead }) => overhead)),
      },
      unpricedModels: models.length - priced.length,
    },
  };
}

const add = (numbers: readonly number[]) => numbers.reduce((sum, one) => sum + one, 0);
const addRanges = (ranges: readonly Range[]): Range => [
  add(ranges.map(([least]) => least)),
  add(ranges.map(([, most]) => most)),
];

/** Times of a snapshot are any numbers. */
function momentOf(times: readonly number[], choose: (...times: number[]) => number): string | null {
  const ms = times.reduce((one, other) => choose(one, other), times[0] ?? Number.NaN);
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : null;
}

interface CheckedOptions {
  readonly tables: readonly CheckedTable[];
  readonly models: ReadonlyMap<string, ModelPrice>;
  readonly otherwise: ModelPrice | undefined;
  readonly sinceMs: number;
  readonly cpuUsdPerHour: number | undefined;
}

function checkedOptions(options: MoneyOptions): CheckedOptions {
  const given = optionsObject('options', options, ['prices', 'models', 'otherwise', 'since', 'cpuUsdPerHour']);
  const { since, cpuUsdPerHour, models = {}, otherwise } = given;
  const tables = priceTables('options.prices', given['prices']);
  if (typeof models !== 'object' || models === null || Array.isArray(models))
    throw typeError('options.models', 'an object', models);
  const prices = Object.entries(models).map(
    ([name, price]) => [name, modelPrice(`options.models[${JSON.stringify(name)}]`, price, tables)] as const,
  );
  return {
    tables,
    models: new Map(prices),
    otherwise: otherwise === undefined ? undefined : modelPrice('options.otherwise', otherwise, tables),
    sinceMs: since === undefined ? Number.NEGATIVE_INFINITY : moment('options.since', since),
    cpuUsdPerHour: cpuUsdPerHour === undefined ? undefined : amountOption('options.cpuUsdPerHour', cpuUsdPerHour),
  };
}

function moment(name: string, value: unknown): number {
  const ms = typeof value === 'string' ? Date.parse(value) : Number(value);
  if (Number.isNaN(ms)) throw typeError(name, 'a Date, a text such as a Date gives, or ms since 1970', value);
  return ms;
}

/** A name that is in no table is a mistake, and said at once. */
function modelPrice(name: string, value: unknown, tables: readonly CheckedTable[]): ModelPrice {
  const { instance, gpus, usdPerHour, tokens } = optionsObject(name, value, [
    'instance',
    'gpus',
    'usdPerHour',
    'tokens',
  ]);
  const given = [instance, usdPerHour, tokens].filter((one) => one !== undefined);
  if (given.length !== 1) throw typeError(name, 'one of instance, usdPerHour and tokens', value);
  if (usdPerHour !== undefined) return { usdPerHour: amountOption(`${name}.usdPerHour`, usdPerHour) };
  const [member, kind] =
    instance !== undefined ? (['instance', 'instances'] as const) : (['tokens', 'tokens'] as const);
  const key = textOption(`${name}.${member}`, instance ?? tokens, 255, 1);
  if (!tables.some((table) => table[kind].has(key)))
    throw typeError(`${name}.${member}`, 'a name of a table of options.prices', key);
  if (member === 'tokens') return { tokens: key };
  return { instance: key, gpus: gpus === undefined ? 1 : amountOption(`${name}.gpus`, gpus, 0, 2 ** 20) };
}

/** How a model is paid; a text: why there is no price. */
function priceOf(
  { model, version }: ModelLedger,
  tally: Tally,
  { models, otherwise, tables }: CheckedOptions,
): ModelPrice | string {
  const named = models.get(`${model}@${version}`) ?? models.get(model);
  if (named !== undefined) return named;
  const counted = tally.hit.priced + tally.asked.priced > 0;
  const known = counted
    ? namesOf({ model, version }).find((name) => tables.some(({ tokens }) => tokens.has(name)))
    : undefined;
  if (known !== undefined) return { tokens: known };
  if (otherwise !== undefined) return otherwise;
  return counted ? 'no table has a price for the tokens of this model' : 'nothing says what this model runs on';
}

/** By which a table may have it. Adapters put the provider's model into the version, alone or behind the provider. */
function namesOf({ model, version }: Pick<ModelLedger, 'model' | 'version'>): string[] {
  const behindProvider = /^\["[^"\\]*","([^"\\]*)"\]$/.exec(version)?.[1];
  return [model, version, ...(behindProvider === undefined ? [] : [behindProvider])];
}

function moneyOf(ledger: ModelLedger, options: CheckedOptions): ModelMoney {
  const { model, version, periods } = ledger;
  const tally = sumOf(periods);
  const { hit, asked, coalesced, rejected, compared } = tally;
  const lookupMs = lookupRange(tally);
  const price = priceOf(ledger, tally, options);
  const notes: string[] = [];
  const account = typeof price === 'string' ? undefined : accountOf(price, periods, lookupMs, options);
  if (typeof price === 'string') notes.push(`No money: ${price}.`);
  else if (account === undefined) notes.push('No money: no price held at some time of these figures.');
  if (hit.count > hit.measured)
    notes.push(`${hit.count - hit.measured} hits count as 0 s: their results were set, or not measured.`);
  if (typeof price === 'object' && 'tokens' in price && hit.count > hit.priced)
    notes.push(`${hit.count - hit.priced} hits count as 0 tokens: their tokens are not known.`);
  return {
    model,
    version,
    hits: hit.count,
    asked: asked.count,
    coalesced: coalesced.count,
    unmeasuredHits: Math.max(0, hit.count - hit.measured),
    seconds: secondsOf(tally, lookupMs),
    tokens:
      hit.priced === 0 && asked.priced === 0
        ? null
        : { hits: hit.priced, input: hit.inputTokens, cachedInput: hit.cachedInputTokens, output: hit.outputTokens },
    usd: account?.usd ?? null,
    prices: account?.prices ?? [],
    wrong: { compared, differed: rejected.count, share: shareBetween(rejected.count, compared) },
    notes,
  };
}

/** ms of a lookup that was not timed, at least and at most. */
function lookupRange({ timed, timedMs, timedSquares }: Tally): Range {
  if (timed === 0) return [0, 0];
  const mean = timedMs / timed;
  const error = Math.sqrt(Math.max(0, timedSquares / timed - mean * mean) / timed);
  return [Math.max(0, mean - SIGMAS * error), mean + SIGMAS * error];
}

function overheadMs(tally: Tally, lookupMs: Range): Range {
  const known = tally.overheadMs + tally.timedMs;
  const untimed = Math.max(0, tally.lookups - tally.timed);
  return [known + untimed * lookupMs[0], known + untimed * lookupMs[1]];
}

/** GPU time that hits saved, but for those that were found wrong, and that runs without a caller took. */
const gainedMs = ({ hit, rejected }: Tally): Range => [
  hit.ms * EXACT - rejected.ms,
  hit.ms * (2 - EXACT) - rejected.ms,
];
const spentMs = ({ refresh, verify }: Tally) => refresh.ms + verify.ms;

function secondsOf(tally: Tally, lookupMs: Range): SavedSeconds {
  const overhead = overheadMs(tally, lookupMs);
  const [least, most] = gainedMs(tally);
  const spent = spentMs(tally);
  return {
    avoided: tally.hit.ms / 1000,
    wrong: tally.rejected.ms / 1000,
    refresh: tally.refresh.ms / 1000,
    verify: tally.verify.ms / 1000,
    overhead: [overhead[0] / 1000, overhead[1] / 1000],
    saved: [(least - spent - overhead[1]) / 1000, (most - spent - overhead[0]) / 1000],
    coalesced: (tally.coalesced.ms * EXACT) / 1000,
    used: tally.asked.ms / 1000,
  };
}

/** The least that it can be, as in a report. @internal */
export function savedSecondsOf(tally: Tally): number {
  return secondsOf(tally, lookupRange(tally)).saved[0];
}

interface Account {
  usd: SavedUsd;
  prices: ModelMoney['prices'];
}

/**
 * The money of each period, at its prices. If a price changed within a period, what hits saved is worth the lower one,
 * and what was spent the higher one.
 */
function accountOf(
  price: ModelPrice,
  periods: readonly Period[],
  lookupMs: Range,
  options: CheckedOptions,
): Account | undefined {
  const usd: SavedUsd = { saved: [0, 0], coalesced: 0, overhead: [0, 0] };
  const used = new Map<string, ModelMoney['prices'][number]>();
  for (const period of periods) {
    const rates = ratesDuring(price, period, options.tables);
    if (rates === undefined) return undefined;
    for (const { name, table } of rates.tables)
      used.set(JSON.stringify([name, table]), { name, table: table.name, date: table.date });
    const cpu =
      options.cpuUsdPerHour === undefined
        ? rates.cpuUsdPerHour
        : ([options.cpuUsdPerHour, options.cpuUsdPerHour] as const);
    const [leastMs, mostMs] = overheadMs(period, lookupMs);
    const overhead: Range = [(leastMs / HOUR_MS) * cpu[0], (mostMs / HOUR_MS) * cpu[1]];
    const all = rates.each.map((rate) => rate(period));
    const least = (of: (worth: Worth) => number) => Math.min(...all.map(of));
    const most = (of: (worth: Worth) => number) => Math.max(...all.map(of));
    usd.saved[0] += least(({ gained }) => gained[0]) - most(({ spent }) => spent) - overhead[1];
    usd.saved[1] += most(({ gained }) => gained[1]) - least(({ spent }) => spent) - overhead[0];
    usd.coalesced += least(({ coalesced }) => coalesced);
    usd.overhead[0] += overhead[0];
    usd.overhead[1] += overhead[1];
  }
  return { usd, prices: [...used.values()] };
}

/** What a period is worth at one price, without our own time. */
interface Worth {
  /** What hits saved, but for those that were found wrong. */
  gained: Range;
  /** What runs without a caller cost. */
  spent: number;
  coalesced: number;
}

type Rate = (period: Tally) => Worth;

interface Rates {
  each: Rate[];
  /** Of our own time, unless the options say it. */
  cpuUsdPerHour: Range;
  tables: { name: string; table: CheckedTable }[];
}

function ratesDuring(price: ModelPrice, period: Period, tables: readonly CheckedTable[]): Rates | undefined {
  if ('usdPerHour' in price)
    return { each: [perHour(price.usdPerHour)], cpuUsdPerHour: [price.usdPerHour, price.usdPerHour], tables: [] };
  if ('tokens' in price) {
    const found = pricesDuring(tables, (table) => table.tokens.get(price.tokens), period);
    return (
      found && {
        each: found.map((one) => perToken(one.price)),
        cpuUsdPerHour: [CPU_USD_PER_HOUR, CPU_USD_PER_HOUR],
        tables: found.map(({ table }) => ({ name: price.tokens, table })),
      }
    );
  }
  const found = pricesDuring(tables, (table) => table.instances.get(price.instance), period);
  if (found === undefined) return undefined;
  const hours = found.map((one) => (one.price.usdPerHour / one.price.gpus) * (price.gpus ?? 1));
  return {
    each: hours.map(perHour),
    cpuUsdPerHour: [Math.min(...hours), Math.max(...hours)],
    tables: found.map(({ table }) => ({ name: price.instance, table })),
  };
}

const perHour =
  (usdPerHour: number): Rate =>
  (period) => {
    const usd = (ms: number) => (ms / HOUR_MS) * usdPerHour;
    const [least, most] = gainedMs(period);
    return {
      gained: [usd(least), usd(most)],
      spent: usd(spentMs(period)),
      coalesced: usd(period.coalesced.ms * EXACT),
    };
  };

type CheckedTokenPrice = { inputUsd: number; cachedInputUsd: number; outputUsd: number; repeatsAreCached: boolean };

const perToken = ({ inputUsd, cachedInputUsd, outputUsd, repeatsAreCached }: CheckedTokenPrice): Rate => {
  /** As the provider billed it. */
  const billed = ({ inputTokens, cachedInputTokens, outputTokens }: KindTally) =>
    (inputTokens - cachedInputTokens) * inputUsd + cachedInputTokens * cachedInputUsd + outputTokens * outputUsd;
  /** A call that was made before: the provider may have had all of its input in its cache. */
  const repeated = ({ inputTokens, outputTokens }: KindTally) =>
    inputTokens * Math.min(inputUsd, cachedInputUsd) + outputTokens * outputUsd;
  const least = repeatsAreCached ? repeated : billed;
  return ({ hit, rejected, refresh, verify, coalesced }) => {
    return {
      gained: [(least(hit) - least(rejected)) * EXACT, billed(hit) - billed(rejected)],
      spent: billed(refresh) + billed(verify),
      coalesced: least(coalesced) * EXACT,
    };
  };
};
