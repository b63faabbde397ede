// results.ts: what lies behind a model: Redis, and in place of a loader the model itself.
//
//   seek ──► reading.ts ──► found: stored in L0, and the model does not run
//                       └► missing: who gets the lease has the model run, and gives the result to L0 and to Redis
//
// A result is stored in L0 when the model gives it, before Redis has confirmed it, so that the model's hits begin at
// once. If Redis has another one by then, or may not have it, L0 forgets it: then what Redis has is what counts.

import { clearInterval, setInterval } from '../base/time.js';
import type { Codec } from '../cache/codecs.js';
import { storeBytes } from '../cache/stored.js';
import type { Fingerprint } from '../fingerprint/fingerprint.js';
import type { Behind, Found, Search } from '../model/behind.js';
import { Copies } from './copies.js';
import { Flight } from './flights.js';
import { closed, type ModelSide } from './l0.js';
import { newToken, takeLeases } from './leases.js';
import { type UpstreamStats, upstreamStatsOf } from './stats.js';
import type { Tier } from './tier.js';

export class Results implements Behind, ModelSide {
  readonly #codec: Codec<unknown, unknown, unknown>;
  readonly #copies = new Copies();
  #tier!: Tier;

  constructor(codec: Codec<unknown, unknown, unknown>) {
    this.#codec = codec;
  }

  attach(tier: Tier): void {
    this.#tier = tier;
  }

