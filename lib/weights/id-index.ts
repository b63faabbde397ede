// id-index.ts: from an id to the row of its vector: open addressing over two words a slot, in memory that may be a
// file's.
//
//   integers  the lower half of the id, row + 1; the list of ids tells ids with an upper half apart
//   texts     a hash of the UTF-8, row + 1; their bytes tell them apart
//
// A seed decides which slots ids get, so nobody who chooses some ids of a table can choose their slots. The seed is
// made from all ids, so the same table makes the same file. An id lies at most PROBES_MAX slots from its first one; if
// that fails, another seed is taken. At most half of the slots are used, so a search seldom leaves its cache line. The
// row in a slot is checked against the size of the table. So a file that lies gives wrong rows, but never other memory,
// and no long searches.

import { createHash } from 'node:crypto';
import { native, PROBES_MAX } from '../addon/native.js';
import { isTypedArray, typedArrayName } from '../base/kinds.js';
import { isWellFormed, rangeError, typeError } from '../base/options.js';

const LOWER = 2 ** 32;
/** Fewer than one in 10 000 random seeds fail, so that many in a row do not. */
const SEEDS_MAX = 8;
/** Node takes less than 2 GiB. */
const HASHED_AT_ONCE = 2 ** 30;

/** How many words the slots for so many ids have. */
function slotsFor(count: number): Int32Array<ArrayBuffer> {
  const capacity = 2 ** Math.max(1, Math.ceil(Math.log2(Math.max(1, count) * 2)));
  return new Int32Array(new ArrayBuffer(8 * capacity));
}

/** Whether so many words can be slots: two words for each slot, and a power of two of slots. */
export function areSlots(words: number): boolean {
  const capacity = words / 2;
  return capacity >= 2 && Number.isInteger(Math.log2(capacity)) && capacity <= 2 ** 30;
}

const shiftOf = (slots: Int32Array) => 33 - Math.log2(slots.length);

/** Slots, and the seed by which they were filled, as 16 hexadecimal digits. */
export interface IdSlots {
  readonly slots: Int32Array;
  readonly seed: string;
}

export interface IdIndex<Id> extends IdSlots {
  /** The row of an id; -1 if there is none. */
  rowOf(id: Id): number;
  /** The rows of many ids. @throws {TypeError} one of them is not an id of this kind. */
  rowsOf(ids: ArrayLike<unknown>): Int32Array;
}

/** A text that may be a seed. */
export const isSeed = (text: unknown): text is string => typeof text === 'string' && /^[0-9a-f]{16}$/.test(text);

const keyOf = (seed: string) => [Number.parseInt(seed.slice(0, 8), 16) | 0, Number.parseInt(seed.slice(8), 16) | 0];

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) => new Uint8Array(buffer, byteOffset, byteLength);

/** Makes slots. `fill` returns false if an id finds no place, and is then called with another seed. */
function filled(count: number, ids: readonly Uint8Array[], fill: (given: IdSlots) => boolean): IdSlots {
  for (let attempt = 0; attempt < SEEDS_MAX; ++attempt) {
    const hash = createHash('sha256');
    for (const part of [...ids, Uint8Array.of(attempt)])
      for (let at = 0; at < part.length; at += HASHED_AT_ONCE) hash.update(part.subarray(at, at + HASHED_AT_ONCE));
    const given = { slots: slotsFor(count), seed: hash.digest('hex').slice(0, 16) };
    if (fill(given)) return given;
  }
  throw rangeError('ids', 'ids that an index can hold', `${count} of them`);
}

/** The index of integers. `words`: two for each id, the lower one first. */
export class IntegerIndex implements IdIndex<number> {
  readonly slots: Int32Array;
  readonly seed: string;
  readonly #key0: number;
  readonly #key1: number;
  readonly #words: Int32Array;
  readonly #shift: number;
  readonly #mask: number;
  readonly #count: number;
  readonly #wide: boolean;

