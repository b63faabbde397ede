// Tags in several threads.
import { expect, test } from 'vitest';
import { answer, rounds } from '../fixtures/child.js';

test('deleteByTag also removes entries that an eviction in another thread moves meanwhile', async () => {
  const result = await answer('tags.mjs', { args: [rounds(30, 180)] });
  expect(result).toMatchObject({ survivors: 0, overcounts: 0, others: 0 });
  // Else it did not happen.
  expect(result.copiedForward).toBeGreaterThan(rounds(300, 1000));
  expect(result.deleted).toBeGreaterThan(rounds(300, 1000));
});
