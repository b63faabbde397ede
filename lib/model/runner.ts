// runner.ts: runs the inputs that miss, in batches: those of one turn of the event loop, or of a window of time.

import { CacheError } from '../base/errors.js';
import { isError, isThenable } from '../base/kinds.js';
import { clearTimeout, now, setTimeout, soon } from '../base/time.js';
import { askedInputs, type Flight, type Run } from './flights.js';
import type { Results, RunContext } from './options.js';
import { tracedRun } from './run-events.js';

export interface RunnerParts<Input, In> {
  readonly name: string;
  readonly version: string;
  readonly run: (inputs: Input[], context: RunContext) => Results<In> | Promise<Results<In>>;
  readonly maxBatch: number;
  /** Runs at a time. */
  readonly concurrency: number;
  readonly windowMs: number;
  /** A run that takes longer fails. */
  readonly timeoutMs: number;
}

/** What is told about a flight. */
export interface Landing<Input, In, Result> {
  /** `cost`: ms of the run, divided by its inputs. */
  finish(flight: Flight<Input, Result>, result: In, cost: number): void;
  fail(flight: Flight<Input, Result>, reason: unknown): void;
  /** The run is over, well or not. Called once, before the others. */
  ran(flights: readonly Flight<Input, Result>[], cost: number): void;
  /** All results of a run were told, and that took so long. Called once: a clock for each would be dear. */
  landed(ms: number): void;
  /** A run took too long. */
  late(): void;
}

export class Runner<Input, In, Result> {
  readonly #parts: RunnerParts<Input, In>;
  readonly #landing: Landing<Input, In, Result>;
  #queue: Flight<Input, Result>[] = [];
  #timer: NodeJS.Timeout | undefined;
  #running = 0;
  readonly #waiting: (readonly Flight<Input, Result>[])[] = [];
  readonly #clock = new SharedClock();
  /** Inputs that were run, how many runs there were, and how many ms they took. */
  computed = 0;
  runs = 0;
  runMs = 0;
  /** Runs that took too long. */
  timedOut = 0;

  constructor(parts: RunnerParts<Input, In>, landing: Landing<Input, In, Result>) {
    this.#parts = parts;
    this.#landing = landing;
  }

  /** Runs the flight soon, together with others. */
  enqueue(flight: Flight<Input, Result>): void {
    this.#queue.push(flight);
    if (this.#queue.length >= this.#parts.maxBatch) this.#flush();
    else if (this.#queue.length > 1) return;
    else if (this.#parts.windowMs === 0) soon(() => this.#flush());
    else this.#timer = setTimeout(() => this.#flush(), this.#parts.windowMs);
  }

  /** Runs the flights at once, `maxBatch` together. */
  start(flights: readonly Flight<Input, Result>[]): void {
    const { maxBatch } = this.#parts;
    for (let at = 0; at < flights.length; at += maxBatch) this.#launch(flights.slice(at, at + maxBatch));
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const flights = this.#queue;
    this.#queue = [];
    this.#launch(flights);
  }

  /** Starts the run now, or when an earlier one is done (`concurrency`). */
  #launch(flights: readonly Flight<Input, Result>[]): void {
    if (this.#running >= this.#parts.concurrency) {
      this.#waiting.push(flights);
      return;
    }
    const awaited = flights.filter((flight) => !flight.abandoned);
    if (awaited.length === 0) return;
    this.#running++;
    void this.#run(awaited).finally(() => {
      this.#running--;
      while (this.#waiting.length > 0 && this.#running < this.#parts.concurrency) this.#launch(this.#waiting.shift()!);
    });
  }

  /** Never rejects. */
  async #run(flights: readonly Flight<Input, Result>[]): Promise<void> {
    const { name, version } = this.#parts;
    const awaited = flights.filter(({ isAwaited }) => isAwaited).length;
    const run: Run<Input, Result> = { controller: new AbortController(), flights, awaited };
    for (const flight of flights) flight.run = run;
    if (flights.some(({ purpose }) => purpose !== 'asked'))
      askedInputs.set(
        run.controller.signal,
        flights.map(({ purpose }) => purpose === 'asked'),
      );
    this.runs++;
    this.computed += flights.length;
    const begun = this.#clock.begin();
    let results: Results<In>;
    let took: number;
    try {
      results = await tracedRun(
        () => ({ model: name, version, inputs: flights.length, awaited }),
        () => this.#results(flights, run.controller),
        (results) => this.#check(results, flights.length),
      );
      this.#check(results, flights.length);
    } catch (reason) {
      for (const flight of flights) this.#landing.fail(flight, reason);
      return;
    } finally {
      took = this.#clock.end(begun);
      this.runMs += took;
      this.#landing.ran(flights, took / flights.length);
    }
    const landing = now();
    for (const [i, flight] of flights.entries()) {
      try {
        this.#landing.finish(flight, resultOf(results, i, name), took / flights.length);
      } catch (reason) {
        this.#landing.fail(flight, reason);
      }
    }
    this.#landing.landed(now() - landing);
  }

  /** What `run` gives in time. After `timeout` its signal is aborted, and nobody waits for it any more. */
  async #results(flights: readonly Flight<Input, Result>[], controller: AbortController): Promise<Results<In>> {
    const { name, run, timeoutMs } = this.#parts;
    const keys = flights.map(({ key }) => key.slice()); // copies: `run` may change them
    const inputs = flights.map(({ input }) => input);
    const results = run(inputs, { signal: controller.signal, keys });
    if (timeoutMs === Number.POSITIVE_INFINITY) return results;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.timedOut++;
        this.#landing.late();
        const message = `run of ${name}: no results of ${inputs.length} inputs within ${timeoutMs} ms (options.timeout)`;
        const reason = new CacheError('ERR_MODEL_TIMEOUT', message);
        reject(reason); // before the signal is aborted, which may make the run fail with another error
        controller.abort(reason);
      }, timeoutMs);
    });
    try {
      return await Promise.race([results, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Throws if there is not one result for each input. */
  #check(results: Results<In>, count: number): void {
    if (Array.isArray(results) && results.length === count) return;
    const received = Array.isArray(results) ? `one of ${results.length}` : typeof results;
    throw resultError(`run of ${this.#parts.name}: expected an array of ${count} results, received ${received}`);
  }
}

/** Concurrent runs share the time that passes, as they share the device. Together they take no more than that time. */
class SharedClock {
  #running = 0;
  #at = 0;
  /** ms that a run would have taken which was there from the beginning. */
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
    const at = now();
    if (this.#running > 0) this.#ms += Math.max(0, at - this.#at) / this.#running; // tests may set clocks back
    this.#at = at;
  }
}

/** The result at place `i`. Throws if there is none, or an Error. Reading it may run the caller's code. */
function resultOf<In>(results: Results<In>, i: number, name: string): In {
  const result: unknown = results[i];
  if (result === undefined) throw resultError(`run of ${name}: expected a result for each input`);
  if (isError(result)) throw result;
  if (!isThenable(result)) return result as In;
  try {
    // A promise that rejects later must not be an unhandled rejection. Other thenables are not called: calling `then`
    // may start their work.
    Promise.prototype.then.call(result as Promise<unknown>, undefined, () => {});
  } catch {
    // It is not a promise.
  }
  throw resultError(`run of ${name}: expected results, received a promise of one: await Promise.all(…)`);
}

/** @internal */
export function resultError(message: string, options?: ErrorOptions): CacheError {
  return new CacheError('ERR_MODEL_RESULT', message, options);
}
