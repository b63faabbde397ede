// keyspace.ts: keys of one kind of value. A hit is one native call and one typed-array constructor.
import type { Codec } from './codecs.js';
import { COPIED, LENGTH, MISS, NEED_SLAB, native, OFFSET, registers, reportHeap, SEGMENT } from './native.js';
import { typeError } from './options.js';
import { slabFor } from './slab.js';

/** A string stands for its UTF-8 bytes. 1 to 65 535 bytes. Strings that differ only in normalisation differ. */
export type Key = string | Uint8Array;

/** How many copies pass before the size of the heap, and with it the price of an exposure, is looked at again. */
const COPIES_PER_HEAP_REPORT = 256;

const { find, findMany } = native;

// Results of a batch: three numbers a key. Taken from here for the time of a call, because a codec's `view` may look up
// a batch of its own.
let spareLocations: Int32Array | undefined;

function takeLocations(length: number): Int32Array {
  const spare = spareLocations;
  spareLocations = undefined;
  return spare !== undefined && spare.length >= length ? spare : new Int32Array(Math.max(length, 3 * 1024));
}

/**
 * A part of a cache with its own keys, one codec and one scope. Made by {@link Cache.keyspace}.
 *
 * Every method throws {@link CacheError} `ERR_CACHE_CLOSED` after the cache was closed, TypeError for a key that is no
 * string or Uint8Array or has a lone surrogate, and RangeError for a key of 0 or more than 65 535 bytes.
 */
export class Keyspace<In, Out, Own> {
  #handle: number;
  #slab: Uint8Array | undefined;
  #copies = 0;
  readonly #codec: Codec<In, Out, Own>;

  /** @internal */
  constructor(handle: number, codec: Codec<In, Out, Own>) {
    this.#handle = handle;
    this.#codec = codec;
  }

  /** @internal */
  protected get handle(): number {
    return this.#handle;
  }

  /**
   * The value stored under `key`, or `undefined` on a miss. Counts as a use of the entry.
   *
   * @returns a view of the cache's own memory: a snapshot that never changes, however long you keep it, and that keeps
   *   its segment (up to 2 MiB) from being reused while you do. To keep a value for long, or to hand it to an API that
   *   refuses shared memory, take {@link getCopy}. Do not write to it.
   * Cost: one native call, about 50 ns for a hot key; a copy of the value where its segment is not shown
   *   (`stats().copiedHits`).
   * @example const vector = embeddings.get('user:12345') ?? (await embed('user:12345'))
   */
  get(key: Key): Out | undefined {
    const found = find(this.#handle, key, this.#slab);
    if (typeof found === 'object')
      return this.#view(key, found, registers[SEGMENT]!, registers[OFFSET]!, registers[LENGTH]!);
    return found === MISS ? undefined : this.#copied(key, found);
  }

  /** Like {@link get}, but a copy in an ArrayBuffer of its own, yours to change, keep, transfer or hash. */
  getCopy(key: Key): Own | undefined {
    const buffer = native.copy(this.#handle, key);
    return buffer && this.#codec.own(buffer);
  }

  /**
   * The values of many keys, in their order, in one native call.
   *
   * @throws {TypeError} `keys` is no array, or one of them is no key; nothing was looked up then.
   */
  getMany(keys: readonly Key[]): (Out | undefined)[] {
    if (!Array.isArray(keys)) throw typeError('keys', 'an array', keys);
    const read: readonly Key[] = [...keys]; // once: getters and proxies may answer otherwise the next time
    const slab = this.#slab;
    const locations = takeLocations(read.length * 3);
    const buffers: ArrayBufferLike[] = [];
    findMany(this.#handle, read, slab, locations, buffers);
    const values = new Array<Out | undefined>(read.length);
    const unread: number[] = [];
    for (let i = 0, j = 0; i < values.length; ++i, j += 3) {
      const found = locations[j]!;
      const offset = locations[j + 1]!;
      const length = locations[j + 2]! >>> 0;
      if (found >= 0) values[i] = this.#view(read[i]!, buffers[found]!, found, offset, length);
      else if (found === COPIED) values[i] = this.#codec.view(slab!.buffer, slab!.byteOffset + offset, length);
      else {
        values[i] = undefined;
        if (found === NEED_SLAB) unread.push(i);
      }
    }
    spareLocations = locations;
    // Copies that the slab had no room for.
    for (const i of unread) values[i] = this.get(read[i]!);
    return values;
  }

  /**
   * Stores a copy of `value` under `key`. A `set` that returned is seen by every later `get` in every thread.
   *
   * @returns false if it was refused, because views in use keep every segment, or the system gave no memory: the cache
   *   then holds nothing under `key`, neither the new value nor an older one. Counted in `stats().refusals`.
   * @throws {TypeError}  `value` is not what the codec takes, or its buffer was detached.
   * @throws {RangeError} `value` has other dimensions, or is larger than half of `maxBytes`.
   * Cost: one native call and one copy of the value; now and then, an eviction. A value in a SharedArrayBuffer that
   *   another thread writes meanwhile is stored as it was read, possibly torn.
   */
  set(key: Key, value: In): boolean {
    const stored = this.#codec.encode(value); // first: it may be the caller's code, and may close the cache
    return native.set(this.#handle, key, stored) === 1;
  }

  /** Whether `key` is stored. Not counted as a use, nor as a lookup. */
  has(key: Key): boolean {
    return native.has(this.#handle, key);
  }

  /** Forgets `key`. Views of its value stay as they are. Returns whether it was stored. */
  delete(key: Key): boolean {
    return native.delete(this.#handle, key);
  }

  /** @internal */
  protected shut(): void {
    if (this.#handle < 0) return;
    native.close(this.#handle);
    this.#handle = -1;
    this.#slab = undefined;
  }

  #view(key: Key, buffer: ArrayBufferLike, segment: number, offset: number, length: number): Out | undefined {
    try {
      return this.#codec.view(buffer, offset, length);
    } catch (error) {
      return this.#again(key, buffer, segment, error);
    }
  }

  /** A view could not be made. */
  #again(key: Key, buffer: ArrayBufferLike, segment: number, error: unknown): Out | undefined {
    // Someone transferred a view's buffer away (a byte stream does): every view of that segment is empty now. Native
    // code makes another buffer over the same bytes.
    if (buffer.byteLength !== 0) throw error;
    native.detached(this.#handle, segment);
    return this.get(key);
  }

  #copied(key: Key, answer: number): Out | undefined {
    if (++this.#copies % COPIES_PER_HEAP_REPORT === 0) reportHeap();
    let slab = this.#slab;
    let found: ArrayBufferLike | number = answer;
    while (found === NEED_SLAB) {
      const next = slabFor(registers[LENGTH]!);
      slab = next.slab;
      if (next.keep) this.#slab = slab;
      found = find(this.#handle, key, slab);
    }
    if (typeof found === 'object')
      return this.#view(key, found, registers[SEGMENT]!, registers[OFFSET]!, registers[LENGTH]!);
    if (found === MISS) return undefined;
    return this.#codec.view(slab!.buffer, slab!.byteOffset + registers[OFFSET]!, registers[LENGTH]!);
  }
}
