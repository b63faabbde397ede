// quantiles.ts: quantiles of times that a native histogram counted, of all time or of the last minute.
//
// A histogram only grows. What it counted in a while is what it counts now less what it counted then. So a `Window`
// keeps what it counted at some moments: one every 10 s, of the last 60 to 70 s. They take 65 KiB.

import { TIME_BUCKETS, TIME_SPLIT } from '../addon/native.js';
import type { Quantiles } from './figures.js';

const STEP_MS = 10_000;
const STEPS = 7;

/** Seconds: the upper end of a bucket, as `HistogramBuckets::EndOf` has it. */
export function endOf(bucket: number): number {
  if (bucket < 2 * TIME_SPLIT) return (bucket + 1) / 1e9;
  const shift = Math.floor(bucket / TIME_SPLIT) - 1;
  return (((bucket % TIME_SPLIT) + TIME_SPLIT + 1) * 2 ** shift) / 1e9;
}

/** Null: nothing was counted. */
export function quantilesOf(buckets: Float64Array, before?: Float64Array): Quantiles | null {
  let count = 0;
  for (let i = 0; i < TIME_BUCKETS; ++i) count += buckets[i]! - (before?.[i] ?? 0);
  if (count <= 0) return null;
  const at = (share: number): number => {
    let left = Math.max(1, share * count);
    for (let i = 0; i < TIME_BUCKETS; ++i) {
      left -= buckets[i]! - (before?.[i] ?? 0);
      if (left <= 0) return endOf(i);
    }
    return endOf(TIME_BUCKETS - 1);
  };
  return { count, p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999) };
}

/** What a histogram counted lately. */
export class Window {
  /** The newest last. */
  readonly #kept: { at: number; buckets: Float64Array }[] = [];
  #count = 0;
  #now: Float64Array = new Float64Array(TIME_BUCKETS);

  /** @param buckets  what it counts at this moment; the array is kept, and must not be changed any more */
  add(at: number, buckets: Float64Array): void {
    this.#now = buckets;
    const kept = this.#kept;
    const age = at - (kept.at(-1)?.at ?? at);
    const count = buckets.reduce((sum, one) => sum + one, 0);
    // Nobody looked meanwhile; the clock went back; or a server ended, and its times with it.
    if (age > 2 * STEP_MS || age < 0 || count < this.#count) kept.length = 0;
    this.#count = count;
    if (kept.length > 0 && age < STEP_MS) return;
    kept.push({ at, buckets });
    if (kept.length > STEPS) kept.shift();
  }

  /** Of the last 60 to 70 s; of less, at first. */
  minute(): Quantiles | null {
    return quantilesOf(this.#now, this.#kept[0]?.buckets);
  }

  /** Of the last 10 to 20 s. */
  moment(): Quantiles | null {
    return quantilesOf(this.#now, (this.#kept.at(-2) ?? this.#kept[0])?.buckets);
  }
}
