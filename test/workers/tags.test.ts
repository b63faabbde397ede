// Tags in several threads.
import { expect, test } from 'vitest';
import { answer } from '../fixtures/child.js';

test('deleteByTag forgets entries that another thread’s evictions move meanwhile', async () => {
  const result = await answer('tags.mjs');
  expect(result).toMatchObject({ survivors: 0, overcounts: 0, others: 0 });
  // Else it did not happen.
  expect(result.copiedForward).toBeGreaterThan(1000);
  expect(result.deleted).toBeGreaterThan(1000);
});
