// native.ts: says in types what the addon's functions take and give, and starts it. As in addon.ts, and for its reason,
// none of Node's modules are imported.

import { CacheError, type CacheErrorCode } from '../base/errors.js';
import { loadAddon } from './addon.js';
import { collectYoungGeneration } from './collect.js';

/** Answers of a lookup that has no buffer to make a view from. */
export const MISS = -1;
export const COPIED = -2; // into the slab, at registers[OFFSET]
export const NEED_SLAB = -3; // a copy is due, and the slab has no room for registers[LENGTH] bytes

/** Places in the registers, where native code leaves the rest of an answer. */
export const OFFSET = 0; // of the value in its buffer, in bytes
export const LENGTH = 1; // of the value, in bytes
export const SEGMENT = 2; // that the buffer shows
export const NEAR_WORD = 3; // of the words of a near cache, the one that is the key's version
export const NEAR_VERSION = 4; // what it was before the lookup
export const VERIFY_NOW = 5; // set by us: the next `findNear` compares the checksum
export const NEAR_ENDS = 6; // the tick from which on native code is to be asked about the entry
export const EVICTED = 7; // entries that the last set pushed out

/** Places in the wide registers. */
export const EXPIRES = 8; // ms left
export const AGE = 9; // in ms
export const FREQUENCY = 10;
export const COST = 11; // in ms
export const SIZE = 12; // of the value, in bytes
export const STORE_TTL = 13; // set by us: what the next value is stored with, in us; Infinity: it has no end
export const STORE_COST = 14; // likewise, in ms
export const GAP = 15; // in capacities
export const WORTH = 16;
export const THRESHOLD = 17;
export const IDLE = 18; // in capacities

/** Answers of a store. */
export const STORED = 1;
export const ABSENT = 2; // touch: there is no such key

/** The index is scanned in so many parts. */
export const SCAN_PARTS = 64;

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
  threshold: number;
  evicting: boolean;
}

export type NativeKey = string | Uint8Array | number;
export type NativeKeys = readonly NativeKey[] | Int32Array | Uint32Array | Float64Array;

/** What the system says of a file of weights. */
export interface NativeFileFacts {
  size: number;
  /** False: it is to be read into memory of its own. */
  mapped: boolean;
  /** Since it was opened. */
  changed: boolean;
  /** Another one after each write, whatever time a program set. */
  identity: string;
  /** The user's number, and the permission bits. */
  owner: number;
  mode: number;
  /** When its inode changed last, in ms since 1970. */
  changedMs: number;
}

/** What a header of weights says. */
export interface NativeHeader {
  names: string[];
  dtypes: string[];
  /** Elements and bits of each one's blocks. */
  blocks: Float64Array;
  shapes: number[][];
  /** Begin and end of each, in the file. */
  places: Float64Array;
  /** Texts; of GGUF the places of values: type, element type, count, begin and end. */
  metadata: ([string, string] | [string, number, number, number, number, number])[];
}

/** Type: 0 F32, 1 F16, 2 BF16, 3 I8; 0 where there are no scales. */
export type NativeVectors = [
  file: unknown,
  begin: number,
  type: number,
  dimensions: number,
  rows: number,
  scalesBegin: number,
];

/** What native code calls of ours. */
interface Hooks {
  newError(code: string, message: string): Error;
  /** Collects the young generation. */
  collectYoung(): void;
  /** Has all near caches drop what they must not keep. */
  tidyNear(): void;
}

interface Addon {
  /**
   * Adds everything else to `library`, and gives it back. Once for each evaluation of this file, of which there may be
   * many over one addon (native/binding/evaluation.h). Native code calls the hooks for as long as the object is there.
   */
  start(library: Hooks): Native;
}

