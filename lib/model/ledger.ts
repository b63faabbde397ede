// ledger.ts: what the results of a model cost, and what its hits saved: the figures behind a report about money.
//
//   a hit           the ms that the run took which made the entry (the entry's `cost`)     hits
//   a joined caller the ms of the run that it joined                                        coalesced
//   a run           for a caller, to renew a stale result, or to compare a hit              asked, refresh, verify
//   a lookup        some are timed                                                          lookups, timed…
//
// Every figure only grows. They are kept by periods, so that a price that changes applies from its day on: an hour
// each, and longer ones for what is long ago. No period is longer than a 64th of its age, and none has a midnight (UTC)
// in it until that is 64 days ago. So a model that is asked at all hours for a year has some 450 periods of half a KB.
// Counting costs a few additions. Each thread counts what it does. A ledger is memory of JavaScript: it is there when
// the cache is closed.

import { wall } from '../base/time.js';
import { emptySample, Traffic, type TrafficSample } from './traffic.js';

/** What of a run is paid by the token. */
export interface TokenUsage {
  /** All tokens of the input, those that the provider's own cache served among them. */
  inputTokens: number;
  /** Of the input: what the provider's own cache served. Default 0. */
  cachedInputTokens?: number | undefined;
  outputTokens: number;
}

export type CheckedUsage = { [name in keyof TokenUsage]-?: number };

/** Where a result went: each has figures of its own. `refresh` and `verify` are runs that no caller waited for. */
export const KINDS = ['hit', 'coalesced', 'asked', 'refresh', 'verify', 'rejected'] as const;
export type Kind = (typeof KINDS)[number];

/** Figures of each kind: how many, of how many the ms are known, those ms; of how many the tokens are known, those. */
export const KIND_FIELDS = [
  'count',
  'measured',
  'ms',
  'priced',
  'inputTokens',
  'cachedInputTokens',
  'outputTokens',
] as const;
type KindField = (typeof KIND_FIELDS)[number];
export type KindTally = Record<KindField, number>;

/**
 * Figures that are no kind's. `otherHits`: hits that avoided no run. `compared`: hits that were compared with a new
 * result. `lookups`: hits and misses, looked up one by one; `timed` of them took `timedMs`, and `timedSquares` is the
 * sum of their squares. `overheadMs`: all else of our own that was timed.
 */
export const OTHER_FIELDS = [
  'otherHits',
  'compared',
  'lookups',
  'timed',
  'timedMs',
  'timedSquares',
  'overheadMs',
] as const;
type OtherField = (typeof OTHER_FIELDS)[number];

/** What happened in a period. A plain object: it may be sent as JSON. */
export type Tally = Record<Kind, KindTally> & Record<OtherField, number>;

/** From when to when, in ms since 1970, and what happened. */
export type Period = { from: number; to: number } & Tally;

/** The ledger of a model, as it was at a moment. */
export interface ModelLedger {
  model: string;
  version: string;
  periods: Period[];
  /** A sample of what was asked for, of all periods together. */
  traffic: TrafficSample;
}

/** What `ledgerOf` of `zerohop/report` gives: ledgers of all models of a cache. A plain object. */
export interface LedgerSnapshot {
  format: 'zerohop-ledger';
  formatVersion: 1;
  /** When it was taken, in ms since 1970. */
  at: number;
  models: ModelLedger[];
}

/** Caches and models have a method of this name, which gives a {@link LedgerSnapshot}. The same in every copy of us. */
export const LEDGER: unique symbol = Symbol.for('zerohop.ledger') as never;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const AGE_SHARE = 1 / 64;

/** So many lookups are timed at first, then one of 64. */
const TIMED_FIRST = 1024;
const TIMED_EVERY = 64;

export function emptyTally(): Tally {
  const tally = {} as Record<string, unknown>;
  for (const kind of KINDS) tally[kind] = Object.fromEntries(KIND_FIELDS.map((name) => [name, 0]));
  for (const name of OTHER_FIELDS) tally[name] = 0;
  return tally as Tally;
}

/** Adds the figures of `more`. */
export function addTally(to: Tally, more: Tally): void {
  for (const kind of KINDS) for (const name of KIND_FIELDS) to[kind][name] += more[kind][name];
  for (const name of OTHER_FIELDS) to[name] += more[name];
}

/** A period that is over, in less memory: when, and its figures in the order of the lists above. */
type Packed = Float64Array;

function pack(period: Period): Packed {
  const ofKinds = KINDS.flatMap((kind) => KIND_FIELDS.map((name) => period[kind][name]));
  return Float64Array.of(period.from, period.to, ...ofKinds, ...OTHER_FIELDS.map((name) => period[name]));
}

function unpack(packed: Packed): Period {
  let at = 2;
  const period = { from: packed[0]!, to: packed[1]!, ...emptyTally() };
  for (const kind of KINDS) for (const name of KIND_FIELDS) period[kind][name] = packed[at++]!;
  for (const name of OTHER_FIELDS) period[name] = packed[at++]!;
  return period;
}

/** Whether it is a number that can have been measured. What native code read may have been written over. */
const isAmount = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value < Infinity;

/** What a caller's function says of tokens, read once; undefined if they are no numbers of tokens. */
export function usageOf(given: unknown): CheckedUsage | undefined {
  if (typeof given !== 'object' || given === null) return undefined;
  const { inputTokens, cachedInputTokens: cached = 0, outputTokens } = given as Partial<TokenUsage>;
  if (!isAmount(inputTokens) || !isAmount(cached) || !isAmount(outputTokens)) return undefined;
  return { inputTokens, cachedInputTokens: Math.min(cached, inputTokens), outputTokens };
}

