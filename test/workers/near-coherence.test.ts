// Near caches of several threads: what one thread did is what every other one is told next.
import { describe, expect, test } from 'vitest';
import { answer, rounds } from '../fixtures/child.js';

/** Runs a mode of test/fixtures/near.mjs with so many threads, keys and rounds. */
const near = (mode: string, sizes: object) => answer('near.mjs', { args: [mode, JSON.stringify(sizes)] });

describe('near caches of several threads', () => {
  test('never answer with a state older than the last call that returned', async () => {
    // Each writer changes keys of its own at random, and each reader asks for all of them, until there were so many.
    const [steps, looks] = [rounds(200, 600), rounds(50_000, 400_000)];
    const result = await near('coherent', { writers: 2, readers: 2, keys: 4, steps, looks });
    // `counted`: the lookups in stats() less those that the readers made.
    expect(result).toMatchObject({ counted: 0, corrupted: 0 });
    // Otherwise little was tried.
    expect(result.steps).toBeGreaterThanOrEqual(steps);
    expect(result.looks).toBeGreaterThanOrEqual(looks);
    expect(result.nearHits).toBeGreaterThan(looks / 20);
    expect(result.absent).toBeGreaterThan(30);
  });

  test('see every change in a loop that does nothing but get one key', async () => {
    // What one thread does to the key, and what the other one sees of it.
    const changes: [change: unknown[], seen: string | null][] = [
      [['set', 'set'], 'set'],
      [['delete'], null],
      [['set', 'tagged', { tags: ['t'] }], 'tagged'],
      [['deleteByTag', 't'], null],
      [['set', 'cleared'], 'cleared'],
      [['clear'], null],
      [['set', 'cleared with all'], 'cleared with all'],
      [['clear the cache'], null],
      [['set', 'expires'], 'expires'],
      [['touch', { ttl: 60 }], null],
      [['set', 'ends sooner', { ttl: '1h' }], 'ends sooner'],
      [['touch', { ttl: 60 }], null],
      [['set', 'end'], 'end'],
    ];
    const { seen, near: quick } = await near('spins', { changes: changes.map(([change]) => change) });
    expect(seen).toEqual(changes.map(([, value]) => value));
    // Seven changes come while there is an answer. Polling an entry to its end may have put the near cache to rest.
    expect(quick).toBeGreaterThanOrEqual(5);
  });

  test('rely on a loop of plain loads to see what native code stores', async () => {
    const ticks = 10;
    // One loop for a version word, one for the notice of `clear`, and one for each tick of the clock.
    expect(await near('plain', { ticks })).toEqual({ stuck: 0, loops: 2 + ticks });
  });

  test('count every hit once, also those of threads that ended or were terminated', async () => {
    const keys = 50;
    // Each thread asks for the keys in turn, and then for one that is absent.
    const gets = [100_000, 100_007, 100_014, 100_021];
    const { issued, counted, misses, nearHits } = await near('counts', { keys, gets });
    expect(issued).toBe(400_042);
    expect(counted).toBe(issued);
    expect(misses).toBe(gets.reduce((sum, each) => sum + Math.floor(each / (keys + 1)), 0));
    expect(nearHits).toBeGreaterThan(300_000);
  });

  test('count the hits of threads that are terminated during a get', async () => {
    const [times, workers] = [rounds(3, 12), 2];
    const { begun, done, counted, misses, nearHits } = await near('cut off', { rounds: times, workers });
    expect(counted).toBeGreaterThanOrEqual(done);
    expect(counted).toBeLessThanOrEqual(begun);
    // One question of each thread that was cut off may be under way.
    expect(begun - done).toBeLessThanOrEqual(times * workers);
    expect(misses).toBe(0);
    expect(nearHits).toBeGreaterThan(rounds(2500, 10_000));
  });

  test('release the memory of their answers when the cache evicts or is cleared, even if no thread calls get', async () => {
    // 2 MB that a thread keeps; then 15 MB, more than the cache has room for.
    const result = await near('lets', { maxBytes: '8MB', keys: 400, others: 3000, valueBytes: 5000 });
    expect(result).toMatchObject({ evicting: true, refusals: 0 });
    expect(result.kept).toBeGreaterThan(2 ** 20);
    for (const after of [result.afterEviction, result.afterClear]) {
      expect(after.retired).toBe(0);
      expect(after.exposed).toBeLessThan(result.kept / 4);
    }
  });
});
