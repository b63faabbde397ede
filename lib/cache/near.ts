// near.ts: the near cache: answers that this thread was given lately, found without a native call.
//
// Three words in shared memory tell whether an answer is still right (native/cache/version_words.h): the version of its
// key, which every set and delete changes; the notice, which clearing and the beginning of pressure change; and the
// clock, for entries that expire. So the next `get` here sees a `set` that returned in any thread.
//
// It is one map, with a clock [Corbato 1968] over it. A hit marks its answer and moves nothing. When the map is full,
// the hand drops an answer that was not asked for since it last came by. If keys are asked for at random, a near cache
// gains nothing, so it rests and tries again later. Under pressure there is none, because its views would pin segments.
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
 * Integers have another name in the map. Engines hash integers without a secret, so whoever may choose keys could find
 * some that all collide. Two integers that share a name push each other out.
 */
const XOR = randomInt(2 ** 32);
const LOW_BY = randomInt(2 ** 31) * 2 + 1; // odd, so that no two numbers of 32 bits share a name
const HIGH_BY = randomInt(2 ** 31) * 2 + 1;

function nameOf(key: unknown): unknown {
  if (typeof key !== 'number') return key;
  const high = (key | 0) === key ? 0 : Math.imul(Math.floor(key / 2 ** 32), HIGH_BY);
  return Math.imul(key ^ high ^ XOR, LOW_BY);
}

/** An answer, and what makes it stale. All numbers are small integers, so they lie in the object itself. */
class Answer<Out> {
  asked = false;
  place = 0; // its place in the ring
  constructor(
    readonly key: unknown,
    readonly value: Out,
    readonly word: number, // the place of the key's version among the words
    readonly version: number,
    readonly ends: number, // the tick from which on native code must be asked
  ) {}
}

/** Answers of one keyspace. 16 K answers of 1 024 float32 take some 4 MB of heap; more are no better (D22). */
const ANSWERS_MAX = 16 * 1024;

/** One answer in so many is kept: keys that are asked for now and then would only push others out (D22). */
const KEEP_EVERY = 4;

/**
 * Hits are counted until ANSWERS_MAX answers were kept. Native code answers KEEP_EVERY times as many lookups meanwhile.
 * If there are fewer hits than this share of those lookups, keeping answers costs more than it saves, and the near
 * cache rests for so many gets (D22).
 */
const HIT_SHARE_MIN = 1 / 4;
const REST_GETS = 64 * ANSWERS_MAX;

/** If there can be no near cache now, it tries again after so many gets. A choice. */
const RETRY_GETS = 4096;

/**
 * One hit in so many, on average, goes to native code: for the policy, and to compare the value's checksum. The
 * distances are irregular: at a fixed one, some keys of a steady pattern would never be compared (D17, D22).
 */
const ASK_EVERY = 256;

const { backend } = native.environment();

/** Whoever holds a view of an external ArrayBuffer can detach it. Then every view of it is empty. */
const MAY_BE_DETACHED = backend === 'array';

const nears = new Set<NearCache<unknown>>();

/** Empties near caches that must not keep their answers any more. Called by a timer, and when pressure begins. */
export function tidyNearCaches(): void {
  for (const near of nears) near.tidy();
}
onTidy(tidyNearCaches);

export class NearCache<Out> {
  #answers = new Map<unknown, Answer<Out>>();
  #ring: Answer<Out>[] = []; // the same answers, in the order in which the hand passes them
  #hand = 0;
  #words: Uint32Array | undefined;
  #notice = 0;
  #number = 0; // the place of the hit count
  #hits = 0; // since the window began
  #untilAsk = 0; // hits until one goes to native code
  #passed = 0; // lookups that went to native code
  #kept = 0; // answers that were kept since the near cache began
  #rest = 0; // lookups until it begins again
  readonly #handle: number;

  constructor(handle: number) {
    this.#handle = handle;
    this.#begin();
    nears.add(this as NearCache<unknown>);
  }

  /** The answer for `key`; undefined if native code must be asked. */
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

  /** After `find` had no answer: whether `fill` shall keep the one that native code will give. */
  wants(key: unknown): boolean {
    if (this.#rest > 0) return false;
    // A Uint8Array is another object each time, or its bytes change, so it is no key of the map.
    return (++this.#passed % KEEP_EVERY === 0 || registers[VERIFY_NOW] !== 0) && typeof key !== 'object';
  }

  /** Keeps the answer that `findNear` has just given. */
  fill(key: unknown, value: Out): void {
    registers[VERIFY_NOW] = 0;
    const ends = registers[NEAR_ENDS]! | 0;
    if (ends <= clock[0]! && clock[0]! !== ASLEEP) return; // it expires so soon that it would never be given
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
    const known = this.#answers.get(name); // for the key, or for another integer of the same name
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

  /** A place in the ring: at its end, or that of the next answer that was not asked for since the hand last passed. */
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

  /** Begins empty. Rests if there can be no near cache now. */
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
