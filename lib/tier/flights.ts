// flights.ts: the keys that are being looked for, and the fence of each.
//
// A flight is found by its key until it ends or its fence closes. What comes through a closed fence is given to those who
// asked before, and is not stored.
//
// A refresh is a flight for the new value of a stale one. Nobody waits for it: who asks meanwhile has a flight of his
// own.

import { now } from '../base/time.js';
import type { Key } from '../cache/keys.js';
import type { Argument } from './redis.js';

/**
 * What L0 holds under a key; undefined: there is no value. These bytes may be part of the memory into which the client
 * read from its socket: nobody changes them, and nobody keeps them.
 */
export type Stored = Uint8Array | undefined;

/** Who waits for keys. It is told once of each: from within {@link Flight.join} too. */
export interface Waiter {
  /** @param place  the key's, as `join` was told */
  found(stored: Stored, place: number): void;
  failed(error: unknown): void;
}

/** What is found under one key. @param start  has the waiter told. What it throws rejects. */
export function promiseOfOne(start: (waiter: Waiter) => void): Promise<Stored> {
  return new Promise((resolve, reject) => start({ found: resolve, failed: reject }));
}

/**
 * Ends when `count` keys, at least one, were found. The first failure rejects it. One promise for all of them.
 *
 * @param take  is given what is found, at once. What it throws is a failure.
 */
export function promiseOfMany(
  count: number,
  take: (stored: Stored, place: number) => void,
  start: (waiter: Waiter) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let left = count;
    let isOver = false; // nothing is taken any more: the caller may use his memory for something else
    const failed = (error: unknown) => {
      isOver = true;
      reject(error);
    };
    const found = (stored: Stored, place: number) => {
      if (isOver) return;
      try {
        take(stored, place);
      } catch (error) {
        failed(error);
      }
      if (--left === 0) resolve();
    };
    start({ found, failed });
  });
}

/** A key that is looked for. */
export class Flight {
  isFenced = false;
  /** A write of our own closed the fence. It may not be in Redis yet when this flight is sent, so it stays closed. */
  isOverwritten = false;
  /** Redis was not or could not be asked for it. */
  isUnknown = false;
  /** What computing the value would take, in ms; 0 if that is not known. */
  cost = 0;
  /** How often Redis gave bytes that are no result. The second time nobody has deleted them. */
  unreadable = 0;
  /** What is made takes the place of the value that Redis has. */
  replaces = false;
  /** It is handed to the model, which computes it. */
  isHanded = false;
  /** Of a model: the result that Redis has, in a box; and how long Redis keeps the value, in ms. */
  result: { readonly value: unknown } | undefined;
  leftMs = 0;
  /** The token of our lease, if we have it. */
  lease: string | undefined;
  /** Of a refresh: when Redis drops the stale value. */
  stale: StaleEnd | undefined;
  fencedAt = Number.POSITIVE_INFINITY;
  readonly since = now();
  #end: 'found' | 'failed' | undefined;
  #outcome: unknown; // what was found, or the error
  // Nearly always one waits, so the first needs no list.
  #waiter: Waiter | undefined;
  #place = 0;
  #others: [waiter: Waiter, place: number][] | undefined;

  /**
   * @param at        Redis's key
   * @param isWanted  somebody waits for it; otherwise no loader is asked
   */
  constructor(
    readonly id: string,
    public key: Key,
    readonly at: Argument,
    public isWanted: boolean,
  ) {}

  /** Somebody waits for it. The first one's key is what a loader gets: a string, even if Redis told of its bytes. */
  wantAs(key: Key): void {
    if (!this.isWanted) this.key = key;
    this.isWanted = true;
  }

  get promise(): Promise<Stored> {
    return promiseOfOne((waiter) => this.join(waiter, 0));
  }

  /** `waiter` is told how it ends. */
  join(waiter: Waiter, place: number): void {
    if (this.#end !== undefined) this.#tell(waiter, place);
    else if (this.#waiter === undefined) {
      this.#waiter = waiter;
      this.#place = place;
    } else {
      this.#others ??= [];
      this.#others.push([waiter, place]);
    }
  }

  resolve(stored: Stored): void {
    this.#ends('found', stored);
  }

  reject(error: unknown): void {
    this.#ends('failed', error);
  }

  /** Nobody joins any more. A flight may outlive its use in V8's old space, and would keep what was read. */
  forget(): void {
    this.#outcome = undefined;
  }

  /** The first end counts. */
  #ends(end: 'found' | 'failed', outcome: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#outcome = outcome;
    if (this.#waiter !== undefined) this.#tell(this.#waiter, this.#place);
    for (const [waiter, place] of this.#others ?? []) this.#tell(waiter, place);
    this.#waiter = undefined;
    this.#others = undefined;
  }

  #tell(waiter: Waiter, place: number): void {
    if (this.#end === 'found') waiter.found(this.#outcome as Stored, place);
    else waiter.failed(this.#outcome);
  }
}

/** When a value ends: in ms, by Redis's clock; and not before which moment of ours. */
export interface StaleEnd {
  readonly there: number;
  readonly here: number;
}

export class Flights {
  readonly #flights = new Map<string, Flight>();
  readonly #refreshes = new Map<string, Flight>();

  get isEmpty(): boolean {
    return this.#flights.size === 0 && this.#refreshes.size === 0;
  }

  get(id: string): Flight | undefined {
    return this.#flights.get(id);
  }

  add(flight: Flight): void {
    this.#flights.set(flight.id, flight);
  }

  isRefreshed(id: string): boolean {
    return this.#refreshes.has(id);
  }

  addRefresh(flight: Flight): void {
    this.#refreshes.set(flight.id, flight);
  }

  /** What was read of this key until now is not stored, and nobody joins it. */
  fence(id: string, isOverwritten = false): void {
    close(this.#refreshes.get(id), isOverwritten);
    close(this.#flights.get(id), isOverwritten);
    this.#flights.delete(id);
  }

  fenceAll(): void {
    this.fenceSome(() => true);
  }

  fenceSome(isGone: (at: Argument) => boolean): void {
    for (const flights of [this.#refreshes, this.#flights])
      for (const { id, at } of flights.values()) if (isGone(at)) this.fence(id);
  }

  /** Those of these refreshes that were fenced because their stale values have ended are for missing values now. */
  openEnded(refreshes: readonly Flight[]): void {
    for (const refresh of refreshes)
      if (!refresh.isOverwritten && refresh.fencedAt >= refresh.stale!.here) refresh.isFenced = false;
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
    flight.forget();
  }

  fail(flight: Flight, error: unknown): void {
    this.#remove(flight);
    flight.reject(error);
    flight.forget();
  }

  failAll(error: unknown): void {
    for (const flights of [this.#refreshes, this.#flights]) {
      for (const flight of flights.values()) flight.reject(error);
      flights.clear();
    }
  }

  #remove(flight: Flight): void {
    if (this.#flights.get(flight.id) === flight) this.#flights.delete(flight.id);
    if (this.#refreshes.get(flight.id) === flight) this.#refreshes.delete(flight.id);
  }
}

function close(flight: Flight | undefined, isOverwritten: boolean): void {
  if (flight === undefined) return;
  flight.isFenced = true;
  flight.isOverwritten ||= isOverwritten;
  flight.fencedAt = Math.min(flight.fencedAt, now());
}
