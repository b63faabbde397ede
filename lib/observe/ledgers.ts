// ledgers.ts: where reports get their figures: from caches and models, whatever copy of the library made them, and from
// snapshots. A snapshot is a plain object. It may come from another process, from an earlier run, or from a file, so it
// is checked as any other input.

import { rangeError, textOption, typeError } from '../base/options.js';
import {
  addTally,
  emptyTally,
  KIND_FIELDS,
  KINDS,
  LEDGER,
  type LedgerSnapshot,
  type ModelLedger,
  OTHER_FIELDS,
  type Period,
  type Tally,
} from '../model/ledger.js';
import { DISTANCES, emptySample, type TrafficSample, TTLS_MS } from '../model/traffic.js';

/** A cache or a model, also a closed one; what {@link ledgerOf} gave; or a list of them, whose figures are added up. */
export type LedgerSource = { readonly [LEDGER]: () => LedgerSnapshot } | LedgerSnapshot | readonly LedgerSource[];

/**
 * The figures of a cache, a model or several, as they are now: a plain object, to be kept as JSON. Keep it when a
 * process ends, and give it to `report` with those of other processes and runs.
 *
 * @throws {TypeError} `source` is none.
 * @example writeFileSync('ledger.json', JSON.stringify(ledgerOf(cache)))
 */
export function ledgerOf(source: LedgerSource): LedgerSnapshot {
  const snapshots = snapshotsOf('source', source);
  return {
    format: 'zerohop-ledger',
    formatVersion: 1,
    at: Math.max(0, ...snapshots.map(({ at }) => at)),
    models: snapshots.flatMap(({ models }) => models),
  };
}

/** The periods of a model in all of them. Models of one name and version are one: scopes and parameters are not told. */
export function modelsOf(source: LedgerSource): ModelLedger[] {
  const models = new Map<string, ModelLedger>();
  for (const { model, version, periods, traffic } of ledgerOf(source).models) {
    const key = JSON.stringify([model, version]);
    const known = models.get(key);
    if (known === undefined) models.set(key, { model, version, periods: [...periods], traffic });
    else {
      known.periods.push(...periods);
      known.traffic = sumOfTraffic(known.traffic, traffic);
    }
  }
  return [...models.values()];
}

export function sumOf(periods: readonly Tally[]): Tally {
  const sum = emptyTally();
  for (const period of periods) addTally(sum, period);
  return sum;
}

/** Inputs that several processes asked for are not known to be the same: each has a cache of its own. */
function sumOfTraffic(one: TrafficSample, other: TrafficSample): TrafficSample {
  const sums = (these: readonly number[], those: readonly number[]) => these.map((count, i) => count + those[i]!);
  return {
    asked: one.asked + other.asked,
    fresh: one.fresh + other.fresh,
    distances: sums(one.distances, other.distances),
    hitsByTtl: sums(one.hitsByTtl, other.hitsByTtl),
    sized: one.sized + other.sized,
    bytes: one.bytes + other.bytes,
  };
}

function snapshotsOf(name: string, source: unknown): LedgerSnapshot[] {
  if (Array.isArray(source)) return source.flatMap((one, i) => snapshotsOf(`${name}[${i}]`, one));
  if (typeof source !== 'object' || source === null) throw typeError(name, 'a cache, a model, or a snapshot', source);
  const own = (source as { [LEDGER]?: unknown })[LEDGER];
  if (typeof own === 'function') return [own.call(source) as LedgerSnapshot];
  return [checkedSnapshot(name, source)];
}

function checkedSnapshot(name: string, value: object): LedgerSnapshot {
  const { format, formatVersion, at, models } = value as Partial<LedgerSnapshot>;
  if (format !== 'zerohop-ledger') throw typeError(name, 'a cache, a model, or a snapshot', value);
  if (formatVersion !== 1)
    throw rangeError(`${name}.formatVersion`, '1, which this version of zerohop reads', formatVersion);
  return {
    format,
    formatVersion,
    at: amount(`${name}.at`, at),
    models: list(`${name}.models`, models, (of, model) => {
      const { model: called, version, periods, traffic } = record(of, model);
      return {
        model: textOption(`${of}.model`, called, 4096),
        version: textOption(`${of}.version`, version, 4096),
        periods: list(`${of}.periods`, periods, checkedPeriod),
        traffic: checkedTraffic(`${of}.traffic`, traffic),
      };
    }),
  };
}

function checkedPeriod(name: string, value: unknown): Period {
  const given = record(name, value);
  const from = amount(`${name}.from`, given['from']);
  const to = amount(`${name}.to`, given['to']);
  if (to < from) throw rangeError(`${name}.to`, 'the end of the period, not before its begin', to);
  const period = { from, to, ...emptyTally() };
  for (const kind of KINDS) {
    const figures = record(`${name}.${kind}`, given[kind]);
    for (const field of KIND_FIELDS) period[kind][field] = amount(`${name}.${kind}.${field}`, figures[field]);
  }
  for (const field of OTHER_FIELDS) period[field] = amount(`${name}.${field}`, given[field]);
  return period;
}

function checkedTraffic(name: string, value: unknown): TrafficSample {
  const given = record(name, value);
  const sample = emptySample();
  for (const field of ['asked', 'fresh', 'sized', 'bytes'] as const)
    sample[field] = amount(`${name}.${field}`, given[field]);
  sample.distances = amounts(`${name}.distances`, given['distances'], DISTANCES);
  sample.hitsByTtl = amounts(`${name}.hitsByTtl`, given['hitsByTtl'], TTLS_MS.length);
  return sample;
}

function amounts(name: string, value: unknown, length: number): number[] {
  const all = list(name, value, amount);
  if (all.length !== length) throw rangeError(`${name}.length`, String(length), all.length);
  return all;
}

function record(name: string, value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw typeError(name, 'an object', value);
  return value as Record<string, unknown>;
}

function list<Each>(name: string, value: unknown, check: (name: string, each: unknown) => Each): Each[] {
  if (!Array.isArray(value)) throw typeError(name, 'an array', value);
  return value.map((each, i) => check(`${name}[${i}]`, each));
}

/** A count, or ms: they may be beyond 2^53, where not every whole number is one. */
function amount(name: string, value: unknown): number {
  if (typeof value !== 'number') throw typeError(name, 'a number', value);
  if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) throw rangeError(name, 'a finite number, 0 or more', value);
  return value;
}
