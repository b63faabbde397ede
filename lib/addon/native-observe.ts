// native-observe.ts: the functions behind lib/observe, and behind what models count. native/binding/observe_binding.cc
// says what each does.

export interface NativeObserve {
  /** Adds to a count of the keyspace: `which` is its place in COUNTS. */
  tally(handle: number, which: number, by: number): void;
  /** A run of the keyspace's model took so long. */
  ranFor(handle: number, ms: number): void;
  /** The names of the cache's keyspaces from this number on. */
  spaceNames(handle: number, from: number): string[];
  /** Writes a row for each keyspace: its COUNTS, then its entries. */
  spaceCounts(handle: number, from: number, to: number, rows: Float64Array): void;
  /** Adds to `times`: how many runs took no longer than each bound, how many there were, and their ns together. */
  spaceTimes(handle: number, space: number, times: Float64Array): void;
  /** Adds to `buckets`, of TIME_BUCKETS numbers, how many runs were in each. */
  spaceBuckets(handle: number, space: number, buckets: Float64Array): void;
}

/** The same names, for the check at the start. */
export const OBSERVE_FUNCTIONS = {
  tally: true,
  ranFor: true,
  spaceNames: true,
  spaceCounts: true,
  spaceTimes: true,
  spaceBuckets: true,
} satisfies Record<keyof NativeObserve, true>;
