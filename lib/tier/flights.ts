// flights.ts: the keys that are being looked for, and the fence of each.
//
// A flight is found by its key until it ends or its fence closes. What comes through a closed fence is given to those who
// asked before, and is not stored.

import { now } from '../base/time.js';
import type { Key } from '../cache/keys.js';
import type { Argument } from './redis.js';

/** What L0 holds under a key; undefined: there is no value. */
export type Stored = Uint8Array<ArrayBuffer> | undefined;

/** A key that is looked for. */
export class Flight {
  isFenced = false;
  /** A write of our own closed the fence. It may not be in Redis yet when this flight is sent, so it stays closed. */
  isOverwritten = false;
  /** Redis was not or could not be asked for it. */
  isUnknown = false;
  /** What computing the value would take, in ms; 0 if that is not known. */
  cost = 0;
  /** It is handed to the model, which computes it. */
  isHanded = false;
  /** Of a model: the result that Redis has, in a box; and how long Redis keeps the value, in ms. */
  result: { readonly value: unknown } | undefined;
  leftMs = 0;
  /** The token of our lease, if we have it. */
  lease: string | undefined;
  readonly since = now();
  readonly promise: Promise<Stored>;
  resolve!: (stored: Stored) => void;
  reject!: (error: unknown) => void;

  /**
   * @param at        Redis's key
   * @param isWanted  somebody waits for it; otherwise no loader is asked
   */
  constructor(
    readonly id: string,
    readonly key: Key,
    readonly at: Argument,
    public isWanted: boolean,
  ) {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

export class Flights {
  readonly #flights = new Map<string, Flight>();

  get(id: string): Flight | undefined {
    return this.#flights.get(id);
  }

  add(flight: Flight): void {
    this.#flights.set(flight.id, flight);
  }

  /** What was read of this key until now is not stored, and nobody joins it. */
  fence(id: string, isOverwritten = false): void {
    const flight = this.#flights.get(id);
    if (flight === undefined) return;
    flight.isFenced = true;
    flight.isOverwritten = isOverwritten;
    this.#flights.delete(id);
  }

  fenceAll(): void {
    for (const flight of this.#flights.values()) flight.isFenced = true;
    this.#flights.clear();
  }

  fenceSome(isGone: (at: Argument) => boolean): void {
    for (const { id, at, isOverwritten } of this.#flights.values()) if (isGone(at)) this.fence(id, isOverwritten);
  }

  /** What these flights find from now on counts, unless somebody looks for the key anew: then that one stores. */
  open(flights: readonly Flight[]): void {
    for (const flight of flights) {
      if (!flight.isFenced || flight.isOverwritten || this.#flights.has(flight.id)) continue;
      flight.isFenced = false;
      this.#flights.set(flight.id, flight);
    }
  }

  end(flight: Flight, stored: Stored): void {
    this.#remove(flight);
    flight.resolve(stored);
  }

  fail(flight: Flight, error: unknown): void {
    this.#remove(flight);
    flight.reject(error);
  }

  failAll(error: unknown): void {
    for (const flight of this.#flights.values()) flight.reject(error);
    this.#flights.clear();
  }

  #remove(flight: Flight): void {
    if (this.#flights.get(flight.id) === flight) this.#flights.delete(flight.id);
  }
}
