// lookups.ts: how a keyspace is read. A hit takes a look into the near cache; or one native call and one typed-array
// constructor. keyspace.ts adds what writes.

import {
  COPIED,
  COST,
  LENGTH,
  LOCATION_WORDS,
  MISS,
  type NativeKey,
  NEED_SLAB,
  native,
  OFFSET,
  registers,
  reportHeap,
  SCAN_PARTS,
  SEGMENT,
  SIZE,
  wideRegisters,
} from '../addon/native.js';
import { giveLocations, KeyBatch, takeLocations } from './batch.js';
import type { Codec } from './codecs.js';
import { describedEntry, type Entry, type Eviction, evictionOf } from './entry.js';
import { gatherRows } from './gather.js';
import type { Key, Keys } from './keys.js';
import { NearCache } from './near.js';
import type { CheckedKeyspaceOptions } from './options.js';
import { slabFor } from './slab.js';
import { type KeyspaceStats, spaceStatsOf } from './stats.js';
import { unreadableValue } from './unreadable.js';

/** Looks up a key that native code makes, and tells the key afterwards. @internal */
export interface Seeker {
  readonly key: Uint8Array;
  find(handle: number, slab: Uint8Array | undefined): ArrayBufferLike | number;
}

/** @internal */
export interface BatchSeeker {
  readonly count: number;
  keyAt(i: number): Uint8Array;
  findMany(handle: number, slab: Uint8Array | undefined, locations: Int32Array, buffers: ArrayBufferLike[]): void;
  /** Called for each hit that was looked up once more, with its entry's cost. */
  foundAgain(costMs: number): void;
}

/** After so many copies, native code is told the size of the heap again: the price of an exposure follows from it. */
const COPIES_PER_HEAP_REPORT = 256;

const { find, findNear, findMany, peek } = native;

/** The native handle of a keyspace or a cache, for other rooms; undefined for anything else. @internal */
export let handleOf: (value: unknown) => number | undefined;

/** The reading half of a {@link Keyspace}. */
export abstract class Lookups<In, Out, Own, K extends Key = string | Uint8Array> {
  #handle: number;
  #slab: Uint8Array | undefined;
  #copies = 0;
  #near: NearCache<Out> | undefined;
  readonly #codec: Codec<In, Out, Own>;
  readonly #options: CheckedKeyspaceOptions;
  readonly #name: string;

  /** @internal */
  constructor(handle: number, codec: Codec<In, Out, Own>, options: CheckedKeyspaceOptions, name = '') {
    this.#handle = handle;
    this.#name = name;
    this.#codec = codec;
    this.#options = options;
    if (options.near && !options.copy && codec.sharable) this.#near = new NearCache(handle);
  }

  static {
    handleOf = (value) =>
      typeof value === 'object' && value !== null && #handle in value
        ? (value as unknown as Lookups<unknown, unknown, unknown>).#handle
        : undefined;
  }

  /** @internal */
  protected get handle(): number {
    return this.#handle;
  }

  /** @internal */
  protected get codec(): Codec<In, Out, Own> {
    return this.#codec;
  }

  /** @internal */
  protected get options(): CheckedKeyspaceOptions {
    return this.#options;
  }

  /** @internal */
  protected get nearCache(): NearCache<Out> | undefined {
    return this.#near;
  }

