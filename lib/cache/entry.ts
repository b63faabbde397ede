// entry.ts: what one is told of an entry: while it is stored, and how it came to go.

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

/** An entry and what is known of it. */
export interface Entry<Out> {
  value: Out;
  /** ms since it was stored, to 128 ms. */
  age: number;
  /** ms left; Infinity if it does not expire. */
  ttl: number;
  /** Bytes of the value. */
  size: number;
  /**
   * How often it was asked for lately, at least, as the eviction policy counts: with `'learned'` 1, 2, 3, 5, 8 or 12.
   */
  frequency: number;
  /**
   * How long before it was last asked for it had been asked for, at most, in numbers of requests as large as the
   * capacity: 1/16, 1/4, 1, 4, 16 or Infinity; 0 if it was asked for once, and always with `'score'`.
   */
  gap: number;
  /** How long since it was last asked for, in capacities likewise; to 1/32, up to 32. */
  idle: number;
  /** What keeping it earns, by the byte; comparable between entries of one cache at one time. */
  worth: number;
  /** It goes when its segment is emptied while its worth is no more than this; 0 until the cache evicts. */
  threshold: number;
  /** As given to `set`, to the 7 digits of a 32-bit float; 0 if it was not. */
  cost: number;
}

/** Why an entry was evicted, or not stored. */
export interface Eviction {
  /**
   * `'capacity'`: its segment was emptied, and it was worth no more than `threshold`. `'maxEntries'`: there were too
   * many, and of a sample it was worth least; `threshold` is what the next was worth. `'worth'`: `admission` refused
   * it.
   */
  reason: 'capacity' | 'maxEntries' | 'worth';
  /** As in {@link Entry}, at that time. */
  frequency: number;
  gap: number;
  idle: number;
  worth: number;
  threshold: number;
}

/** What native code left in the registers of an entry that it described. @internal */
export function describedEntry(): Omit<Entry<unknown>, 'value'> {
  return {
    age: wideRegisters[AGE]!,
    ttl: wideRegisters[EXPIRES]!,
    size: wideRegisters[SIZE]!,
    ...judgement(),
    cost: wideRegisters[COST]!,
  };
}

/** @param number what native code answered: a place in EVICTION_REASONS. @internal */
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
