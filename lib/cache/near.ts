// near.ts: answers that this thread was given lately, kept where no native call is needed to find them.
//
// An answer stays right as long as three words in shared memory are what they were (native/cache/version_words.h): the
// version of its key, which every set and delete changes; the notice, which clearing and the beginning of eviction
// change; and the clock, for entries that expire. So a `set` that returned in any thread is seen by the next `get`
// here.
//
// One map, and a clock [Corbato 1968] over it: a hit marks its answer and moves nothing; when the map is full, the hand
// takes an answer that was not asked for since it last came by. A cache whose keys are asked for at random gets nothing
// from this: it rests then, and looks again later. While a cache evicts there is none, because answers kept here would
// keep segments from being freed.
import { randomInt } from 'node:crypto';
import {
  ASLEEP,
  clock,
  NEAR_ENDS,
  NEAR_VERSION,
  NEAR_WORD,
  NOTICE,
  native,
  nearHits,
  onTidy,
  registers,
  VERIFY_NOW,
} from '../addon/native.js';

/**
 * Integers get another name in the map: engines hash them without a secret, so whoever may choose keys could find some
 * that all collide. Two that share a name push each other out.
 */
const XOR = randomInt(2 ** 32);
const LOW_BY = randomInt(2 ** 31) * 2 + 1; // odd, so that no two numbers of 32 bits share a name
const HIGH_BY = randomInt(2 ** 31) * 2 + 1;

function nameOf(key: unknown): unknown {
  if (typeof key !== 'number') return key;
  const high = (key | 0) === key ? 0 : Math.imul(Math.floor(key / 2 ** 32), HIGH_BY);
  return Math.imul(key ^ high ^ XOR, LOW_BY);
}

/** An answer, and what makes it stale. All numbers are small integers: they lie in the object itself. */
class Answer<Out> {
  asked = false;
  place = 0; // in the ring
  constructor(
    readonly key: unknown,
    readonly value: Out,
    readonly word: number, // where its version lies
    readonly version: number,
    readonly ends: number, // the tick from which on native code is to be asked
  ) {}
}

/** 16 K answers of 1 024 float32 are some 4 MB of heap. */
const ANSWERS_MAX = 16 * 1024;

/** One answer in so many that could be kept is: what is asked for once in a while would only push others out. */
const KEEP_EVERY = 4;

/**
 * Hits are counted until so many answers were kept that the map could be full of them, which takes KEEP_EVERY times as
 * many lookups that native code answers. With fewer hits than this share of those, keeping costs more than it saves: it
 * rests.
 */
const HIT_SHARE_MIN = 1 / 4;
const REST_GETS = 64 * ANSWERS_MAX;

/** Where there can be none, it is looked again after so many gets. */
const RETRY_GETS = 4096;

/**
 * Of so many hits, on average, one goes to native code: the policy hears of the key, and the value's checksum is
 * compared. At irregular distances: a fixed one would never fall on some keys of a steady pattern.
 */
const ASK_EVERY = 256;

const { backend } = native.environment();

/** An external ArrayBuffer can be detached by whoever holds a view: then every view of it is empty. */
const MAY_BE_DETACHED = backend === 'array';

const nears = new Set<NearCache<unknown>>();

/** Lets go of what must not be kept any more, in keyspaces that nobody asks: from a timer, and when eviction begins. */
export function tidyNearCaches(): void {
  for (const near of nears) near.tidy();
}
onTidy(tidyNearCaches);

