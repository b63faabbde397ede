// flights.ts: computations under way. Who asks for what is being computed joins it; who gives up leaves; when the last one
// has left, the run is told.

/** Inputs that are run together. */
export interface Run {
  readonly controller: AbortController;
  /** Flights of it that somebody waits for. */
  awaited: number;
}

/** One input under way. */
export class Flight<Input, Result> {
  readonly promise: Promise<Result>;
  resolve!: (result: Result) => void;
  reject!: (reason: unknown) => void;
  /** Undefined until it is run. */
  run: Run | undefined;
  /** Its result must not be stored: the key was deleted or set meanwhile, or nobody wants that. */
  stale: boolean;
  #waiters = 0;

  constructor(
    readonly key: Uint8Array,
    readonly id: string,
    readonly input: Input,
    stale: boolean,
  ) {
    this.stale = stale;
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    // Each waiter hears of a failure; that nobody is left to hear of it is no error.
    this.promise.catch(() => {});
  }

  get abandoned(): boolean {
    return this.#waiters === 0;
  }

  /** The result, for one more waiter, until `signal` says that it has given up. */
  join(signal: AbortSignal | undefined, onAbandoned: () => void): Promise<Result> {
    this.#waiters++;
    if (signal === undefined) return this.promise;
    return new Promise((resolve, reject) => {
      const leave = () => {
        reject(signal.reason);
        if (--this.#waiters > 0) return;
        onAbandoned();
        if (this.run !== undefined && --this.run.awaited === 0) this.run.controller.abort(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
      const settle = () => signal.removeEventListener('abort', leave);
      this.promise.then(
        (result) => {
          settle();
          resolve(result);
        },
        (reason: unknown) => {
          settle();
          reject(reason);
        },
      );
    });
  }
}
