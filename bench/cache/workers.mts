// workers.mts — do two worker threads read one cache as fast as two processes read one each?
//
//   two-workers     two workers on one cache, while the main thread sets existing keys, 2 000 a second
//   two-processes   two processes, each with a cache of its own, setting 1 000 a second between their gets
//
// 100 000 vectors of 4 KiB, gets by Zipf, without a near cache: every get goes to the memory that is shared.  The two
// take turns, and the others stand still.  A value that was read while it was set again has to be whole: one version or
// another, told by two of its elements.  Not claimed: more threads than cores, more writers.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { SuiteArguments } from '../harness/arguments.mjs';
import { ownChild } from '../harness/cleanup.mjs';
import { type Comparison, casesOf, formatSamples, ratiosOf } from '../harness/comparison.mjs';
import { clearProgress, showProgress } from '../harness/progress.mjs';
import { makeCase } from '../harness/report.mjs';
import { single } from '../harness/statistics.mjs';
import { runSuite, type SuiteFigures } from '../harness/suite.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';
import type { ProcessOptions } from './reading-process.mjs';
import { fillShared, openShared, type ReadingFigures, SteadyWriter } from './steady-reader.mjs';

const ENTRIES = 100_000;
const READERS = 2;
const SETS_PER_SECOND = 2000;
/** The writer sleeps so long between two small bursts. */
const WRITER_NAP_MS = 2;

const FULL = { rounds: 15, phaseMs: 1000 };
const QUICK = { rounds: 5, phaseMs: 400 };

const COMPARISONS: readonly Comparison[] = [
  { ratio: 'two-workers-vs-two-processes', ours: 'two-workers/gets', rival: 'two-processes/gets' },
];

await runSuite('workers', measure);

async function measure({ quick }: SuiteArguments): Promise<SuiteFigures> {
  const { rounds, phaseMs } = quick ? QUICK : FULL;
  showProgress('workers: filling');
  const rivals = [await startWorkers(), await startProcesses()];
  const samples = new Map<string, number[]>(rivals.map(({ name }) => [`${name}/gets`, []]));
  for (const { read } of rivals) await read(phaseMs); // compiles what there is to compile
  let misses = 0;
  for (let round = 0; round < rounds; round++) {
    showProgress(`workers: round ${round + 1} of ${rounds}`);
    for (let turn = 0; turn < rivals.length; turn++) {
      const { name, read } = rivals[(round + turn) % rivals.length] as Rival;
      const readings = await read(phaseMs);
      for (const { wrong } of readings) if (wrong !== undefined) throw WrongAnswer.from(name, wrong, 'while written');
      misses += readings.reduce((sum, reading) => sum + reading.misses, 0);
      samples
        .get(`${name}/gets`)
        ?.push(readings.reduce((sum, { gets, elapsedMs }) => sum + (1000 * gets) / elapsedMs, 0));
    }
  }
  clearProgress();
  console.log(`
${ENTRIES.toLocaleString('en')} vectors of 4 KiB, Zipf .99, ${SETS_PER_SECOND.toLocaleString('en')} sets a second in all; gets a second of ${READERS} readers together,
median of ${rounds} rounds of ${phaseMs} ms; Node ${process.versions.node}
`);
  console.log(formatSamples(samples, 'gets/s', COMPARISONS));
  console.log(`\nmisses: ${misses}`);
  const cases = [...casesOf(samples, 'per-second'), makeCase('misses', 'count', single(misses))];
  return { cases, ratios: ratiosOf(samples, COMPARISONS) };
}

interface Rival {
  readonly name: string;
  /** All readers at once. */
  read(ms: number): Promise<ReadingFigures[]>;
}

async function startWorkers(): Promise<Rival> {
  const vectors = openShared(ENTRIES);
  fillShared(vectors, ENTRIES);
  const workers = Array.from({ length: READERS }, (_, seed) => {
    return new Worker(new URL('./reading-worker.mjs', import.meta.url), { workerData: { entries: ENTRIES, seed } });
  });
  await Promise.all(workers.map(answerOf));
  const writer = new SteadyWriter(vectors, { entries: ENTRIES, seed: 100 });
  const read = async (ms: number) => {
    const answers = Promise.all(workers.map(answerOf));
    for (const worker of workers) worker.postMessage(ms);
    writeFor(writer, ms);
    return (await answers) as ReadingFigures[];
  };
  return { name: 'two-workers', read };
}

/** On this thread, which stands still in between. */
function writeFor(writer: SteadyWriter, ms: number): void {
  const nap = new Int32Array(new SharedArrayBuffer(4));
  const startedMs = performance.now();
  let done = 0;
  for (;;) {
    const elapsedMs = performance.now() - startedMs;
    if (elapsedMs >= ms) return;
    done = writer.catchUp(done, elapsedMs, SETS_PER_SECOND);
    Atomics.wait(nap, 0, 0, WRITER_NAP_MS);
  }
}

async function startProcesses(): Promise<Rival> {
  const program = fileURLToPath(new URL('./reading-process.mjs', import.meta.url));
  const children = Array.from({ length: READERS }, (_, seed) => {
    const options: ProcessOptions = { entries: ENTRIES, seed, setsPerSecond: SETS_PER_SECOND / READERS };
    const child = fork(program, [JSON.stringify(options)]);
    ownChild(child);
    return child;
  });
  await Promise.all(children.map(answerOf));
  const read = async (ms: number) => {
    const answers = Promise.all(children.map(answerOf));
    for (const child of children) child.send(ms);
    return (await answers) as ReadingFigures[];
  };
  return { name: 'two-processes', read };
}

/** The next message. @throws {Error} the reader ended instead. */
async function answerOf(reader: Worker | ChildProcess): Promise<unknown> {
  const answered = new AbortController();
  const { signal } = answered;
  const ended = once(reader, 'exit', { signal }).then(([code]) => {
    throw new Error(`a reader ended with exit code ${code}`);
  });
  try {
    const [message] = await Promise.race([once(reader, 'message', { signal }), ended]);
    return message;
  } finally {
    answered.abort(); // takes the listeners off again
  }
}
