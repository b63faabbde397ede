// The addon and the JavaScript agree on what there is: what is said where they do not.
import { expect, test } from 'vitest';
import { checkFunctions, checkNumbers } from '../../lib/addon/check.js';
import { NUMBERS, nativeNumbers } from '../../lib/addon/native.js';
import { CACHE_FUNCTIONS } from '../../lib/addon/native-cache.js';
import { CacheError } from '../../lib/base/errors.js';

const there = Object.fromEntries(Object.keys(CACHE_FUNCTIONS).map((name) => [name, () => {}]));
const names = Object.keys(there);

function refusal(check: () => void): CacheError {
  try {
    check();
  } catch (error) {
    if (error instanceof CacheError) return error;
  }
  throw new Error('it was not refused');
}

test('an addon that has every function, and no other, is accepted', () => {
  expect(() => checkFunctions(there, names)).not.toThrow();
});

test('an addon that lacks a function is refused, and the function is named', () => {
  const { findNear: _, ...others } = there;
  const { code, message } = refusal(() => checkFunctions(others, names));
  expect(code).toBe('ERR_CACHE_ADDON');
  expect(message).toContain("two versions (it has no 'findNear')");
});

test('an addon with a function that the JavaScript does not know is refused', () => {
  const { code, message } = refusal(() => checkFunctions({ ...there, findFar() {} }, names));
  expect(code).toBe('ERR_CACHE_ADDON');
  expect(message).toContain("its 'findFar' is unknown here");
});

test.each(Object.keys(NUMBERS))('an addon with another %s is refused', (name) => {
  expect(() => checkNumbers(nativeNumbers, NUMBERS)).not.toThrow();
  for (const numbers of [
    { ...nativeNumbers, [name]: nativeNumbers[name]! + 1 },
    { ...nativeNumbers, [name]: undefined },
  ])
    expect(refusal(() => checkNumbers(numbers as Record<string, number>, NUMBERS)).message).toContain(
      `its number ${name} is`,
    );
});

test('eviction reasons, NaN kinds, limits, near caches and records are among the numbers that are compared', () => {
  for (const name of [
    ...['EVICTION_REASONS.capacity', 'EVICTION_REASONS.maxEntries', 'EVICTION_REASONS.worth', 'NAN_KINDS.bfloat16'],
    ...['TAGS_MAX', 'PROBES_MAX', 'ASLEEP', 'NOTICE', 'LOCATION_WORDS', 'SLAB_HEADER_BYTES', 'HASH_STATE_BYTES'],
    ...['CONTROL_WORDS', 'GIVE_UP', 'DONE_KIB'],
  ])
    expect(NUMBERS).toHaveProperty([name]);
});

test('an addon whose numbers differ is refused, and the number is named', () => {
  expect(() => checkNumbers({ OFFSET: 0, LENGTH: 1 }, { LENGTH: 1, OFFSET: 0 })).not.toThrow();
  for (const numbers of [{ OFFSET: 0, LENGTH: 2 }, { OFFSET: 0 }, { OFFSET: 0, LENGTH: 1, WIDTH: 3 }] as Record<
    string,
    number
  >[]) {
    const { code, message } = refusal(() => checkNumbers(numbers, { OFFSET: 0, LENGTH: 1 }));
    expect(code).toBe('ERR_CACHE_ADDON');
    expect(message).toMatch(/its number (LENGTH|WIDTH) is/);
  }
});
