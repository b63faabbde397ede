// Every kind of end of a process or a worker, with views alive: it ends as it would without a cache.
import { describe, expect, test } from 'vitest';
import { answer, backends, rounds, run, similar, viewBackends } from '../fixtures/child.js';

const ABORT = /FATAL|Check failed|Fatal error|Segmentation|assertion/i;

/** How each mode of test/fixtures/exits.mjs must end. */
const ENDS: readonly [mode: string, code: number | null, signal: string | null][] = [
  ['exit', 3, null],
  ['throw', 1, null],
  ['closed-before-end', 0, null],
  ['worker-natural', 0, null],
  ['worker-throw', 0, null],
  ['worker-terminate-idle', 0, null],
  ['worker-terminate-in-stats', 0, null],
  ['worker-terminate-while-loading', 0, null],
  ['natural', 0, null],
  ['exit-in-handler', 4, null],
  ['throw-in-codec', 1, null],
  ['signal', null, 'SIGTERM'],
  ['worker-exit', 0, null],
  ['worker-terminate-busy', 0, null],
  ['worker-collects-at-exit', 0, null],
  ['worker-alive-at-exit', 6, null],
  ['two-addons', 0, null],
  ['views-outlive-all', 0, null],
];

/** Of the workers that a mode starts one after the other. */
const SHARE = rounds(0.25, 1);
const CACHES = rounds(2500, 10_000);

describe.each(backends)('backend %s', (backend) => {
  test.concurrent.each(similar(10, ENDS))(
    'the mode %s ends its process as it would without a cache',
    async (mode, code, signal) => {
      const ended = await run('exits.mjs', { backend, args: [mode, SHARE] });
      expect({ code: ended.code, signal: ended.signal }, ended.stderr).toEqual({ code, signal });
      expect(ended.stderr).not.toMatch(ABORT);
      if (code === 1) expect(ended.stderr).toContain('Error: thrown on purpose');
      else expect(ended.stderr).toBe('');
    },
  );

  test('a cache dropped without close is closed when it is collected', async () => {
    const reopened = await answer('exits.mjs', { backend, args: ['dropped'] });
    expect(reopened).toEqual({ 'dropped without keyspaces': true, dropped: true });
  });
});

describe.each(viewBackends)('backend %s', (backend) => {
  test.each(['end', 'terminate'])('views of a worker that alone had the addon outlive its %s', async (end) => {
    const result = await answer('worker-only.mjs', { backend, args: [end] });
    expect(result).toEqual({ backend, shared: backend === 'shared' });
  });

  test(`${CACHES} caches opened, used and closed leave nothing behind`, async () => {
    const { rssMb, mappings } = await answer('exits.mjs', { backend, args: ['cycles', CACHES] });
    // An arena each: one in two hundred left mapped would show, or one in fifty.
    expect(Math.max(0, mappings.at(-1) - mappings[0]), `mappings: ${mappings}`).toBeLessThan(50);
    // Each took some 100 KB. The allocator keeps what peaks between two collections needed, no more.
    expect(rssMb.at(-1) - rssMb[0], `MB: ${rssMb}`).toBeLessThan(100);
  });
});
