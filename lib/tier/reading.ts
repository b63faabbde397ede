// reading.ts: asks Redis for the keys that are looked for: those of one turn together, at most so many at a time.
//
//   load ──► a flight for each key ──► one command for all flights of a turn ──► found: promoted into L0
//                                                                            └► missing: making.ts

import { createHash } from 'node:crypto';
import { now, soon } from '../base/time.js';
import type { Key } from '../cache/keys.js';
import { Flight } from './flights.js';
import { closed, type L0 } from './l0.js';
import { LinkError } from './link.js';
import type { Argument, Reply } from './redis.js';
import { Script } from './script.js';

/** Keys that are asked for at a time: 4 MB of embeddings. Others can be served between two of them. */
const BATCH_KEYS_MAX = 1000;
/** Keys of one MGET of those that last. Redis looks for the next ones while we store these. */
const PART_KEYS_MAX = 250;
/** Batches that wait for their replies at a time. The others wait here. */
const BATCHES_MAX = 32;

/** The times to live of keys, in ms: -1 is for ever, -2 is no key. */
const TIMES_LEFT = 'local t={} for i,k in ipairs(KEYS) do t[i]=redis.call("PTTL",k) end return t';

/** Values of keys, and their times to live. */
const READ = new Script(`local t={} for i,k in ipairs(KEYS) do t[i]=redis.call("PTTL",k) end
return {redis.call("MGET",unpack(KEYS)),t}`);

/** The same of one key: most often one is missing at a time. */
const READ_ONE = new Script('return {redis.call("MGET",KEYS[1]),{redis.call("PTTL",KEYS[1])}}');

/** Deletes a value, if it is still the one with this hash. */
const DROP = new Script(`local v=redis.call("GET",KEYS[1])
if v and redis.sha1hex(v)==ARGV[1] then redis.call("DEL",KEYS[1]) end`);

/** So many keys at most are read by one script. More are worth a transaction, which does not copy values into Lua. */
const SCRIPT_KEYS_MAX = 16;

export class Reading {
  readonly #l0: L0;
  readonly #missing: (flights: readonly Flight[]) => void;
  readonly #stale: (flights: readonly Flight[]) => void;
  readonly #pending: Flight[] = [];
  #batches = 0;

  /**
   * @param missing  is given the flights for which Redis has nothing, or was not asked
   * @param stale    is given those that have ended with a value of which a new one is to be made
   */
  constructor(l0: L0, missing: (flights: readonly Flight[]) => void, stale: (flights: readonly Flight[]) => void) {
    this.#l0 = l0;
    this.#missing = missing;
    this.#stale = stale;
  }

