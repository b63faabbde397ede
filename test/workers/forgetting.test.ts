// Clearing and deleting by tag, while other threads store.
import { expect, test } from 'vitest';
import { answer } from '../fixtures/child.js';

test.each(['keyspace', 'cache', 'tag', 'tag, full', 'keyspace, few'])(
  'what was stored before it began is gone when it returned (%s)',
  async (mode) => {
    const result = await answer('forget.mjs', { args: [mode] });
    expect(result).toMatchObject({ corrupted: 0, refusals: 0, uncounted: 0 });
    expect(result.counted).toBe(result.sets);
    if (mode.endsWith('few')) expect(result.entries).toBeLessThanOrEqual(40);
    // Else it was not tried.
    expect(result.rounds).toBeGreaterThan(200);
    expect(result.sets).toBeGreaterThan(5000);
  },
);
