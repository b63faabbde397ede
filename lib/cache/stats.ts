// stats.ts: what is counted, as users see it.
import { type NativeCounts, type NativeStats, native } from '../addon/native.js';

/** Counts of one keyspace since the cache was made, by all threads. */
export interface KeyspaceStats {
  /** Lookups answered: views, copies and near hits. */
  hits: number;
  misses: number;
  /** Of the hits: answered with a copy, because showing the segment would have cost more. */
  copiedHits: number;
  /** Of the hits: answered by the near cache of a thread. */
  nearHits: number;
  sets: number;
  /**
   * Sets that stored nothing, and why: all segments in use by views; a stalled reader; no memory from the system; worth
   * less than what is there (with `admission`).
   */
  refusals: number;
  refusalsBy: { pinned: number; readers: number; memory: number; worth: number };
  deletes: number;
  /** Entries that left because room was needed, or because there were more than `maxEntries`. */
  evictions: number;
  evictionsBy: { capacity: number; maxEntries: number };
  /** Entries found past their time, and dropped. */
  expired: number;
  /** Entries found changed by a write through a view. */
  corrupted: number;
  /** Now; those past their time that nobody has come upon yet included. */
  entries: number;
}

/** Counts since the cache was made, of all keyspaces and threads; bytes as they are now. */
export interface CacheStats extends KeyspaceStats {
  /**
   * Entries that were copied to another segment because they were worth more than the threshold when theirs was
   * emptied.
   */
  copiedForward: number;
  /** Bytes that were copied so, for each byte that was stored. */
  copiedPerStored: number;
  /** What the eviction policy goes by; see the guide on eviction. */
  policy: {
    /** An entry goes, when its segment is emptied, if keeping it earns no more than this, by the byte. */
    threshold: number;
    /** How many entries the cache holds when it is full, as far as can be told. */
    capacity: number;
    /** Requests in which a second one for the same entry tells nothing new. */
    tickRequests: number;
    /** Memory of the sketch and the learner: paid from `maxBytes`. */
    bytes: number;
  };
  /** Names that were given to keyspaces and scopes. They stay until the last handle of the cache is closed. */
  keyspaces: { open: number; max: number };
  scopes: { open: number; max: number };
  /** External buffers made over segments. */
  exposures: number;
  /** Collections of V8's young generation, and of its whole heap, brought about to get buffers back. */
  youngCollections: number;
  forcedCollections: number;
  bytes: {
    capacity: number;
    /** In segments that hold entries, those with room left included. */
    live: number;
    free: number;
    /** Emptied, but still seen by views. */
    retired: number;
    /** In segments that some isolate has a buffer over. */
    exposed: number;
    exposedMax: number;
    /** The index, the tags and what the policy learned: paid from `maxBytes`. */
    index: number;
    /** Beyond `maxBytes`: what the cache needs whatever it holds. */
    fixed: number;
    /** In memory now, of the arena: at most this much. */
    resident: number;
    /** Shown by this isolate's buffers (a segment counts for each), and by those of them that a collection may free. */
    exposedHere: number;
    awaitingCollectionHere: number;
  };
  segmentBytes: number;
  /** What a segment's copies must have cost before it is shown, in ns. */
  exposurePriceNs: number;
  evicting: boolean;
  backend: 'shared' | 'array' | 'copy';
}

export function spaceStatsOf(raw: NativeCounts): KeyspaceStats {
  return {
    hits: raw.hits,
    misses: raw.misses,
    copiedHits: raw.copiedHits,
    nearHits: raw.nearHits,
    sets: raw.sets,
    refusals: raw.refusedPinned + raw.refusedReaders + raw.refusedMemory + raw.refusedWorth,
    refusalsBy: {
      pinned: raw.refusedPinned,
      readers: raw.refusedReaders,
      memory: raw.refusedMemory,
      worth: raw.refusedWorth,
    },
    deletes: raw.deletes,
    evictions: raw.evicted + raw.trimmed,
    evictionsBy: { capacity: raw.evicted, maxEntries: raw.trimmed },
    expired: raw.expired,
    corrupted: raw.corrupted,
    entries: raw.entries,
  };
}

export function cacheStatsOf(raw: NativeStats): CacheStats {
  const bytesOf = (segments: number) => segments * raw.segmentBytes;
  return {
    ...spaceStatsOf(raw),
    copiedForward: raw.copiedForward,
    copiedPerStored: raw.storedBytes === 0 ? 0 : raw.copiedForwardBytes / raw.storedBytes,
    policy: {
      threshold: raw.threshold,
      capacity: raw.policyCapacity,
      tickRequests: raw.policyTick,
      bytes: raw.policyBytes,
    },
    keyspaces: { open: raw.keyspaces, max: raw.keyspacesMax },
    scopes: { open: raw.scopes, max: raw.scopesMax },
    exposures: raw.exposures,
    youngCollections: raw.youngCollections,
    forcedCollections: raw.forcedCollections,
    bytes: {
      capacity: bytesOf(raw.segments),
      live: bytesOf(raw.segments - raw.freeSegments - raw.retiredSegments),
      free: bytesOf(raw.freeSegments),
      retired: bytesOf(raw.retiredSegments),
      exposed: bytesOf(raw.exposedSegments),
      exposedMax: bytesOf(raw.exposureLimit),
      index: raw.indexBytes,
      fixed: raw.fixedBytes,
      resident: bytesOf(raw.committedSegments),
      exposedHere: bytesOf(raw.seenHere),
      awaitingCollectionHere: bytesOf(raw.pendingHere),
    },
    segmentBytes: raw.segmentBytes,
    exposurePriceNs: raw.exposurePriceNs,
    evicting: raw.evicting,
    backend: native.environment().backend,
  };
}
