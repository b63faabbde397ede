// outcomes.ts: tells the keyspace of a model what only the model knows: what became of each request, and its runs.
//
// The engine counts a hit or a miss at each lookup. Some of them turn out to be something else: a miss that joins a run
// under way, a hit that is stale. Then the engine's count is corrected, so that each request has one outcome, and the
// outcomes together are the requests. The counts are the engine's: all threads' together, and as old as the cache.
//
//   the engine saw       the model made of it                              outcome
//   hit, view or copy    served; its time to live had passed               stale
//                        too old to be served: it is computed again        as a miss
//   miss                 a run for it is under way                         coalesced
//                        its run failed a moment ago (`negativeTtl`)       negative
//   nothing              the caller wants it computed anew                 bypass
//
// A fresh hit and a plain miss cost nothing here.

import { COPIED, COUNTS, type CountName, native, registers, SEGMENT } from '../addon/native.js';
import { handleOf } from '../cache/keyspace.js';

const PLACES = Object.fromEntries(COUNTS.map((name, place) => [name, place])) as Record<CountName, number>;
const COPIED_SEGMENT = COPIED >>> 0; // as it stands in the register

export class Outcomes {
  readonly #answers: object;

  /** @param answers the model's keyspace */
  constructor(answers: object) {
    this.#answers = answers;
  }

  /**
   * The time to live of the last lookup's hit has passed. Call it at once: the registers tell about that hit.
   *
   * @param served  false: it is computed again
   */
  old(served: boolean): void {
    this.#add(served ? 'stale' : 'movedMisses', 1);
    this.#add(registers[SEGMENT] === COPIED_SEGMENT ? 'movedCopies' : 'movedHits', -1);
  }

  coalesced(count = 1): void {
    this.#add('coalesced', count);
    this.#add('movedMisses', -count);
  }

  negative(): void {
    this.#add('negative', 1);
    this.#add('movedMisses', -1);
  }

  bypassed(count = 1): void {
    this.#add('bypassed', count);
  }

  /** A run of so many inputs took so many ms. */
  ran(inputs: number, ms: number): void {
    this.#add('runs', 1);
    this.#add('runInputs', inputs);
    const handle = handleOf(this.#answers)!;
    if (handle >= 0) native.ranFor(handle, ms);
  }

  /** A run took longer than `timeout`. */
  timedOut(): void {
    this.#add('runTimeouts', 1);
  }

  /** An input failed. */
  failed(): void {
    this.#add('runFailures', 1);
  }

  /** A hit was computed again. */
  verified(same: boolean): void {
    this.#add('verified', 1);
    if (!same) this.#add('mismatches', 1);
  }

  /** Runs end, and counts come, also after the cache was closed: then nobody asks for them any more. */
  #add(which: CountName, by: number): void {
    const handle = handleOf(this.#answers)!;
    if (handle >= 0) native.tally(handle, PLACES[which], by);
  }
}
