// Near caches of several threads: what one thread did is what every other one is told next.
import { describe, expect, test } from 'vitest';
import { answer } from '../fixtures/child.js';

const near = (mode: string) => answer('near.mjs', { args: [mode] });

describe('near caches of several threads', () => {
  test('give nothing older than what a call that returned left behind, whatever it did', async () => {
    const result = await near('coherent');
    expect(result).toMatchObject({ counted: 0, corrupted: 0 });
    // Else little was tried.
    expect(result.steps).toBeGreaterThan(300);
    expect(result.looks).toBeGreaterThan(20_000);
    expect(result.nearHits).toBeGreaterThan(10_000);
    expect(result.absent).toBeGreaterThan(30);
  });

  test('see every change in a loop that asks for nothing but one key, without a pause', async () => {
    const { seen, near: rounds } = await near('spins');
    expect(seen).toEqual([
      'set',
      null,
      'tagged',
      null,
      'cleared',
      null,
      'cleared with all',
      null,
      'expires',
      null,
      'expires',
      null,
      'end',
    ]);
    // Of seven that began with an answer; polling an entry to its end may have put the near cache to rest.
    expect(rounds).toBeGreaterThanOrEqual(5);
  });

  test('rest on this: a loop of plain loads sees what native code stores', async () => {
    expect(await near('plain')).toEqual({ stuck: 0, loops: 12 });
  });

  test('count every hit once, also those of threads that ended or were ended', async () => {
    const { issued, counted, misses, nearHits } = await near('counts');
    expect(counted).toBe(issued);
    expect(misses).toBe([0, 1, 2, 3].reduce((sum, n) => sum + Math.floor((100_000 + 7 * n) / 51), 0));
    expect(nearHits).toBeGreaterThan(300_000);
  });

  test('lose none of the hits of threads that were cut off while they asked', async () => {
    const { begun, done, counted, misses, nearHits } = await near('cut off');
    expect(counted).toBeGreaterThanOrEqual(done);
    expect(counted).toBeLessThanOrEqual(begun);
    expect(begun - done).toBeLessThanOrEqual(24);
    expect(misses).toBe(0);
    expect(nearHits).toBeGreaterThan(10_000);
  });

  test('let go of what they keep when the cache evicts, and when it is cleared, though nobody asks', async () => {
    const result = await near('lets');
    expect(result).toMatchObject({ evicting: true, refusals: 0 });
    expect(result.kept).toBeGreaterThan(2 ** 20);
    for (const after of [result.afterEviction, result.afterClear]) {
      expect(after.retired).toBe(0);
      expect(after.exposed).toBeLessThan(result.kept / 4);
    }
  });
});
