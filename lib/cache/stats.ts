// stats.ts: the counts and sizes that users see.
import { type NativeCounts, type NativeStats, native } from '../addon/native.js';
import type { UpstreamTotals } from './upstreams.js';

/** Counts of one keyspace since the cache was made, by all threads. */
export interface KeyspaceStats {
  /** Lookups that were answered: with views, with copies, and by near caches. */
  hits: number;
  misses: number;
  /** Hits that were answered with a copy, because their segment was not exposed. */
  copiedHits: number;
  /** Hits that the near cache of a thread answered. */
  nearHits: number;
  sets: number;
  /**
   * Sets that stored nothing, by reason: views pin all segments; a reader was stopped in a lookup; the system gave no
   * memory; the entry is worth less than others (with `admission`).
   */
  refusals: number;
  refusalsBy: { pinned: number; readers: number; memory: number; worth: number };
  deletes: number;
  /** Entries that were evicted because room was needed, or because there were more than `maxEntries`. */
  evictions: number;
  evictionsBy: { capacity: number; maxEntries: number };
  /** Entries that were found expired, and dropped. */
  expired: number;
  /** Entries that were found changed by a write through a view. */
  corrupted: number;
  /** Entries now, including expired ones that nobody has found yet. */
  entries: number;
}

/** Counts of all keyspaces and threads since the cache was made, and bytes now. */
export interface CacheStats extends KeyspaceStats {
  /**
   * Entries that were copied to another segment, because they were worth more than the threshold when their segment was
   * emptied.
   */
  copiedForward: number;
  /** Bytes that were copied for that, for each byte that was stored. */
  copiedPerStored: number;
  /** Figures of the eviction policy; see docs/EVICTION.md. */
  policy: {
    /** When a segment is emptied, its entries that are worth no more than this are evicted. */
    threshold: number;
    /** How many entries the cache holds when it is full, as far as can be told. */
    capacity: number;
    /** Requests of one tick: a second request for the same entry within a tick does not count. */
    tickRequests: number;
    /** Memory of sketch and tracker, which `maxBytes` pays for. */
    bytes: number;
  };
  /** How many keyspaces and scopes there are. They stay until the last handle of the cache is closed. */
  keyspaces: { open: number; max: number };
  scopes: { open: number; max: number };
  /** External buffers that were made over segments. */
  exposures: number;
  /** Collections of V8's young generation, and of its whole heap, that were made to get buffers back. */
  youngCollections: number;
  forcedCollections: number;
  bytes: {
    capacity: number;
    /** In segments that hold entries, including those with room left. */
    live: number;
    free: number;
    /** In segments that are emptied, but that views still pin. */
    retired: number;
    /** In segments over which some isolate has a buffer. */
    exposed: number;
    exposedMax: number;
    /** Memory of index, tags and policy, which `maxBytes` pays for. */
    index: number;
    /** Memory beyond `maxBytes` that does not depend on what the cache holds. */
    fixed: number;
    /** How much of the arena may be in memory now, at most; beside segments below 2 MiB, the rest of their huge pages. */
    resident: number;
    /** Segments under this isolate's buffers, counted for each buffer; and under those that a collection may free. */
    exposedHere: number;
    awaitingCollectionHere: number;
  };
  segmentBytes: number;
  /** What copies out of a segment must have cost before it is exposed, in ns. */
  exposurePriceNs: number;
  evicting: boolean;
  backend: 'shared' | 'array' | 'copy';
  /** What Redis behind the keyspaces of this handle was asked; absent if no keyspace has one. */
  upstream?: UpstreamTotals;
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
