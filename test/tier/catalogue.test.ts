// What the benchmark of the tier asks for: the arithmetic of its draws, and its values.

import { expect, test } from 'vitest';
import { bytesOf, elementOf, exponentFor, powerSum, shareOf, VALUE_BYTES } from '../../bench/tier/catalogue.mjs';

test('the exponent is the one at which a share of the items takes a share of the lookups', () => {
  expect(shareOf(4, 2, 0)).toBeCloseTo(0.5); // all alike
  expect(shareOf(4, 2, 1)).toBeCloseTo((1 + 1 / 2) / (1 + 1 / 2 + 1 / 3 + 1 / 4));
  for (const [items, top, lookups] of [
    [1000, 50, 0.8],
    [50_000, 2_500, 0.8],
    [1000, 200, 0.5],
  ] as const)
    expect(shareOf(items, top, exponentFor(items, top, lookups))).toBeCloseTo(lookups, 3);
});

test('a long sum of powers is that of its terms', () => {
  for (const exponent of [0, 0.5, 1, 1.06, 2]) {
    let sum = 0;
    for (let k = 1; k <= 20_000; k++) sum += k ** -exponent;
    expect(powerSum(20_000, exponent) / sum).toBeCloseTo(1, 11);
  }
});

test('a value is told from those of other items and versions by its first element', () => {
  expect(bytesOf(5).length).toBe(VALUE_BYTES);
  expect(bytesOf(5, 3).readFloatLE(VALUE_BYTES - 4)).toBe(elementOf(5, 3, VALUE_BYTES / 4 - 1));
  const firsts = [0, 1, 2].flatMap((version) => Array.from({ length: 4093 }, (_, id) => elementOf(id, version, 0)));
  expect(new Set(firsts).size).toBe(firsts.length);
});
