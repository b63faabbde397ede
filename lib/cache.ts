// cache.ts: opening a cache, and what belongs to it as a whole.
import { bytes, type Codec } from './codecs.js';
import { Keyspace } from './keyspace.js';
import { native, reportHeap } from './native.js';
import { choiceOption, optionsObject, type Size, sizeOption, textOption, typeError } from './options.js';
import type { ReadonlyUint8Array } from './views.js';

const VERIFY = ['off', 'sample', 'trap'] as const;
export type Verify = (typeof VERIFY)[number];

const MAX_BYTES_MIN = 2 ** 20;
const MAX_BYTES_MAX = 2 ** 39 - 2 ** 21;

/** Of the memory this process may use, when `maxBytes` is not given. */
const DEFAULT_SHARE = 1 / 4;

/** How often an isolate with open caches looks for memory to give back. */
const MAINTENANCE_MS = 1000;

export interface OpenOptions {
  /** Caches of one name are one cache, in every worker thread of the process. Without a name: a cache of its own. */
  name?: string;
  /**
   * Bytes for values, keys, entry headers and the index: 1 MiB to 512 GiB; by default a quarter of what the process may
   * use (its control group's limit, or the machine's memory). Address space is reserved, memory taken when filled.
   */
  maxBytes?: Size;
  /**
   * What is done about JavaScript writing through a view. `'sample'` (default): the checksum of one hit in 256 is
   * compared; an entry that was written to is dropped, counted as `corrupted`, and answered as a miss. `'trap'`: views
   * are write-protected, and a write ends the process at the line that did it (for tests; Linux). `'off'`: nothing.
   */
  verify?: Verify;
}

export interface KeyspaceOptions<In, Out, Own> {
  codec: Codec<In, Out, Own>;
  /** Keys of two scopes never share a segment, so no view's `.buffer` shows another scope's bytes. Default: public. */
  scope?: string;
}

/** Counts since the cache was made, by all threads; bytes as they are now. */
export interface CacheStats {
  hits: number;
  misses: number;
  /** Of the hits: answered with a copy, because showing the segment would have cost more. */
  copiedHits: number;
  sets: number;
  /** Sets that stored nothing, and why: all segments in use by views; a stalled reader; no memory from the system. */
  refusals: number;
  refusalsBy: { pinned: number; readers: number; memory: number };
  deletes: number;
  /** Entries that left because their segment was needed. */
  evictions: number;
  /** Entries that were copied to another segment because they were in use when theirs was needed. */
  copiedForward: number;
  /** Entries found changed by a write through a view. */
  corrupted: number;
  entries: number;
  /** External buffers made over segments. */
  exposures: number;
  /** Collections of V8's young generation, and of its whole heap, brought about to get buffers back. */
  youngCollections: number;
  forcedCollections: number;
  bytes: {
    capacity: number;
    /** In segments that hold entries, those with room left included. */
    live: number;
    free: number;
    /** Emptied, but still seen by views. */
    retired: number;
    /** In segments that some isolate has a buffer over. */
    exposed: number;
    exposedMax: number;
    index: number;
    /** In memory now, of the arena: at most this much. */
    resident: number;
    /** Shown by this isolate's buffers (a segment counts for each), and by those of them that a collection may free. */
    exposedHere: number;
    awaitingCollectionHere: number;
  };
  segmentBytes: number;
  /** What a segment's copies must have cost before it is shown, in ns. */
  exposurePriceNs: number;
  evicting: boolean;
  backend: 'shared' | 'array' | 'copy';
}

let openCaches = 0;
let maintenance: NodeJS.Timeout | undefined;

// What was dropped without close() is closed when it is collected.
const dropped = new FinalizationRegistry<{ handle: number; after: () => void }>(({ handle, after }) => {
  native.close(handle);
  after();
});

function startMaintenance(): void {
  openCaches++;
  // Unreferenced: it keeps no process alive.
  maintenance ??= setInterval(() => native.maintain(), MAINTENANCE_MS).unref();
}

function stopMaintenance(): void {
  if (--openCaches > 0) return;
  clearInterval(maintenance);
  maintenance = undefined;
}

/** An open cache; itself a keyspace of bytes with public scope. Made by {@link open}. */
export class Cache extends Keyspace<Uint8Array | ReadonlyUint8Array, ReadonlyUint8Array, Uint8Array<ArrayBuffer>> {
  readonly #keyspaces = new Set<WeakRef<{ shut(): void }>>();
  #open = true;

  /** @internal */
  constructor(name: string, maxBytes: number, verify: number) {
    const handle = native.open(name, maxBytes, verify);
    super(handle, bytes);
    dropped.register(this, { handle, after: stopMaintenance }, this);
    startMaintenance();
  }

