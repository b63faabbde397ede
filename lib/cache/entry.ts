// entry.ts: facts about an entry, while it is stored, and after it was evicted.

import {
  AGE,
  COST,
  EVICTION_REASONS,
  EXPIRES,
  FREQUENCY,
  GAP,
  IDLE,
  SIZE,
  THRESHOLD,
  WORTH,
  wideRegisters,
} from '../addon/native.js';

/** An entry: its value, and facts about it. */
export interface Entry<Out> {
  value: Out;
  /** ms since it was stored, to 128 ms. */
  age: number;
  /** ms left; Infinity if it does not expire. */
  ttl: number;
  /** Bytes of the value. */
  size: number;
  /**
   * How often it was asked for lately, as the eviction policy counts, at least. With `'learned'` it is 1, 2, 3, 5, 8 or
   * 12.
   */
  frequency: number;
  /**
   * The time between its last two requests, in capacities, at most: 1/16, 1/4, 1, 4, 16 or Infinity. A capacity is as
   * many requests as the cache holds entries. 0 if it was asked for once, and always with `'score'`.
   */
  gap: number;
  /** The time since its last request, in capacities: in steps of 1/32, up to 32. */
  idle: number;
  /** Reuse rate times cost, by the byte. Compare it only between entries of one cache at one time. */
  worth: number;
  /** When its segment is emptied, it is evicted if its worth is no more than this. 0 until the cache evicts. */
  threshold: number;
  /** The `cost` given to `set`, to the 7 digits of a 32-bit float; 0 without one. */
  cost: number;
}

/** Why an entry was evicted, or not stored. */
export interface Eviction {
  /**
   * `'capacity'`: its segment was emptied, and it was worth no more than `threshold`. `'maxEntries'`: there were too
   * many entries, and it was worth least in a sample; `threshold` is what the next one was worth. `'worth'`:
   * `admission` refused it.
   */
  reason: 'capacity' | 'maxEntries' | 'worth';
  /** As in {@link Entry}, at that time. */
  frequency: number;
  gap: number;
  idle: number;
  worth: number;
  threshold: number;
}

/** The facts that native code wrote to the registers. @internal */
export function describedEntry(): Omit<Entry<unknown>, 'value'> {
  return {
    age: wideRegisters[AGE]!,
    ttl: wideRegisters[EXPIRES]!,
    size: wideRegisters[SIZE]!,
    ...judgement(),
    cost: wideRegisters[COST]!,
  };
}

/** @param number the answer of native code: a place in EVICTION_REASONS. @internal */
export function evictionOf(number: number): Eviction | undefined {
  const reason = EVICTION_REASONS[number]!;
  return reason === 'none' ? undefined : { reason, ...judgement() };
}

/** How the policy judged an entry. */
function judgement(): Omit<Eviction, 'reason'> {
  return {
    frequency: wideRegisters[FREQUENCY]!,
    gap: wideRegisters[GAP]!,
    idle: wideRegisters[IDLE]!,
    worth: wideRegisters[WORTH]!,
    threshold: wideRegisters[THRESHOLD]!,
  };
}