export interface Native {
  /** Where native code leaves the rest of an answer; the same array for every evaluation. */
  readonly registers: Uint32Array;
  /** Hits of near caches, one number a keyspace, counted here and read by native code; later ones do without. */
  readonly nearHits: Float64Array;
  /** `terms`: whatever else must be the same when the name is opened again. */
  open(
    name: string,
    maxBytes: number,
    verify: number,
    maxEntries: number,
    terms: string,
    policy: number,
    aging: boolean,
    admission: boolean,
  ): number;
  keyspace(handle: number, name: string, scope: string, codec: string, integerKeys: boolean): number;
  /** The words that a near cache watches, the place of its hit count, the notice; undefined where there can be none now. */
  near(handle: number): [ArrayBufferLike, number, number] | undefined;
  /** A buffer over the word that counts ticks of time; undefined where there are no such buffers. */
  clock(): ArrayBufferLike | undefined;
  /** The external buffer over the value's segment, or an answer without one. */
  find(handle: number, key: NativeKey, slab: Uint8Array | undefined): ArrayBufferLike | number;
  /** The same; registers tell what a near cache must know of the answer. */
  findNear(handle: number, key: NativeKey, slab: Uint8Array | undefined): ArrayBufferLike | number;
  /** The same as `find`, uncounted. */
  peek(handle: number, key: NativeKey, slab: Uint8Array | undefined): ArrayBufferLike | number;
  /**
   * Keys of a batch: a list; or `count` strings as one, and where each of them ends.
   *
   * Three numbers a key: the segment or an answer without a buffer; offset; length. `buffers` is filled by segment.
   */
  findMany(
    handle: number,
    keys: NativeKeys | string,
    slab: Uint8Array | undefined,
    locations: Int32Array,
    buffers: ArrayBufferLike[],
    ends: Int32Array | undefined,
    count: number,
  ): number;
  /** How many keys are missing; their places are written to `missing`. */
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
  /** Throws if one of them is no key. */
  check(handle: number, keys: NativeKeys | string, ends: Int32Array | undefined, count: number): void;
  has(handle: number, key: NativeKey): boolean;
  /** Facts in the wide registers. */
  describe(handle: number, key: NativeKey): boolean;
  /** 0: not remembered. 1, 2, 3: evicted, for maxEntries, refused; facts in the wide registers. */
  parting(handle: number, key: NativeKey): 0 | 1 | 2 | 3;
  scan(handle: number, part: number): NativeKey[];
  /** Time to live and cost are taken from the wide registers. */
  set(handle: number, key: NativeKey, value: ArrayBufferView): 0 | 1;
  setTagged(handle: number, key: NativeKey, value: ArrayBufferView, tags: readonly string[]): 0 | 1;
  /** `ttlUs` NaN: the end stays as it is. */
  touch(handle: number, key: NativeKey, ttlUs: number): 0 | 1 | 2;
  delete(handle: number, key: NativeKey): boolean;
  deleteByTag(handle: number, tag: string): number;
  clear(handle: number): void;
  close(handle: number): void;
  detached(handle: number, segment: number): void;
  heap(usedBytes: number): void;
  maintain(): void;
  collect(): void;
  stats(handle: number): NativeStats;
  spaceStats(handle: number): NativeCounts;
  /** Fingerprints: what native/binding/functions.h says. */
  hashStart(blocks: Uint8Array, state: Uint8Array): void;
  hashText(state: Uint8Array, kind: number, text: string, out: Uint8Array): boolean;
  hashData(state: Uint8Array, head: Uint8Array, data: Uint8Array, nans: number, out: Uint8Array): void;
  hashTexts(state: Uint8Array, texts: string, ends: Int32Array, out: Uint8Array): number;
  hashManyData(
    state: Uint8Array,
    heads: Uint8Array | readonly Uint8Array[],
    data: readonly Uint8Array[],
    nans: number,
    out: Uint8Array,
  ): void;
  /** Memoised inference: likewise. `undefined`, and -1 - its place: a text has a lone surrogate. */
  findText(
    handle: number,
    state: Uint8Array,
    kind: number,
    text: string,
    slab: Uint8Array | undefined,
    digest: Uint8Array,
  ): ArrayBufferLike | number | undefined;
  findData(
    handle: number,
    state: Uint8Array,
    head: Uint8Array,
    data: Uint8Array,
    nans: number,
    slab: Uint8Array | undefined,
    digest: Uint8Array,
  ): ArrayBufferLike | number;
  findTexts(
    handle: number,
    state: Uint8Array,
    texts: string,
    ends: Int32Array,
    unused: undefined,
    digests: Uint8Array,
    slab: Uint8Array | undefined,
    locations: Int32Array,
    buffers: ArrayBufferLike[],
  ): number;
  findManyData(
    handle: number,
    state: Uint8Array,
    heads: readonly Uint8Array[] | Uint8Array,
    data: readonly Uint8Array[],
    nans: number,
    digests: Uint8Array,
    slab: Uint8Array | undefined,
    locations: Int32Array,
    buffers: ArrayBufferLike[],
  ): number;
  /** Weights: native/binding/functions.h. A text in place of an answer says what is wrong. */
  weightsOpen(path: string, strategy: number, follow: boolean): unknown;
  weightsFacts(file: unknown): NativeFileFacts;
  weightsParse(file: unknown): NativeHeader | [code: string, message: string, offset: number];
  weightsParseIndex(text: Uint8Array): [string, string][] | [code: string, message: string, offset: number];
  weightsSplitNames(name: string): string[] | undefined;
  weightsWindow(file: unknown, from: number, bytes: number): ArrayBuffer;
  /** Tells V8 of so many bytes more, or fewer: only what was told before. */
  accountExternal(bytes: number): void;
  weightsDetach(buffer: ArrayBuffer): boolean;
  weightsRelease(file: unknown, discard: boolean): void;
  weightsRead(file: unknown, from: number, out: Uint8Array): string | undefined;
  weightsCopy(file: unknown, from: number, out: Uint8Array): string | undefined;
  weightsResident(file: unknown): number;
  weightsAdvise(file: unknown, from: number, bytes: number): boolean;
  weightsLock(file: unknown): string | undefined;
  /** `control`: set the first word to give up; the second counts KiB. */
  weightsDigest(
    file: unknown,
    begin: number,
    end: number,
    threads: number,
    control: Int32Array,
  ): Promise<ArrayBuffer | string>;
  weightsLoad(file: unknown, threads: number, control: Int32Array): Promise<true | string>;
  weightsWarm(file: unknown, ranges: Float64Array, threads: number, control: Int32Array): Promise<true | string>;
  bytesDigest(bytes: Uint8Array): ArrayBuffer;
  lockTake(path: string, shared: boolean): unknown;
  lockRelease(lock: unknown): void;
  tensorFloat32(file: unknown, begin: number, end: number, dtype: string, out?: Float32Array): number | string;
  tableFind(
    slots: Int32Array,
    words: Int32Array,
    rows: number,
    wide: boolean,
    key0: number,
    key1: number,
    ids: Int32Array | Uint32Array | Float64Array,
    places: Int32Array,
  ): void;
  /** Of these the first six are a table's vectors. Throw, with code ERR_WEIGHTS_CHANGED: the file was cut. */
  tableGather(...vectors: [...NativeVectors, places: Int32Array, out: ArrayBufferView]): void;
  tableDot(...vectors: [...NativeVectors, query: Float32Array, places: Int32Array, out: Float32Array]): void;
  tableTopK(
    ...vectors: [...NativeVectors, query: Float32Array, places: Float64Array, scores: Float32Array, threads: number]
  ): number;
  environment(): { backend: 'shared' | 'array' | 'copy'; memoryLimitBytes: number };
}

