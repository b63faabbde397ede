// failures.ts: inputs whose run failed a moment ago: who asks again at once gets the same error, and the model rest.

const FAILURES_MAX = 10_000;

export class Failures {
  readonly #ttlMs: number;
  /** By fingerprint, the oldest first. */
  readonly #known = new Map<string, { until: number; reason: unknown }>();

  constructor(ttlMs: number) {
    this.#ttlMs = ttlMs;
  }

  note(id: string, reason: unknown): void {
    this.#known.delete(id);
    if (this.#known.size >= FAILURES_MAX)
      for (const oldest of this.#known.keys()) {
        this.#known.delete(oldest);
        break;
      }
    this.#known.set(id, { until: performance.now() + this.#ttlMs, reason });
  }

  /** The failure, in a box, since anything can be thrown. */
  find(id: string): { reason: unknown } | undefined {
    const found = this.#known.get(id);
    if (found === undefined || performance.now() < found.until) return found;
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
