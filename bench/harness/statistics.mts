// statistics.mts — medians and percentiles of a handful of samples.
//
// No mean and no standard deviation: a timing is never too short, only too long (an interrupt, a
// collection, a neighbour on the machine), so order statistics say more than moments do.

export interface Summary {
  readonly median: number;
  readonly p5: number;
  readonly p95: number;
}

export function summarize(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b);
  return { median: percentile(sorted, 50), p5: percentile(sorted, 5), p95: percentile(sorted, 95) };
}

/** A figure that was counted once: there is no spread to tell. */
export function single(value: number): Summary {
  return { median: value, p5: value, p95: value };
}

/**
 * The median of the quotients, round by round. Rivals that ran in the same round met the same
 * machine; dividing within the round takes its moods out of the ratio.
 */
export function medianRatio(numerators: readonly number[], denominators: readonly number[]): number {
  const rounds = Math.min(numerators.length, denominators.length);
  const ratios = Array.from({ length: rounds }, (_, round) => {
    return (numerators[round] as number) / (denominators[round] as number);
  });
  return summarize(ratios).median;
}

/** Linear between the two nearest ranks. `sorted` is ascending and not empty. */
function percentile(sorted: readonly number[], percent: number): number {
  if (sorted.length === 0) throw new RangeError('percentile of no samples');
  const rank = (percent / 100) * (sorted.length - 1);
  const below = sorted[Math.floor(rank)] as number;
  const above = sorted[Math.ceil(rank)] as number;
  return below + (above - below) * (rank - Math.floor(rank));
}
