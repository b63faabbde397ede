// native.ts: loads the addon, and says in types what its functions take and give. Nothing else names the .node file.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { getHeapStatistics } from 'node:v8';
import { CacheError, type CacheErrorCode } from './errors.js';

/** Answers of a lookup that has no buffer to make a view from. */
export const MISS = -1;
export const COPIED = -2; // into the slab, at registers[OFFSET]
export const NEED_SLAB = -3; // a copy is due, and the slab has no room for registers[LENGTH] bytes

/** Places in the registers, where native code leaves the rest of an answer. */
export const OFFSET = 0; // of the value in its buffer, in bytes
export const LENGTH = 1; // of the value, in bytes
export const SEGMENT = 2; // that the buffer shows

export interface NativeStats {
  hits: number;
  misses: number;
  copiedHits: number;
  sets: number;
  refusedPinned: number;
  refusedReaders: number;
  refusedMemory: number;
  deletes: number;
  evictions: number;
  copiedForward: number;
  evictedSegments: number;
  corrupted: number;
  exposures: number;
  youngCollections: number;
  forcedCollections: number;
  entries: number;
  segmentBytes: number;
  segments: number;
  freeSegments: number;
  retiredSegments: number;
  exposedSegments: number;
  exposureLimit: number;
  seenHere: number;
  pendingHere: number;
  indexBytes: number;
  committedSegments: number;
  exposurePriceNs: number;
  evicting: boolean;
}

export interface Native {
  start(registers: Uint32Array, errorFactory: (code: CacheErrorCode, message: string) => CacheError): void;
  open(name: string, maxBytes: number, verify: number): number;
  keyspace(handle: number, name: string, scope: string, codec: string): number;
  /** The external buffer over the value's segment, or an answer without one. */
  find(handle: number, key: string | Uint8Array, slab: Uint8Array | undefined): ArrayBufferLike | number;
  /** Three numbers a key: the segment or an answer without a buffer; offset; length. `buffers` is filled by segment. */
  findMany(
    handle: number,
    keys: readonly (string | Uint8Array)[],
    slab: Uint8Array | undefined,
    locations: Int32Array,
    buffers: ArrayBufferLike[],
  ): number;
  copy(handle: number, key: string | Uint8Array): ArrayBuffer | undefined;
  has(handle: number, key: string | Uint8Array): boolean;
  set(handle: number, key: string | Uint8Array, value: ArrayBufferView): 0 | 1;
  delete(handle: number, key: string | Uint8Array): boolean;
  clear(handle: number): void;
  close(handle: number): void;
  detached(handle: number, segment: number): void;
  heap(usedBytes: number): void;
  maintain(): void;
  collect(): void;
  stats(handle: number): NativeStats;
  environment(): { backend: 'shared' | 'array' | 'copy'; memoryLimitBytes: number };
}

function load(): Native {
  const require = createRequire(__filename);
  const local = join(__dirname, '..', 'build', 'Release', 'zerohop.node');
  if (!existsSync(local)) {
    throw new CacheError(
      'ERR_CACHE_ADDON',
      `zerohop: no native addon at ${local}; run 'npm run build' in the checkout`,
    );
  }
  try {
    return require(local) as Native;
  } catch (cause) {
    throw new CacheError(
      'ERR_CACHE_ADDON',
      `zerohop: the native addon does not load on ${process.platform}-${process.arch}`,
      { cause },
    );
  }
}

export const native = load();

// An ArrayBuffer of its own, never handed out: typed arrays of up to 64 bytes live in the JavaScript heap and move.
export const registers = new Uint32Array(new ArrayBuffer(128));

native.start(registers, (code, message) => new CacheError(code, message));

/** Tells native code how large the heap is: what a collection costs, and so what an exposure costs, follows from it. */
export function reportHeap(): void {
  native.heap(getHeapStatistics().used_heap_size);
}
reportHeap();
