// batch-loops.mts — the loops over batches that are timed, once for all stores (see harness/own-copy.mts).
//
// One element of every row is compared, `id % 1024`.  Each loop returns the index of the first wrong answer, or -1.
// They may use their arguments only.

import type { Gets } from './reading-loops.mjs';

export interface BatchProbes<Batch> {
  /** What to ask for, cut into batches of one length. */
  readonly batches: readonly Batch[];
  /** The ids of the same keys, one after the other. */
  readonly ids: Uint32Array;
  /** By place in `ids`. */
  readonly expected: Float64Array;
}

export interface GetsMany {
  getMany(keys: readonly string[]): readonly (ArrayLike<number> | undefined)[];
}

export interface Gathers<Batch> {
  gather(batch: Batch, out: Float32Array): { readonly hits: number };
}

export function readOneByOne(store: Gets, { batches, ids, expected }: BatchProbes<readonly string[]>): number {
  let i = 0;
  for (const batch of batches) {
    for (let at = 0; at < batch.length; at++, i++) {
      const value = store.get(batch[at]!);
      if (value === undefined || value[ids[i]! & 1023] !== expected[i]) return i;
    }
  }
  return -1;
}

export function readMany(store: GetsMany, { batches, ids, expected }: BatchProbes<readonly string[]>): number {
  let i = 0;
  for (const batch of batches) {
    const values = store.getMany(batch);
    for (let at = 0; at < batch.length; at++, i++) {
      const value = values[at];
      if (value === undefined || value[ids[i]! & 1023] !== expected[i]) return i;
    }
  }
  return -1;
}

export function gatherMany<Batch extends ArrayLike<unknown>>(
  store: Gathers<Batch>,
  { batches, ids, expected }: BatchProbes<Batch>,
  out: Float32Array,
): number {
  let i = 0;
  for (const batch of batches) {
    if (store.gather(batch, out).hits !== batch.length) return i;
    for (let at = 0; at < batch.length; at++, i++) {
      if (out[at * 1024 + (ids[i]! & 1023)] !== expected[i]) return i;
    }
  }
  return -1;
}
