// tier.ts: what lies behind one keyspace: Redis, and behind that a loader.
//
//   load ──► a flight for each key, joined by whoever asks for the same key meanwhile
//              └ one MGET for all flights of a turn ──► found: promoted into L0, with what is left of its time
//                                                   └► missing: who gets the lease asks the loader, the others wait
//
// Coherence. L0 holds a value only if Redis will tell this process when it changes. The link (link.ts) gives replies and
// pushes in Redis's own order. Still a push may be handled between the reply of a read and the storing of it, because
// whoever waits for a reply goes on a moment later. So each flight has a fence: a push about its key, a flush, a lost
// connection or a write of our own closes it. A value that comes through a closed fence is given to those who asked
// before, and is not stored; who asks afterwards has a flight of his own.
//
// Redis does not tell us of our own writes. A write is stored in L0 at once and sent in the same turn, so what is read
// over the link later comes after it. If it fails, L0 forgets the key.

import { native } from '../addon/native.js';
import { CacheError } from '../base/errors.js';
import { clearInterval, clearTimeout, now, setInterval, setTimeout, soon } from '../base/time.js';
import type { Key } from '../cache/keys.js';
import type { Lifetime } from '../cache/options.js';
import { storeBytes } from '../cache/stored.js';
import { Asking } from './asking.js';
import { Flight, Flights, type Stored } from './flights.js';
import { copied, type Form, px, wholeMs } from './forms.js';
import { idOf, idOfBytes, isAscii, keyOf, redisKeyOf } from './keys.js';
import { giveValue, keepLeases, newToken, type Taken, takeLeases } from './leases.js';
import { type Link, LinkError, type Tracker } from './link.js';
import type { CheckedTier } from './options.js';
import type { Argument, Octets, Reply } from './redis.js';
import { Script } from './script.js';
import { WriteQueue } from './write-queue.js';

/** What a tier works with. */
export interface TierParts extends Lifetime {
  /** A native handle of the keyspace, of the tier's own. */
  readonly handle: number;
  readonly integerKeys: boolean;
  readonly form: Form;
  readonly prefix: string;
  readonly options: CheckedTier;
  readonly link: Link;
  /** The bytes of a value that the loader gave. */
  encode(value: unknown): ArrayBufferView;
  /** The error to tell, for one that is about this key. */
  explain(error: unknown, key: Key): unknown;
}

/** Keys of one MGET: 4 MB of embeddings. Others can be served between two of them. */
const BATCH_KEYS_MAX = 1000;
/** Batches that wait for their replies at a time. The others wait here. */
const BATCHES_MAX = 32;
/** Bytes of writes that wait for their replies. What comes on top is refused. */
const WRITING_BYTES_MAX = 64 * 1024 * 1024;

/** After a key has changed that somebody waits for. */
const WAKE_MS = 2;

/** More of these keys are not read again. A Redis that does not tell of our own scripts never takes them off. */
const GIVEN_MAX = 10_000;

/** The times to live of keys, in ms: -1 is for ever, -2 is no key. */
const TIMES_LEFT = 'local t={} for i,k in ipairs(KEYS) do t[i]=redis.call("PTTL",k) end return t';

/** Values of keys, and their times to live. */
const READ = new Script(`local t={} for i,k in ipairs(KEYS) do t[i]=redis.call("PTTL",k) end
return {redis.call("MGET",unpack(KEYS)),t}`);

/** So many keys at most are read by one script. More are worth a transaction, which does not copy values into Lua. */
const SCRIPT_KEYS_MAX = 16;

export class Tier implements Tracker {
  readonly prefix: Octets;
  readonly link: Link;
  readonly counts = {
    /** Keys that Redis had, and had not. */
    hits: 0,
    misses: 0,
    /** Keys that the loader was asked for, and that another process was asked for meanwhile. */
    loaded: 0,
    waited: 0,
    /** Keys that Redis could not be asked for, and values that were not stored because their key changed meanwhile. */
    failed: 0,
    fenced: 0,
    writes: 0,
    lostWrites: 0,
  };
  readonly #parts: TierParts;
  readonly #prefixText: string;
  readonly #prefixIsAscii: boolean;
  readonly #flights = new Flights();
  readonly #queue: WriteQueue | undefined;
  readonly #asking: Asking | undefined;
  /** Those that wait for another process: all of them, and the one to wake for a key. */
  readonly #waiting = new Set<() => void>();
  readonly #wakes = new Map<string, () => void>();
  /** Keys that a script of ours may have stored a moment ago. */
  readonly #given = new Set<string>();
  #isClosed = false;
  #pending: Flight[] = [];
  #batches = 0;
  #writingBytes = 0;