  seek(key: Fingerprint): Search {
    const { l0, reading } = this.#tier;
    const id = key.hex;
    const waiting = this.#waiting(id);
    if (waiting !== undefined) return new Waiting(waiting);
    const flight = new Flight(id, l0.keyOf(id)!, l0.at(id), true);
    if (l0.isClosed) flight.reject(closed());
    else {
      l0.flights.fence(id, true); // the model waits for that one no more
      l0.flights.add(flight);
      reading.begin(flight);
    }
    return new Sought(this.#tier, flight);
  }

  async peek(key: Fingerprint): Promise<Found | undefined> {
    const { l0, reading } = this.#tier;
    const id = key.hex;
    const waiting = this.#waiting(id);
    if (waiting !== undefined) return waiting;
    if (l0.isClosed) throw closed();
    const flight = new Flight(id, l0.keyOf(id)!, l0.at(id), false);
    // One that is sought goes on to store what it finds; then this one does not.
    flight.isFenced = l0.flights.get(id) !== undefined;
    flight.isOverwritten = flight.isFenced;
    if (!flight.isFenced) l0.flights.add(flight);
    reading.begin(flight);
    await flight.promise;
    return foundBy(flight);
  }

  async renew(key: Fingerprint): Promise<Search | number> {
    const { l0 } = this.#tier;
    const { leaseMs } = l0.parts.options;
    const id = key.hex;
    const flight = new Flight(id, l0.keyOf(id)!, l0.at(id), true);
    flight.isHanded = true;
    flight.replaces = true;
    l0.flights.fence(id, true);
    l0.flights.add(flight);
    flight.resolve(undefined);
    if (leaseMs > 0 && l0.parts.link.isUpFor(flight.at)) {
      const token = newToken();
      const [taken] = await takeLeases(l0.parts.link, [flight.at], token, leaseMs, true);
      if (typeof taken === 'object') {
        l0.flights.end(flight, undefined);
        return taken.othersForMs;
      }
      if (taken === 'ours') flight.lease = token;
      this.#keepLeases([flight]);
    }
    return new Sought(this.#tier, flight);
  }

  write(key: Fingerprint, stored: ArrayBufferView, ttlMs: number, cost: number): boolean {
    if (this.#tier.l0.isClosed) throw closed();
    const { kept, done } = this.#tier.writing.write(key, stored, ttlMs, cost);
    done.catch(() => {}); // counted; L0 has forgotten it
    return kept;
  }

  delete(key: Fingerprint): boolean {
    if (this.#tier.l0.isClosed) throw closed();
    const { was, done } = this.#tier.writing.remove(key);
    done.catch(() => {});
    return was;
  }

  stats(): UpstreamStats {
    return upstreamStatsOf(this.#tier);
  }

  read(stored: Uint8Array): unknown {
    const { buffer, byteOffset, length } = this.#copies.of(stored);
    const value = this.#codec.view(buffer, byteOffset, length);
    if (value === undefined) throw new TypeError('the codec gave no value');
    return value;
  }

  /** The model computes these, and gives or ends each. Until then their leases are kept. */
  make(flights: readonly Flight[]): void {
    const { l0 } = this.#tier;
    const { writes } = l0.parts.options;
    // From now on Redis itself refuses what comes too late. Where it is not told, only its pushes can.
    l0.flights.open(flights.filter(({ at }) => writes !== 'local' || !l0.parts.link.isUpFor(at)));
    l0.counts.loaded += flights.length;
    for (const flight of flights) {
      flight.isHanded = true;
      flight.resolve(undefined);
    }
    this.#keepLeases(flights);
  }

  /** Until there are none any more. */
  #keepLeases(flights: readonly Flight[]): void {
    const { l0, making } = this.#tier;
    const { leaseMs } = l0.parts.options;
    if (!flights.some(({ lease }) => lease !== undefined)) return;
    const timer = setInterval(() => {
      const held = flights.filter(({ lease }) => lease !== undefined);
      if (held.length === 0 || l0.isClosed) clearInterval(timer);
      else making.keepLeases(held, leaseMs);
    }, leaseMs / 3);
    timer.unref(); // the run itself keeps the process alive, or nothing does
  }

  /** A result that Redis is yet to be told of (`writes: 'behind'`), and that L0 has no more. */
  #waiting(id: string): Found | undefined {
    const stored = this.#tier.writing.waiting(id);
    return stored && { result: this.read(stored), leftMs: Number.POSITIVE_INFINITY };
  }
}

const foundBy = ({ result, leftMs }: Flight): Found | undefined => result && { result: result.value, leftMs };

class Waiting implements Search {
  readonly found: Promise<Found>;
  readonly isCurrent = true;

  constructor(found: Found) {
    this.found = Promise.resolve(found);
  }

  give(): boolean {
    return false;
  }

  end(): void {}
}

class Sought implements Search {
  readonly #tier: Tier;
  readonly #flight: Flight;
  readonly found: Promise<Found | undefined>;
  #isEnded = false;

  constructor(tier: Tier, flight: Flight) {
    this.#tier = tier;
    this.#flight = flight;
    this.found = flight.promise.then(() => foundBy(flight));
  }

  get isCurrent(): boolean {
    return !this.#flight.isFenced;
  }

  give(stored: ArrayBufferView, ttlMs: number, cost: number): boolean {
    const { l0, making } = this.#tier;
    const { form, handle, link, options } = l0.parts;
    const flight = this.#flight;
    if (l0.isClosed) throw closed();
    if (flight.isFenced) {
      l0.counts.fenced++;
      return false; // it is ended next
    }
    const isUp = link.isUpFor(flight.at);
    const isAlone = !isUp || flight.isUnknown;
    const isShared = isUp && options.writes !== 'local';
    const ms = isAlone && !isShared ? Math.min(ttlMs, options.aloneTtlMs) : ttlMs;
    const isKept = storeBytes(handle, flight.key, stored, ms, cost);
    if (!isShared) return isKept;
    this.#isEnded = true;
    flight.cost = cost;
    making
      .give(flight, form.toRedis(stored), ttlMs)
      .then(
        (isThere) => {
          if (isThere) l0.counts.writes++;
          else this.#forget('fenced');
        },
        () => this.#forget('lostWrites'),
      )
      .finally(() => this.#land());
    flight.lease = undefined; // the script ends it
    return isKept;
  }

  end(): void {
    const flight = this.#flight;
    flight.isWanted = false;
    if (!flight.isHanded || this.#isEnded) return; // reading.ts goes on with it, and ends it
    this.#isEnded = true;
    this.#tier.making.keepLeases([flight], 0);
    this.#land();
  }

  #land(): void {
    this.#flight.lease = undefined;
    this.#tier.l0.flights.end(this.#flight, undefined);
  }

  /** Redis has another result, or may not have this one. */
  #forget(count: 'fenced' | 'lostWrites'): void {
    const { l0 } = this.#tier;
    l0.counts[count]++;
    l0.delete(this.#flight.key);
  }
}
