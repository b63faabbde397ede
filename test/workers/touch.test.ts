// Time that is renewed in one thread, of entries that another one replaces.
import { expect, test } from 'vitest';
import { answer } from '../fixtures/child.js';

test('touch of what another thread sets and deletes harms no other entry', async () => {
  const result = await answer('touch.mjs');
  expect(result).toMatchObject({ torn: 0, corrupted: 0, refusals: 0 });
  // Else it did not happen.
  expect(result.touched).toBeGreaterThan(1000);
  expect(result.evictions).toBeGreaterThan(10_000);
});
