// freshness.ts: how long a result is served. First it is fresh. Then it is served while a new one is computed. Last, it
// is served only if computing a new one fails.

import { DURATION_MS_MAX, type Duration, durationOption, rangeError } from '../base/options.js';

export type Freshness = 'fresh' | 'revalidate' | 'if-error';

export interface LifeParts {
  /** ms. */
  ttl: number;
  ttlJitter: number;
  staleWhileRevalidate?: Duration | undefined;
  staleIfError?: Duration | undefined;
}

/** An entry is kept as long as it may be served at all. How much of that time is left says how fresh it is. */
export class Life {
  readonly #ttl: number;
  readonly #jitter: number;
  readonly #revalidateMs: number;
  /** From the end of the ttl to the end of the entry, in ms. */
  readonly #staleMs: number;

  constructor({ ttl, ttlJitter, staleWhileRevalidate, staleIfError }: LifeParts) {
    this.#ttl = ttl;
    this.#jitter = ttlJitter;
    this.#revalidateMs = stale('options.staleWhileRevalidate', staleWhileRevalidate, ttl);
    this.#staleMs = Math.max(this.#revalidateMs, stale('options.staleIfError', staleIfError, ttl));
  }

  /** Whether results may be served stale. */
  get ends(): boolean {
    return this.#staleMs > 0;
  }

  /** The longest time to live, in ms. */
  get longest(): number {
    return Math.max(1, this.#ttl) + this.#staleMs;
  }

  /** The time to live to store an entry with, in ms. @param asked  of a result that says how long it is fresh */
  draw(asked?: number): number {
    if (asked !== undefined) return asked + this.#staleMs;
    const jitter = this.#jitter === 0 ? 1 : 1 - this.#jitter * Math.random();
    return Math.max(1, this.#ttl * jitter) + this.#staleMs;
  }

  /** @param left what is left of the entry's time, in ms. */
  of(left: number): Freshness {
    if (left > this.#staleMs) return 'fresh';
    return left > this.#staleMs - this.#revalidateMs ? 'revalidate' : 'if-error';
  }
}

function stale(name: string, value: unknown, ttl: number): number {
  if (value === undefined) return 0;
  const ms = durationOption(name, value);
  if (ttl === Number.POSITIVE_INFINITY) throw rangeError(name, 'a ttl beside it: results never are stale else', value);
  if (ttl + ms > DURATION_MS_MAX) throw rangeError(name, `at most ${DURATION_MS_MAX} ms together with the ttl`, value);
  return ms;
}
