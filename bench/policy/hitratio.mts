// hitratio.mts — how many requests does a cache answer, by what it keeps?
//
//   traces    each trace at 0.1, 1 and 10 % of its objects, all of unit size; miss ratios, and how many fewer misses
//             than FIFO's (Yang et al., SOSP 2023); pairs with 20 objects or more, the engine where there are 250 or
//             more
//   halves    the same over every second trace, and over the others: parameters were screened on all of them, so
//             neither is clean
//   costs     costs over two decades and entries of 64 B to 64 KiB drawn for each object: the share of cost that is
//   saved tiering   Zipf over 5 M items, of which 5 % take 80 % of the requests, room for 1 M, after a warm-up
//
// Options: --traces DIR (else the trace that comes with the benchmarks) · --policy P,P… · --engine (the engine alone)
// · --sizes F,F… (shares of the objects) · --csv FILE (a line for each trace, size and policy)

import { writeFileSync } from 'node:fs';
import type { SuiteArguments } from '../harness/arguments.mjs';
import { clearProgress, showProgress } from '../harness/progress.mjs';
import { type Case, makeCase } from '../harness/report.mjs';
import { summarize } from '../harness/statistics.mjs';
import { runSuite, type SuiteFigures } from '../harness/suite.mjs';
import { savedCosts } from './costs.mjs';
import { meanOf, missRatio, play, reductionFrom, type Trace } from './simulator.mjs';
import { tieringHitRates } from './tiering.mjs';
import { tracesOf } from './traces.mjs';

const SIZES = [0.001, 0.01, 0.1];
const LEAST = 20;
const ENGINE_LEAST = 250;
const PURE = ['belady', 'lru', 's3fifo', 'wtinylfu', 'score', 'score-aging', 'learned', 'lean', 'strict'];
const ENGINES: readonly [string, string, number][] = [
  ['engine', 'engine', 256],
  ['engine-64', 'engine', 64],
  ['engine-1024', 'engine', 1024],
  ['engine-score', 'engine-score', 256],
];

/** One trace at one size. */
interface Pair {
  readonly trace: string;
  readonly half: number;
  readonly capacity: number;
  readonly fifo: number;
  /** Miss ratios by policy. */
  readonly ratios: Map<string, number>;
  /** Bytes copied for each byte stored, by engine. */
  readonly copied: Map<string, number>;
}

await runSuite('hitratio', measure, ['engine'], ['traces', 'policy', 'sizes', 'csv']);

async function measure({ quick, flags, values }: SuiteArguments): Promise<SuiteFigures> {
  const all = tracesOf(values.get('traces'));
  const traces = quick ? all.filter(({ ids }) => ids.length <= 350_000) : all;
  const sizes = values.get('sizes')?.split(',').map(Number) ?? SIZES;
  const wanted = values.get('policy')?.split(',');
  const pure = (wanted ?? (flags.has('engine') ? [] : PURE)).filter((name) => !name.startsWith('engine'));
  const engines = ENGINES.filter(([name]) => wanted?.includes(name) ?? true);
  const pairs = traces.flatMap((trace, number) => {
    const played = sizes.map((size) => {
      showProgress(`hitratio: ${trace.name}, ${size * 100} % of ${trace.unique}`);
      return playPair(trace, number % 2, Math.round(trace.unique * size), pure, engines);
    });
    return played.filter((pair) => pair !== undefined);
  });
  const cases: Case[] = [];
  const ratios: Record<string, number> = {};
  const policies = [...new Set(pairs.flatMap(({ ratios: of }) => [...of.keys()]))];
  for (const policy of policies) addFigures(policy, pairs, cases, ratios);
  const { worst } = worstOf(['learned', 'engine'], pairs);
  if (worst !== undefined) ratios['worst-pair'] = worst;
  if (wanted === undefined) {
    showProgress('hitratio: costs');
    Object.assign(ratios, savedCosts(traces, cases));
    showProgress('hitratio: tiering');
    Object.assign(ratios, tieringHitRates(quick, cases));
  }
  clearProgress();
  print(pairs, policies, ratios);
  const csv = values.get('csv');
  if (csv !== undefined) writeFileSync(csv, csvOf(pairs));
  return { cases, ratios };
}

