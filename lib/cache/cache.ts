// cache.ts: opens a cache, and has what belongs to the cache as a whole. Rooms that use a cache, such as models and
// blobs, attach themselves to it (rooms.ts).

import { native, reportHeap } from '../addon/native.js';
import { whenCollected } from '../base/collected.js';
import { brand } from '../base/kinds.js';
import {
  type Duration,
  type DurationText,
  optionsObject,
  type SizeText,
  textOption,
  typeError,
  waitOption,
} from '../base/options.js';
import { clearInterval, now, setInterval, wall } from '../base/time.js';
import type { ReadonlyUint8Array } from '../base/views.js';
import { bytes, type Codec } from './codecs.js';
import type { Key, KeyKind, KeyOf } from './keys.js';
import { Keyspace } from './keyspace.js';
import { tidyNearCaches } from './near.js';
import {
  type CheckedKeyspaceOptions,
  type CheckedOpenOptions,
  type CustomKeyspaceOptions,
  type KeyspaceOptions,
  keyspaceOptions,
  type Lifetime,
  type OpenOptions,
  openOptions,
} from './options.js';
import { prepareRooms } from './rooms.js';
import { type CacheStats, cacheStatsOf } from './stats.js';
import { upstreamTotals } from './upstreams.js';

/** Of a keyspace's name: a model's has its name, version and scope in it, as JSON. */
const NAME_BYTES_MAX = 16 * 1024;

/** How often an isolate with open caches looks for memory to give back. */
const MAINTENANCE_MS = 1000;

/** Options of {@link Cache.close}. */
export interface CacheCloseOptions {
  /** How long what is under way may take to finish: 0 to 24 days. Default 0. */
  drain?: Duration | undefined;
}

/** Finishes work within `ms`, and gives up what takes longer. Never rejects. Returns whether all of it was finished. */
export type Drain = (ms: number) => Promise<boolean>;

let openCaches = 0;
let maintenance: NodeJS.Timeout | undefined;

// A cache that was dropped without close() is closed when it is collected.
const dropped = whenCollected<{ handle: number; after: () => void }>(({ handle, after }) => {
  native.close(handle);
  after();
});

function maintain(): void {
  wall.read();
  tidyNearCaches();
  native.maintain();
}

function startMaintenance(): void {
  openCaches++;
  // Unreferenced: it keeps no process alive.
  maintenance ??= setInterval(maintain, MAINTENANCE_MS).unref();
}

function stopMaintenance(): void {
  if (--openCaches > 0) return;
  clearInterval(maintenance);
  maintenance = undefined;
}

/** An open cache. It is itself a keyspace of bytes with public scope. Made by {@link open}. */
export class Cache extends Keyspace<ReadonlyUint8Array, ReadonlyUint8Array, Uint8Array<ArrayBuffer>> {
  readonly #keyspaces = new Set<WeakRef<{ shut(): void }>>();
  readonly #clearing: (() => void)[] = [];
  readonly #closing: (() => void)[] = [];
  readonly #draining = { first: [] as Drain[], last: [] as Drain[] };
  readonly #lifetime: Lifetime;
  #open = true;

  /** @internal */
  static of(options: CheckedOpenOptions): Cache {
    return new Cache(options);
  }

  private constructor(options: CheckedOpenOptions) {
    const { name, maxBytes, verify, maxEntries, policy, policyNumber, aging, admission, ttl, ttlJitter } = options;
    const handle = native.open(
      name,
      maxBytes,
      verify,
      maxEntries,
      `policy ${policy}, aging ${aging}, admission ${admission}, ttl ${ttl} ms, ttlJitter ${ttlJitter}`,
      policyNumber,
      aging,
      admission,
    );
    super(handle, bytes, { ttl, ttlJitter, copy: false, near: true });
    this.#lifetime = { ttl, ttlJitter };
    const near = this.nearCache;
    const after = () => {
      near?.close();
      stopMaintenance();
    };
    dropped.register(this, { handle, after }, this);
    startMaintenance();
  }

