// job.ts: native work on a file beside the event loop: reports its progress, and stops it.

import { availableParallelism } from 'node:os';
import { CONTROL_WORDS, DONE_KIB, GIVE_UP, type NativeRefusal, native } from '../addon/native.js';
import { countOption, optionsObject } from '../base/options.js';
import { clearInterval, setInterval } from '../base/time.js';
import { refused } from './error.js';
import type { WeightsFile } from './file.js';
import { controlOf } from './write.js';

export interface LoadOptions {
  /** Called now and then, and at the end of each file. An error that it throws ends the work. */
  onProgress?: ((progress: { bytes: number; total: number }) => void) | undefined;
  signal?: AbortSignal | undefined;
  /** Default: as many as the machine runs at once, 8 at most. */
  threads?: number | undefined;
}

const LOAD_OPTIONS = ['onProgress', 'signal', 'threads'] as const;
const THREADS_MAX = 8;
const PROGRESS_MS = 50;

/** The options, checked. */
export interface Load {
  readonly threads: number;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: LoadOptions['onProgress'];
}

/** Checks options. `known`: the names that the caller allows. */
export function loadOptions(options?: LoadOptions, known: readonly string[] = LOAD_OPTIONS): Load {
  const given = optionsObject('options', options, known);
  const { threads } = given;
  return {
    ...controlOf<{ bytes: number; total: number }>(given),
    threads:
      threads === undefined
        ? Math.min(THREADS_MAX, availableParallelism())
        : countOption('options.threads', threads, 1, 64),
  };
}

/** Stops all work under way, because a process that exits waits for its threads. */
const underWay = new Set<() => void>();
const giveAllUp = () => {
  for (const giveUp of underWay) giveUp();
};

/**
 * Runs native work beside the event loop, until the file is closed. `control` holds the words by which the work is
 * stopped and reports its progress.
 */
export async function job<T>(
  file: WeightsFile,
  signal: AbortSignal | undefined,
  report: ((bytes: number) => void) | undefined,
  start: (control: Int32Array) => Promise<T | NativeRefusal>,
): Promise<T> {
  signal?.throwIfAborted();
  const control = new Int32Array(new ArrayBuffer(CONTROL_WORDS * Int32Array.BYTES_PER_ELEMENT));
  const giveUp = () => Atomics.store(control, GIVE_UP, 1);
  signal?.addEventListener('abort', giveUp, { once: true });
  if (underWay.size === 0) process.on('exit', giveAllUp);
  underWay.add(giveUp);
  file.onClose.add(giveUp);
  let thrown: { error: unknown } | undefined;
  const tell = () => {
    try {
      if (thrown === undefined) report?.(Atomics.load(control, DONE_KIB) * 1024);
    } catch (error) {
      thrown = { error }; // the listener's error: thrown out of a timer, it would end the process
      giveUp();
    }
  };
  const timer = report && setInterval(tell, PROGRESS_MS);
  try {
    const done = await start(control);
    if (thrown !== undefined) throw thrown.error;
    signal?.throwIfAborted();
    void file.handle; // throws if it was closed meanwhile
    if (Array.isArray(done)) throw refused(done as NativeRefusal, file.path, false);
    return done as T;
  } finally {
    clearInterval(timer);
    signal?.removeEventListener('abort', giveUp);
    underWay.delete(giveUp);
    file.onClose.delete(giveUp);
    if (underWay.size === 0) process.off('exit', giveAllUp);
  }
}

/** Reads a file that is not mapped. */
export async function loadFile(file: WeightsFile, { threads, signal }: Load): Promise<void> {
  await job(file, signal, undefined, (control) => native.weightsLoad(file.handle, threads, control));
}
