// upstreams.ts: the Redis behind a cache, which is asked for what is not here. A room that asks one says so here.
// `cache.stats()` counts what it does, and the dashboard and the metrics show it (lib/observe).

import type { Cache } from './cache.js';

/** Counts of keys that upstreams were asked for, and of commands. Of this thread, since the cache was opened. */
export interface UpstreamCounts {
  /** Keys that Redis had, and had not. */
  hits: number;
  misses: number;
  /** Keys that the loader was asked for; and that waited for the loader of another process. */
  loaded: number;
  waited: number;
  /** Keys that Redis was not or could not be asked for. */
  failed: number;
  /** Values that were not stored in L0, because their key changed while they were read. */
  fenced: number;
  /** Keys of which Redis had a stale value (`stale`); and that the loader failed to make a new one of. */
  stale: number;
  failedRefreshes: number;
  /** Writes that Redis confirmed; that it may not have; and that wait (`writes: 'behind'`). */
  writes: number;
  lostWrites: number;
  queued: number;
  /** Commands that were sent; replies that were late, or an error. */
  commands: number;
  late: number;
  refused: number;
  /** Connections that were made, and that were lost. */
  connects: number;
  outages: number;
  /** Keys that Redis told of, because others changed them; and flushes. */
  invalidations: number;
  flushes: number;
}

/** Counts of all upstreams of a cache. */
export interface UpstreamTotals extends UpstreamCounts {
  /** Upstreams that keyspaces use; and those of them that answer. */
  upstreams: number;
  healthy: number;
}

/** How an upstream does. Counts are since it was told of, and never fall. */
export interface UpstreamState {
  /** Such as its address, without a password. */
  readonly name: string;
  /** Whether it answers. */
  readonly healthy: boolean;
  /** What it does, or why it does not answer, in a few words. */
  readonly state: string;
  readonly requests: number;
  readonly errors: number;
  /** How long requests took: TIME_BUCKETS counts, as `NativeObserve.spaceBuckets` adds them. */
  readonly buckets?: Float64Array;
  /** As many of them as it has. */
  readonly counts?: Partial<UpstreamCounts>;
}

type Read = () => readonly UpstreamState[];

const upstreams = new WeakMap<Cache, Set<Read>>();

/**
 * Tells of what stands behind a cache. `read` is called by `stats()`, and once a second while somebody watches. It must
 * not throw, nor refer to the cache.
 *
 * @returns takes it back.
 */
export function addUpstreams(cache: Cache, read: Read): () => void {
  const all = upstreams.get(cache) ?? new Set();
  upstreams.set(cache, all.add(read));
  return () => void all.delete(read);
}

export function upstreamsOf(cache: Cache): UpstreamState[] {
  return [...(upstreams.get(cache) ?? [])].flatMap((read) => read());
}

/** Undefined: no keyspace has one. */
export function upstreamTotals(cache: Cache): UpstreamTotals | undefined {
  const states = upstreamsOf(cache);
  if (states.length === 0) return undefined;
  const healthy = states.filter((state) => state.healthy).length;
  return { ...sumOf(states.flatMap(({ counts }) => counts ?? [])), upstreams: states.length, healthy };
}

/** Of counts that some have and some have not. */
export function sumOf(all: readonly Partial<UpstreamCounts>[]): UpstreamCounts {
  const sum = { ...NONE };
  const names = Object.keys(NONE) as (keyof UpstreamCounts)[];
  for (const counts of all) for (const name of names) sum[name] += counts[name] ?? 0;
  return sum;
}

/** Of one keyspace's or model's keys, before anything was counted. */
export const NO_KEYS = {
  hits: 0,
  misses: 0,
  loaded: 0,
  waited: 0,
  failed: 0,
  fenced: 0,
  stale: 0,
  failedRefreshes: 0,
  writes: 0,
  lostWrites: 0,
} satisfies Partial<UpstreamCounts>;

const NONE: UpstreamCounts = {
  ...NO_KEYS,
  queued: 0,
  commands: 0,
  late: 0,
  refused: 0,
  connects: 0,
  outages: 0,
  invalidations: 0,
  flushes: 0,
};
