// JavaScript can write through a view, whatever its type says. It gets no further than the values it wrote to.
import { describe, expect, test } from 'vitest';
import { answer, backends, run, similar, viewBackends } from '../fixtures/child.js';

describe.each(viewBackends)('backend %s', (backend) => {
  test.each(similar(1, ['large', 'small']))(
    "verify 'trap': a write to a %s value ends the process at that line",
    async (size) => {
      const ended = await run('writes.mjs', { backend, args: ['trap-write', size] });
      expect(ended).toMatchObject({ code: null, signal: 'SIGSEGV', stdout: 'shown 1\n' });
    },
  );

  test("verify 'trap': everything that only reads a view works", async () => {
    const stats = await answer('writes.mjs', { backend, args: ['trap-read'] });
    expect(stats).toMatchObject({ corrupted: 0, refusals: 0, sets: 2999 });
    expect(stats.exposures).toBeGreaterThan(0);
  });

  test.each(similar(1, ['even', 'odd']))(
    "verify 'sample' drops, counts and misses an entry that was written to (%s hits)",
    async (phase) => {
      const { gets, ...rest } = await answer('writes.mjs', { backend, args: ['sample', 'sample', phase] });
      expect(gets).toBeLessThan(10_000);
      expect(rest).toEqual({ corrupted: 1, misses: 1, entries: 1 });
    },
  );

  test("verify 'off' detects no write to a view", async () => {
    const result = await answer('writes.mjs', { backend, args: ['sample', 'off'] });
    expect(result).toEqual({ gets: 20_000, corrupted: 0, misses: 0, entries: 2 });
  });

  const SEEDS: readonly [verify: string, seed: number][] = [
    ['off', 3],
    ['sample', 1],
    ['sample', 2],
  ];
  test.concurrent.each(similar(1, SEEDS))(
    "verify '%s': random bytes over whole segments crash nothing (seed %i)",
    async (verify, seed) => {
      const result = await answer('writes.mjs', { backend, args: ['scribble', seed, verify] });
      // Where exposing is dear, few segments are shown, or none.
      if (backend === 'shared') expect(result.scribbled).toBeGreaterThan(20);
      if (backend === 'shared') expect(result.corrupted).toBeGreaterThan(0);
      expect(result.evictions).toBeGreaterThan(500);
      expect(result.entries).toBeGreaterThan(1000);
    },
  );
});

test.each(backends)('backend %s: no view’s buffer shows bytes of another scope, not even old ones', async (backend) => {
  const result = await answer('writes.mjs', { backend, args: ['scopes'] });
  expect(result).toMatchObject({ strangers: [], sharedBuffers: 0 });
  expect(result.looks).toBeGreaterThan(500);
  expect(result.evictions).toBeGreaterThan(500);
  if (backend === 'shared') expect(Math.min(...result.shown)).toBeGreaterThan(0);
});
