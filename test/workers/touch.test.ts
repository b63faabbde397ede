// Time that is renewed in one thread, of entries that another one replaces.
import { expect, test } from 'vitest';
import { answer, rounds } from '../fixtures/child.js';

test('touch of what another thread sets and deletes harms no other entry', async () => {
  const times = rounds(12_000, 36_000);
  const result = await answer('touch.mjs', { args: [times] });
  expect(result).toMatchObject({ torn: 0, corrupted: 0, refusals: 0 });
  // Else it did not happen.
  expect(result.touched).toBeGreaterThanOrEqual(times);
  expect(result.evictions).toBeGreaterThan(rounds(3000, 10_000));
});
