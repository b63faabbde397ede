// failures.ts: inputs whose run failed a moment ago, and how long they are not run again.

import { now } from '../base/time.js';

const FAILURES_MAX = 10_000;

/** By fingerprint. If there are too many, the oldest go. */
class Recent<T> {
  readonly #known = new Map<string, T>();

  get(id: string): T | undefined {
    return this.#known.get(id);
  }

  set(id: string, value: T): void {
    this.#known.delete(id);
    if (this.#known.size >= FAILURES_MAX)
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest);
        break;
      }
    this.#known.set(id, value);
  }

  delete(id: string): void {
    this.#known.delete(id);
  }

  clear(): void {
    this.#known.clear();
  }
}

/** For a while, callers get the same error for an input whose run failed, and the model does not run it again. */
export class Failures {
  readonly #ttlMs: number;
  readonly #known = new Recent<{ until: number; reason: unknown }>();

  constructor(ttlMs: number) {
    this.#ttlMs = ttlMs;
  }

  note(id: string, reason: unknown): void {
    this.#known.set(id, { until: now() + this.#ttlMs, reason });
  }

  /** The failure, in a box, since anything can be thrown. */
  find(id: string): { reason: unknown } | undefined {
    const found = this.#known.get(id);
    if (found === undefined || now() < found.until) return found;
    this.#known.delete(id);
    return undefined;
  }

  forget(id: string): void {
    this.#known.delete(id);
  }

  clear(): void {
    this.#known.clear();
  }
}

const REST_MS_MIN = 1000;
const REST_MS_MAX = 60_000;

/** After a failed revalidation, the next one waits 1 s, and twice as long after each further failure. */
export class Backoff {
  readonly #known = new Recent<{ until: number; restMs: number }>();

  failed(id: string): void {
    const restMs = Math.min((this.#known.get(id)?.restMs ?? REST_MS_MIN / 2) * 2, REST_MS_MAX);
    this.#known.set(id, { until: now() + restMs, restMs });
  }

  /** The next one waits for so long. */
  rest(id: string, ms: number): void {
    this.#known.set(id, { until: now() + ms, restMs: this.#known.get(id)?.restMs ?? REST_MS_MIN / 2 });
  }

  rests(id: string): boolean {
    const found = this.#known.get(id);
    return found !== undefined && now() < found.until;
  }

  forget(id: string): void {
    this.#known.delete(id);
  }

  clear(): void {
    this.#known.clear();
  }
}
