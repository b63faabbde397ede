// replay-process.mts — a replay in a process to itself.
//
// In a shared process the heap of one store would be marked, and paid for, during the replay of the next.
// The file is both ends: `replayInProcess` for the caller, and the program it forks.

import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ownChild } from '../harness/cleanup.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';
import { readScarabTrace } from '../workloads/trace.mjs';
import { type OnProgress, type ReplayResult, replay } from './replay.mjs';
import { openStore, type Surroundings } from './stores/open-store.mjs';
import type { StoreName } from './stores/store.mjs';

export interface ReplayJob extends Surroundings {
  readonly store: StoreName;
  /** How many requests of the trace, from its beginning. */
  readonly requests: number;
}

export type ReplayOutcome =
  | { readonly kind: 'done'; readonly result: ReplayResult }
  | { readonly kind: 'wrong'; readonly message: string }
  | { readonly kind: 'failed'; readonly message: string };

type Message = ReplayOutcome | { readonly kind: 'progress'; readonly done: number; readonly all: number };

const program = fileURLToPath(import.meta.url);

/** Never rejects: a store that cannot run here is an answer too. */
export function replayInProcess(job: ReplayJob, onProgress: OnProgress): Promise<ReplayOutcome> {
  const child = fork(program, [JSON.stringify(job)], { execArgv: ['--expose-gc'] });
  ownChild(child);
  return new Promise((resolve) => {
    child.on('message', (message: Message) => {
      if (message.kind === 'progress') onProgress(message.done, message.all);
      else resolve(message);
    });
    child.on('error', (error) => resolve({ kind: 'failed', message: error.message }));
    child.on('exit', (code, signal) => {
      resolve({ kind: 'failed', message: `its process ended with ${signal ?? `exit code ${code}`}` });
    });
  });
}

async function serve(job: ReplayJob): Promise<ReplayOutcome> {
  try {
    const { requests } = readScarabTrace(job.requests);
    const store = await openStore(job.store, job);
    const result = await replay(store, requests, tellEvery(100));
    await store.close();
    return { kind: 'done', result };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { kind: error instanceof WrongAnswer ? 'wrong' : 'failed', message };
  }
}

/** Progress at most once in `intervalMs`: a message costs more than a lookup. */
function tellEvery(intervalMs: number): OnProgress {
  let toldMs = performance.now();
  return (done, all) => {
    if (performance.now() - toldMs < intervalMs) return;
    toldMs = performance.now();
    process.send?.({ kind: 'progress', done, all } satisfies Message);
  };
}

const [job] = process.argv.slice(2);
if (process.argv[1] === program && job !== undefined) {
  process.on('disconnect', () => process.exit(1)); // the caller is gone, and with it who would clean up
  const outcome = await serve(JSON.parse(job));
  process.send?.(outcome, () => process.exit(0));
}
