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
  for (const { model, version, periods } of ledgerOf(source).models) {
    const key = JSON.stringify([model, version]);
    const known = models.get(key);
    if (known === undefined) models.set(key, { model, version, periods: [...periods] });
    else known.periods.push(...periods);
  }
  return [...models.values()];
}

export function sumOf(periods: readonly Tally[]): Tally {
  const sum = emptyTally();
  for (const period of periods) addTally(sum, period);
  return sum;
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
      const { model: called, version, periods } = record(of, model);
      return {
        model: textOption(`${of}.model`, called, 4096),
        version: textOption(`${of}.version`, version, 4096),
        periods: list(`${of}.periods`, periods, checkedPeriod),
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
