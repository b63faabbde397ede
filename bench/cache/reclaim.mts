// reclaim.mts — does memory that JavaScript has seen come back in time, and what does getting it back cost?
//
// Six cases, each in a process of its own (reclaim-case.mts says what the loop does):
//
//   sync-loop      no turn of the event loop, from beginning to end
//   async-loop     a turn every 50 sets, as in a server
//   1gb-heap       the synchronous loop beside 1 GiB of live JavaScript objects
//   plain-1gb      that loop and heap without a cache: what the work itself costs
//   parked-worker  another thread has looked at every segment, and is stopped for good
//   small-heap     under --max-old-space-size=128
//   idle           a cleared cache in a process that does nothing more
//
// A set counts as refused if it stored nothing. Claimed: none is. Not claimed: other value sizes, other machines.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { SuiteArguments } from '../harness/arguments.mjs';
import { clearProgress, showProgress } from '../harness/progress.mjs';
import { type Case, makeCase, type Unit } from '../harness/report.mjs';
import { medianRatio, summarize } from '../harness/statistics.mjs';
import { runSuite, type SuiteFigures } from '../harness/suite.mjs';
import { formatNumber, formatTable } from '../harness/table.mjs';
import type { CaseFigures, CaseOptions } from './reclaim-case.mjs';

interface CaseSpec {
  readonly name: string;
  readonly options: Partial<CaseOptions>;
  readonly nodeFlags?: readonly string[];
}

const CASES: readonly CaseSpec[] = [
  { name: 'sync-loop', options: {} },
  { name: 'async-loop', options: { yieldEvery: 50 } },
  { name: '1gb-heap', options: { heapMiB: 1024 } },
  { name: 'plain-1gb', options: { heapMiB: 1024, plain: true } },
  { name: 'parked-worker', options: { parkedWorker: true } },
  { name: 'small-heap', options: {}, nodeFlags: ['--max-old-space-size=128'] },
  { name: 'idle', options: { idle: true } },
];

/** In the interleaved part: their quotient is a claim. */
const PAIRED = ['1gb-heap', 'plain-1gb'];

const FULL = { rounds: 3, sets: 2 ** 21 }; // of 4 KiB: 8 GiB
const QUICK = { rounds: 1, sets: 2 ** 17 };
type Extent = typeof FULL;
const program = fileURLToPath(new URL('./reclaim-case.mjs', import.meta.url));

type Results = Map<string, CaseFigures[]>;

await runSuite('reclaim', measure);

async function measure({ quick }: SuiteArguments): Promise<SuiteFigures> {
  const extent = quick ? QUICK : FULL;
  const results = runAll(extent);
  print(results, extent);
  return { cases: casesOf(results), ratios: ratiosOf(results) };
}

function runAll({ rounds, sets }: Extent): Results {
  const results: Results = new Map(CASES.map((spec) => [spec.name, []]));
  for (let round = 0; round < rounds; ++round) {
    for (const spec of CASES) {
      if (round > 0 && !PAIRED.includes(spec.name)) continue;
      showProgress(`reclaim: ${spec.name}, round ${round + 1} of ${rounds}`);
      results.get(spec.name)?.push(runCase(spec, sets));
    }
  }
  clearProgress();
  return results;
}

function runCase({ name, options, nodeFlags = [] }: CaseSpec, sets: number): CaseFigures {
  const defaults: CaseOptions = { sets, heapMiB: 0, plain: false, yieldEvery: 0, parkedWorker: false, idle: false };
  const args = ['--expose-gc', ...nodeFlags, program, JSON.stringify({ ...defaults, ...options })];
  const child = spawnSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (child.status !== 0) throw new Error(`${name} ended with ${child.signal ?? `exit code ${child.status}`}`);
  return JSON.parse(child.stdout) as CaseFigures;
}

function ratiosOf(results: Results): Record<string, number> {
  const of = (name: string, pick: (one: CaseFigures) => number) => (results.get(name) ?? []).map(pick);
  const refused = (name: string) => Math.max(...of(name, (one) => one.refused / one.tried));
  return {
    'refused-sync-loop': refused('sync-loop'),
    'refused-async-loop': refused('async-loop'),
    'refused-1gb-heap': refused('1gb-heap'),
    'refused-parked-worker': refused('parked-worker'),
    'refused-small-heap': refused('small-heap'),
    'cpu-with-1gb-heap-vs-plain': medianRatio(
      of('1gb-heap', (one) => one.cpuMs),
      of('plain-1gb', (one) => one.cpuMs),
    ),
  };
}

function casesOf(results: Results): Case[] {
  const kinds: [string, Unit, (one: CaseFigures) => number][] = [
    ['refused', 'count', (one) => one.refused],
    ['hit-ratio', 'ratio', (one) => one.hits / one.tried / 2],
    ['copied-hits', 'ratio', (one) => (one.hits > 0 ? one.copiedHits / one.hits : 0)],
    ['exposures', 'count', (one) => one.exposures],
    ['young-collections', 'count', (one) => one.youngCollections],
    ['forced-collections', 'count', (one) => one.forcedCollections],
    ['gc-pauses', 'count', (one) => one.gcPauses],
    ['gc-pauses-total', 'ms', (one) => one.gcPausesMs],
    ['cpu', 'ms', (one) => one.cpuMs],
    ['wall', 'ms', (one) => one.wallMs],
    ['rss', 'bytes', (one) => one.rssMiB * 2 ** 20],
  ];
  return [...results].flatMap(([name, figures]) =>
    kinds.map(([kind, unit, pick]) => makeCase(`${name}/${kind}`, unit, summarize(figures.map(pick)))),
  );
}

function print(results: Results, { sets }: Extent): void {
  const median = (name: string, pick: (one: CaseFigures) => number) =>
    summarize((results.get(name) ?? []).map(pick)).median;
  const rows = CASES.map(({ name }) => [
    name,
    String(median(name, (one) => one.refused)),
    name === 'idle' ? '' : median(name, (one) => one.hits / one.tried / 2).toFixed(3),
    median(name, (one) => (one.hits > 0 ? one.copiedHits / one.hits : 0)).toFixed(3),
    String(median(name, (one) => one.exposures)),
    `${median(name, (one) => one.youngCollections)} + ${median(name, (one) => one.forcedCollections)}`,
    `${median(name, (one) => one.gcPauses)} (${median(name, (one) => one.gcPausesMs).toFixed(0)} ms)`,
    formatNumber(median(name, (one) => one.cpuMs) / 1000),
    name === 'idle' ? '' : formatNumber((median(name, (one) => one.wallMs) * 1e6) / sets),
    median(name, (one) => one.rssMiB).toFixed(0),
  ]);
  const header = [
    'case',
    'refused',
    'hit ratio',
    'copied',
    'exposures',
    'brought about (young + whole)',
    'GC pauses',
    'CPU s',
    'ns a round',
    'RSS MiB',
  ];
  console.log(`\n${sets} sets of 4 KiB and twice as many gets, 256 MiB; Node ${process.versions.node}\n`);
  console.log(formatTable(header, rows));
  const idle = results.get('idle')?.[0]?.idleSeconds ?? Number.NaN;
  const cpu = ratiosOf(results)['cpu-with-1gb-heap-vs-plain'] ?? Number.NaN;
  console.log(
    `\nidle: a cleared cache's memory was back after ${idle.toFixed(1)} s; CPU beside 1 GiB of heap, against plain: ${cpu.toFixed(2)}`,
  );
}
