// l0.ts: L0's side of a tier: what a key is called here and in Redis, which keys are looked for, and what is stored.
//
// The parts of a tier (reading.ts, making.ts, writing.ts) share it.

import { native, SCAN_PARTS } from '../addon/native.js';
import { CacheError } from '../base/errors.js';
import { isError } from '../base/kinds.js';
import { setImmediate } from '../base/time.js';
import type { Key } from '../cache/keys.js';
import type { Lifetime } from '../cache/options.js';
import { storeBytes } from '../cache/stored.js';
import { NO_KEYS } from '../cache/upstreams.js';
import { type Flight, Flights } from './flights.js';
import type { Form } from './forms.js';
import { idOf, isAscii, type KeyKind, keyOf, redisKeyOf } from './keys.js';
import { Lasting } from './lasting.js';
import type { Link, Tracker } from './link.js';
import type { CheckedTier } from './options.js';
import type { Argument, Octets } from './redis.js';

/** What a tier works with. */
export interface TierParts extends Lifetime {
  /** A native handle of the keyspace, of the tier's own. */
  readonly handle: number;
  readonly keys: KeyKind;
  readonly form: Form;
  readonly prefix: string;
  readonly options: CheckedTier;
  readonly link: Link;
  /** The bytes of a value that the loader gave. */
  encode(value: unknown): ArrayBufferView;
  /** The error to tell, for one that is about this key. */
  explain(error: unknown, key: Key): unknown;
  /** The model behind which this is. It makes what Redis has not, in place of a loader. */
  readonly model?: ModelSide | undefined;
}

/** What a tier behind a model does in its own way (results.ts). */
export interface ModelSide {
  /** The value of these bytes. Throws if there is none: then Redis is taken to have nothing. */
  read(stored: Uint8Array): unknown;
  /** Has the model compute these. The fence of each is open, and its lease is ours if it has one. */
  make(flights: readonly Flight[]): void;
}

/** Of a key in L0. */
const KEY_BYTES_MAX = 65_535;

export class L0 {
  readonly prefix: Octets;
  readonly flights = new Flights();
  /** What each means: UpstreamCounts. */
  readonly counts = { ...NO_KEYS };
  readonly lasting: Lasting;
  isClosed = false;
  #waiting = 0; // what `inOrder` has not sent yet
  readonly #prefixText: string;
  readonly #prefixIsAscii: boolean;

  /** @param tracker  the tier, as its link knows it */
  constructor(
    readonly parts: TierParts,
    readonly tracker: Tracker,
  ) {
    this.lasting = new Lasting(parts.link);
    this.#prefixText = parts.link.keyPrefix + parts.prefix;
    this.prefix = Buffer.from(this.#prefixText);
    this.#prefixIsAscii = isAscii(this.#prefixText);
  }

  /** What Redis calls a key. */
  at(id: string): Argument {
    return redisKeyOf(this.#prefixText, this.#prefixIsAscii, this.prefix, id);
  }

  bytesOf(id: string): Octets {
    return Buffer.concat([this.prefix, Buffer.from(id, 'latin1')]);
  }

  /**
   * Sends when the first attempt to connect is over. What is sent keeps its order: also what is asked for after that,
   * while some of it waits for its turn.
   */
  inOrder<T>(send: () => Promise<T>): Promise<T> {
    const { link } = this.parts;
    if (!link.isStarting && this.#waiting === 0) return send();
    this.#waiting++;
    return link.ready().then(() => {
      this.#waiting--;
      return send();
    });
  }

  /** The key that L0 knows; undefined if it cannot have one such. */
  keyOf(id: string): Key | undefined {
    if (id.length === 0 || id.length > KEY_BYTES_MAX) return undefined;
    return keyOf(id, this.parts.keys);
  }

  idOf(key: Key): string {
    return idOf(key, this.parts.keys);
  }

  /** How long a new value lives. */
  ttl(): number {
    const { ttl, ttlJitter } = this.parts;
    return ttlJitter === 0 ? ttl : ttl * (1 - ttlJitter * Math.random());
  }

  /** Stores what a flight has found, unless its fence is closed, or it is larger than a value of L0 may be. */
  keep(flight: Flight, stored: Uint8Array, ttlMs: number): void {
    if (flight.isFenced) this.counts.fenced++;
    else if (ttlMs >= 1 && !this.isClosed) {
      try {
        storeBytes(this.parts.handle, flight.key, stored, ttlMs, flight.cost);
      } catch (error) {
        if (!isError(error) || error.name !== 'RangeError') throw error;
        this.delete(flight.key); // what it takes the place of is out of date
      }
    }
  }

  /** Whether there was a value. */
  delete(key: Key): boolean {
    return !this.isClosed && native.delete(this.parts.handle, key);
  }

  /** Forgets all values, and stores nothing that was read until now. */
  forgetAll(): void {
    this.lasting.forget();
    this.flights.fenceAll();
    if (!this.isClosed) native.clear(this.parts.handle);
  }

  /** As `forgetAll`, for the keys of which `isGone` says so. Others can work between two parts of L0. */
  async forgetSome(isGone: (at: Argument) => boolean): Promise<void> {
    this.flights.fenceSome(isGone);
    for (let part = 0; part < SCAN_PARTS && !this.isClosed; ++part) {
      for (const key of native.scan(this.parts.handle, part)) if (isGone(this.at(this.idOf(key)))) this.delete(key);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

export const closed = (): CacheError => new CacheError('ERR_CACHE_CLOSED', 'the cache was closed');
