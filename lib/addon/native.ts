// native.ts: starts the addon, and checks that it is the one that this JavaScript was made for.
//
// native-*.ts have the types of its functions, a file for each room. native/binding/*_binding.cc say what the functions
// do. For the reason that addon.ts gives, no module of Node is imported here.

import { CacheError, type CacheErrorCode } from '../base/errors.js';
import { NAN_KINDS } from '../base/nans.js';
import { TAGS_MAX } from '../base/options.js';
import { loadAddon } from './addon.js';
import { checkFunctions, checkNumbers } from './check.js';
import { collectYoungGeneration } from './collect.js';
import { CACHE_FUNCTIONS, type NativeCache, type NativeCounts } from './native-cache.js';
import { FINGERPRINT_FUNCTIONS, type NativeFingerprint } from './native-fingerprint.js';
import { INFERENCE_FUNCTIONS, type NativeInference } from './native-inference.js';
import { type NativeObserve, OBSERVE_FUNCTIONS } from './native-observe.js';
import { type NativeResp, RESP_FUNCTIONS } from './native-resp.js';
import { type NativeWeights, WEIGHTS_FUNCTIONS } from './native-weights.js';

export type { NativeCounts, NativeKey, NativeKeys, NativeStats } from './native-cache.js';
export type { NativeFileFacts, NativeHeader, NativeRefusal, NativeVectors } from './native-weights.js';

/** Answers of a lookup that has no buffer for a view. */
export const MISS = -1;
export const COPIED = -2; // into the slab, at registers[OFFSET]
export const NEED_SLAB = -3; // a copy is due, and the slab has no room for registers[LENGTH] bytes

/** Places in the registers, where native code writes the rest of an answer. */
export const OFFSET = 0; // of the value in its buffer, in bytes
export const LENGTH = 1; // of the value, in bytes
export const SEGMENT = 2; // the one that the buffer shows
export const NEAR_WORD = 3; // the place of the key's version among the words of a near cache
export const NEAR_VERSION = 4; // the version before the lookup
export const VERIFY_NOW = 5; // set by us: the next `findNear` compares the checksum
export const NEAR_ENDS = 6; // the tick from which on native code must be asked about the entry
export const EVICTED = 7; // entries that the last set evicted

/** Places in the wide registers. */
export const EXPIRES = 8; // ms left
export const AGE = 9; // in ms
export const FREQUENCY = 10;
export const COST = 11; // in ms
export const SIZE = 12; // of the value, in bytes
export const STORE_TTL = 13; // set by us: the time to live of the next value, in us; Infinity: it has no end
export const STORE_COST = 14; // likewise, in ms
export const GAP = 15; // in capacities
export const WORTH = 16;
export const THRESHOLD = 17;
export const IDLE = 18; // in capacities
export const COSTED = 19; // hits of a batch whose cost is known; COST is then their sum

/** Answers of a store. */
export const STORED = 1;
export const ABSENT = 2; // touch: there is no such key

/** Parts of the index that are scanned one by one. */
export const SCAN_PARTS = 64;

/** Numbers of one key in the answers of a batch: the answer of its lookup, OFFSET and LENGTH. */
export const LOCATION_WORDS = 3;
/** Bytes of the header of a slab. */
export const SLAB_HEADER_BYTES = 64;

/** The place of the word for all keys among the words of a near cache. */
export const NOTICE = 0;
/** The clock word while no thread counts: beyond every end. */
export const ASLEEP = 2 ** 31 - 2;

/** Bytes of the state of a hash after whole blocks. */
export const HASH_STATE_BYTES = 200;

/** An id lies at most so many slots from its first one (native/weights/id_slots.h). */
export const PROBES_MAX = 128;

/** The words that work beside the event loop shares with us (native/binding/job.h): how many, and their places. */
export const CONTROL_WORDS = 2;
export const GIVE_UP = 0; // set by us
export const DONE_KIB = 1;

/** Times are told by bounds: the first is 2 ** TIME_BOUND_FIRST ns, each next one TIME_BOUND_STEP doublings more. */
export const TIME_BOUNDS = 16; // how many
export const TIME_BOUND_FIRST = 10;
export const TIME_BOUND_STEP = 2;
/** The finer buckets behind them: how many, and into how many each doubling is split (native/base/histogram.h). */
export const TIME_BUCKETS = 1184;
export const TIME_SPLIT = 32;

/** Lists of names. Native code knows each name by its place. */
export const VERIFY = ['off', 'sample', 'trap'] as const;
export const POLICIES = ['learned', 'score'] as const;
export const STRATEGIES = ['auto', 'mmap', 'read', 'direct'] as const;
export const EVICTION_REASONS = ['none', 'capacity', 'maxEntries', 'worth'] as const;
export const ROW_TYPES = ['F32', 'F16', 'BF16', 'I8'] as const;
/** What is counted for each keyspace (native/cache/counters.h). */
export const COUNTS = [
  ...['hits', 'misses', 'copiedHits', 'nearHits', 'sets'],
  ...['refusedPinned', 'refusedReaders', 'refusedMemory', 'refusedWorth'],
  ...['storedBytes', 'deletes', 'evicted', 'trimmed', 'expired', 'copiedForward', 'copiedForwardBytes'],
  ...['evictedSegments', 'corrupted', 'exposures', 'youngCollections', 'forcedCollections'],
  ...['movedHits', 'movedCopies', 'movedMisses', 'stale', 'coalesced', 'negative', 'bypassed'],
  ...['runs', 'runInputs', 'runFailures', 'runTimeouts', 'verified', 'mismatches'],
] as const satisfies readonly CountName[];
export type CountName = Exclude<keyof NativeCounts, 'entries'>;

