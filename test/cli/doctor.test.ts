// What zerohop doctor makes of the facts of a machine, and that it finds them on this one.
import { expect, test } from 'vitest';
import type { Facts } from '../../dist/cli/doctor-facts.js';
import { findingsOf } from '../../dist/cli/doctor-findings.js';
import { typed } from '../fixtures/command-line.js';

const FINE: Facts = {
  platform: 'linux-x64',
  node: 'v20.20.2',
  addon: undefined,
  backend: 'shared',
  memoryLimitBytes: 2 ** 35,
  memoryBytes: 2 ** 35,
  processors: 8,
  processorsAllowed: 8,
  flags: ['avx2', 'fma', 'avx512f'],
  hugePages: 'always [madvise] never',
  lockBytes: undefined,
  openFiles: 20_000,
  overcommit: '0',
  ioUring: true,
  ioUringSetting: '0',
  filtered: false,
};

test('a machine that lacks nothing is told so', () => {
  for (const finding of findingsOf(FINE)) expect(finding).toMatchObject({ state: 'good' });
});

test.each<[string, Partial<Facts>, string, string]>([
  ['hits are copied', { backend: 'copy' }, 'views of the cache', 'hits are copied'],
  ['buffers belong to one thread', { backend: 'array' }, 'views of the cache', 'one thread'],
  ['there are no vectors', { flags: ['sse2'] }, 'vector instructions', 'none'],
  ['a control group limits memory', { memoryLimitBytes: 2 ** 30 }, 'memory', '1 GB of 32 GB'],
  ['a quota limits processors', { processorsAllowed: 2 }, 'processors', '2 of 8'],
  ['huge pages are off', { hugePages: 'always madvise [never]' }, 'huge pages', 'switched off'],
  ['the kernel has no huge pages', { hugePages: undefined }, 'huge pages', 'none'],
  ['little may be locked', { lockBytes: 2 ** 16 }, 'locked memory', '64 KB'],
  ['few files may be open', { openFiles: 1024 }, 'open files', '1024'],
  ['the kernel promises only what it has', { overcommit: '2' }, 'overcommit', 'overcommit_memory=2'],
  ['io_uring is off', { ioUring: false, ioUringSetting: '2' }, 'io_uring', 'switched off'],
  ['a filter forbids io_uring', { ioUring: false, filtered: true }, 'io_uring', 'filter'],
  ['the kernel is too old', { ioUring: false, ioUringSetting: undefined }, 'io_uring', 'does not have it'],
])('where %s, that is the one note, with what it costs and what mends it', (_title, facts, what, found) => {
  const notes = findingsOf({ ...FINE, ...facts }).filter(({ state }) => state !== 'good');
  expect(notes).toEqual([
    { state: 'note', what, found: expect.stringContaining(found), cost: expect.any(String), mend: expect.any(String) },
  ]);
});

test('without the addon nothing else is told', () => {
  expect(findingsOf({ ...FINE, addon: 'no package for linux-riscv64' })).toMatchObject([
    { state: 'bad', what: 'native addon', found: expect.stringContaining('riscv64') },
  ]);
});

test('this machine is told, as lines that fit and as JSON', async () => {
  const { code, stdout } = await typed(['doctor'], { COLUMNS: '40' });
  expect(code).toBe(0);
  for (const what of ['native addon', 'huge pages', 'io_uring']) expect(stdout).toContain(what);
  const found = JSON.parse((await typed(['doctor', '--json'])).stdout) as { what: string; state: string }[];
  expect(found[0]).toMatchObject({ what: 'native addon', state: 'good' });
});
