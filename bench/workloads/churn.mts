// churn.mts — more keys than fit: sets of any of them, all equally likely, and gets by Zipf, two for every set.
//
//   group 0   64 sets, then 128 gets
//   group 1   64 sets, then 128 gets
//   …
//
// In groups, because a clock that is read around every set would cost a good part of one.  A set puts its own number
// into the value, so a get can tell whether it was given the latest.

import { uniformStream } from './random.mjs';
import { zipfStream } from './zipf.mjs';

export const SETS_PER_GROUP = 64;
export const GETS_PER_GROUP = 2 * SETS_PER_GROUP;

/** Drawn in advance; longer runs begin again. Powers of two, and whole groups. */
const STREAM_GROUPS = 2 ** 14;

export class ChurnTrace {
  readonly ids: number;
  readonly #sets: Uint32Array;
  readonly #gets: Uint32Array;

  constructor(ids: number, seed: number) {
    this.ids = ids;
    this.#sets = uniformStream(ids, STREAM_GROUPS * SETS_PER_GROUP, seed);
    this.#gets = zipfStream(ids, STREAM_GROUPS * GETS_PER_GROUP, seed + 1);
  }

  /** The ids that group `group` sets. */
  setsOf(group: number): Uint32Array {
    const start = (group % STREAM_GROUPS) * SETS_PER_GROUP;
    return this.#sets.subarray(start, start + SETS_PER_GROUP);
  }

  /** The ids that it asks for afterwards. */
  getsOf(group: number): Uint32Array {
    const start = (group % STREAM_GROUPS) * GETS_PER_GROUP;
    return this.#gets.subarray(start, start + GETS_PER_GROUP);
  }
}