export class NearCache<Out> {
  #answers = new Map<unknown, Answer<Out>>();
  #ring: Answer<Out>[] = []; // the same, in the order in which the hand passes them
  #hand = 0;
  #words: Uint32Array | undefined;
  #notice = 0;
  #number = 0; // of the hit count
  #hits = 0; // since the window began
  #untilAsk = 0;
  #passed = 0; // lookups that native code was to answer
  #kept = 0; // answers
  #rest = 0; // lookups until this begins again
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
    const answer = this.#answers.get(nameOf(key));
    if (answer === undefined || (typeof key === 'number' && answer.key !== key)) return undefined;
    const words = this.#words!;
    if (
      words[answer.word] !== answer.version ||
      words[NOTICE] !== this.#notice ||
      answer.ends <= clock[0]! ||
      (MAY_BE_DETACHED && (answer.value as { length?: number }).length === 0)
    )
      return this.#stale(answer);
    if (--this.#untilAsk < 0) {
      this.#untilAsk = Math.floor(Math.random() * (2 * ASK_EVERY));
      registers[VERIFY_NOW] = 1;
      return undefined;
    }
    if (!answer.asked) answer.asked = true;
    ++this.#hits;
    nearHits[this.#number]!++;
    return answer.value;
  }

  /** After `find` had no answer: whether the one that native code will give is to be kept, by `fill`. */
  wants(key: unknown): boolean {
    if (this.#rest > 0) return false;
    // A Uint8Array is another object each time, or has other bytes.
    return (++this.#passed % KEEP_EVERY === 0 || registers[VERIFY_NOW] !== 0) && typeof key !== 'object';
  }

  /** Keeps what `findNear` has just answered. */
  fill(key: unknown, value: Out): void {
    registers[VERIFY_NOW] = 0;
    const ends = registers[NEAR_ENDS]! | 0;
    if (ends <= clock[0]! && clock[0]! !== ASLEEP) return; // over so soon that it would not be given
    if (++this.#kept % ANSWERS_MAX === 0) {
      const hits = this.#hits;
      this.#hits = 0;
      if (hits < ANSWERS_MAX * KEEP_EVERY * HIT_SHARE_MIN) {
        this.#sleep(REST_GETS);
        return;
      }
    }
    const version = registers[NEAR_VERSION]!;
    const answer = new Answer(key, value, registers[NEAR_WORD]!, version, ends);
    const name = nameOf(key);
    const known = this.#answers.get(name); // of the key, or of another integer of that name
    answer.place = known !== undefined ? known.place : this.#freePlace();
    this.#ring[answer.place] = answer;
    this.#answers.set(name, answer);
  }

  /** The keyspace was closed. */
  close(): void {
    this.#sleep(Number.POSITIVE_INFINITY);
    nears.delete(this as NearCache<unknown>);
  }

  tidy(): void {
    if (this.#words !== undefined && this.#words[NOTICE] !== this.#notice) this.#begin();
  }

  /** At the end; or that of the first answer from the hand on that was not asked for since the hand last passed. */
  #freePlace(): number {
    const ring = this.#ring;
    if (ring.length < ANSWERS_MAX) return ring.length;
    let hand = this.#hand;
    for (; ring[hand]!.asked; hand = (hand + 1) % ANSWERS_MAX) ring[hand]!.asked = false;
    this.#answers.delete(nameOf(ring[hand]!.key));
    this.#hand = (hand + 1) % ANSWERS_MAX;
    return hand;
  }

  #stale(answer: Answer<Out>): undefined {
    this.#answers.delete(nameOf(answer.key));
    const last = this.#ring.pop()!;
    if (last !== answer) {
      last.place = answer.place;
      this.#ring[answer.place] = last;
    }
    if (this.#hand >= this.#ring.length) this.#hand = 0;
    this.tidy();
    return undefined;
  }

  /** Starts with nothing kept; rests if there can be no near cache just now. */
  #begin(): void {
    this.#forget();
    const near = native.near(this.#handle);
    if (near === undefined) {
      this.#sleep(RETRY_GETS);
      return;
    }
    this.#rest = 0;
    this.#words = new Uint32Array(near[0]);
    this.#number = near[1];
    this.#notice = near[2];
  }

  #sleep(gets: number): void {
    this.#forget();
    this.#words = undefined;
    this.#rest = gets;
  }

  #forget(): void {
    this.#answers = new Map();
    this.#ring = [];
    this.#hand = 0;
    this.#hits = 0;
    this.#kept = 0;
  }
}
