// native-cache.ts: the functions behind lib/cache. native/binding/cache_binding.cc, read_binding.cc and
// write_binding.cc say what each does.

export interface NativeCounts {
  hits: number;
  misses: number;
  copiedHits: number;
  nearHits: number;
  sets: number;
  refusedPinned: number;
  refusedReaders: number;
  refusedMemory: number;
  refusedWorth: number;
  storedBytes: number;
  deletes: number;
  evicted: number;
  trimmed: number;
  expired: number;
  copiedForward: number;
  copiedForwardBytes: number;
  evictedSegments: number;
  corrupted: number;
  exposures: number;
  youngCollections: number;
  forcedCollections: number;
  /** What only models know: lib/model/outcomes.ts. The first three are corrections, and may be negative. */
  movedHits: number;
  movedCopies: number;
  movedMisses: number;
  stale: number;
  coalesced: number;
  negative: number;
  bypassed: number;
  runs: number;
  runInputs: number;
  runFailures: number;
  runTimeouts: number;
  verified: number;
  mismatches: number;
  entries: number;
}

export interface NativeStats extends NativeCounts {
  segmentBytes: number;
  keyspaces: number;
  keyspacesMax: number;
  scopes: number;
  scopesMax: number;
  segments: number;
  freeSegments: number;
  retiredSegments: number;
  exposedSegments: number;
  exposureLimit: number;
  seenHere: number;
  pendingHere: number;
  indexBytes: number;
  fixedBytes: number;
  committedSegments: number;
  exposurePriceNs: number;
  policyBytes: number;
  policyCapacity: number;
  policyTick: number;
  /** µs since the cache was made. */
  ageUs: number;
  threshold: number;
  evicting: boolean;
}

export type NativeKey = string | Uint8Array | number;
export type NativeKeys = readonly NativeKey[] | Int32Array | Uint32Array | Float64Array;

export interface NativeCache {
  open(
    name: string,
    maxBytes: number,
    verify: number,
    maxEntries: number,
    bindingOptions: string,
    policy: number,
    aging: boolean,
    admission: boolean,
  ): number;
  /** `terms`: what else must be the same when it is opened again, in words; `''`: anything. */
  keyspace(handle: number, name: string, scope: string, codec: string, integerKeys: boolean, terms: string): number;
  near(handle: number): [ArrayBufferLike, number, number] | undefined;
  clock(): ArrayBufferLike | undefined;
  find(handle: number, key: NativeKey, slab: Uint8Array | undefined): ArrayBufferLike | number;
  findNear(handle: number, key: NativeKey, slab: Uint8Array | undefined): ArrayBufferLike | number;
  peek(handle: number, key: NativeKey, slab: Uint8Array | undefined): ArrayBufferLike | number;
  findMany(
    handle: number,
    keys: NativeKeys | string,
    slab: Uint8Array | undefined,
    locations: Int32Array,
    buffers: ArrayBufferLike[],
    ends: Int32Array | undefined,
    count: number,
  ): number;
  gather(
    handle: number,
    keys: NativeKeys | string,
    out: ArrayBufferView,
    rowBytes: number,
    missing: Int32Array,
    ends: Int32Array | undefined,
    count: number,
  ): number;
  copy(handle: number, key: NativeKey, peek: boolean): ArrayBuffer | undefined;
  check(handle: number, keys: NativeKeys | string, ends: Int32Array | undefined, count: number): void;
  has(handle: number, key: NativeKey): boolean;
  describe(handle: number, key: NativeKey): boolean;
  lastEviction(handle: number, key: NativeKey): 0 | 1 | 2 | 3;
  scan(handle: number, part: number): NativeKey[];
  set(handle: number, key: NativeKey, value: ArrayBufferView): 0 | 1;
  setTagged(handle: number, key: NativeKey, value: ArrayBufferView, tags: readonly string[]): 0 | 1;
  touch(handle: number, key: NativeKey, ttlUs: number): 0 | 1 | 2;
  delete(handle: number, key: NativeKey): boolean;
  deleteByTag(handle: number, tag: string): number;
  clear(handle: number): void;
  generation(handle: number): number;
  close(handle: number): void;
  detached(handle: number, segment: number): void;
  heap(usedBytes: number): void;
  maintain(): void;
  collect(): void;
  stats(handle: number): NativeStats;
  spaceStats(handle: number): NativeCounts;
  environment(): { backend: 'shared' | 'array' | 'copy'; memoryLimitBytes: number };
}

/** The same names, for the check at the start. */
export const CACHE_FUNCTIONS = {
  open: true,
  keyspace: true,
  near: true,
  clock: true,
  find: true,
  findNear: true,
  peek: true,
  findMany: true,
  gather: true,
  copy: true,
  check: true,
  has: true,
  describe: true,
  lastEviction: true,
  scan: true,
  set: true,
  setTagged: true,
  touch: true,
  delete: true,
  deleteByTag: true,
  clear: true,
  generation: true,
  close: true,
  detached: true,
  heap: true,
  maintain: true,
  collect: true,
  stats: true,
  spaceStats: true,
  environment: true,
} satisfies Record<keyof NativeCache, true>;
