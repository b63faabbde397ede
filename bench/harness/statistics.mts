// statistics.mts — medians and percentiles of a handful of samples: lib/cli/bench-measure.ts says why those.

import type { Summary } from '#cli/bench-measure';

export { medianRatio, type Summary, summarize } from '#cli/bench-measure';

/** A figure that was counted once: there is no spread to tell. */
export function single(value: number): Summary {
  return { median: value, p5: value, p95: value };
}
