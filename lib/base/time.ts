// time.ts: Node's own timers and clock, as they were when the library was loaded.
//
// Fake timers (Jest's, vitest's, sinon's) replace the globals, and what Node's modules give, while a test runs. The
// cache waits for real things: it would wait for ever. Time to live is real time too; native code tells it.
import { performance } from 'node:perf_hooks';
import * as timers from 'node:timers';

export const { clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } = timers;

/** ms since the process began. */
export const now: () => number = performance.now.bind(performance);

const date = Date.now.bind(Date);

/**
 * Time of day, in ms since 1970, read once a second while a cache is open. For what a second more or less does not
 * matter to: reading the clock costs more than counting. It never goes back.
 */
export const wall = {
  ms: date(),
  read(): void {
    wall.ms = Math.max(wall.ms, date());
  },
};

/** Waits for `ms`, or until `signal` is aborted, if that comes first. Never rejects. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done, { once: true });
  });
}

const settled = Promise.resolve();

/** Calls `task` in a microtask, as `queueMicrotask` does. */
export function soon(task: () => void): void {
  void settled.then(task);
}
