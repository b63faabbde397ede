// late.ts: runs that took longer than `timeout` and go on, because their results are to be stored (`lateResults`).
//
//   run ──► its timeout: its callers get the error, and its place is free ──► late ──► a result: stored
//                                                                                 └──► given up: its signal is aborted
//
// Nobody waits for a late run. So a late run ends with its model: `drain` and `close` give it up. Callers who ask again
// start further runs, and those may be late too. So there are few at a time: beyond that, a run ends at its timeout as
// if nothing was to be stored. Each may still be stored until a newer value is, whichever run ends first.

import type { Flight } from './flights.js';

/** Late runs of one keyspace at a time. */
const RUNS_MAX = 16;

/** The late flights of one keyspace. Models of one keyspace share them. */
export class LateFlights<Input, Result> {
  /** By fingerprint in hex, the oldest first. Of one input, one flight at a time is awaited: so they began in order. */
  readonly #flights = new Map<string, Flight<Input, Result>[]>();
  #runs = 0;

  get isFull(): boolean {
    return this.#runs >= RUNS_MAX;
  }

  runBegan(): void {
    this.#runs++;
  }

  runEnded(): void {
    this.#runs--;
  }

  /** Its run was late, and may still give a result. */
  add(flight: Flight<Input, Result>): void {
    flight.dropInputs(); // a run that never ends must not keep them
    const known = this.#flights.get(flight.id);
    if (known === undefined) this.#flights.set(flight.id, [flight]);
    else known.push(flight);
  }

  /** The flight's run gave a result. `store` is called if it is still wanted, and says whether it was stored. */
  keep(flight: Flight<Input, Result>, store: () => boolean): void {
    if (this.#flights.get(flight.id)?.includes(flight) !== true) return;
    let stored = false;
    try {
      stored = store();
    } finally {
      if (stored) this.#outdateUpTo(flight);
      else this.drop(flight);
    }
  }

  /** Nothing will come of it. */
  drop(flight: Flight<Input, Result>): void {
    this.#keepOnly(flight.id, (other) => other !== flight);
  }

  /** A newer result of the input is there, or none is wanted. */
  outdate(id: string): void {
    this.#flights.delete(id);
  }

  /** The inputs of which one has the tag. */
  tagged(tag: string): string[] {
    return [...this.#flights].flatMap(([id, flights]) => (flights.some(({ tags }) => tags.includes(tag)) ? [id] : []));
  }

  clear(): void {
    this.#flights.clear();
  }

  #outdateUpTo(flight: Flight<Input, Result>): void {
    const newest = this.#flights.get(flight.id)?.indexOf(flight) ?? -1;
    this.#keepOnly(flight.id, (_, i) => i > newest);
  }

  #keepOnly(id: string, isKept: (flight: Flight<Input, Result>, i: number) => boolean): void {
    const kept = this.#flights.get(id)?.filter(isKept) ?? [];
    if (kept.length === 0) this.#flights.delete(id);
    else this.#flights.set(id, kept);
  }
}

/** Tags that are remembered. Of earlier ones it is only known that there were some. */
const TAGS_MAX = 10_000;

/**
 * Which tags were invalidated since a flight began. A result that says its own tags (`result`) tells them when its run
 * is over: the tags may have been invalidated meanwhile.
 */
export class Invalidations {
  readonly #times = new Map<string, number>();
  #last = 0;
  /** Those until then are not known one by one. */
  #forgotten = 0;

  /** The time: invalidations so far. */
  get time(): number {
    return this.#last;
  }

  note(tag: string): void {
    if (this.#times.size >= TAGS_MAX) {
      this.#times.clear();
      this.#forgotten = this.#last;
    }
    this.#times.set(tag, ++this.#last);
  }

  /** Whether one of the tags was invalidated since, or may have been. */
  hit(tags: readonly string[], since: number): boolean {
    if (tags.length === 0) return false;
    return since < this.#forgotten || tags.some((tag) => (this.#times.get(tag) ?? 0) > since);
  }
}

/** The flights of one keyspace. Models of one keyspace share them. */
export class FlightsOf<Input, Result> {
  /** Those that callers join, by fingerprint in hex. */
  readonly current = new Map<string, Flight<Input, Result>>();
  readonly late = new LateFlights<Input, Result>();
  readonly invalidations = new Invalidations();
}
