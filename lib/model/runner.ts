// runner.ts: inputs that miss, run in batches: those of one turn of the event loop together, or of a window of time.

import { CacheError } from '../errors.js';
import type { Flight, Run } from './flights.js';
import type { Results, RunContext } from './terms.js';

export interface RunnerTerms<Input, In> {
  readonly name: string;
  readonly run: (inputs: Input[], context: RunContext) => Results<In> | Promise<Results<In>>;
  readonly maxBatch: number;
  /** Runs at a time. */
  readonly concurrency: number;
  readonly windowMs: number;
}

/** What becomes of a flight. */
export interface Landing<Input, In, Result> {
  /** False, and it has failed already: it is not to be run. */
  admit(flight: Flight<Input, Result>): boolean;
  /** `cost`: ms of the run, by input. */
  finish(flight: Flight<Input, Result>, result: In, cost: number): void;
  fail(flight: Flight<Input, Result>, reason: unknown): void;
}

export class Runner<Input, In, Result> {
  readonly #terms: RunnerTerms<Input, In>;
  readonly #landing: Landing<Input, In, Result>;
  #queue: Flight<Input, Result>[] = [];
  #timer: NodeJS.Timeout | undefined;
  #running = 0;
  readonly #waiting: (readonly Flight<Input, Result>[])[] = [];
  readonly #clock = new SharedClock();
  /** Inputs that were run, runs that they were run in, and ms that those took. */
  computed = 0;
  runs = 0;
  runMs = 0;

  constructor(terms: RunnerTerms<Input, In>, landing: Landing<Input, In, Result>) {
    this.#terms = terms;
    this.#landing = landing;
  }

  /** Runs it soon, with others. */
  enqueue(flight: Flight<Input, Result>): void {
    this.#queue.push(flight);
    if (this.#queue.length >= this.#terms.maxBatch) this.#flush();
    else if (this.#queue.length > 1) return;
    else if (this.#terms.windowMs === 0) queueMicrotask(() => this.#flush());
    else this.#timer = setTimeout(() => this.#flush(), this.#terms.windowMs);
  }

  /** Runs them at once, `maxBatch` together. */
  start(flights: readonly Flight<Input, Result>[]): void {
    const { maxBatch } = this.#terms;
    for (let at = 0; at < flights.length; at += maxBatch) this.#launch(flights.slice(at, at + maxBatch));
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const flights = this.#queue;
    this.#queue = [];
    this.#launch(flights);
  }

  /** Now, or when one of those before them is done. */
  #launch(flights: readonly Flight<Input, Result>[]): void {
    if (this.#running >= this.#terms.concurrency) {
      this.#waiting.push(flights);
      return;
    }
    const awaited = flights.filter((flight) => !flight.abandoned);
    if (awaited.length === 0) return;
    this.#running++;
    void this.#run(awaited).finally(() => {
      this.#running--;
      while (this.#waiting.length > 0 && this.#running < this.#terms.concurrency) this.#launch(this.#waiting.shift()!);
    });
  }

  /** Never rejects. */
  async #run(flights: readonly Flight<Input, Result>[]): Promise<void> {
    const admitted = flights.filter((flight) => this.#landing.admit(flight));
    if (admitted.length === 0) return;
    const { name } = this.#terms;
    const run: Run = { controller: new AbortController(), awaited: admitted.length };
    for (const flight of admitted) flight.run = run;
    this.runs++;
    this.computed += admitted.length;
    const begun = this.#clock.begin();
    let results: Results<In>;
    let took: number;
    try {
      results = await this.#terms.run(
        admitted.map(({ input }) => input),
        { signal: run.controller.signal, keys: admitted.map(({ key }) => key.slice()) }, // theirs to change
      );
      if (!Array.isArray(results) || results.length !== admitted.length)
        throw resultError(
          `run of ${name}: expected an array of ${admitted.length} results, received ${
            Array.isArray(results) ? `one of ${results.length}` : typeof results
          }`,
        );
    } catch (reason) {
      for (const flight of admitted) this.#landing.fail(flight, reason);
      return;
    } finally {
      took = this.#clock.end(begun);
      this.runMs += took;
    }
    for (const [i, flight] of admitted.entries()) {
      try {
        this.#landing.finish(flight, resultOf(results, i, name), took / admitted.length);
      } catch (reason) {
        this.#landing.fail(flight, reason);
      }
    }
  }
}

/** Runs side by side share the time that passes, as they share the device: together they take no more than that. */
class SharedClock {
  #running = 0;
  #at = 0;
  /** ms that a run would have taken that was there all the time. */
  #ms = 0;

  begin(): number {
    this.#turn();
    this.#running++;
    return this.#ms;
  }

  end(begun: number): number {
    this.#turn();
    this.#running--;
    return this.#ms - begun;
  }

  #turn(): void {
    const now = performance.now();
    if (this.#running > 0) this.#ms += Math.max(0, now - this.#at) / this.#running; // tests set clocks back
    this.#at = now;
  }
}

/** Throws what it failed with. Reading it may run the caller's code. */
function resultOf<In>(results: Results<In>, i: number, name: string): In {
  const result = results[i];
  if (result === undefined) throw resultError(`run of ${name}: expected a result for each input`);
  if (result instanceof Error) throw result;
  if (result instanceof Promise) {
    result.catch(() => {}); // nobody else hears of it
    throw resultError(`run of ${name}: expected results, received a promise of one: await Promise.all(…)`);
  }
  return result;
}

function resultError(message: string): CacheError {
  return new CacheError('ERR_MODEL_RESULT', message);
}
