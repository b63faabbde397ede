// Caches of few segments: every one of them counts.
import { describe, expect, test } from 'vitest';
import { bytes } from 'zerohop';
import { openCache } from '../fixtures/opened.js';
import { randomFrom } from '../fixtures/values.mjs';

describe.each([1, 1.5, 2, 3, 4])('a cache of %d MB', (mb) => {
  test.each([
    ['one scope', 1],
    ['two scopes', 2],
  ])('refuses no set while no view is held: small values and large ones, hot keys and cold (%s)', (_, scopes) => {
    const random = randomFrom(7);
    const below = (n: number) => Math.floor(random() * n);
    const cache = openCache({ maxBytes: `${mb}MB` });
    const spaces = [cache, cache.keyspace('other', { codec: bytes, scope: 'other' })].slice(0, scopes);
    let refused = 0;
    for (let i = 0; i < 15_000; ++i) {
      const space = spaces[i % scopes]!;
      const length = below(50) === 0 ? 60_000 : 100 + below(3000);
      if (!space.set(`${below(1000 * mb)}`, new Uint8Array(length))) ++refused;
      for (let n = 0; n < 3; ++n) {
        space.get(`${below(1000 * mb)}`);
        space.get(`${below(20)}`);
      }
    }
    const { evictions, corrupted, refusalsBy } = cache.stats();
    expect({ refused, refusalsBy }).toEqual({ refused: 0, refusalsBy: { pinned: 0, readers: 0, memory: 0, worth: 0 } });
    expect(corrupted).toBe(0);
    expect(evictions).toBeGreaterThan(1000);
  });
});