  /**
   * The value stored under `key`, or `undefined` on a miss. Counts as a use of the entry.
   *
   * @returns a view of the cache's own memory. It is a snapshot that never changes, however long you keep it. While you
   *   keep
   *   it, its segment (up to 2 MiB) is not used again. To keep a value for long, or to hand it to an API that refuses
   *   shared memory, use {@link getCopy}. Do not write to it. Several calls may return the same view.
   * Cost: about 20 ns for a key that this thread asked for lately, while nothing is evicted. Otherwise one native call,
   * about
   *   60 ns for a hot key; and a copy of the value if its segment is not exposed (`stats().copiedHits`).
   * @example const vector = embeddings.get('user:12345') ?? (await embed('user:12345'))
   */
  get(key: K): Out | undefined {
    const near = this.#near;
    if (near === undefined) return this.#lookUp(key);
    const known = near.find(key);
    if (known !== undefined) return known;
    if (!near.wants(key)) return this.#lookUp(key);
    const found = findNear(this.#handle, key, this.#slab);
    if (typeof found !== 'object') return found === MISS ? undefined : this.#copied(find, key, found);
    const value = this.#view(key, found);
    if (value !== undefined) near.fill(key, value);
    return value;
  }

  #lookUp(key: K): Out | undefined {
    if (this.#options.copy) return this.getCopy(key) as unknown as Out | undefined;
    return this.#valueOf(find, key, find(this.#handle, key, this.#slab));
  }

  /** Like {@link get}, but a copy in an ArrayBuffer of its own. You may change, keep, transfer or hash it. */
  getCopy(key: K): Own | undefined {
    const buffer = native.copy(this.#handle, key, false);
    return buffer && this.own(key, buffer);
  }

  /** Like {@link get}, but counted neither as a lookup nor as a use of the entry. */
  peek(key: K): Out | undefined {
    if (this.#options.copy) {
      const buffer = native.copy(this.#handle, key, true);
      return buffer && (this.own(key, buffer) as unknown as Out);
    }
    return this.#valueOf(peek, key, peek(this.#handle, key, this.#slab));
  }

  /** The value with facts about its entry. Uncounted, as {@link peek}. */
  entry(key: K): Entry<Out> | undefined {
    if (!native.describe(this.#handle, key)) return undefined;
    const facts = describedEntry(); // before `peek`, which uses the same registers
    const value = this.peek(key);
    if (value === undefined) return undefined; // it went between the two calls
    return { value, ...facts };
  }

  /**
   * How the key was last evicted, or refused by `admission`, even if it has been stored again since. A few thousand
   * keys are remembered, 64 in a cache of 1 MB, until others take their places. So `undefined` does not mean that it
   * was not evicted.
   */
  eviction(key: K): Eviction | undefined {
    return evictionOf(native.lastEviction(this.#handle, key));
  }

  /**
   * The values of many keys, in their order, in one native call.
   *
   * @throws {TypeError} `keys` is not an array, or one of them is not a key. Then nothing was looked up.
   * Cost: a fraction of single gets for keys that are in no processor cache, because their memory is fetched together.
   */
  getMany(keys: Keys<K>): (Out | undefined)[] {
    const batch = new KeyBatch(keys);
    if (this.#options.copy) {
      native.check(this.#handle, batch.keys, batch.ends, batch.length); // all keys, before the first is looked up
      return Array.from({ length: batch.length }, (_, i) => this.#lookUp(batch.at(i) as K));
    }
    const slab = this.#slab;
    const locations = takeLocations(batch.length * LOCATION_WORDS);
    const buffers: ArrayBufferLike[] = [];
    findMany(this.#handle, batch.keys, slab, locations, buffers, batch.ends, batch.length);
    const keyAt = (i: number) => batch.at(i) as K;
    const values = this.#valuesAt(locations, buffers, slab, batch.length, keyAt, (i) => this.#lookUp(keyAt(i)));
    giveLocations(locations);
    batch.release();
    return values;
  }

  #valuesAt(
    locations: Int32Array,
    buffers: readonly ArrayBufferLike[],
    slab: Uint8Array | undefined,
    count: number,
    keyAt: (i: number) => K,
    again: (i: number) => Out | undefined,
  ): (Out | undefined)[] {
    const values = new Array<Out | undefined>(count);
    const unread: number[] = [];
    // A local, because an import is read anew in every round until the loop is compiled.
    const step = LOCATION_WORDS;
    for (let i = 0, j = 0; i < count; ++i, j += step) {
      const found = locations[j]!;
      const offset = locations[j + 1]!;
      const length = locations[j + 2]! >>> 0;
      if (found >= 0) {
        const buffer = buffers[found]!;
        try {
          values[i] = this.#codec.view(buffer, offset, length);
        } catch (error) {
          values[i] = this.#again(keyAt(i), buffer, found, error);
        }
      } else if (found === COPIED) {
        try {
          values[i] = this.#codec.view(slab!.buffer, slab!.byteOffset + offset, length);
        } catch (error) {
          throw this.#explained(error, keyAt(i));
        }
      } else {
        values[i] = undefined;
        if (found === NEED_SLAB) unread.push(i);
      }
    }
    // Copies for which the slab had no room.
    for (const i of unread) values[i] = again(i);
    return values;
  }

  /** The value under a key that native code makes. @internal */
  seek(seeker: Seeker): Out | undefined {
    const found = seeker.find(this.#handle, this.#slab);
    if (typeof found === 'object') return this.#view(seeker.key as K, found);
    return found === MISS ? undefined : this.#copied(find, seeker.key.slice() as K, found);
  }

  /** The same for many keys. @internal */
  seekMany(seeker: BatchSeeker): (Out | undefined)[] {
    const slab = this.#slab;
    const locations = takeLocations(seeker.count * LOCATION_WORDS);
    const buffers: ArrayBufferLike[] = [];
    seeker.findMany(this.#handle, slab, locations, buffers);
    const keyAt = (i: number) => seeker.keyAt(i) as K;
    const again = (i: number) => {
      const value = this.#lookUp(keyAt(i));
      if (value !== undefined) seeker.foundAgain(this.costOf(keyAt(i)));
      return value;
    };
    const values = this.#valuesAt(locations, buffers, slab, seeker.count, keyAt, again);
    giveLocations(locations);
    return values;
  }

  /** The `cost` of an entry, in ms; 0 if it has none, or is not there. Counts nothing. @internal */
  costOf(key: Key): number {
    return native.describe(this.#handle, key) ? wideRegisters[COST]! : 0;
  }

  /** Bytes of a value; undefined if it is not there. Counts nothing. @internal */
  bytesOf(key: Key): number | undefined {
    return native.describe(this.#handle, key) ? wideRegisters[SIZE]! : undefined;
  }

  /**
   * Copies the values of many keys side by side into your own array, as a batch for a model needs it. Row i is
   * `out.subarray(i * dimensions, (i + 1) * dimensions)`. Nothing else is allocated.
   *
   * @param out of the codec's type, at least `keys.length` rows long. It may lie in a SharedArrayBuffer.
   * @returns how many keys were there, and the places among `keys` of those that were not. Their rows stay as they
   *   were. A
   *   value of another length, which a client of a server stored, counts as missing.
   * @throws {TypeError}  the codec has no fixed dimensions; `out` is another kind of array.
   * @throws {RangeError} `out` is too short; nothing was written.
   * @example const { missing } = embeddings.gather(ids, batch)
   */
  gather(keys: Keys<K>, out: ArrayBufferView): { hits: number; missing: number[] } {
    return gatherRows(this.#handle, this.#codec, keys, out);
  }

  /** Whether `key` is stored. Counted neither as a use nor as a lookup. */
  has(key: K): boolean {
    return native.has(this.#handle, key);
  }

  /** Another number after each clearing, by whatever thread, or client of a server. @internal */
  generation(): number {
    return native.generation(this.#handle);
  }

  /**
   * The keys, in no order, as strings, or as bytes if bytes were given. It is not a snapshot. A key that is stored all
   * the while is given once. A key that is set, deleted or evicted meanwhile may be given or not. Uncounted.
   */
  *keys(): IterableIterator<K> {
    for (let part = 0; part < SCAN_PARTS; ++part) yield* native.scan(this.#handle, part) as K[];
  }

  /** Keys and their values, as from {@link keys} and {@link peek}. */
  *entries(): IterableIterator<[K, Out]> {
    for (const key of this.keys()) {
      const value = this.peek(key);
      if (value !== undefined) yield [key, value];
    }
  }

  [Symbol.iterator](): IterableIterator<[K, Out]> {
    return this.entries();
  }

  /** Counts of this keyspace, by all threads, since the cache was made. */
  stats(): KeyspaceStats {
    return spaceStatsOf(native.spaceStats(this.#handle));
  }

  /** @internal */
  protected shut(): void {
    if (this.#handle < 0) return;
    this.#near?.close();
    this.#near = undefined;
    native.close(this.#handle);
    this.#handle = -1;
    this.#slab = undefined;
  }

  /** What native code answered to `ask`. */
  #valueOf(ask: typeof find, key: K, answer: ArrayBufferLike | number): Out | undefined {
    if (typeof answer === 'object') return this.#view(key, answer);
    return answer === MISS ? undefined : this.#copied(ask, key, answer);
  }

  /** The value that native code found in `buffer`: the registers say where. */
  #view(key: K, buffer: ArrayBufferLike): Out | undefined {
    const segment = registers[SEGMENT]!; // read first: the caller's codec may look up something else
    try {
      return this.#codec.view(buffer, registers[OFFSET]!, registers[LENGTH]!);
    } catch (error) {
      return this.#again(key, buffer, segment, error);
    }
  }

  /** A view could not be made over the buffer. */
  #again(key: K, buffer: ArrayBufferLike, segment: number, error: unknown): Out | undefined {
    // Someone transferred the buffer of a view, as a byte stream does. Every view of that segment is empty now. Native
    // code makes another buffer over the same bytes.
    if (buffer.byteLength !== 0) throw this.#explained(error, key);
    native.detached(this.#handle, segment);
    return this.#lookUp(key);
  }

  #copied(ask: typeof find, key: K, answer: number): Out | undefined {
    if (++this.#copies % COPIES_PER_HEAP_REPORT === 0) reportHeap();
    let slab = this.#slab;
    let found: ArrayBufferLike | number = answer;
    while (found === NEED_SLAB) {
      const next = slabFor(registers[LENGTH]!);
      slab = next.slab;
      if (next.keep) this.#slab = slab;
      found = ask(this.#handle, key, slab);
    }
    if (typeof found === 'object') return this.#view(key, found);
    if (found === MISS) return undefined;
    try {
      return this.#codec.view(slab!.buffer, slab!.byteOffset + registers[OFFSET]!, registers[LENGTH]!);
    } catch (error) {
      throw this.#explained(error, key);
    }
  }

  /** The value of bytes that are the caller's. @internal */
  protected own(key: NativeKey, buffer: ArrayBuffer): Own {
    try {
      return this.#codec.own(buffer);
    } catch (error) {
      throw this.#explained(error, key);
    }
  }

  /** The value of bytes that nobody changes. With `copy: true` it is the caller's. @internal */
  protected viewed(key: NativeKey, { buffer, byteOffset, length }: Uint8Array): Out {
    if (this.#options.copy) return this.own(key, buffer.slice(byteOffset, byteOffset + length) as ArrayBuffer) as never;
    try {
      return this.#codec.view(buffer, byteOffset, length);
    } catch (error) {
      throw this.#explained(error, key);
    }
  }

  /** The error to throw in place of `error`, which the codec threw. */
  #explained(error: unknown, key: NativeKey): unknown {
    return unreadableValue(error, key, this.#name, this.#codec.tag);
  }
}
