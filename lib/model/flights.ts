// flights.ts: computations under way. Who asks for what is being computed joins it; who gives up leaves; when the last
// one has left, the run is told.

import type { Copy } from './copies.js';

/** Inputs that are run together. */
export interface Run<Input, Result> {
  readonly controller: AbortController;
  readonly flights: readonly Flight<Input, Result>[];
  /** Those of them that somebody waits for. */
  awaited: number;
}

export interface FlightParts<Input> {
  readonly key: Uint8Array;
  /** The key in hex. */
  readonly id: string;
  /** A copy that nobody else has. */
  readonly input: Input;
  /** Another, for `keepInputs`: `run` may write to its own. */
  readonly kept: Copy<Input> | undefined;
  readonly tags: readonly string[];
  /** Its result is not stored. */
  readonly unstored: boolean;
  /** Nobody asked for it: it is computed for those who come later. */
  readonly background: boolean;
}

/** One input under way. */
export class Flight<Input, Result> {
  readonly key: Uint8Array;
  readonly id: string;
  readonly input: Input;
  readonly kept: Copy<Input> | undefined;
  readonly tags: readonly string[];
  readonly background: boolean;
  readonly promise: Promise<Result>;
  resolve!: (result: Result) => void;
  reject!: (reason: unknown) => void;
  /** Undefined until it is run. */
  run: Run<Input, Result> | undefined;
  /** Its result must not be stored: the key was deleted or set meanwhile, or nobody wants that. */
  stale: boolean;
  /** All who waited have given up. */
  abandoned = false;
  #waiters = 0;

  constructor({ key, id, input, kept, tags, unstored, background }: FlightParts<Input>) {
    this.key = key;
    this.id = id;
    this.input = input;
    this.kept = kept;
    this.tags = tags;
    this.background = background;
    this.stale = unstored;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Each waiter hears of a failure; that nobody is left to hear of it is no error.
    this.promise.catch(() => {});
  }

  get isAwaited(): boolean {
    return this.#waiters > 0;
  }

  /** One more waits for the result. */
  join(): Promise<Result> {
    if (++this.#waiters === 1 && this.run !== undefined) this.run.awaited++;
    return this.promise;
  }

  /**
   * One of them has given up. If nobody is left, it lands. Its run is told once nobody waits for any of its results:
   * what the run does in the background beside them lands, too. What comes of it all the same is not stored: it may be
   * half done, and what is deleted or set from now on does not find it.
   *
   * @param land has later callers not join a flight; called before the run is told.
   */
  leave(reason: unknown, land: (flight: Flight<Input, Result>) => void): void {
    if (--this.#waiters > 0) return;
    this.#abandon();
    land(this);
    const { run } = this;
    if (run === undefined || --run.awaited > 0) return;
    for (const flight of run.flights) {
      if (flight.abandoned) continue;
      flight.#abandon();
      land(flight);
      flight.reject(reason);
    }
    run.controller.abort(reason);
  }

  #abandon(): void {
    this.abandoned = true;
    this.stale = true;
  }
}

/** Who is to be told by a signal; by one listener of each, since Node warns of more than ten. */
const waiting = new WeakMap<AbortSignal, Waiters>();

class Waiters {
  readonly #all = new Set<() => void>();
  readonly #signal: AbortSignal;
  readonly #tell = () => {
    for (const giveUp of [...this.#all]) giveUp();
  };

  static of(signal: AbortSignal): Waiters {
    let waiters = waiting.get(signal);
    if (waiters === undefined) {
      waiters = new Waiters(signal);
      waiting.set(signal, waiters);
    }
    return waiters;
  }

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  add(giveUp: () => void): void {
    if (this.#all.size === 0) this.#signal.addEventListener('abort', this.#tell, { once: true });
    this.#all.add(giveUp);
  }

  /** Without a listener, a signal that nobody else keeps can be collected. */
  delete(giveUp: () => void): void {
    if (this.#all.delete(giveUp) && this.#all.size === 0) this.#signal.removeEventListener('abort', this.#tell);
  }
}

/** The promise, until `signal` says that the caller has given up: then its reason. */
export function until<Result>(
  promise: Promise<Result>,
  signal: AbortSignal | undefined,
  leave: (reason: unknown) => void,
): Promise<Result> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const waiters = Waiters.of(signal);
    const giveUp = () => {
      reject(signal.reason);
      leave(signal.reason);
    };
    // By what ran since it was looked at: tags, or the run itself.
    if (signal.aborted) giveUp();
    else waiters.add(giveUp);
    promise.then(
      (result) => {
        waiters.delete(giveUp);
        resolve(result);
      },
      (reason: unknown) => {
        waiters.delete(giveUp);
        reject(reason);
      },
    );
  });
}
