// bounds.ts: the upper bounds of histograms' buckets, in seconds: 1.024 µs, and each next one four times as much.
//
// They are powers of two in ns. There the native histogram, which is finer, has bounds too: so no value is told in a
// wrong bucket (native/base/histogram.h).

import { TIME_BOUND_FIRST, TIME_BOUND_STEP, TIME_BOUNDS } from '../addon/native.js';

export const BOUNDS: readonly number[] = Array.from(
  { length: TIME_BOUNDS },
  (_, i) => 2 ** (TIME_BOUND_FIRST + i * TIME_BOUND_STEP) / 1e9,
);
