// tier.ts: what lies behind one keyspace: Redis, and behind that a loader.
//
//   load ──► a flight for each key, joined by whoever asks for the same key meanwhile
//              └ one MGET for all flights of a turn ──► found: promoted into L0, with what is left of its time
//                                                   └► missing: one call of the loader, then SET NX
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
import { clearTimeout, now, setTimeout, soon } from '../base/time.js';
import type { Key } from '../cache/keys.js';
import type { Lifetime } from '../cache/options.js';
import { storeBytes } from '../cache/stored.js';
import type { Form } from './forms.js';
import { idOf, idOfBytes, isAscii, keyOf, redisKeyOf } from './keys.js';
import { type Link, LinkError, type Tracker } from './link.js';
import type { CheckedTier } from './options.js';
import type { Argument, Reply } from './redis.js';
import { WriteQueue } from './write-queue.js';

/** What L0 holds under a key; undefined: there is no value. */
export type Stored = Uint8Array<ArrayBuffer> | undefined;

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

/** A key that is looked for. */
class Flight {
  isFenced = false;
  readonly promise: Promise<Stored>;
  resolve!: (stored: Stored) => void;
  reject!: (error: unknown) => void;

  constructor(
    readonly id: string,
    readonly key: Key,
    readonly at: Argument,
  ) {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

/** Keys of one MGET: 4 MB of embeddings. Others can be served between two of them. */
const BATCH_KEYS_MAX = 1000;
/** Batches that wait for their replies at a time. The others wait here. */
const BATCHES_MAX = 32;
/** Bytes of writes that wait for their replies. What comes on top is refused. */
const WRITING_BYTES_MAX = 64 * 1024 * 1024;

/** The times to live of keys, in ms: -1 is for ever, -2 is no key. */
const TIMES_LEFT = 'local t={} for i,k in ipairs(KEYS) do t[i]=redis.call("PTTL",k) end return t';

export class Tier implements Tracker {
  readonly prefix: Buffer;
  readonly link: Link;
  readonly counts = {
    /** Keys that Redis had, and had not. */
    hits: 0,
    misses: 0,
    /** Keys that the loader was asked for. */
    loaded: 0,
    /** Keys that Redis could not be asked for, and values that were not stored because their key changed meanwhile. */
    failed: 0,
    fenced: 0,
    writes: 0,
    lostWrites: 0,
  };
  readonly #parts: TierParts;
  readonly #prefixText: string;
  readonly #prefixIsAscii: boolean;
  readonly #flights = new Map<string, Flight>();
  readonly #queue: WriteQueue | undefined;
  /** One for each call of the loader. */
  readonly #loading = new Set<AbortController>();
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
    const { writes, queue } = parts.options;
    if (writes === 'behind')
      this.#queue = new WriteQueue(queue, {
        canSend: () => this.link.isUp && this.#writingBytes < WRITING_BYTES_MAX,
        send: ({ id, key, at, bytes, ttlMs }) => {
          this.#fence(id);
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
    if (known !== undefined) return known.promise;
    if (this.#isClosed) return Promise.reject(closed());
    const own = typeof key === 'object' ? keyOf(id, false)! : key; // the caller may change its bytes
    const flight = new Flight(id, own, redisKeyOf(this.#prefixText, this.#prefixIsAscii, this.prefix, id));
    this.#flights.set(id, flight);
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
    this.#fence(id);
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
    this.#fence(id);
    const was = native.delete(handle, key);
    if (writes === 'local') return { was, done: Promise.resolve() };
    this.#queue?.delete(id);
    this.link.wrote(this.#bytesOf(id), this);
    const at = redisKeyOf(this.#prefixText, this.#prefixIsAscii, this.prefix, id);
    return { was, done: this.#send(key, ['DEL', at], 0) };
  }

  /** Tells Redis of a time to live that L0 has already. Infinity: for ever. */
  expire(key: Key, ttlMs: number): Promise<void> {
    if (this.#all.writes === 'local') return Promise.resolve();
    const id = idOf(key);
    this.#fence(id); // what is being read comes with the time that was left before
    this.link.wrote(this.#bytesOf(id), this);
    const at = redisKeyOf(this.#prefixText, this.#prefixIsAscii, this.prefix, id);
    return this.#send(key, ttlMs === Number.POSITIVE_INFINITY ? ['PERSIST', at] : ['PEXPIRE', at, wholeMs(ttlMs)], 0);
  }

  /** Ends when Redis has all writes that wait, or when they cannot be told. */
  async flushed(): Promise<void> {
    await this.#queue?.flushed();
  }

  changed(key: Buffer): void {
    const id = idOfBytes(key);
    this.#fence(id);
    const own = keyOf(id, this.#parts.integerKeys);
    if (own !== undefined && key.length > 0 && key.length <= KEY_BYTES_MAX) native.delete(this.#parts.handle, own);
  }

  forgetAll(): void {
    for (const flight of this.#flights.values()) flight.isFenced = true;
    this.#flights.clear();
    if (!this.#isClosed) native.clear(this.#parts.handle);
  }

  turned(up: boolean): void {
    if (up) this.#queue?.drain();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.link.remove(this);
    for (const controller of this.#loading) controller.abort(closed());
    for (const flight of this.#flights.values()) flight.reject(closed());
    this.#flights.clear();
  }

  get #all() {
    const { handle, form, options } = this.#parts;
    return { handle, form, ...options };
  }

  #bytesOf(id: string): Buffer {
    return Buffer.concat([this.prefix, Buffer.from(id, 'latin1')]);
  }

  /** What was read of this key until now is not stored, and nobody joins it. */
  #fence(id: string): void {
    const flight = this.#flights.get(id);
    if (flight === undefined) return;
    flight.isFenced = true;
    this.#flights.delete(id);
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
      await this.link.call(command);
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
      if (this.link.isStarting) await this.link.ready();
      const missing = this.link.isUp ? await this.#read(flights) : flights;
      if (!this.link.isUp) this.counts.failed += missing.length;
      if (missing.length > 0) void this.#make(missing);
    } catch (error) {
      for (const flight of flights) this.#fail(flight, error);
    }
  }

  /** Asks Redis. Returns the flights for which it has nothing. */
  async #read(flights: readonly Flight[]): Promise<readonly Flight[]> {
    this.#open(flights);
    const keys = flights.map(({ at }) => at);
    const sent = now();
    let reply: Reply;
    try {
      const times: Argument[] =
        keys.length === 1 ? ['PTTL', keys[0]!] : ['EVAL', TIMES_LEFT, `${keys.length}`, ...keys];
      reply = await this.link.call(['MULTI'], ['MGET', ...keys], times, ['EXEC']);
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
      const left = keys.length === 1 ? times : Array.isArray(times) ? times[i] : undefined;
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
      this.#end(flight, stored);
    } catch (error) {
      this.#fail(flight, explain(error, flight.key));
    }
  }

  /** Asks the loader, gives what it has, and tells Redis of it. */
  async #make(flights: readonly Flight[]): Promise<void> {
    const { loader } = this.#parts.options;
    if (loader === undefined) {
      for (const flight of flights) this.#end(flight, undefined);
      return;
    }
    this.#open(flights);
    this.counts.loaded += flights.length;
    let made: { flight: Flight; stored: Uint8Array<ArrayBuffer> }[];
    try {
      made = await this.#ask(loader, flights);
    } catch (error) {
      for (const flight of flights) this.#fail(flight, error);
      return;
    }
    const ttlMs = this.#ttl();
    await Promise.all(made.map(({ flight, stored }) => this.#publish(flight, stored, ttlMs)));
  }

  async #ask(
    loader: NonNullable<CheckedTier['loader']>,
    flights: readonly Flight[],
  ): Promise<{ flight: Flight; stored: Uint8Array<ArrayBuffer> }[]> {
    const { loaderTimeoutMs } = this.#parts.options;
    const controller = new AbortController();
    this.#loading.add(controller);
    const timer = setTimeout(() => controller.abort(lateLoader(loaderTimeoutMs)), loaderTimeoutMs);
    const ended = new Promise<never>((_, reject) => {
      controller.signal.addEventListener('abort', () => reject(controller.signal.reason), { once: true });
    });
    try {
      const asked = flights.map(({ key }) => key);
      const values = await Promise.race([loader(asked, { signal: controller.signal }), ended]);
      if (!Array.isArray(values) || values.length !== flights.length)
        throw new CacheError(
          'ERR_UPSTREAM_LOADER',
          `the loader was asked for ${flights.length} keys: expected an array of as many values, received ` +
            (Array.isArray(values) ? `${values.length} values` : typeof values),
        );
      const made: { flight: Flight; stored: Uint8Array<ArrayBuffer> }[] = [];
      for (const [i, flight] of flights.entries()) {
        const value: unknown = values[i];
        if (value === undefined || value === null) this.#end(flight, undefined);
        else made.push({ flight, stored: copied(this.#parts.encode(value)) });
      }
      for (const { flight, stored } of made) flight.resolve(stored);
      return made;
    } finally {
      clearTimeout(timer);
      this.#loading.delete(controller);
    }
  }

  /** Redis and L0 get what the loader made, unless there is another value already. */
  async #publish(flight: Flight, stored: Uint8Array<ArrayBuffer>, ttlMs: number): Promise<void> {
    const { form, options } = this.#parts;
    if (options.writes === 'local' || !this.link.isUp) {
      this.#keep(flight, stored, this.link.isUp ? ttlMs : Math.min(ttlMs, options.aloneTtlMs));
      this.#end(flight, stored);
      return;
    }
    try {
      if (!flight.isFenced) {
        this.link.wrote(this.#bytesOf(flight.id), this);
        const sent = now();
        const reply = await this.link.call(['SET', flight.at, form.toRedis(stored), 'NX', ...px(ttlMs)]);
        this.counts.writes++;
        if (reply !== null) this.#keep(flight, stored, ttlMs - (now() - sent));
      }
    } catch {
      this.counts.lostWrites++;
    }
    this.#end(flight, stored);
  }

  #keep(flight: Flight, stored: Uint8Array<ArrayBuffer>, ttlMs: number): void {
    if (flight.isFenced) this.counts.fenced++;
    else if (ttlMs >= 1 && !this.#isClosed) storeBytes(this.#parts.handle, flight.key, stored, ttlMs, 0);
  }

  /** What these flights find from now on counts. */
  #open(flights: readonly Flight[]): void {
    for (const flight of flights) {
      if (!flight.isFenced) continue;
      // Somebody may look for the key anew: then this flight stays fenced, and that one stores.
      if (this.#flights.has(flight.id)) continue;
      flight.isFenced = false;
      this.#flights.set(flight.id, flight);
    }
  }

  #end(flight: Flight, stored: Stored): void {
    if (this.#flights.get(flight.id) === flight) this.#flights.delete(flight.id);
    flight.resolve(stored);
  }

  #fail(flight: Flight, error: unknown): void {
    if (this.#flights.get(flight.id) === flight) this.#flights.delete(flight.id);
    flight.reject(error);
  }

  #ttl(): number {
    const { ttl, ttlJitter } = this.#parts;
    return ttlJitter === 0 ? ttl : ttl * (1 - ttlJitter * Math.random());
  }
}

/** Of a key in L0. */
const KEY_BYTES_MAX = 65_535;

const wholeMs = (ttlMs: number): string => `${Math.max(1, Math.ceil(ttlMs))}`;

const px = (ttlMs: number): string[] => (ttlMs === Number.POSITIVE_INFINITY ? [] : ['PX', wholeMs(ttlMs)]);

function copied(view: ArrayBufferView): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(view.byteLength);
  copy.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  return copy;
}

function failedWrite(reason: string): Promise<never> {
  const failed = Promise.reject(new CacheError('ERR_UPSTREAM_WRITE', `a write is not in Redis: ${reason}`));
  failed.catch(() => {}); // `set` does not look at it
  return failed;
}

const closed = () => new CacheError('ERR_CACHE_CLOSED', 'the cache was closed');

const lateLoader = (ms: number) =>
  new CacheError('ERR_UPSTREAM_LOADER', `the loader took longer than ${ms} ms: see upstream.loaderTimeout`);
