// arrays.ts: whether an array is its elements and nothing more.

import { inspect } from '../base/kinds.js';

/** Object.keys makes a text of each index. For longer arrays that takes longer than `inspect`. */
const KEYS_MAX = 256;
const WITHOUT_ELEMENTS = {
  maxArrayLength: 0,
  depth: 0,
  customInspect: false,
  getters: false,
  showHidden: false,
  colors: false,
  numericSeparator: false,
} as const;
/** How `inspect` shows an array of two elements. */
const BARE = inspect?.([0, 0], WITHOUT_ELEMENTS);

/**
 * Whether an array has members beside its elements: enumerable ones, or named by symbols. In arrays up to 256 long it
 * also finds holes. The time does not depend on the length.
 */
export function hasMembers(array: readonly unknown[]): boolean {
  const { length } = array;
  if (Object.getOwnPropertySymbols(array).length > 0) return true;
  // Without its elements, it looks as any other array of its length.
  if (length > KEYS_MAX && inspect !== undefined && BARE !== undefined)
    if (inspect(array, WITHOUT_ELEMENTS) === BARE.replace('2', `${length}`)) return false;
  return Object.keys(array).length !== length;
}
