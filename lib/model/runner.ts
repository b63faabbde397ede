// runner.ts: runs the inputs that miss, in batches: those of one turn of the event loop, or of a window of time.
//
// With `runOne`, a batch is one input. So each input has a signal, a time limit and a place among `concurrency` of its
// own, and fails alone.

import { CacheError } from '../base/errors.js';
import { clearTimeout, now, setTimeout, soon } from '../base/time.js';
import { askedInputs, type Flight, type Run } from './flights.js';
import type { RunContext } from './options.js';
import { checkResults, type Given, givenBy, wasComputed } from './results.js';
import { tracedRun } from './run-events.js';
import { SharedClock } from './shared-clock.js';
import { Turns } from './turns.js';
import { markRun, unmarkRun } from './under-way.js';

export interface RunnerParts<Input> {
  readonly name: string;
  readonly version: string;
  /** What the caller gave: it may give anything. */
  readonly run: (inputs: Input[], context: RunContext) => unknown;
  /** It is `runOne`, in an array of one. */
  readonly isOne: boolean;
  readonly maxBatch: number;
  /** Runs at a time. */
  readonly concurrency: number;
  readonly windowMs: number;
  /** A run that takes longer fails. */
  readonly timeoutMs: number;
  /** Such a run goes on, and its results are stored (late.ts). Otherwise its signal is aborted. */
  readonly storesLate: boolean;
}

/** What is told about a flight. */
export interface Landing<Input, In, Result> {
  /** `cost`: ms of the run, divided by the inputs that it computed. */
  finish(flight: Flight<Input, Result>, given: Given<In>, cost: number): void;
  fail(flight: Flight<Input, Result>, reason: unknown): void;
  /** The run is over, well or not. Called once, before the others. `computed`: without those that it found elsewhere. */
  ran(computed: readonly Flight<Input, Result>[], cost: number): void;
  /** All results of a run were told, and that took so long. Called once: a clock for each would be dear. */
  landed(ms: number): void;
  /** A run took too long. */
  timedOut(): void;
  /** Whether it goes on, for its results (late.ts). Then `giveUp` ends it, and `lateIsOver` is called in the end. */
  goesOn(giveUp: (reason: unknown) => void): boolean;
  lateIsOver(giveUp: (reason: unknown) => void): void;
  /** A result of such a run. */
  keepLate(flight: Flight<Input, Result>, given: Given<In>, cost: number): void;
  /** Such a run gives none. */
  dropLate(flight: Flight<Input, Result>): void;
}

export class Runner<Input, In, Result> {
  readonly #parts: RunnerParts<Input>;
  readonly #landing: Landing<Input, In, Result>;
  #queue: Flight<Input, Result>[] = [];
  #timer: NodeJS.Timeout | undefined;
  #running = 0;
  readonly #waiting = new Turns<readonly Flight<Input, Result>[]>();
  readonly #clock = new SharedClock();
  /** Inputs that were run, how many runs there were, and how many ms they took. */
  computed = 0;
  runs = 0;
  runMs = 0;
  /** Runs that took too long. */
  timedOut = 0;

  constructor(parts: RunnerParts<Input>, landing: Landing<Input, In, Result>) {
    this.#parts = parts;
    this.#landing = landing;
  }