function playPair(
  trace: Trace,
  half: number,
  capacity: number,
  pure: readonly string[],
  engines: typeof ENGINES,
): Pair | undefined {
  if (capacity < LEAST) return undefined;
  const ratios = new Map<string, number>();
  const copied = new Map<string, number>();
  const fifo = missRatio('fifo', trace, capacity);
  for (const policy of pure) ratios.set(policy, missRatio(policy, trace, capacity));
  for (const [name, what, segments] of capacity < ENGINE_LEAST ? [] : engines) {
    const played = play(what, trace, capacity, { segments });
    ratios.set(name, 1 - played.hits / trace.ids.length);
    copied.set(name, played.copied);
  }
  return { trace: trace.name, half, capacity, fifo, ratios, copied };
}

function reductionsOf(policy: string, pairs: readonly Pair[], least = LEAST): number[] {
  return pairs.flatMap(({ fifo, ratios, capacity }) => {
    const ratio = ratios.get(policy);
    return ratio === undefined || capacity < least ? [] : [reductionFrom(fifo, ratio)];
  });
}

function addFigures(policy: string, pairs: readonly Pair[], cases: Case[], ratios: Record<string, number>): void {
  const engine = policy.startsWith('engine');
  cases.push(makeCase(`${policy}/reduction-from-fifo`, 'ratio', summarize(reductionsOf(policy, pairs))));
  const suffix = policy === 'learned' ? '' : `-${policy}`;
  ratios[`mean-reduction-from-fifo${suffix}`] = meanOf(reductionsOf(policy, pairs));
  if (!engine) ratios[`mean-reduction-from-250${suffix}`] = meanOf(reductionsOf(policy, pairs, ENGINE_LEAST));
  for (const half of policy === 'learned' || policy === 'engine' ? [0, 1] : []) {
    const name = half === 0 ? 'first' : 'second';
    const of = pairs.filter((pair) => pair.half === half);
    ratios[`mean-reduction-from-fifo${suffix}-${name}-half`] = meanOf(reductionsOf(policy, of));
  }
  const copied = pairs.flatMap((pair) => pair.copied.get(policy) ?? []);
  if (copied.length === 0) return;
  cases.push(makeCase(`${policy}/copied-per-admitted`, 'ratio', summarize(copied)));
  ratios[policy === 'engine' ? 'copied-per-admitted' : `copied-per-admitted-${policy}`] = meanOf(copied);
}

function worstOf(policies: readonly string[], pairs: readonly Pair[]): { worst: number | undefined } {
  const reductions = policies.flatMap((policy) => reductionsOf(policy, pairs, ENGINE_LEAST));
  return { worst: reductions.length === 0 ? undefined : Math.min(...reductions) };
}

function print(pairs: readonly Pair[], policies: readonly string[], ratios: Record<string, number>): void {
  console.log('fewer misses than FIFO, in parts of FIFO’s (miss ratios: --csv)\n');
  console.log(`${''.padEnd(36)}${policies.map((name) => name.padStart(13)).join('')}`);
  for (const { trace, capacity, fifo, ratios: of } of pairs) {
    const cells = policies.map((policy) => {
      const ratio = of.get(policy);
      return (ratio === undefined ? '' : reductionFrom(fifo, ratio).toFixed(3)).padStart(13);
    });
    console.log(`${trace.padEnd(24)}${String(capacity).padStart(10)}  ${cells.join('')}`);
  }
  const means = policies.map((policy) => meanOf(reductionsOf(policy, pairs)).toFixed(4).padStart(13));
  console.log(`${'mean'.padEnd(36)}${means.join('')}\n`);
  for (const [name, value] of Object.entries(ratios)) console.log(`${name.padEnd(52)}${value.toFixed(4)}`);
}

function csvOf(pairs: readonly Pair[]): string {
  const lines = pairs.flatMap(({ trace, capacity, fifo, ratios }) =>
    [['fifo', fifo] as const, ...ratios].map(([policy, ratio]) => `${trace},${capacity},${policy},${ratio.toFixed(5)}`),
  );
  return `trace,capacity,policy,miss_ratio\n${lines.join('\n')}\n`;
}