/** The numbers that must be the same in native/binding/numbers.cc. @internal */
export const NUMBERS: Record<string, number> = {
  ...{ MISS, COPIED, NEED_SLAB },
  ...{ OFFSET, LENGTH, SEGMENT, NEAR_WORD, NEAR_VERSION, VERIFY_NOW, NEAR_ENDS, EVICTED },
  ...{ EXPIRES, AGE, FREQUENCY, COST, SIZE, STORE_TTL, STORE_COST, GAP, WORTH, THRESHOLD, IDLE, COSTED },
  ...{ STORED, ABSENT, SCAN_PARTS, LOCATION_WORDS, SLAB_HEADER_BYTES, NOTICE, ASLEEP, TAGS_MAX },
  ...{ HASH_STATE_BYTES, PROBES_MAX, CONTROL_WORDS, GIVE_UP, DONE_KIB },
  ...{ TIME_BOUNDS, TIME_BOUND_FIRST, TIME_BOUND_STEP, TIME_BUCKETS, TIME_SPLIT },
  ...placesIn({ VERIFY, POLICIES, EVICTION_REASONS, STRATEGIES, ROW_TYPES, NAN_KINDS, COUNTS }),
};

function placesIn(lists: Record<string, readonly string[]>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(lists).flatMap(([list, names]) => names.map((name, place) => [`${list}.${name}`, place])),
  );
}

/** The functions of ours that native code calls. */
interface Hooks {
  newError(code: string, message: string): Error;
  /** Collects the young generation. */
  collectYoung(): void;
  /** Has all near caches drop what they must not keep. */
  tidyNear(): void;
}

interface Addon {
  /**
   * Adds everything else to `library`, and returns it. Each evaluation of this file calls it once; one addon may have
   * many (native/binding/evaluation.h). Native code calls the hooks for as long as the object is there.
   */
  start(library: Hooks): Native;
  /** The numbers above, as native code has them. */
  readonly numbers?: Record<string, number>;
}

export interface Native
  extends NativeCache,
    NativeFingerprint,
    NativeInference,
    NativeWeights,
    NativeResp,
    NativeObserve {
  /** Where native code writes the rest of an answer. The same array for every evaluation. */
  readonly registers: Uint32Array;
  /** Hits of near caches, one number for each keyspace. They are counted here, and native code reads them. */
  readonly nearHits: Float64Array;
}

const FUNCTIONS = [
  CACHE_FUNCTIONS,
  FINGERPRINT_FUNCTIONS,
  INFERENCE_FUNCTIONS,
  WEIGHTS_FUNCTIONS,
  RESP_FUNCTIONS,
  OBSERVE_FUNCTIONS,
];

let tidyNear = (): void => {};

/** Sets what `tidyNear` calls. Native code asks for it when pressure begins. */
export function onTidy(tidy: () => void): void {
  tidyNear = tidy;
}

// Errors of native code are made here, so that they have the classes of this evaluation and its realm.
const hooks: Hooks = {
  newError(code, message) {
    if (code === 'ERR_INVALID_ARG_TYPE') return Object.assign(new TypeError(message), { code });
    if (code === 'ERR_OUT_OF_RANGE') return Object.assign(new RangeError(message), { code });
    if (code === 'ERR_WEIGHTS_CHANGED') return Object.assign(new Error(message), { code });
    return new CacheError(code as CacheErrorCode, message);
  },
  collectYoung: collectYoungGeneration,
  tidyNear: () => tidyNear(),
};
const others = [...Object.keys(hooks), 'registers', 'nearHits'];

const addon = loadAddon() as Addon;
/** The numbers of native code. @internal */
export const nativeNumbers = addon.numbers ?? {};
checkNumbers(nativeNumbers, NUMBERS);
export const native = addon.start(hooks);
checkFunctions(native, [...FUNCTIONS.flatMap((room) => Object.keys(room)), ...others]);

export const { registers, nearHits } = native;
export const wideRegisters = new Float64Array(registers.buffer);

/** The clock word: ticks of 4 ms, some ms late at most. While no thread counts, it lies beyond every end. */
export const clock = clockOver(native.clock());

function clockOver(buffer: ArrayBufferLike | undefined): Int32Array {
  return buffer === undefined ? new Int32Array(1) : new Int32Array(buffer);
}

/** Tells native code how large the heap is. The cost of a collection, and so that of an exposure, follows from it. */
export function reportHeap(): void {
  native.heap(process.getBuiltinModule('node:v8').getHeapStatistics().used_heap_size);
}
reportHeap();
