// batch.ts: the keys of a batch on their way to native code, and the numbers that come back.
//
// Keys are read once: getters, proxies and other threads may give another answer the next time. Each key is checked
// when it is read, so a long array of holes ends at the first one. Strings go over as one string, with the place where
// each of them ends. Native code reads one long string in a few ns a key, and a thousand short ones in 40 ns each (D29
// in docs/DECISIONS.md).

import type { NativeKeys } from '../addon/native.js';
import { isUint8Array, typedArrayName } from '../base/kinds.js';
import { rangeError, typeError } from '../base/options.js';
import { elementCount } from './codecs.js';
import type { IntegerKeys, Key, Keys } from './keys.js';

/** UTF-16 units of the one string. A longer batch is read key by key. */
const TEXT_MAX = 2 ** 22;

/** The most keys of one call. V8 ends the process if an array grows beyond 2^27. */
const KEYS_MAX = 2 ** 24;

/** Typed arrays that hold integer keys. */
const INTEGERS: Record<string, new (of: never) => Exclude<IntegerKeys, BigInt64Array>> = Object.assign(
  Object.create(null),
  { Int32Array, Uint32Array, Float64Array },
);

/** The keys of one call. */
export class KeyBatch {
  /** For native code: with `ends`, the text of all keys; otherwise the keys. */
  readonly keys: NativeKeys | string;
  readonly ends: Int32Array | undefined;
  readonly length: number;

  /**
   * @param once  only native code reads the keys
   * @throws {TypeError}  they are not an array, or one of them is not a key.
   * @throws {RangeError} there are more than 16 777 216.
   */
  constructor(keys: Keys, once = false) {
    if (Array.isArray(keys)) {
      const read = pack(keys as readonly Key[]);
      this.keys = read.keys;
      this.ends = read.ends;
      this.length = read.length;
      return;
    }
    const name = typedArrayName(keys) ?? '';
    if (name === 'BigInt64Array') {
      this.keys = numbersOf(keys as BigInt64Array);
      this.ends = undefined;
      this.length = this.keys.length;
      return;
    }
    const Integers = INTEGERS[name];
    if (Integers === undefined) throw typeError('keys', 'an array', keys);
    this.length = checkCount(elementCount(keys, 'keys'));
    this.keys = once ? (keys as Int32Array) : new Integers(keys as never);
    this.ends = undefined;
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
  const ends = takeEnds(checkCount(keys.length));
  let text = '';
  let length = 0;
  // An array may grow or shrink while it is read: each time its length is another.
  for (; length < keys.length; ++length) {
    const key = keyAt(keys, length);
    if (typeof key !== 'string' || text.length + key.length > TEXT_MAX || length === ends.length) {
      const read = unpack(keys, text, ends, length, key);
      return { keys: read, ends: undefined, length: read.length };
    }
    text += key;
    ends[length] = text.length;
  }
  return { keys: text, ends, length };
}

/** The keys as they are, if the one at `at` cannot be packed with those before it. */
function unpack(keys: readonly Key[], text: string, ends: Int32Array, at: number, key: Key): readonly Key[] {
  const read: Key[] = [];
  for (let i = 0; i < at; ++i) read.push(text.slice(i === 0 ? 0 : ends[i - 1], ends[i]));
  read.push(key);
  for (let i = at + 1; i < checkCount(keys.length); ++i) read.push(keyAt(keys, i));
  return read;
}

/** The key at `i`, read once. Native code checks whether it is of the keyspace's kind. */
function keyAt(keys: readonly Key[], i: number): Key {
  const key: unknown = keys[i];
  if (typeof key === 'string' || typeof key === 'number' || isUint8Array(key)) return key;
  throw typeError(`keys[${i}]`, 'a string, a Uint8Array, or an integer where keys are such', key);
}

/** The integers of 64 bits as numbers. @throws {RangeError} one of them is no safe integer. */
function numbersOf(keys: BigInt64Array): Float64Array {
  const numbers = new Float64Array(checkCount(elementCount(keys, 'keys')));
  for (let i = 0; i < numbers.length; ++i) {
    numbers[i] = Number(keys[i]);
    if (!Number.isSafeInteger(numbers[i])) throw rangeError(`keys[${i}]`, 'a safe integer', keys[i]);
  }
  return numbers;
}

function checkCount(count: number): number {
  if (count > KEYS_MAX) throw rangeError('keys.length', `at most ${KEYS_MAX}`, count);
  return count;
}

// A call takes one from here and gives it back: code that the call runs (a codec's `view`, an array's getter) may look
// up another batch.
const SPARE_MIN = 3 * 1024;
let spareEnds: Int32Array | undefined;
let spareLocations: Int32Array | undefined;

function takeEnds(length: number): Int32Array {
  const spare = spareEnds;
  spareEnds = undefined;
  return spare !== undefined && spare.length >= length ? spare : new Int32Array(Math.max(length, SPARE_MIN));
}

/** Room for the numbers with which native code answers. Give it back. */
export function takeLocations(length: number): Int32Array {
  const spare = spareLocations;
  spareLocations = undefined;
  return spare !== undefined && spare.length >= length ? spare : new Int32Array(Math.max(length, SPARE_MIN));
}

export function giveLocations(locations: Int32Array): void {
  spareLocations = locations;
}