  /** Runs the flight soon, together with others. */
  enqueue(flight: Flight<Input, Result>): void {
    this.#queue.push(flight);
    if (this.#queue.length >= this.#parts.maxBatch) this.#flush(this.#parts.isOne ? soon : undefined);
    else if (this.#queue.length > 1) return;
    else if (this.#parts.windowMs === 0) soon(() => this.#flush());
    else this.#timer = setTimeout(() => this.#flush(), this.#parts.windowMs);
  }

  /** Runs the flights at once, `maxBatch` together. */
  start(flights: readonly Flight<Input, Result>[]): void {
    const { maxBatch } = this.#parts;
    for (let at = 0; at < flights.length; at += maxBatch) this.#launch(flights.slice(at, at + maxBatch));
  }

  /** Flights were given up. The timer of a batch that nobody waits for would keep the process alive. */
  gaveUp(): void {
    if (this.#timer === undefined) return;
    while (this.#queue.at(-1)?.abandoned === true) this.#queue.pop();
    if (this.#queue.length > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** @param launch  begins the run. `runOne` must not be called within each `predict`, which may give a stale result. */
  #flush(launch: (run: () => void) => void = (run) => run()): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const flights = this.#queue;
    this.#queue = [];
    launch(() => this.#launch(flights));
  }

  /** Starts the run now, or when an earlier one is done (`concurrency`). */
  #launch(flights: readonly Flight<Input, Result>[]): void {
    if (this.#running >= this.#parts.concurrency) {
      this.#waiting.push(flights);
      return;
    }
    const awaited = flights.filter(({ abandoned }) => !abandoned);
    if (awaited.length === 0) return;
    this.#running++;
    void this.#run(awaited).finally(() => {
      this.#running--;
      while (this.#waiting.length > 0 && this.#running < this.#parts.concurrency) this.#launch(this.#waiting.take()!);
    });
  }

  /** Never rejects. */
  async #run(flights: readonly Flight<Input, Result>[]): Promise<void> {
    const { name, version } = this.#parts;
    const awaited = flights.filter(({ isAwaited }) => isAwaited).length;
    const run: Run<Input, Result> = { controller: new AbortController(), flights, awaited, late: undefined };
    markRun(run.controller.signal);
    for (const flight of flights) flight.run = run;
    if (flights.some(({ purpose }) => purpose !== 'asked'))
      askedInputs.set(
        run.controller.signal,
        flights.map(({ purpose }) => purpose === 'asked'),
      );
    this.runs++;
    const begun = this.#clock.begin();
    let read: Read<In>[];
    try {
      const results = await tracedRun(
        () => ({ model: name, version, inputs: flights.length, awaited }),
        () => this.#results(run),
        (results) => checkResults(results, flights.length, this.#name()),
      );
      read = this.#read(results, flights.length);
    } catch (reason) {
      read = flights.map(() => ({ reason }));
    }
    this.#land(flights, read, this.#clock.end(begun));
    unmarkRun(run.controller.signal);
    if (run.late !== undefined) void this.#awaitLate(run);
  }

  /** The run is over. It took so many ms. */
  #land(flights: readonly Flight<Input, Result>[], read: readonly Read<In>[], took: number): void {
    const computed = flights.filter((_, i) => isComputed(read[i]!));
    const cost = computed.length === 0 ? 0 : took / computed.length;
    this.runMs += took;
    this.computed += computed.length;
    this.#landing.ran(computed, cost);
    const landing = now();
    for (const [i, flight] of flights.entries()) {
      const one = read[i]!;
      if ('reason' in one) this.#landing.fail(flight, one.reason);
      else this.#landing.finish(flight, one, isComputed(one) ? cost : 0);
    }
    this.#landing.landed(now() - landing);
  }

  /** What `run` gives in time. After `timeout` nobody waits for it any more. */
  async #results(of: Run<Input, Result>): Promise<unknown> {
    const { run, timeoutMs } = this.#parts;
    const { controller, flights } = of;
    const keys = flights.map(({ key }) => key.slice()); // copies: `run` may change them
    const inputs = flights.map(({ input }) => input);
    const begunMs = now();
    const given = run(inputs, { signal: controller.signal, keys });
    if (timeoutMs === Number.POSITIVE_INFINITY) return given;
    const results = Promise.resolve(given);
    let timer: NodeJS.Timeout | undefined;
    const timeOut = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.timedOut++;
        this.#landing.timedOut();
        const { length } = flights; // of `inputs`, which nothing that outlives the run may hold
        const count = length === 1 ? 'no result' : `no results of ${length} inputs`;
        const message = `${this.#name()}: ${count} within ${timeoutMs} ms (options.timeout)`;
        const reason = new CacheError('ERR_MODEL_TIMEOUT', message);
        reject(reason); // before the signal is aborted, which may make the run fail with another error
        if (controller.signal.aborted || !this.#goesOn(of, results, begunMs)) controller.abort(reason);
      }, timeoutMs);
      // Nobody waits for it any more. Its place is free after its time, but the process does not stay alive for that.
      controller.signal.addEventListener('abort', () => timer?.unref(), { once: true });
    });
    try {
      return await Promise.race([results, timeOut]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Whether a run that is late goes on. Then what it gives is stored. */
  #goesOn(run: Run<Input, Result>, results: Promise<unknown>, begunMs: number): boolean {
    const over = () => {
      run.late = undefined;
      this.#landing.lateIsOver(giveUp);
    };
    const giveUp = (reason: unknown) => {
      over();
      for (const flight of run.flights) this.#landing.dropLate(flight);
      run.controller.abort(reason);
    };
    if (!this.#landing.goesOn(giveUp)) return false;
    run.late = { results, begunMs, over };
    return true;
  }

  /** Nobody waits for the results. They are for later callers. Never rejects. */
  async #awaitLate(run: Run<Input, Result>): Promise<void> {
    const { flights } = run;
    const { results, begunMs, over } = run.late!;
    const read = await results.then((given) => this.#read(given, flights.length)).catch(() => undefined);
    if (run.late === undefined) return; // it was given up
    over();
    const took = now() - begunMs;
    const cost = took / Math.max(1, read?.filter(isComputed).length ?? 0);
    for (const [i, flight] of flights.entries()) {
      const one = read?.[i];
      if (one === undefined || 'reason' in one) this.#landing.dropLate(flight);
      else this.#landing.keepLate(flight, one, isComputed(one) ? cost : 0);
    }
  }

  /** Each result, or why there is none. Throws if there is not one for each input. */
  #read(results: unknown, count: number): Read<In>[] {
    checkResults(results, count, this.#name());
    const { isOne } = this.#parts;
    return Array.from({ length: count }, (_, i) => {
      try {
        return givenBy<In>((results as readonly unknown[])[i], () => this.#name(isOne ? undefined : i), !isOne);
      } catch (reason) {
        return { reason };
      }
    });
  }

  /** For errors. */
  #name(place?: number): string {
    const { isOne, name } = this.#parts;
    return `${isOne ? 'runOne' : 'run'} of ${name}${place === undefined ? '' : `, result ${place}`}`;
  }
}

/** A result, or why there is none. */
type Read<In> = Given<In> | { readonly reason: unknown };

/** Failed or not, it was not found elsewhere. */
const isComputed = (read: Read<unknown>): boolean => 'reason' in read || wasComputed(read);