/** Set by near.ts: has all near caches drop what they must not keep. Native code asks for it when eviction begins. */
export const near = { tidy(): void {} };

// Errors are made here for native code, so that they are of the classes of this evaluation, and of its realm.
export const native = (loadAddon() as Addon).start({
  newError(code, message) {
    if (code === 'ERR_INVALID_ARG_TYPE') return Object.assign(new TypeError(message), { code });
    if (code === 'ERR_OUT_OF_RANGE') return Object.assign(new RangeError(message), { code });
    if (code === 'ERR_WEIGHTS_CHANGED') return Object.assign(new Error(message), { code });
    return new CacheError(code as CacheErrorCode, message);
  },
  collectYoung: collectYoungGeneration,
  tidyNear: () => near.tidy(),
});

export const { registers, nearHits } = native;
export const wideRegisters = new Float64Array(registers.buffer);

/** Ticks of 4 ms, as native code counts them: at most some ms ago; beyond every end while nobody counts. */
export const clock = clockOver(native.clock());

function clockOver(buffer: ArrayBufferLike | undefined): Int32Array {
  return buffer === undefined ? new Int32Array(1) : new Int32Array(buffer);
}

/** Tells native code how large the heap is: what a collection costs, and so what an exposure costs, follows from it. */
export function reportHeap(): void {
  native.heap(process.getBuiltinModule('node:v8').getHeapStatistics().used_heap_size);
}
reportHeap();
