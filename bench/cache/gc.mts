// gc.mts — what does a cacheful of vectors cost the garbage collector?
//
//   major-gc   the pause of a collection of the whole heap, asked for, with 500 000 vectors of 4 KiB resident
//              (--quick: 200 000)
//   gc-cpu     processor time of all collections during the same work (gc-case.mts): pauses and marking steps of the
//              JavaScript thread, and V8's helper threads
//
// zerohop against Map<string, Float32Array>, each in a process of its own, in turns.  Linux only: elsewhere nobody
// tells the processor time of a thread.  Not claimed: other values, other mixes.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { SuiteArguments } from '../harness/arguments.mjs';
import { type Comparison, casesOf, formatSamples, ratiosOf } from '../harness/comparison.mjs';
import { sumGcTrace } from '../harness/gc-trace.mjs';
import { clearProgress, showProgress } from '../harness/progress.mjs';
import { summarize } from '../harness/statistics.mjs';
import { runSuite, type SuiteFigures } from '../harness/suite.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';
import type { GcCaseFigures, GcCaseOptions } from './gc-case.mjs';

const STORES = ['zerohop', 'map'] as const;
const FULL = { rounds: 5, entries: 500_000, operations: 1_000_000, collections: 5 };
const QUICK = { rounds: 2, entries: 200_000, operations: 300_000, collections: 3 };

const COMPARISONS: readonly Comparison[] = [
  { ratio: 'major-gc-vs-map', ours: 'zerohop/major-gc', rival: 'map/major-gc' },
  { ratio: 'gc-cpu-vs-map', ours: 'zerohop/gc-cpu', rival: 'map/gc-cpu' },
];
const program = fileURLToPath(new URL('./gc-case.mjs', import.meta.url));

await runSuite('gc', measure);

async function measure({ quick }: SuiteArguments): Promise<SuiteFigures> {
  const { rounds, ...extent } = quick ? QUICK : FULL;
  const kinds = ['major-gc', 'gc-cpu', 'pauses', 'marking steps', 'helper threads', 'cpu'];
  const names = kinds.flatMap((kind) => STORES.map((store) => `${store}/${kind}`));
  const samples = new Map<string, number[]>(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < STORES.length; turn++) {
      const store = STORES[(round + turn) % STORES.length] as (typeof STORES)[number];
      showProgress(`gc: ${store}, round ${round + 1} of ${rounds}`);
      for (const [kind, ms] of Object.entries(runCase({ store, ...extent }))) {
        samples.get(`${store}/${kind}`)?.push(ms);
      }
    }
  }
  clearProgress();
  console.log(`
${extent.entries.toLocaleString('en')} vectors of 4 KiB; ${extent.operations.toLocaleString('en')} operations, one in ten a set; ms, median of ${rounds} rounds; Node ${process.versions.node}
gc-cpu = pauses + marking steps + helper threads; cpu: of the whole process during the work
`);
  console.log(formatSamples(samples, 'ms', COMPARISONS));
  return { cases: casesOf(samples, 'ms'), ratios: ratiosOf(samples, COMPARISONS) };
}

function runCase(options: GcCaseOptions): Record<string, number> {
  const args = ['--expose-gc', '--trace-gc', program, JSON.stringify(options)];
  const stdio = ['ignore', 'pipe', 'inherit'] as const;
  const child = spawnSync(process.execPath, args, { encoding: 'utf8', stdio: [...stdio], maxBuffer: 2 ** 28 });
  if (child.status !== 0) throw new Error(`${options.store} ended with ${child.signal ?? `exit code ${child.status}`}`);
  const line = child.stdout.split('\n').find((text) => text.startsWith('{'));
  if (line === undefined) throw new Error(`${options.store} printed no figures`);
  const figures = JSON.parse(line) as GcCaseFigures;
  if (figures.wrong !== undefined) throw WrongAnswer.from(options.store, figures.wrong, 'at work');
  const { pausesMs, stepsMs } = sumGcTrace(child.stdout, figures.fromMs, figures.toMs);
  return {
    'major-gc': summarize(figures.majorMs).median,
    'gc-cpu': pausesMs + stepsMs + figures.helperCpuMs,
    pauses: pausesMs,
    'marking steps': stepsMs,
    'helper threads': figures.helperCpuMs,
    cpu: figures.cpuMs,
  };
}
