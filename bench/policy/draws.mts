// draws.mts — numbers drawn for workloads, the same ones for the same seed.

import { random32 } from '../workloads/random.mjs';

/** Evenly from 0 to below 1. */
export function randomFrom(seed: number): () => number {
  const next = random32(seed);
  return () => next() / 2 ** 32;
}

/** By Zipf's law with exponent 1, through the inverse of the sum of 1/rank; the ranks are the ids. */
export function zipfIds(items: number, length: number, seed: number): Uint32Array {
  const sums = new Float64Array(items);
  for (let i = 0, sum = 0; i < items; ++i) sums[i] = sum += 1 / (i + 1);
  const random = randomFrom(seed);
  const total = sums[items - 1]!;
  const ids = new Uint32Array(length);
  for (let i = 0; i < length; i++) {
    const wanted = random() * total;
    let low = 0;
    let high = items - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sums[middle]! < wanted) low = middle + 1;
      else high = middle;
    }
    ids[i] = low;
  }
  return ids;
}
