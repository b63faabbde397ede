// progress.ts: how far a long command is, on one line of a terminal; and how it is ended before its end.

import { now } from '../base/time.js';
import { shown, width } from './print.js';

const EVERY_MS = 100;
/** What asks a command to end; SIGHUP when its terminal is closed. */
const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const ERASE = '\r\x1b[K';

/** One line on standard error, which is written over again and again. Without a terminal there is nothing. */
export class Progress {
  #toldMs = Number.NEGATIVE_INFINITY;
  #shown = false;

  /** @param text is asked for when it is time to show it. */
  tell(text: () => string): void {
    if (!process.stderr.isTTY || now() < this.#toldMs + EVERY_MS) return;
    this.#toldMs = now();
    this.#shown = true;
    process.stderr.write(`${ERASE}${shown(text()).slice(0, width() - 1)}`);
  }

  /** Takes the line away. Call it before anything else is printed. */
  clear(): void {
    if (this.#shown) process.stderr.write(ERASE);
    this.#shown = false;
  }
}

const INTERRUPTED = 130;

/**
 * Runs `work` with a signal that SIGINT, SIGTERM or SIGHUP aborts: the work then ends in good order. A SIGINT after
 * that ends the process at once, but lets its exit handlers end what it started.
 */
export async function untilInterrupted(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController();
  const stop = (name: NodeJS.Signals) => {
    if (controller.signal.aborted && name === 'SIGINT') process.exit(INTERRUPTED);
    controller.abort();
  };
  for (const name of ENDING) process.on(name, stop);
  try {
    await work(controller.signal);
  } finally {
    for (const name of ENDING) process.off(name, stop);
  }
}