  /**
   * A part of the cache with keys of its own. Opening a name again, in the same scope, gives the same entries.
   *
   * @throws {CacheError} `ERR_CACHE_OPTIONS`: it is open with another codec, kind of keys, `ttl` or `ttlJitter`, in
   *   whatever thread; or there are 1 023 keyspaces already, or as many scopes as `maxBytes` has room for. Keyspaces
   *   and scopes stay until the last handle of the cache is closed, and all callers share the limits.
   * @example const embeddings = cache.keyspace('embeddings', { codec: float32(1024) })
   */
  keyspace<In, Out, Own, Kind extends KeyKind = 'string', Text extends string = DurationText>(
    name: string,
    options: KeyspaceOptions<In, Out, Own, Kind, Text>,
  ): Keyspace<In, Out, Own, KeyOf<Kind>>;
  keyspace<T, Kind extends KeyKind = 'string', Text extends string = DurationText>(
    name: string,
    options: CustomKeyspaceOptions<T, Kind, Text>,
  ): Keyspace<T, T, T, KeyOf<Kind>>;
  keyspace(name: string, options: object): Keyspace<unknown, unknown, unknown, Key> {
    const { codec, scope, integerKeys, checked, kind } = keyspaceOptions(options, this.#lifetime);
    const label = textOption('name', name, NAME_BYTES_MAX);
    if (label === '') throw typeError('name', 'a name (the cache itself is the nameless keyspace)', name);
    const nativeName = nameIn(scope, label);
    const terms = `ttl ${checked.ttl} ms, ttlJitter ${checked.ttlJitter}`;
    const handle = native.keyspace(this.handle, nativeName, scope, codec.tag, integerKeys, terms);
    const Kind = (kind?.keyspace ?? OpenKeyspace) as typeof OpenKeyspace<unknown, unknown, unknown, Key>;
    const keyspace = new Kind(handle, codec, checked, label, this);
    const keyspaces = this.#keyspaces; // not `this`: the closure below would keep it alive
    const reference = new WeakRef(keyspace);
    keyspaces.add(reference);
    const answers = keyspace.nearAnswers;
    const after = () => {
      answers?.close();
      keyspaces.delete(reference);
    };
    dropped.register(keyspace, { handle, after }, keyspace);
    kind?.attach(keyspace, this, this.handle, { name: label, nativeName, scope, codec, integerKeys, checked });
    return keyspace;
  }

  /**
   * Forgets every entry of every keyspace, and gives the memory that no view shows back to the system. Counters stay.
   * Cost: one pass over the index.
   */
  override clear(): void {
    for (const forget of this.#clearing) forget();
    native.clear(this.handle);
  }

  /** How long values last in keyspaces and models without options of their own. @internal */
  get lifetime(): Lifetime {
    return this.#lifetime;
  }

  /** `forget` is called before the cache is cleared. @internal */
  onClear(forget: () => void): void {
    this.#clearing.push(forget);
  }

  /** `end` is called before the cache is closed. @internal */
  onClose(end: () => void): void {
    this.#closing.push(end);
  }

  /** `drain` is called when the cache is to be drained. Those that are `last` wait for the others. @internal */
  onDrain(drain: Drain, turn: 'first' | 'last' = 'first'): void {
    this.#draining[turn].push(drain);
  }

  override stats(): CacheStats {
    const upstream = upstreamTotals(this);
    return { ...cacheStatsOf(native.stats(this.handle)), ...(upstream && { upstream }) };
  }

  /**
   * Closes this handle and its keyspaces. The last handle of the process frees the entries. Views stay valid. A second
   * call does nothing. Runs of models go on; what they give is not stored, and their callers get `ERR_CACHE_CLOSED`.
   */
  close(): void;
  /**
   * The same, but what is under way is finished first, and what is new is refused: computations of models
   * (`ERR_MODEL_DRAINED`), and connections to servers. Loads from Redis and writes to it are waited for. Until then
   * lookups and writes of values go on.
   *
   * @returns whether all of it was finished in time. What was not is given up: signals of runs are aborted, and their
   *   callers get `ERR_MODEL_DRAINED`.
   * Rejects with a TypeError or a RangeError if an option is wrong; then the cache stays open.
   * @example process.once('SIGTERM', () => void cache.close({ drain: '5s' }))
   */
  close(options: CacheCloseOptions): Promise<boolean>;
  close(options?: CacheCloseOptions): unknown {
    return options === undefined ? this.#close() : this.#drained(options);
  }

  async #drained(options: CacheCloseOptions): Promise<boolean> {
    const { drain } = optionsObject('options', options, ['drain']);
    return this.#drain(drain === undefined ? 0 : waitOption('options.drain', drain));
  }

  async #drain(ms: number): Promise<boolean> {
    const end = now() + ms;
    let isDone = true;
    for (const works of [this.#draining.first, this.#draining.last]) {
      const leftMs = Math.max(0, end - now());
      // What fails to end is no reason to stay open.
      const done = this.#open ? await Promise.all(works.map((work) => work(leftMs).catch(() => false))) : [];
      isDone &&= done.every((finished) => finished);
    }
    this.#close();
    return isDone;
  }

  #close(): void {
    if (!this.#open) return;
    this.#open = false;
    for (const end of this.#closing) end();
    dropped.unregister(this);
    for (const keyspace of this.#keyspaces) keyspace.deref()?.shut();
    this.#keyspaces.clear();
    this.shut();
    stopMaintenance();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * The name of a keyspace in native code. It has the scope in it, so scopes have different names. Public names stay.
 * @internal
 */
export function nameIn(scope: string, name: string): string {
  return scope === '' && !name.startsWith('[') ? name : JSON.stringify([name, scope]);
}

/** A keyspace keeps its cache open, and is closed with it. */
export class OpenKeyspace<In, Out, Own, K extends Key = string | Uint8Array> extends Keyspace<In, Out, Own, K> {
  /** @internal */
  readonly cache: Cache;

  /** @internal */
  constructor(handle: number, codec: Codec<In, Out, Own>, checked: CheckedKeyspaceOptions, name: string, cache: Cache) {
    super(handle, codec, checked, name);
    this.cache = cache;
  }

  /** @internal */
  get nearAnswers(): { close(): void } | undefined {
    return this.nearCache;
  }

  /** @internal */
  override shut(): void {
    dropped.unregister(this);
    super.shut();
  }
}

/**
 * Opens a cache.
 *
 * @throws {TypeError | RangeError} an option of the wrong type, unknown, or out of range.
 * @throws {CacheError} `ERR_CACHE_OPTIONS`: the name is open with other options. `ERR_CACHE_NO_MEMORY`: the address
 *   space has
 *   no room for `maxBytes`, as with a low `ulimit -v`.
 * @example const cache = open({ maxBytes: '256MB' })
 */
export function open<Text extends string = SizeText | DurationText>(options: OpenOptions<Text> = {}): Cache {
  const { given, checked } = openOptions(options);
  const attachRooms = prepareRooms(given);
  reportHeap();
  const cache = Cache.of(checked);
  attachRooms(cache);
  return cache;
}

brand(Cache.prototype, 'Cache');
