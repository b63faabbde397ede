// Clearing and deleting by tag, while other threads store.
import { expect, test } from 'vitest';
import { answer, rounds } from '../fixtures/child.js';

test.each(['keyspace', 'cache', 'tag', 'tag, full', 'keyspace, few'])(
  'clear and deleteByTag remove all that was stored before the call, while other threads store (%s)',
  async (mode) => {
    const [leastRounds, leastSets] = [rounds(400, 4000), rounds(5000, 50_000)];
    const result = await answer('forget.mjs', { args: [mode, leastRounds, leastSets] });
    expect(result).toMatchObject({ corrupted: 0, refusals: 0, uncounted: 0 });
    expect(result.counted).toBe(result.sets);
    if (mode.endsWith('few')) expect(result.entries).toBeLessThanOrEqual(40);
    expect(result.rounds).toBeGreaterThanOrEqual(leastRounds);
    expect(result.sets).toBeGreaterThan(leastSets / 2);
  },
);
