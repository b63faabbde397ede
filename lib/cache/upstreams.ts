// upstreams.ts: the Redis behind a cache, which is asked for what is not here. A room that asks one says so here,
// and the dashboard shows how it does (lib/observe/snapshot.ts).

import type { Cache } from './cache.js';

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
}

type Read = () => readonly UpstreamState[];

const upstreams = new WeakMap<Cache, Set<Read>>();

/**
 * Tells of what stands behind a cache. `read` is called once a second while somebody watches. It must not throw, nor
 * refer to the cache.
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
