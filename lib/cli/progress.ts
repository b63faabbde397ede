// progress.ts: how far a long command is, on one line of a terminal; and how it is ended before its end.

import { now } from '../base/time.js';
import { shown, width } from './print.js';

const EVERY_MS = 100;
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

/**
 * Runs `work` with a signal that SIGINT or SIGTERM aborts: the work then ends in good order. A second SIGINT ends the
 * process at once.
 */
export async function untilInterrupted(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController();
  const stop = () => controller.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    await work(controller.signal);
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}