  /**
   * `wide`: whether some id has an upper half, or is below 0. By default all words are checked.
   *
   * @throws {RangeError} an id comes twice; only if no slots are given.
   */
  constructor(words: Int32Array, given?: IdSlots, wide = hasUpperHalf(words)) {
    this.#words = words;
    this.#count = words.length / 2;
    const { slots, seed } = given ?? filled(this.#count, [bytesOf(words)], (empty) => addIntegers(words, empty));
    this.slots = slots;
    this.seed = seed;
    [this.#key0, this.#key1] = keyOf(seed) as [number, number];
    this.#shift = shiftOf(slots);
    this.#mask = slots.length / 2 - 1;
    this.#wide = wide;
  }

  rowOf(id: number): number {
    const low = id | 0;
    const high = Math.floor(id / LOWER) | 0;
    if (high !== 0 && !this.#wide) return -1;
    const { slots } = this;
    let slot = hashOfInteger(low, high, this.#key0, this.#key1) >>> this.#shift;
    for (let probes = 0; probes < PROBES_MAX; ++probes, slot = (slot + 1) & this.#mask) {
      const row = slots[2 * slot + 1]! - 1;
      if (row < 0) return -1;
      if (slots[2 * slot] !== low || row >= this.#count) continue;
      if (!this.#wide || this.#words[2 * row + 1] === high) return row;
    }
    return -1;
  }

  rowsOf(ids: ArrayLike<unknown>): Int32Array {
    const rows = new Int32Array(ids.length);
    const numbers = numbersOf(ids);
    native.tableFind(this.slots, this.#words, this.#count, this.#wide, this.#key0, this.#key1, numbers, rows);
    return rows;
  }
}

function addIntegers(words: Int32Array, { slots, seed }: IdSlots): boolean {
  const [key0, key1] = keyOf(seed) as [number, number];
  const shift = shiftOf(slots);
  const mask = slots.length / 2 - 1;
  for (let row = 0; row < words.length / 2; ++row) {
    const low = words[2 * row]!;
    const high = words[2 * row + 1]!;
    let slot = hashOfInteger(low, high, key0, key1) >>> shift;
    let probes = 0;
    for (; slots[2 * slot + 1] !== 0; slot = (slot + 1) & mask) {
      if (++probes === PROBES_MAX) return false;
      const other = slots[2 * slot + 1]! - 1;
      if (slots[2 * slot] === low && words[2 * other + 1] === high)
        throw rangeError('ids', 'each id once', `${high * LOWER + (low >>> 0)} in rows ${other} and ${row}`);
    }
    slots[2 * slot] = low;
    slots[2 * slot + 1] = row + 1;
  }
  return true;
}

/** The index of texts: their bytes back to back, and where each ends. */
export class TextIndex implements IdIndex<string> {
  readonly slots: Int32Array;
  readonly seed: string;
  readonly #key: readonly number[];
  readonly #bytes: Uint8Array;
  readonly #ends: Float64Array;
  /** Where native code writes the row of one id. */
  readonly #row = new Int32Array(new ArrayBuffer(4));

  /** @throws {RangeError} an id comes twice; only if no slots are given. */
  constructor(bytes: Uint8Array, ends: Float64Array, given?: IdSlots) {
    this.#bytes = bytes;
    this.#ends = ends;
    const { slots, seed } =
      given ?? filled(ends.length, [bytes, bytesOf(ends)], (empty) => addTexts(bytes, ends, empty));
    this.slots = slots;
    this.seed = seed;
    this.#key = keyOf(seed);
  }

  rowOf(id: string): number {
    if (!isWellFormed(id)) return -1; // UTF-8 would make another text of it, which may be there
    this.#find([id], this.#row);
    return this.#row[0]!;
  }

  rowsOf(ids: ArrayLike<unknown>): Int32Array {
    const rows = new Int32Array(ids.length).fill(-1);
    const texts = Array.from(rows, (_, i) => {
      const id = ids[i];
      if (typeof id !== 'string') throw typeError(`ids[${i}]`, 'a string', id);
      return id;
    });
    if (texts.every(isWellFormed)) this.#find(texts, rows);
    else for (const [i, text] of texts.entries()) rows[i] = this.rowOf(text);
    return rows;
  }

  /** Searches by native code, which survives a file that is cut. */
  #find(ids: readonly string[], rows: Int32Array): void {
    native.tableFindTexts(this.slots, this.#bytes, this.#ends, this.#key[0]!, this.#key[1]!, ids, rows);
  }
}

const textAt = (bytes: Uint8Array, ends: Float64Array, row: number) =>
  bytes.subarray(row === 0 ? 0 : ends[row - 1]!, ends[row]!);

function addTexts(bytes: Uint8Array, ends: Float64Array, { slots, seed }: IdSlots): boolean {
  const [key0, key1] = keyOf(seed) as [number, number];
  const shift = shiftOf(slots);
  const mask = slots.length / 2 - 1;
  for (let row = 0; row < ends.length; ++row) {
    const text = textAt(bytes, ends, row);
    const hash = hashOfText(text, key0, key1);
    let slot = hash >>> shift;
    let probes = 0;
    for (; slots[2 * slot + 1] !== 0; slot = (slot + 1) & mask) {
      if (++probes === PROBES_MAX) return false;
      const other = slots[2 * slot + 1]! - 1;
      if (slots[2 * slot] === hash && Buffer.compare(textAt(bytes, ends, other), text) === 0)
        throw rangeError('ids', 'each id once', `the ids of rows ${other} and ${row}`);
    }
    slots[2 * slot] = hash;
    slots[2 * slot + 1] = row + 1;
  }
  return true;
}

/** The hash of an id, as in native code. Ids that differ only in the upper half differ in the second step. */
function hashOfInteger(low: number, high: number, key0: number, key1: number): number {
  const hash = mixed(low ^ key0, key1);
  return high === 0 ? hash : mixed(hash ^ high, key1);
}

function mixed(word: number, key: number): number {
  const first = (Math.imul(word ^ (word >>> 16), 0x7feb352d) + key) | 0;
  const second = Math.imul(first ^ (first >>> 15), 0x846ca68b);
  return second ^ (second >>> 16);
}

/** HalfSipHash-1-3 [Aumasson, Bernstein]: without the key, nobody can find two texts with the same hash. */
function hashOfText(text: Uint8Array, key0: number, key1: number): number {
  let v0 = key0;
  let v1 = key1;
  let v2 = key0 ^ 0x6c796765;
  let v3 = key1 ^ 0x74656462;
  const words = (text.length >>> 2) + 1; // the last one also has the length
  for (let i = 0; i < words + 3; ++i) {
    const word = i < words ? wordAt(text, i) : 0;
    if (i === words) v2 ^= 0xff;
    v3 ^= word;
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= word;
  }
  return v1 ^ v3;
}

/** Four bytes of a text as a word. The last word has the remaining bytes, and the length above them. */
function wordAt(text: Uint8Array, i: number): number {
  const at = 4 * i;
  if (at + 4 <= text.length) return text[at]! | (text[at + 1]! << 8) | (text[at + 2]! << 16) | (text[at + 3]! << 24);
  let word = text.length << 24;
  for (let left = at; left < text.length; ++left) word |= text[left]! << (8 * (left - at));
  return word;
}

const NUMBERS = ['Int32Array', 'Uint32Array', 'Float64Array'];

/** Whether an id of these words has an upper half, or is below 0. */
export function hasUpperHalf(words: Int32Array): boolean {
  for (let i = 1; i < words.length; i += 2) if (words[i] !== 0) return true;
  return false;
}

/** Ids as numbers or texts. Those of a BigInt64Array that are no safe integers are in no table, nor are their numbers. */
export function plainIds<Id>(ids: ArrayLike<Id> | BigInt64Array): ArrayLike<Id> {
  if (!isTypedArray(ids, 'BigInt64Array')) return ids as ArrayLike<Id>;
  return Float64Array.from(ids as BigInt64Array, Number) as ArrayLike<unknown> as ArrayLike<Id>;
}

function numbersOf(ids: ArrayLike<unknown>): Int32Array | Uint32Array | Float64Array {
  const name = typedArrayName(ids);
  if (name === 'BigInt64Array') return plainIds(ids) as Float64Array;
  if (NUMBERS.includes(name!)) return ids as Int32Array;
  const numbers = new Float64Array(ids.length);
  for (let i = 0; i < numbers.length; ++i) {
    const id = ids[i];
    if (typeof id !== 'number') throw typeError(`ids[${i}]`, 'a number', id);
    numbers[i] = id;
  }
  return numbers;
}
