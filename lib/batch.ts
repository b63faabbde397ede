// batch.ts: the keys of a batch on their way to native code, and the numbers that come back.
//
// Keys are read once: getters, proxies and other threads may answer otherwise the next time. Strings go over as one
// string and the place where each of them ends: reading one long string takes native code a few ns a key, reading a
// thousand short ones 40 each.
import { elementCount } from './codecs.js';
import type { Key, Keys } from './keyspace.js';
import type { NativeKeys } from './native.js';
import { typeError } from './options.js';

/** In UTF-16 units; a batch of more is read key by key. */
const TEXT_MAX = 2 ** 22;

/** The keys of one call. */
export class KeyBatch {
  /** What native code takes: the text of all keys, where `ends` says which is which; or the keys. */
  readonly keys: NativeKeys | string;
  readonly ends: Int32Array | undefined;
  readonly length: number;

  /**
   * @param once  native code is the only one to read them
   * @throws {TypeError} they are no array.
   */
  constructor(keys: Keys, once = false) {
    if (Array.isArray(keys)) {
      const read = pack(keys as readonly Key[]);
      this.keys = read.keys;
      this.ends = read.ends;
      this.length = read.length;
    } else if (keys instanceof Int32Array || keys instanceof Uint32Array || keys instanceof Float64Array) {
      this.length = elementCount(keys, 'keys');
      this.keys = once ? keys : keys.slice();
      this.ends = undefined;
    } else throw typeError('keys', 'an array', keys);
  }

  at(i: number): Key {
    const { keys, ends } = this;
    if (typeof keys !== 'string') return keys[i]!;
    return keys.slice(i === 0 ? 0 : ends![i - 1], ends![i]);
  }

  /** The call is over. */
  release(): void {
    if (this.ends !== undefined) spareEnds = this.ends;
  }
}

interface Packed {
  readonly keys: NativeKeys | string;
  readonly ends: Int32Array | undefined;
  readonly length: number;
}

function pack(keys: readonly Key[]): Packed {
  const ends = takeEnds(keys.length);
  let text = '';
  let length = 0;
  // An array may grow or shrink while it is read: each time its length is another.
  for (; length < keys.length; ++length) {
    const key = keys[length]!;
    if (typeof key !== 'string' || text.length + key.length > TEXT_MAX || length === ends.length) {
      const read = unpack(keys, text, ends, length, key);
      return { keys: read, ends: undefined, length: read.length };
    }
    text += key;
    ends[length] = text.length;
  }
  return { keys: text, ends, length };
}

/** The keys as they are, when the one at `at` can not be packed with those before it. */
function unpack(keys: readonly Key[], text: string, ends: Int32Array, at: number, key: Key): readonly Key[] {
  const read: Key[] = [];
  for (let i = 0; i < at; ++i) read.push(text.slice(i === 0 ? 0 : ends[i - 1], ends[i]));
  read.push(key);
  for (let i = at + 1; i < keys.length; ++i) read.push(keys[i]!);
  return read;
}

// Taken from here for the time of a call, because what a call runs (a codec's `view`, an array's getter) may look up a
// batch of its own.
const SPARE_MIN = 3 * 1024;
let spareEnds: Int32Array | undefined;
let spareLocations: Int32Array | undefined;

function takeEnds(length: number): Int32Array {
  const spare = spareEnds;
  spareEnds = undefined;
  return spare !== undefined && spare.length >= length ? spare : new Int32Array(Math.max(length, SPARE_MIN));
}

/** Room for the numbers that native code answers with; to be given back. */
export function takeLocations(length: number): Int32Array {
  const spare = spareLocations;
  spareLocations = undefined;
  return spare !== undefined && spare.length >= length ? spare : new Int32Array(Math.max(length, SPARE_MIN));
}

export function giveLocations(locations: Int32Array): void {
  spareLocations = locations;
}
