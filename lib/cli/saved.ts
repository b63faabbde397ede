// saved.ts: what `zerohop status` tells of saved GPU time and money.
//
// Figures are those of the ledger of the thread that serves, as `zerohop report` has them. Hits of models of other
// threads have no ledger there: they are counted, and what they saved is an estimate, which is told apart.

import type { LedgerSnapshot, ModelMoney, MoneyReport } from '../report.js';
import { type Database, modelOf } from './keyspaces.js';
import { moneyOptionsOf, type PricesGiven } from './prices.js';
import { grouped, shown } from './print.js';

/** Hits of other threads, and what they saved if each saved as much as those of this thread did. */
export interface Elsewhere {
  readonly hits: number;
  /** Null: this thread has no hit to go by. */
  readonly seconds: number | null;
}

export interface Saved {
  readonly report: MoneyReport;
  readonly elsewhere: Elsewhere;
}

/** Undefined: the server tells of no model. */
export async function savedOf(
  ledger: LedgerSnapshot | undefined,
  databases: readonly Database[],
  prices: PricesGiven,
): Promise<Saved | undefined> {
  const counted = hitsOfModels(databases);
  if (ledger === undefined && counted === 0) return undefined;
  const own = ledger ?? { format: 'zerohop-ledger', formatVersion: 1, at: 0, models: [] };
  const { report } = await import('../report.js');
  const money = report(own, await moneyOptionsOf(prices));
  const tallies = own.models.flatMap(({ periods }) => periods);
  const sum = (of: (tally: (typeof tallies)[number]) => number) => tallies.reduce((all, one) => all + of(one), 0);
  const hits = Math.max(0, counted - sum(({ hit, otherHits }) => hit.count + otherHits));
  const measured = sum(({ hit }) => hit.measured);
  const seconds = measured === 0 ? null : (hits * sum(({ hit }) => hit.ms)) / measured / 1000;
  return { report: money, elsewhere: { hits, seconds } };
}

function hitsOfModels(databases: readonly Database[]): number {
  return databases.reduce((sum, one) => sum + (modelOf(one) === undefined ? 0 : one.hits), 0);
}

/** In one line, which may be broken. */
export async function savedText(saved: Saved | undefined, { instance, price }: PricesGiven): Promise<string> {
  if (saved === undefined) return 'not known: no model runs in this process';
  const { secondsText, usdText } = await import('../observe/report-text.js');
  const { report, elsewhere } = saved;
  const { seconds, usd, unpricedModels } = report.total;
  const isPriced = report.models.length > unpricedModels;
  const parts = [`at least ${secondsText(seconds.saved[0])} of GPU time`];
  if (isPriced) parts.push(`${usdText(usd.saved[0])}`);
  if (isPriced && unpricedModels > 0) parts.push(`${unpricedModels} models without a price`);
  const lines = [parts.join(', ')];
  if (!isPriced && instance === undefined && price === undefined) lines.push('--price or --instance tells the money');
  if (elsewhere.hits > 0) {
    const what = `${grouped(elsewhere.hits)} hits of other threads`;
    lines.push(
      elsewhere.seconds === null
        ? `not counted: ${what}`
        : `not counted: ${what}, by estimate ${secondsText(elsewhere.seconds)}`,
    );
  }
  return lines.join('; ');
}

/** Rows of a table: the models whose hits saved most. */
export async function modelRows(
  { report }: Saved,
  most: number,
): Promise<(readonly [model: string, hits: number, seconds: string, usd: string])[]> {
  const { secondsText, usdText } = await import('../observe/report-text.js');
  const saved = ({ seconds }: ModelMoney) => seconds.saved[0];
  return [...report.models]
    .sort((one, other) => saved(other) - saved(one))
    .slice(0, most)
    .map((one) => [
      shown(`${one.model} ${one.version}`),
      one.hits,
      secondsText(saved(one)),
      one.usd === null ? '–' : usdText(one.usd.saved[0]),
    ]);
}
