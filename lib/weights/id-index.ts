// id-index.ts: from an id to the row of its vector: open addressing over two words a slot, in memory that may be a file's.
//
//   integers  the id's lower half, row + 1; ids that have an upper half are told apart by the list of ids
//   texts     a hash of the UTF-8, row + 1; told apart by their bytes
//
// At most half of the slots are used, so that a probe seldom goes beyond its line. A slot's row is checked against the
// size of the table whoever wrote it: a file that lies gives wrong rows, never memory of others.

import { native } from '../native.js';
import { isWellFormed, rangeError, typeError } from '../options.js';

const GOLDEN = 0x9e3779b1;
const LOWER = 2 ** 32;

/** Words of the slots for so many ids. */
export function slotsFor(count: number): Int32Array<ArrayBuffer> {
  const capacity = 2 ** Math.max(1, Math.ceil(Math.log2(Math.max(1, count) * 2)));
  return new Int32Array(new ArrayBuffer(8 * capacity));
}

/** A power of two, or the slots are none. */
export function areSlots(words: number): boolean {
  const capacity = words / 2;
  return capacity >= 2 && Number.isInteger(Math.log2(capacity)) && capacity <= 2 ** 30;
}

const shiftOf = (slots: Int32Array) => 33 - Math.log2(slots.length);

export interface IdIndex<Id> {
  readonly slots: Int32Array;
  /** -1 if there is none. */
  rowOf(id: Id): number;
  /** Of many ids, some of which may be no ids at all: those are a TypeError. */
  rowsOf(ids: ArrayLike<unknown>): Int32Array;
}

/** Of whole numbers; `words`: two of each id, the lower one first. */
export class IntegerIndex implements IdIndex<number> {
  readonly slots: Int32Array;
  readonly #words: Int32Array;
  readonly #shift: number;
  readonly #mask: number;
  readonly #count: number;
  /** Some id has an upper half, or is below 0. */
  readonly #wide: boolean;

  /** @throws {RangeError} an id twice, where the slots are to be filled. */
  constructor(words: Int32Array, given?: Int32Array) {
    this.#words = words;
    this.#count = words.length / 2;
    this.slots = given ?? slotsFor(this.#count);
    this.#shift = shiftOf(this.slots);
    this.#mask = this.slots.length / 2 - 1;
    let wide = false;
    for (let row = 0; row < this.#count && !wide; ++row) wide = words[2 * row + 1] !== 0;
    this.#wide = wide;
    if (given === undefined) for (let row = 0; row < this.#count; ++row) this.#add(row);
  }

  rowOf(id: number): number {
    const low = id | 0;
    const high = Math.floor(id / LOWER) | 0;
    if (high !== 0 && !this.#wide) return -1;
    const { slots } = this;
    let slot = Math.imul(low ^ Math.imul(high, GOLDEN), GOLDEN) >>> this.#shift;
    for (let probes = 0; probes <= this.#mask; ++probes, slot = (slot + 1) & this.#mask) {
      const row = slots[2 * slot + 1]! - 1;
      if (row < 0) return -1;
      if (slots[2 * slot] !== low || row >= this.#count) continue;
      if (!this.#wide || this.#words[2 * row + 1] === high) return row;
    }
    return -1;
  }

  rowsOf(ids: ArrayLike<unknown>): Int32Array {
    const rows = new Int32Array(ids.length);
    native.tableFind(this.slots, this.#words, this.#count, this.#wide, numbersOf(ids), rows);
    return rows;
  }

  #add(row: number): void {
    const low = this.#words[2 * row]!;
    const high = this.#words[2 * row + 1]!;
    const { slots } = this;
    let slot = Math.imul(low ^ Math.imul(high, GOLDEN), GOLDEN) >>> this.#shift;
    for (; slots[2 * slot + 1] !== 0; slot = (slot + 1) & this.#mask) {
      const other = slots[2 * slot + 1]! - 1;
      if (slots[2 * slot] === low && this.#words[2 * other + 1] === high)
        throw rangeError('ids', 'each id once', `${high * LOWER + (low >>> 0)} in rows ${other} and ${row}`);
    }
    slots[2 * slot] = low;
    slots[2 * slot + 1] = row + 1;
  }
}

/** Of texts: their bytes back to back, and where each ends. */
export class TextIndex implements IdIndex<string> {
  readonly slots: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #ends: Float64Array;
  readonly #shift: number;
  readonly #mask: number;

  constructor(bytes: Uint8Array, ends: Float64Array, given?: Int32Array) {
    this.#bytes = bytes;
    this.#ends = ends;
    this.slots = given ?? slotsFor(ends.length);
    this.#shift = shiftOf(this.slots);
    this.#mask = this.slots.length / 2 - 1;
    if (given !== undefined) return;
    for (let row = 0; row < ends.length; ++row) {
      const text = this.#textOf(row);
      const hash = hashOf(text);
      const found = this.#find(text, hash);
      if (found.row >= 0) throw rangeError('ids', 'each id once', `the ids of rows ${found.row} and ${row}`);
      this.slots[2 * found.slot] = hash;
      this.slots[2 * found.slot + 1] = row + 1;
    }
  }

  rowOf(id: string): number {
    if (!isWellFormed(id)) return -1; // UTF-8 would make it another text, which may be there
    const text = Buffer.from(id);
    return this.#find(text, hashOf(text)).row;
  }

  rowsOf(ids: ArrayLike<unknown>): Int32Array {
    const rows = new Int32Array(ids.length);
    for (let i = 0; i < rows.length; ++i) {
      const id = ids[i];
      if (typeof id !== 'string') throw typeError(`ids[${i}]`, 'a string', id);
      rows[i] = this.rowOf(id);
    }
    return rows;
  }

  #textOf(row: number): Uint8Array {
    return this.#bytes.subarray(row === 0 ? 0 : this.#ends[row - 1]!, this.#ends[row]!);
  }

  #find(text: Uint8Array, hash: number): { row: number; slot: number } {
    const { slots } = this;
    let slot = Math.imul(hash, GOLDEN) >>> this.#shift;
    for (let probes = 0; probes <= this.#mask; ++probes, slot = (slot + 1) & this.#mask) {
      const row = slots[2 * slot + 1]! - 1;
      if (row < 0) return { row: -1, slot };
      if (slots[2 * slot] === hash && row < this.#ends.length && Buffer.compare(this.#textOf(row), text) === 0)
        return { row, slot };
    }
    return { row: -1, slot };
  }
}

function numbersOf(ids: ArrayLike<unknown>): Int32Array | Uint32Array | Float64Array {
  if (ids instanceof Int32Array || ids instanceof Uint32Array || ids instanceof Float64Array) return ids;
  const numbers = new Float64Array(ids.length);
  for (let i = 0; i < numbers.length; ++i) {
    const id = ids[i];
    if (typeof id !== 'number') throw typeError(`ids[${i}]`, 'a number', id);
    numbers[i] = id;
  }
  return numbers;
}

/** FNV-1a [Fowler, Noll, Vo]. */
function hashOf(text: Uint8Array): number {
  let hash = 0x811c9dc5 | 0;
  for (let i = 0; i < text.length; ++i) hash = Math.imul(hash ^ text[i]!, 0x01000193);
  return hash;
}
