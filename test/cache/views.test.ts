// A view shows the same bytes for as long as it is kept, and they belong to its key: whatever is evicted, cleared,
// overwritten or closed meanwhile, and whenever the collector runs.
import { describe, expect, test } from 'vitest';
import { alike, answer, backends } from '../fixtures/child.js';

const MB = 2 ** 20;

/** Another one each day, so that time is no less thorough; a failure prints it. */
const daySeed = Math.floor(Date.now() / 86_400_000);

describe.each(backends)('backend %s', (backend) => {
  test.concurrent.each(
    alike([
      [1, 1 * MB],
      [2, 2 * MB],
      [daySeed, 4 * MB],
    ] as const),
  )('views never change, one thread, seed %i, %i bytes', async (seed, maxBytes) => {
    const count = await answer('views.mjs', { backend, args: [seed, maxBytes, 25_000, 0] });
    expect(count.kept).toBeGreaterThan(700);
    expect(count.checked).toBeGreaterThan(1500);
    expect(count.evictions).toBeGreaterThan(300);
    expect(count.sets).toBeGreaterThan(10 * count.refused);
    if (backend !== 'copy') expect(count.shown).toBeGreaterThan(100);
  });

  test.concurrent.each(
    alike([
      [3, 2 * MB],
      [daySeed, 4 * MB],
    ] as const),
  )('views never change, four workers on one cache, seed %i, %i bytes', async (seed, maxBytes) => {
    const count = await answer('views.mjs', { backend, args: [seed, maxBytes, 9_000, 4] });
    expect(count.checked).toBeGreaterThan(500);
  });
});
