// comparison.mts — samples of rivals, as a table for people, and as cases and ratios for programs.
//
// A sample list is named `store/what`; a comparison names two of them and the ratio they make.

import { type Case, makeCase, type Unit } from './report.mjs';
import { medianRatio, summarize } from './statistics.mjs';
import { formatNumber, formatTable } from './table.mjs';

/** `ours` over `rival`: of times, below 1 is faster; of rates, above 1. */
export interface Comparison {
  readonly ratio: string;
  readonly ours: string;
  readonly rival: string;
}

export type Samples = ReadonlyMap<string, readonly number[]>;

export function casesOf(samples: Samples, unit: Unit): Case[] {
  return [...samples].map(([name, values]) => makeCase(name, unit, summarize(values)));
}

/** What a store was not there for is left out. */
export function ratiosOf(samples: Samples, comparisons: readonly Comparison[]): Record<string, number> {
  const ratios: Record<string, number> = {};
  for (const { ratio, ours, rival } of comparisons) {
    const mine = samples.get(ours);
    const theirs = samples.get(rival);
    if (mine && theirs) ratios[ratio] = medianRatio(mine, theirs);
  }
  return ratios;
}

/** A row for every sample list; the ratio stands in the row of the rival. */
export function formatSamples(samples: Samples, unit: string, comparisons: readonly Comparison[]): string {
  const ratios = ratiosOf(samples, comparisons);
  const rows = [...samples].map(([name, values]) => {
    const [store, what] = splitName(name);
    const { median, p5, p95 } = summarize(values);
    const against = comparisons.filter(({ rival, ratio }) => rival === name && ratio in ratios);
    return [
      what,
      store,
      formatNumber(median),
      `${formatNumber(p5)} – ${formatNumber(p95)}`,
      against.map(({ ratio }) => (ratios[ratio] as number).toFixed(2)).join(', '),
      against.map(({ ratio }) => ratio).join(', '),
    ];
  });
  return formatTable(['what', 'store', unit, 'p5 – p95', 'ours ÷ it', 'ratio'], rows);
}

function splitName(name: string): [store: string, what: string] {
  const slash = name.indexOf('/');
  return [name.slice(0, slash), name.slice(slash + 1)];
}
