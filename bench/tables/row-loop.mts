// row-loop.mts — the timed loop over single rows; compiled once for each contender (own-copy.mts).

export interface RowSource {
  row(id: number): ArrayLike<number> | undefined;
}

/** Reads one element of each row; returns the place of the first that is wrong, or -1. */
export function readEach(
  source: RowSource,
  ids: Int32Array,
  expected: Float64Array,
  count: number,
  dimensions: number,
): number {
  for (let i = 0; i < count; ++i) {
    const row = source.row(ids[i] as number);
    if (row === undefined || row[i % dimensions] !== expected[i]) return i;
  }
  return -1;
}
