// reading-loops.mts — the loops that are timed, once for all stores (harness/own-copy.mts compiles each store its own).
//
// Every answer is checked as it comes: one element of it, or all of them.  Element `id % 1024` and not always the
// first: the first line of a value is where a store may have been already.  Each loop returns the index of the first
// wrong answer, or -1.  They may use their arguments only.

export interface Probes {
  /** By id. */
  readonly keys: readonly string[];
  /** The same requests as text: key `i` is `text.slice(starts[i], starts[i + 1])`. Empty where nobody slices. */
  readonly text: string;
  readonly starts: Uint32Array;
  /** What to ask for. */
  readonly ids: Uint32Array;
  /** By place in `ids`: element `id % 1024` of the value, or its product with `weights`. */
  readonly expected: Float32Array | Float64Array;
  readonly weights: Float32Array;
}

export const ALL_RIGHT = -1;

export interface Gets {
  get(key: string): ArrayLike<number> | undefined;
}

export type ReadingLoop = (store: Gets, probes: Probes) => number;

/** A key that the program holds: its hash is known, the string itself may be the one in the store. */
export function readOneElement(store: Gets, { keys, ids, expected }: Probes): number {
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!;
    const value = store.get(keys[id]!);
    if (value === undefined || value[id & 1023] !== expected[i]) return i;
  }
  return -1;
}

/** A key as it comes out of a request: a new string for each get, sliced from a text. */
export function readOneElementByFreshKey(store: Gets, { text, starts, ids, expected }: Probes): number {
  for (let i = 0; i < ids.length; i++) {
    const value = store.get(text.slice(starts[i]!, starts[i + 1]!));
    if (value === undefined || value[ids[i]! & 1023] !== expected[i]) return i;
  }
  return -1;
}

/**
 * The same, but where the next key begins depends on the value that was read: the difference from what was expected is
 * added, and it is 0. So no get begins before the one before it has its answer, as where an answer says what to ask for
 * next, or where other work lies between two gets.
 */
export function readOneElementChained(store: Gets, { text, starts, ids, expected }: Probes): number {
  let carried = 0;
  for (let i = 0; i < ids.length; i++) {
    const value = store.get(text.slice(starts[i]! + carried, starts[i + 1]!));
    if (value === undefined) return i;
    carried = value[ids[i]! & 1023]! - expected[i]!;
    if (carried !== 0) return i;
  }
  return -1;
}

/** All of the value: its product with a fixed vector, in four sums, so that the adder is not what is measured. */
export function readWhole(store: Gets, { keys, ids, expected, weights }: Probes): number {
  for (let i = 0; i < ids.length; i++) {
    const value = store.get(keys[ids[i]!]!);
    if (value === undefined) return i;
    let a = 0;
    let b = 0;
    let c = 0;
    let d = 0;
    for (let j = 0; j < 1024; j += 4) {
      a += value[j]! * weights[j]!;
      b += value[j + 1]! * weights[j + 1]!;
      c += value[j + 2]! * weights[j + 2]!;
      d += value[j + 3]! * weights[j + 3]!;
    }
    if (a + b + (c + d) !== expected[i]) return i;
  }
  return -1;
}

/** The product that `readWhole` computes, added up in the same order. */
export function dotProduct(value: ArrayLike<number>, weights: Float32Array): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let j = 0; j < weights.length; j += 4) {
    a += value[j]! * weights[j]!;
    b += value[j + 1]! * weights[j + 1]!;
    c += value[j + 2]! * weights[j + 2]!;
    d += value[j + 3]! * weights[j + 3]!;
  }
  return a + b + (c + d);
}