export class Ledger {
  readonly model: string;
  readonly version: string;
  readonly #traffic = new Traffic();
  readonly #past: Packed[] = [];
  /** Sum of them. */
  readonly #before = emptyTally();
  #now: Period;
  /** When the period ends. */
  #end = 0;
  /** Hits that are in no period yet: how many, of how many the ms are known, those ms, and when the last one was. */
  readonly #fresh = new Float64Array(4);
  /** Lookups, and how many of them are in a period. */
  #lookups = 0;
  #settled = 0;

  constructor(model: string, version: string) {
    this.model = model;
    this.version = version;
    this.#now = this.#open();
  }

  /** The period of now, whose figures may be added to. */
  get now(): Tally {
    if (wall.ms >= this.#end) this.#turn();
    this.#now.to = wall.ms;
    return this.#now;
  }

  /** A hit. It is on the path that must be short: the figures of the period get it later. */
  countHit(ms: number): void {
    if (wall.ms >= this.#end) this.#turn();
    const fresh = this.#fresh;
    fresh[0]!++;
    if (ms > 0 && ms < Number.POSITIVE_INFINITY) {
      fresh[1]!++;
      fresh[2]! += ms;
    }
    fresh[3] = wall.ms;
  }

  /** A result of this kind, or several alike. `ms`: what the run of each took, 0 if that is not known. */
  count(kind: Kind, ms: number, usage?: CheckedUsage, times = 1): void {
    const tally = this.now[kind];
    tally.count += times;
    if (isAmount(ms) && ms > 0) {
      tally.measured += times;
      tally.ms += times * ms;
    }
    if (usage !== undefined) addUsage(tally, usage, times);
  }

  /** Many hits, of which `measured` took `ms` together. */
  countHits(count: number, measured: number, ms: number): void {
    const { hit } = this.now;
    hit.count += count;
    if (!isAmount(ms)) return;
    hit.measured += measured;
    hit.ms += ms;
  }

  /** Tokens of a result that is counted already. */
  countTokens(kind: Kind, usage: CheckedUsage | undefined): void {
    if (usage !== undefined) addUsage(this.now[kind], usage);
  }

  /** An input of the sample was asked for. `bytes`: of its result, if it was a hit. */
  sample(key: Uint8Array, bytes: number | undefined): void {
    this.#traffic.ask(key, wall.ms, bytes);
  }

  /** Whether the next lookup is timed. */
  times(): boolean {
    const lookup = ++this.#lookups;
    return lookup <= TIMED_FIRST || lookup % TIMED_EVERY === 0;
  }

  /** `ms`: what a lookup took that was timed. */
  timed(ms: number): void {
    wall.read();
    const tally = this.now;
    tally.timed++;
    tally.timedMs += ms;
    tally.timedSquares += ms * ms;
  }

  snapshot(): ModelLedger {
    this.#settle(this.#now);
    const periods = [...this.#past, pack(this.#now)].map(unpack);
    return { model: this.model, version: this.version, periods, traffic: this.#traffic.snapshot() };
  }

  /** Sum of all periods. */
  total(): Tally {
    this.#settle(this.#now);
    const total = emptyTally();
    addTally(total, this.#before);
    addTally(total, this.#now);
    return total;
  }

  /** As a snapshot with one period, and without the traffic. */
  summary(): ModelLedger {
    const period = { from: this.#past[0]?.[0] ?? this.#now.from, to: 0, ...this.total() };
    period.to = this.#now.to;
    return { model: this.model, version: this.version, periods: [period], traffic: emptySample() };
  }

  /** Hits and lookups that are in no period yet belong to the period of now. */
  #settle(tally: Period): void {
    const [count, measured, ms, at] = this.#fresh as unknown as [number, number, number, number];
    tally.hit.count += count;
    tally.hit.measured += measured;
    tally.hit.ms += ms;
    tally.to = Math.max(tally.to, at);
    this.#fresh.fill(0);
    tally.lookups += this.#lookups - this.#settled;
    this.#settled = this.#lookups;
  }

  #open(): Period {
    const from = wall.ms;
    this.#end = (Math.floor(from / HOUR_MS) + 1) * HOUR_MS;
    return { from, to: from, ...emptyTally() };
  }

  #turn(): void {
    this.#settle(this.#now);
    addTally(this.#before, this.#now);
    this.#past.push(pack(this.#now));
    this.#now = this.#open();
    this.#merge();
  }

  /** Joins neighbours that are short for their age. What an hour was worth last year, nobody needs to know. */
  #merge(): void {
    const past = this.#past;
    for (let i = 0; i + 1 < past.length; ) {
      const [one, next] = [past[i]!, past[i + 1]!];
      const [from, to] = [one[0]!, next[1]!];
      const most = (wall.ms - to) * AGE_SHARE;
      const sameDay = Math.floor(from / DAY_MS) === Math.floor(to / DAY_MS);
      if (to - from > most || !(sameDay || most > DAY_MS)) ++i;
      else {
        past[i] = one.map((figure, at) => (at === 0 ? from : at === 1 ? to : figure + next[at]!));
        past.splice(i + 1, 1);
      }
    }
  }
}

function addUsage(tally: KindTally, usage: CheckedUsage, times = 1): void {
  tally.priced += times;
  tally.inputTokens += times * usage.inputTokens;
  tally.cachedInputTokens += times * usage.cachedInputTokens;
  tally.outputTokens += times * usage.outputTokens;
}

/** Of many ledgers. @internal */
export function snapshotOf(ledgers: Iterable<Ledger>): LedgerSnapshot {
  wall.read();
  const models = Array.from(ledgers, (ledger) => ledger.snapshot());
  return { format: 'zerohop-ledger', formatVersion: 1, at: wall.ms, models };
}