  constructor(parts: TierParts) {
    this.#parts = parts;
    this.link = parts.link;
    this.#prefixText = parts.link.keyPrefix + parts.prefix;
    this.prefix = Buffer.from(this.#prefixText);
    this.#prefixIsAscii = isAscii(this.#prefixText);
    const { writes, queue, loader, loaderTimeoutMs } = parts.options;
    if (loader !== undefined) this.#asking = new Asking(loader, loaderTimeoutMs);
    if (writes === 'behind')
      this.#queue = new WriteQueue(queue, {
        canSend: () => this.link.isUp && this.#writingBytes < WRITING_BYTES_MAX,
        send: ({ id, key, at, bytes, ttlMs }) => {
          this.#flights.fence(id, true);
          this.link.wrote(this.#bytesOf(id), this);
          return this.#send(key, ['SET', at, bytes, ...px(ttlMs)], bytes.length);
        },
      });
    native.clear(parts.handle); // what is there was not tracked
    this.link.add(this);
  }

  get queued(): number {
    return this.#queue?.length ?? 0;
  }

  /** What Redis or the loader has under `key`, or a write that Redis is yet to be told of. */
  load(key: Key): Promise<Stored> {
    const id = idOf(key);
    const queued = this.#queue?.get(id);
    if (queued !== undefined) return Promise.resolve(this.#parts.form.fromRedis(queued));
    const known = this.#flights.get(id);
    if (known !== undefined) {
      known.isWanted = true;
      return known.promise;
    }
    if (this.#isClosed) return Promise.reject(closed());
    // The caller may change the bytes of a key.
    return this.#look(id, typeof key === 'object' ? keyOf(id, false)! : key, true);
  }

  #look(id: string, key: Key, isWanted: boolean): Promise<Stored> {
    const at = redisKeyOf(this.#prefixText, this.#prefixIsAscii, this.prefix, id);
    const flight = new Flight(id, key, at, isWanted);
    this.#flights.add(flight);
    if (this.#pending.push(flight) === 1) soon(() => this.#pump());
    return flight.promise;
  }

  /**
   * Stores in L0 and in Redis. Returns whether L0 took it, and what ends when Redis has it.
   *
   * @param stored  as the codec has it. It is copied.
   */
  write(key: Key, stored: ArrayBufferView, ttlMs: number, cost: number): { kept: boolean; done: Promise<void> } {
    const { writes, aloneTtlMs, handle, form } = this.#all;
    const id = idOf(key);
    this.#flights.fence(id, true);
    if (writes === 'local') return { kept: storeBytes(handle, key, stored, ttlMs, cost), done: Promise.resolve() };
    this.link.wrote(this.#bytesOf(id), this);
    const bytes = form.toRedis(stored);
    const isAlone = !this.link.isUp && !this.link.isStarting && this.#queue === undefined;
    const kept = storeBytes(handle, key, stored, isAlone ? Math.min(ttlMs, aloneTtlMs) : ttlMs, cost);
    const at = redisKeyOf(this.#prefixText, this.#prefixIsAscii, this.prefix, id);
    if (this.#queue !== undefined) {
      const own = typeof key === 'object' ? keyOf(id, false)! : key;
      if (this.#queue.add({ id, key: own, at, bytes, ttlMs })) return { kept, done: Promise.resolve() };
      this.#lost(key);
      return { kept: false, done: failedWrite(`the queue is full: see upstream.queue`) };
    }
    if (isAlone) {
      this.counts.lostWrites++;
      return { kept, done: failedWrite(`${this.link.shown} is not connected`) };
    }
    return { kept, done: this.#send(key, ['SET', at, bytes, ...px(ttlMs)], bytes.length) };
  }

  /** Forgets the key in L0 and in Redis. */
  remove(key: Key): { was: boolean; done: Promise<void> } {
    const { writes, handle } = this.#all;
    const id = idOf(key);
    this.#flights.fence(id, true);
    const was = native.delete(handle, key);
    if (writes === 'local') return { was, done: Promise.resolve() };
    this.#queue?.delete(id);
    this.link.wrote(this.#bytesOf(id), this);
    const at = redisKeyOf(this.#prefixText, this.#prefixIsAscii, this.prefix, id);
    return { was, done: this.#send(key, ['DEL', at], 0) };
  }

  /**
   * Tells Redis of a time to live. Infinity: for ever. L0 reads the value anew: another client may have written it in the
   * same turn of Redis's loop, which then tells us of neither, because the last change was ours.
   */
  expire(key: Key, ttlMs: number): Promise<void> {
    const { writes, handle } = this.#all;
    if (writes === 'local') return Promise.resolve();
    const id = idOf(key);
    this.#flights.fence(id, true); // what is being read comes with the time that was left before
    this.link.wrote(this.#bytesOf(id), this);
    const at = redisKeyOf(this.#prefixText, this.#prefixIsAscii, this.prefix, id);
    const command = ttlMs === Number.POSITIVE_INFINITY ? ['PERSIST', at] : ['PEXPIRE', at, wholeMs(ttlMs)];
    const sent = this.#send(key, command, 0);
    const own = keyOf(id, this.#parts.integerKeys)!;
    if (native.delete(handle, own) && this.#queue?.get(id) === undefined) this.#look(id, own, false).catch(() => {});
    return sent;
  }

  /** Ends when Redis has all writes that wait, or when they cannot be told. */
  async flushed(): Promise<void> {
    await this.#queue?.flushed();
  }

  changed(key: Octets): void {
    const id = idOfBytes(key);
    this.#flights.fence(id);
    const wake = this.#wakes.get(id);
    if (wake !== undefined) setTimeout(wake, WAKE_MS); // with those of the same batch
    const own = keyOf(id, this.#parts.integerKeys);
    if (own === undefined || key.length === 0 || key.length > KEY_BYTES_MAX) return;
    native.delete(this.#parts.handle, own);
    // Redis tells us of what our own script stored, or of another one's write besides: it is read to know.
    if (this.#given.delete(id)) this.#look(id, own, false).catch(() => {});
  }

  forgetAll(): void {
    this.#given.clear();
    this.#flights.fenceAll();
    if (!this.#isClosed) native.clear(this.#parts.handle);
  }

  turned(up: boolean): void {
    if (up) this.#queue?.drain();
    else for (const wake of [...this.#waiting]) wake();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.link.remove(this);
    this.#asking?.end(closed());
    for (const wake of [...this.#waiting]) wake();
    this.#flights.failAll(closed());
  }

  get #all() {
    const { handle, form, options } = this.#parts;
    return { handle, form, ...options };
  }

  #bytesOf(id: string): Buffer {
    return Buffer.concat([this.prefix, Buffer.from(id, 'latin1')]);
  }

  #lost(key: Key): void {
    this.counts.lostWrites++;
    if (!this.#isClosed) native.delete(this.#parts.handle, key);
  }

  /** Sends a write. If it fails, L0 forgets the key. */
  async #send(key: Key, command: readonly Argument[], bytes: number): Promise<void> {
    if (this.#writingBytes + bytes > WRITING_BYTES_MAX && this.#writingBytes > 0) {
      this.#lost(key);
      return failedWrite('too many writes wait for Redis');
    }
    this.#writingBytes += bytes;
    try {
      if (this.link.isStarting) await this.link.ready();
      await this.link.call(command[1]!, command);
      this.counts.writes++;
    } catch (error) {
      this.#lost(key);
      throw new CacheError('ERR_UPSTREAM_WRITE', `a write may not be in Redis: ${(error as Error).message}`, {
        cause: error,
      });
    } finally {
      this.#writingBytes -= bytes;
    }
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
      if (this.#isClosed) throw closed();
      if (this.link.isStarting) await this.link.ready();
      this.#flights.open(flights);
      const groups = this.link.groups(flights, ({ at }) => at);
      const missing = (await Promise.all(groups.map((group) => this.#read(group)))).flat();
      if (missing.length > 0) void this.#make(missing);
    } catch (error) {
      for (const flight of flights) this.#flights.fail(flight, error);
    }
  }

  /** Asks Redis for keys of one group. Returns the flights for which it has nothing. */
  async #read(flights: readonly Flight[]): Promise<readonly Flight[]> {
    const keys = flights.map(({ at }) => at);
    const sent = now();
    let reply: Reply;
    try {
      reply =
        keys.length <= SCRIPT_KEYS_MAX
          ? await this.link.run(READ, keys, [])
          : await this.link.call(
              keys[0]!,
              ['MULTI'],
              ['MGET', ...keys],
              ['EVAL', TIMES_LEFT, `${keys.length}`, ...keys],
              ['EXEC'],
            );
    } catch (error) {
      if (!(error instanceof LinkError)) throw error;
      this.counts.failed += flights.length;
      return flights;
    }
    const [values, times] = reply as [Reply, Reply];
    if (!Array.isArray(values)) {
      this.counts.failed += flights.length;
      return flights;
    }
    const took = now() - sent;
    const missing: Flight[] = [];
    for (const [i, flight] of flights.entries()) {
      const bytes = values[i];
      if (!Buffer.isBuffer(bytes)) {
        missing.push(flight);
        continue;
      }
      const left = Array.isArray(times) ? times[i] : undefined;
      this.#found(flight, bytes, typeof left !== 'number' ? 0 : left === -1 ? Number.POSITIVE_INFINITY : left - took);
    }
    this.counts.hits += flights.length - missing.length;
    this.counts.misses += missing.length;
    return missing;
  }

  /** @param left  how long L0 may hold it, in ms */
  #found(flight: Flight, bytes: Buffer, left: number): void {
    const { form, explain } = this.#parts;
    try {
      const stored = form.fromRedis(bytes);
      this.#keep(flight, stored, Math.min(this.#ttl(), left));
      this.#flights.end(flight, stored);
    } catch (error) {
      this.#flights.fail(flight, explain(error, flight.key));
    }
  }

  /** Has one process ask its loader, if there are leases; the others wait for what it stores. */
  async #make(flights: readonly Flight[]): Promise<void> {
    const { leaseMs, loaderTimeoutMs } = this.#parts.options;
    if (this.#asking === undefined || flights.some(({ isWanted }) => !isWanted)) {
      const wanted = this.#asking === undefined ? [] : flights.filter(({ isWanted }) => isWanted);
      for (const flight of flights) if (!wanted.includes(flight)) this.#flights.end(flight, undefined);
      if (wanted.length > 0) await this.#make(wanted);
      return;
    }
    if (leaseMs === 0 || !this.link.isUp) {
      await this.#ask(flights, undefined);
      return;
    }
    // Who has waited for others for so long waits no more.
    const patient = flights.filter(({ since }) => now() - since < loaderTimeoutMs);
    const others = flights.filter((flight) => !patient.includes(flight));
    if (others.length > 0) void this.#ask(others, undefined);
    if (patient.length === 0) return;
    const token = newToken();
    let taken: Taken[];
    try {
      const keys = patient.map(({ at }) => at);
      taken = await takeLeases(this.link, keys, token, leaseMs);
    } catch {
      await this.#ask(patient, undefined);
      return;
    }
    const ours = patient.filter((_, i) => taken[i] === 'ours');
    const rest = patient.filter((_, i) => taken[i] !== 'ours');
    if (rest.length > 0) {
      const times = taken.map((one) =>
        one === 'ours' ? Number.POSITIVE_INFINITY : one === 'value' ? 0 : one.othersForMs,
      );
      this.#waitForOthers(rest, Math.min(...times));
    }
    if (ours.length > 0) await this.#ask(ours, token);
  }

  /** Looks for these again when one of them changes, or when the lease of another process is over. */
  #waitForOthers(flights: readonly Flight[], ms: number): void {
    const again = () => {
      if (!this.#waiting.delete(again)) return;
      clearTimeout(timer);
      for (const { id } of flights) if (this.#wakes.get(id) === again) this.#wakes.delete(id);
      this.#pending.push(...flights);
      this.#pump();
    };
    const timer = setTimeout(again, ms);
    this.#waiting.add(again);
    if (ms === 0) return; // there is a value now
    this.counts.waited += flights.length;
    for (const { id } of flights) this.#wakes.set(id, again);
  }

  /** Asks the loader, gives what it has, and tells Redis of it. @param token  of our leases */
  async #ask(flights: readonly Flight[], token: string | undefined): Promise<void> {
    const { leaseMs } = this.#parts.options;
    if (this.#isClosed) {
      for (const flight of flights) this.#flights.fail(flight, closed());
      return;
    }
    this.#flights.open(flights);
    this.counts.loaded += flights.length;
    const keep = (of: readonly Flight[], ms: number) => {
      const keys = of.map(({ at }) => at);
      if (token !== undefined && keys.length > 0) keepLeases(this.link, keys, token, ms).catch(() => {});
    };
    const timer = token === undefined ? undefined : setInterval(() => keep(flights, leaseMs), leaseMs / 3);
    let made: { flight: Flight; stored: Uint8Array<ArrayBuffer> }[];
    try {
      const values = await this.#asking!.ask(flights.map(({ key }) => key));
      made = flights.flatMap((flight, i) => {
        const value = values[i];
        return value === undefined || value === null ? [] : [{ flight, stored: copied(this.#parts.encode(value)) }];
      });
    } catch (error) {
      keep(flights, 0);
      for (const flight of flights) this.#flights.fail(flight, error);
      return;
    } finally {
      clearInterval(timer);
    }
    const has = new Set(made.map(({ flight }) => flight));
    for (const flight of flights) if (!has.has(flight)) this.#flights.end(flight, undefined);
    // Nothing will be stored for these, so others need not wait.
    keep(
      flights.filter((flight) => flight.isFenced || !has.has(flight)),
      0,
    );
    for (const { flight, stored } of made) flight.resolve(stored);
    const ttlMs = this.#ttl();
    await Promise.all(made.map(({ flight, stored }) => this.#publish(flight, stored, ttlMs, token)));
  }

  /** Redis and L0 get what the loader made, unless there is another value already, or another holder of the lease. */
  async #publish(
    flight: Flight,
    stored: Uint8Array<ArrayBuffer>,
    ttlMs: number,
    token: string | undefined,
  ): Promise<void> {
    const { form, options } = this.#parts;
    if (options.writes === 'local' || !this.link.isUp) {
      this.#keep(flight, stored, this.link.isUp ? ttlMs : Math.min(ttlMs, options.aloneTtlMs));
      this.#flights.end(flight, stored);
      return;
    }
    try {
      if (flight.isFenced) this.counts.fenced++;
      else {
        this.link.wrote(this.#bytesOf(flight.id), this);
        const sent = now();
        const bytes = form.toRedis(stored);
        const [, ttl = ''] = px(ttlMs);
        if (token !== undefined && this.#given.size < GIVEN_MAX) this.#given.add(flight.id);
        const isThere =
          token !== undefined
            ? await giveValue(this.link, flight.at, token, bytes, ttl)
            : (await this.link.call(flight.at, ['SET', flight.at, bytes, 'NX', ...px(ttlMs)])) !== null;
        if (isThere) {
          this.counts.writes++;
          this.#keep(flight, stored, ttlMs - (now() - sent));
        } else this.counts.fenced++;
      }
    } catch {
      this.counts.lostWrites++;
    }
    this.#flights.end(flight, stored);
  }

  #keep(flight: Flight, stored: Uint8Array<ArrayBuffer>, ttlMs: number): void {
    if (flight.isFenced) this.counts.fenced++;
    else if (ttlMs >= 1 && !this.#isClosed) storeBytes(this.#parts.handle, flight.key, stored, ttlMs, 0);
  }

  #ttl(): number {
    const { ttl, ttlJitter } = this.#parts;
    return ttlJitter === 0 ? ttl : ttl * (1 - ttlJitter * Math.random());
  }
}

/** Of a key in L0. */
const KEY_BYTES_MAX = 65_535;

function failedWrite(reason: string): Promise<never> {
  const failed = Promise.reject(new CacheError('ERR_UPSTREAM_WRITE', `a write is not in Redis: ${reason}`));
  failed.catch(() => {}); // `set` does not look at it
  return failed;
}

const closed = () => new CacheError('ERR_CACHE_CLOSED', 'the cache was closed');
