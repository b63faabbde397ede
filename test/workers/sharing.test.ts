// One cache in several threads.
import { describe, expect, test } from 'vitest';
import { answer, backends, rounds } from '../fixtures/child.js';

describe.each(backends)('backend %s', (backend) => {
  test('a set that returned is seen by every later get, in every thread', async () => {
    const { looks } = await answer('crowd.mjs', { backend, args: ['visible'] });
    expect(looks).toBeGreaterThan(50_000);
  });

  test('a name is one cache in all threads: entries, keyspaces, options', async () => {
    expect(await answer('crowd.mjs', { backend, args: ['named'] })).toEqual({ sets: 3 });
  });

  test('the last handle of any thread frees the entries; a thread’s end closes its handles', async () => {
    expect(await answer('crowd.mjs', { backend, args: ['counted'] })).toEqual({ entries: 0 });
  });

  test('a worker that is terminated at work harms no other', async () => {
    const victims = rounds(5, 15);
    const result = await answer('crowd.mjs', { backend, args: ['harm', victims] });
    expect(result).toMatchObject({ terminated: victims, result: 'fine', corrupted: 0, refusals: 0 });
    expect(result.lookups).toBeGreaterThan(40_000);
  });
});