  /**
   * A part of the cache with keys of its own. Opening a name again gives the same entries.
   *
   * @throws {CacheError} `ERR_CACHE_OPTIONS`: open with another codec or scope; more scopes than `maxBytes` has room for.
   * @example const embeddings = cache.keyspace('embeddings', { codec: float32(1024) })
   */
  keyspace<In, Out, Own>(name: string, options: KeyspaceOptions<In, Out, Own>): Keyspace<In, Out, Own> {
    const given = optionsObject('options', options, ['codec', 'scope']);
    const codec = given['codec'] as Codec<In, Out, Own> | undefined;
    if (typeof codec?.view !== 'function') throw typeError('options.codec', 'a codec such as float32(1024)', codec);
    const scope = given['scope'] === undefined ? '' : textOption('options.scope', given['scope']);
    const label = textOption('name', name);
    if (label === '') throw typeError('name', 'a name (the cache itself is the nameless keyspace)', name);
    const handle = native.keyspace(this.handle, label, scope, codec.tag);
    const keyspace = new OpenKeyspace(handle, codec, this);
    const keyspaces = this.#keyspaces; // and not `this`, which the closure below would keep alive
    const reference = new WeakRef(keyspace);
    keyspaces.add(reference);
    dropped.register(keyspace, { handle, after: () => keyspaces.delete(reference) }, keyspace);
    return keyspace;
  }

  /**
   * Forgets every entry of every keyspace, and gives the memory that no view shows back to the system. Counters stay.
   * Cost: one pass over the index.
   */
  clear(): void {
    native.clear(this.handle);
  }

  stats(): CacheStats {
    const raw = native.stats(this.handle);
    const bytesOf = (segments: number) => segments * raw.segmentBytes;
    return {
      hits: raw.hits,
      misses: raw.misses,
      copiedHits: raw.copiedHits,
      sets: raw.sets,
      refusals: raw.refusedPinned + raw.refusedReaders + raw.refusedMemory,
      refusalsBy: { pinned: raw.refusedPinned, readers: raw.refusedReaders, memory: raw.refusedMemory },
      deletes: raw.deletes,
      evictions: raw.evictions,
      copiedForward: raw.copiedForward,
      corrupted: raw.corrupted,
      entries: raw.entries,
      exposures: raw.exposures,
      youngCollections: raw.youngCollections,
      forcedCollections: raw.forcedCollections,
      bytes: {
        capacity: bytesOf(raw.segments),
        live: bytesOf(raw.segments - raw.freeSegments - raw.retiredSegments),
        free: bytesOf(raw.freeSegments),
        retired: bytesOf(raw.retiredSegments),
        exposed: bytesOf(raw.exposedSegments),
        exposedMax: bytesOf(raw.exposureLimit),
        index: raw.indexBytes,
        resident: bytesOf(raw.committedSegments),
        exposedHere: bytesOf(raw.seenHere),
        awaitingCollectionHere: bytesOf(raw.pendingHere),
      },
      segmentBytes: raw.segmentBytes,
      exposurePriceNs: raw.exposurePriceNs,
      evicting: raw.evicting,
      backend: native.environment().backend,
    };
  }

  /**
   * Closes this handle and its keyspaces; the last handle of the process frees the entries. Views stay valid. Again: no
   * effect.
   */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
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

/** A keyspace keeps its cache open, and is closed with it. */
class OpenKeyspace<In, Out, Own> extends Keyspace<In, Out, Own> {
  readonly cache: Cache;

  constructor(handle: number, codec: Codec<In, Out, Own>, cache: Cache) {
    super(handle, codec);
    this.cache = cache;
  }

  override shut(): void {
    dropped.unregister(this);
    super.shut();
  }
}

/**
 * Opens a cache.
 *
 * @throws {TypeError | RangeError} an option of the wrong type, unknown, or out of range.
 * @throws {CacheError} `ERR_CACHE_OPTIONS`: the name is open with other options; `ERR_CACHE_NO_MEMORY`: no address space.
 * @example const cache = open({ maxBytes: '256MB' })
 */
export function open(options: OpenOptions = {}): Cache {
  const given = optionsObject('options', options, ['name', 'maxBytes', 'verify']);
  const name = given['name'] === undefined ? '' : textOption('options.name', given['name']);
  const maxBytes =
    given['maxBytes'] === undefined
      ? defaultMaxBytes()
      : sizeOption('options.maxBytes', given['maxBytes'], MAX_BYTES_MIN, MAX_BYTES_MAX);
  const verify = given['verify'] === undefined ? 'sample' : choiceOption('options.verify', given['verify'], VERIFY);
  reportHeap();
  return new Cache(name, maxBytes, VERIFY.indexOf(verify));
}

/** A quarter of the memory this process may use, in bytes: the default of `maxBytes`. */
export function defaultMaxBytes(): number {
  const share = native.environment().memoryLimitBytes * DEFAULT_SHARE;
  return Math.max(MAX_BYTES_MIN, Math.min(MAX_BYTES_MAX, Math.floor(share)));
}
