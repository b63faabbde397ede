// Ends of processes and workers while weights are open, shown, loaded or hashed; and files that are harmed meanwhile.
import { describe, expect, test } from 'vitest';
import { answer, run, similar } from '../fixtures/child.js';

// A file of 1 TiB: who waited for the work on it would be killed.
const ENDS = [
  'open exit',
  'views exit',
  'prefetch exit',
  'read exit',
  'direct exit',
  'worker views exit',
  'worker exits by itself',
  'worker views terminate',
  'worker computeDigest terminate',
  'views natural',
  'computeDigest exit',
  'read later exit',
  'worker prefetch exit',
  'worker prefetch terminate',
];

test.concurrent.each(similar(5, ENDS))('a process of "%s" ends as it would without weights', async (mode) => {
  const ended = await run('weights-ends.mjs', { args: [mode] });
  expect(ended, ended.stderr).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
});

describe('a file that is', () => {
  const CHANGED = 'ERR_WEIGHTS_CHANGED';
  const HARMS: readonly [mode: string, told: object][] = [
    ['cut during nothing', { checked: CHANGED }],
    ['cut during prefetch', { how: CHANGED, checked: CHANGED }],
    ['grown during prefetch', { how: CHANGED, checked: CHANGED }],
    ['grown during computeDigest', { how: CHANGED, checked: CHANGED }],
    // Who has the old one open keeps it.
    ['replaced during nothing', { checked: 'unchanged' }],
    ['replaced during computeDigest', { how: 'done', checked: 'unchanged' }],
    ['cut during computeDigest', { how: CHANGED, checked: CHANGED }],
    ['grown during nothing', { checked: CHANGED }],
    ['replaced during prefetch', { how: 'done', checked: 'unchanged' }],
  ];
  test.concurrent.each(similar(3, HARMS))('%s is noticed, and shown as far as it is there', async (mode, told) => {
    expect(await answer('weights-ends.mjs', { args: [mode] })).toEqual({ ...told, shown: [0, 7] });
  });

  test.concurrent.each(similar(1, ['touches what was cut off', 'touches what was cut off, after a guarded read']))(
    'cut ends the process of whoever %s, by the system’s signal',
    async (mode) => {
      const ended = await run('weights-ends.mjs', { args: [mode] });
      expect([ended.code, ended.signal, ended.stdout]).toEqual([null, 'SIGBUS', 'touching\n']);
    },
  );
});