  /**
   * Looks for a key.
   *
   * @param key       nobody changes its bytes
   * @param isWanted  somebody waits for it; otherwise no loader is asked
   */
  look(id: string, key: Key, isWanted: boolean, cost = 0): Flight {
    const flight = new Flight(id, key, this.#l0.at(id), isWanted);
    flight.cost = cost;
    this.#l0.flights.add(flight);
    this.begin(flight);
    return flight;
  }

  begin(flight: Flight): void {
    if (this.#pending.push(flight) === 1) soon(() => this.#pump());
  }

  /** Looks for these once more. */
  again(flights: readonly Flight[]): void {
    this.#pending.push(...flights);
    this.#pump();
  }

  #pump(): void {
    while (this.#pending.length > 0 && this.#batches < BATCHES_MAX) {
      const flights = this.#pending.splice(0, BATCH_KEYS_MAX);
      this.#batches++;
      void this.#run(flights).finally(() => {
        this.#batches--;
        this.#pump();
      });
    }
  }

  async #run(flights: readonly Flight[]): Promise<void> {
    try {
      if (this.#l0.isClosed) throw closed();
      const missing = (await this.#l0.inOrder(() => this.#readAll(flights))).flat();
      if (missing.length > 0) this.#missing(missing);
    } catch (error) {
      for (const flight of flights) this.#l0.flights.fail(flight, error);
    }
  }

  #readAll(flights: readonly Flight[]): Promise<(readonly Flight[])[]> {
    this.#l0.flights.open(flights);
    const groups = this.#l0.parts.link.groups(flights, ({ at }) => at);
    return Promise.all(
      groups.flatMap((group) => {
        const lasts = this.#l0.lasting.includes(group);
        return (lasts ? split(group) : [group]).map((part) => this.#read(part, lasts));
      }),
    );
  }

  /**
   * Asks Redis for keys of one group. Returns the flights for which it has nothing.
   *
   * @param last  they have no time to live
   */
  async #read(flights: readonly Flight[], last: boolean): Promise<readonly Flight[]> {
    const { counts, parts } = this.#l0;
    const keys = flights.map(({ at }) => at);
    const sent = now();
    let values: Reply;
    let times: Reply | undefined;
    try {
      if (last) values = await parts.link.call(keys[0]!, ['MGET', ...keys]);
      else [values, times] = (await this.#withTimes(keys)) as [Reply, Reply];
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      if (error.failure === 'apart' && flights.length > 1)
        return (await Promise.all(flights.map((flight) => this.#read([flight], last)))).flat();
      return this.#failed(flights);
    }
    if (!Array.isArray(values)) return this.#failed(flights);
    const took = now() - sent;
    const missing: Flight[] = [];
    const stale: Flight[] = [];
    for (let i = 0; i < flights.length; ++i) {
      const flight = flights[i]!;
      flight.isUnknown = false;
      const bytes = values[i];
      if (!Buffer.isBuffer(bytes)) {
        missing.push(flight);
        continue;
      }
      const left = last ? -1 : Array.isArray(times) ? times[i] : undefined;
      flight.leftMs = typeof left !== 'number' ? 0 : left === -1 ? Number.POSITIVE_INFINITY : left - took;
      const isStale = flight.leftMs > 0 && flight.leftMs <= parts.options.staleMs;
      if (isStale) stale.push(flight);
      if (!this.#found(flight, bytes, isStale)) missing.push(flight);
    }
    if (stale.length > 0) this.#stale(stale);
    counts.stale += stale.length;
    counts.hits += flights.length - missing.length;
    counts.misses += missing.length;
    return missing;
  }

  /** The values of keys, and what is left of their times to live, at one moment. */
  #withTimes(keys: readonly Argument[]): Promise<Reply> {
    const { link } = this.#l0.parts;
    if (keys.length === 1) return link.run(READ_ONE, keys, []);
    if (keys.length <= SCRIPT_KEYS_MAX) return link.run(READ, keys, []);
    const times = ['EVAL', TIMES_LEFT, `${keys.length}`, ...keys];
    return link.call(keys[0]!, ['MULTI'], ['MGET', ...keys], times, ['EXEC']);
  }

  #failed(flights: readonly Flight[]): readonly Flight[] {
    this.#l0.counts.failed += flights.length;
    for (const flight of flights) flight.isUnknown = true;
    return flights;
  }

  /** False: it is no result of the model, which is to compute it. */
  #found(flight: Flight, bytes: Buffer, isStale: boolean): boolean {
    const { form, explain, model, options } = this.#l0.parts;
    try {
      const stored = form.fromRedis(bytes);
      if (model !== undefined) flight.result = { value: model.read(stored) };
      // A stale one is looked at again soon: who makes a new one may be gone.
      const mostMs = isStale ? Math.min(flight.leftMs, options.leaseMs) : flight.leftMs - options.staleMs;
      this.#l0.keep(flight, stored, Math.min(this.#l0.ttl(), mostMs));
      this.#l0.flights.end(flight, stored);
    } catch (error) {
      if (model !== undefined && flight.result === undefined) {
        flight.unreadable++;
        this.#drop(flight, bytes);
        return false;
      }
      // A result that L0 does not take is one all the same.
      if (model !== undefined) this.#l0.flights.end(flight, undefined);
      else this.#l0.flights.fail(flight, explain(error, flight.key));
    }
    return true;
  }

  /** Deletes what no codec can read, so that others need not read it either. */
  #drop({ at }: Flight, bytes: Buffer): void {
    const { link, options } = this.#l0.parts;
    if (options.writes === 'local') return;
    link.run(DROP, [at], [createHash('sha1').update(bytes).digest('hex')]).catch(() => {});
  }
}

function split(flights: readonly Flight[]): (readonly Flight[])[] {
  const count = Math.ceil(flights.length / PART_KEYS_MAX);
  const each = Math.ceil(flights.length / count);
  return Array.from({ length: count }, (_, i) => flights.slice(i * each, (i + 1) * each));
}
