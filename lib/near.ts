// near.ts: answers that this thread was given lately, kept where no native call is needed to find them.
//
// An answer stays right as long as three words in shared memory are what they were (native/cache/near.h): the version of
// its key, which every set and delete changes; the notice, which clearing and the beginning of eviction change; and the
// clock, for entries that expire. So a `set` that returned in any thread is seen by the next `get` here.
//
// Two maps, young and old: what is asked for moves to the young one; when that is full it becomes the old one, and what
// nobody asked for since goes. A cache whose keys are asked for at random gets nothing from this: it rests then, and
// looks again later. While a cache evicts there is none, because answers kept here would keep segments from being freed.
import {
  clock,
  EXPIRES,
  NEAR_VERSION,
  NEAR_WORD,
  native,
  near as nearHook,
  nearHits,
  registers,
  VERIFY_NOW,
  wideRegisters,
} from './native.js';

/** An answer, and what makes it stale. */
interface Answer<Out> {
  readonly value: Out;
  readonly word: number; // where its version lies
  readonly version: number;
  readonly expires: number; // on the clock; infinity for never
}

/** In each of the two maps; 16 K answers of 1 024 float32 are some 3 MB of heap. */
const ANSWERS_MAX = 16 * 1024;

/** One answer in so many that could be kept is: what is asked for once in a while would only push others out. */
const KEEP_EVERY = 2;

/** Hits are looked at after so many answers from native code; with fewer than this share, it rests. */
const WINDOW = 4096;
const HIT_SHARE_MIN = 1 / 16;
const REST_GETS = 16 * WINDOW;

/**
 * Of so many hits, on average, one goes to native code: the policy hears of the key, and the value's checksum is compared.
 * At irregular distances: a fixed one would never fall on some keys of a steady pattern.
 */
const ASK_EVERY = 256;

const { backend } = native.environment();

/** An external ArrayBuffer can be detached by whoever holds a view: then every view of it is empty. */
const MAY_BE_DETACHED = backend === 'array';

const NOTICE = 0;

const nears = new Set<NearCache<unknown>>();

/** Lets go of what must not be kept any more, in keyspaces that nobody asks: from a timer, and when eviction begins. */
export function tidyNearCaches(): void {
  for (const near of nears) near.tidy();
}
nearHook.tidy = tidyNearCaches;

export class NearCache<Out> {
  #young = new Map<unknown, Answer<Out>>();
  #old = new Map<unknown, Answer<Out>>();
  #words: Uint32Array | undefined;
  #notice = 0;
  #number = 0;
  #hits = 0; // of the window
  #untilAsk = 0;
  #asked = 0;
  #rest = 0;
  readonly #handle: number;

  constructor(handle: number) {
    this.#handle = handle;
    this.#begin();
    nears.add(this as NearCache<unknown>);
  }

  /** The answer kept for `key`; undefined if native code is to be asked. */
  find(key: unknown): Out | undefined {
    if (this.#rest > 0) {
      if (--this.#rest === 0) this.#begin();
      return undefined;
    }
    let answer = this.#young.get(key);
    if (answer === undefined) {
      answer = this.#old.get(key);
      if (answer === undefined) return undefined;
      this.#keep(key, answer);
    }
    const words = this.#words!;
    if (
      words[answer.word] !== answer.version ||
      words[NOTICE] !== this.#notice ||
      answer.expires < clock[0]! ||
      (MAY_BE_DETACHED && (answer.value as { length?: number }).length === 0)
    )
      return this.#stale(key);
    if (--this.#untilAsk < 0) {
      this.#untilAsk = Math.floor(Math.random() * (2 * ASK_EVERY));
      registers[VERIFY_NOW] = 1;
      return undefined;
    }
    ++this.#hits;
    nearHits[this.#number]!++;
    return answer.value;
  }

  /** After `find` had no answer: whether the one that native code will give is to be kept, by `fill`. */
  wants(key: unknown): boolean {
    if (this.#rest > 0) return false;
    if (++this.#asked % WINDOW === 0) {
      const hits = this.#hits;
      this.#hits = 0;
      if (hits < WINDOW * HIT_SHARE_MIN) {
        this.#sleep(REST_GETS);
        return false;
      }
    }
    // A Uint8Array is another object each time, or has other bytes.
    return (this.#asked % KEEP_EVERY === 0 || registers[VERIFY_NOW] !== 0) && typeof key !== 'object';
  }

  /** Keeps what `findNear` has just answered. */
  fill(key: unknown, value: Out): void {
    registers[VERIFY_NOW] = 0;
    const expires = wideRegisters[EXPIRES]!;
    this.#keep(key, { value, word: registers[NEAR_WORD]!, version: registers[NEAR_VERSION]!, expires });
  }

  /** The keyspace was closed. */
  close(): void {
    this.#sleep(Number.POSITIVE_INFINITY);
    nears.delete(this as NearCache<unknown>);
  }

  tidy(): void {
    if (this.#words !== undefined && this.#words[NOTICE] !== this.#notice) this.#begin();
  }

  #keep(key: unknown, answer: Answer<Out>): void {
    if (this.#young.size >= ANSWERS_MAX) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, answer);
  }

  #stale(key: unknown): undefined {
    this.#young.delete(key);
    this.#old.delete(key);
    this.tidy();
    return undefined;
  }

  /** Starts with nothing kept; rests if there can be no near cache just now. */
  #begin(): void {
    this.#young = new Map();
    this.#old = new Map();
    this.#hits = 0;
    const near = native.near(this.#handle);
    if (near === undefined) {
      this.#sleep(WINDOW);
      return;
    }
    this.#rest = 0;
    this.#words = new Uint32Array(near[0]);
    this.#notice = this.#words[NOTICE]!;
    this.#number = near[1];
  }

  #sleep(gets: number): void {
    this.#young = new Map();
    this.#old = new Map();
    this.#words = undefined;
    this.#rest = gets;
  }
}
