// flights.ts: computations under way. A caller who asks for a result that is being computed joins the computation. A
// caller who gives up leaves it. When the last one has left, the run's signal is aborted.

import type { Search } from './behind.js';
import type { Copy } from './copies.js';

/**
 * Why an input is run. `asked`: a caller asked for it, and would have it run without a cache too. `refresh`: its stored
 * result is stale. `promote`: it will be asked for. `verify`: its stored result is compared. `inner`: it is a stage's,
 * of a pipeline that runs for one of the last three; the pipeline counts its time.
 */
export type Purpose = 'asked' | 'refresh' | 'promote' | 'verify' | 'inner';

/** Of runs that are not only for callers: which of their inputs are. By the signal that the run gets. */
export const askedInputs = new WeakMap<AbortSignal, readonly boolean[]>();

/** Inputs that are run together. */
export interface Run<Input, Result> {
  readonly controller: AbortController;
  readonly flights: readonly Flight<Input, Result>[];
  /** How many of them somebody waits for. */
  awaited: number;
  /** It took longer than `timeout`, and goes on (late.ts). */
  late: { readonly results: Promise<unknown>; readonly begunMs: number; over(): void } | undefined;
}

export interface FlightParts<Input> {
  readonly key: Uint8Array;
  /** The key in hex. */
  readonly id: string;
  /** The copy of the input that is run. Nobody else has it. */
  readonly input: Input;
  /** Another copy, for `keepInputs`: `run` may write to the first one. */
  readonly kept: Copy<Input> | undefined;
  readonly tags: readonly string[];
  /** True: its result is not stored. */
  readonly unstored: boolean;
  readonly purpose: Purpose;
  /** Of the keyspace, when it began. */
  readonly generation: number;
  /** Invalidations of tags until it began (late.ts). */
  readonly invalidations: number;
}

/** One input under way. */
export class Flight<Input, Result> {
  readonly key: Uint8Array;
  readonly id: string;
  input: Input;
  kept: Copy<Input> | undefined;
  readonly tags: readonly string[];
  readonly purpose: Purpose;
  readonly generation: number;
  readonly invalidations: number;
  readonly promise: Promise<Result>;
  resolve!: (result: Result) => void;
  reject!: (reason: unknown) => void;
  /** Its run; undefined until it is run. */
  run: Run<Input, Result> | undefined;
  /**
   * True: its result must not be stored. The key was deleted or set meanwhile, or the callers do not want it stored.
   */
  stale: boolean;
  /** It is looked for behind, or its result is to be given there (behind.ts). */
  search: Search | undefined;
  /** A stale result that was found behind, in a box: it is given if the run fails. */
  fallback: { readonly result: Result } | undefined;
  /** True: its result was found behind. */
  wasFound = false;
  /** True: all callers who waited have given up. */
  abandoned = false;
  #waiters = 0;

  constructor(parts: FlightParts<Input>) {
    const { key, id, input, kept, tags, unstored, purpose, generation, invalidations } = parts;
    this.key = key;
    this.id = id;
    this.input = input;
    this.kept = kept;
    this.tags = tags;
    this.purpose = purpose;
    this.generation = generation;
    this.invalidations = invalidations;
    this.stale = unstored;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Each waiter gets the failure. If nobody waits any more, it must not be an unhandled rejection.
    this.promise.catch(() => {});
  }

  /** It was counted as missed. Those that nobody asked for are not. */
  get isAsked(): boolean {
    return this.purpose !== 'refresh' && this.purpose !== 'verify';
  }

  get isAwaited(): boolean {
    return this.#waiters > 0;
  }

  /** Callers who wait, without the one for whom it is run. */
  get joined(): number {
    return Math.max(0, this.#waiters - (this.purpose === 'refresh' ? 0 : 1));
  }

  /** One more caller waits for the result. */
  join(): Promise<Result> {
    if (++this.#waiters === 1 && this.run !== undefined) this.run.awaited++;
    return this.promise;
  }

  /**
   * One caller has given up. If no caller is left, the flight ends. Once nobody waits for any result of the run, the
   * run's signal is aborted. Flights that it computes in the background then end too. A result that comes all the same
   * is not stored: it may be incomplete, and a delete or set from now on does not find the flight.
   *
   * @param land keeps later callers from joining a flight. Called before the signal is aborted.
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

  /** Ends it at once, and its run with it. The others of its run are ended too. @param land  as of `leave` */
  end(reason: unknown, land: (flight: Flight<Input, Result>) => void): void {
    this.#abandon();
    land(this);
    this.reject(reason);
    this.run?.controller.abort(reason);
  }

  /** Its run has them. What it gives is not kept for `promote`. */
  dropInputs(): void {
    this.input = undefined as never;
    this.kept = undefined;
  }

  #abandon(): void {
    this.abandoned = true;
    this.stale = true;
  }
}

/** Callers that wait for a signal: one listener for each signal, since Node warns of more than ten. */
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

  /** Removes the listener, so that a signal which nobody else holds can be collected. */
  delete(giveUp: () => void): void {
    if (this.#all.delete(giveUp) && this.#all.size === 0) this.#signal.removeEventListener('abort', this.#tell);
  }
}

/** The promise; if `signal` is aborted first, rejects with its reason. */
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
    // Tags, or the run itself, may have aborted it since it was checked.
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
