// What a suite says of the machine that it runs on.
import { describe, expect, test } from 'vitest';
import { formatMachine, type Machine } from '../../bench/harness/machine.mjs';

const times = { dependentNs: 100, independentNs: 10 };
const machineWith = (hugeShare: number | undefined): Machine => ({
  cpu: 'a processor',
  cores: 2,
  memoryBytes: 2 ** 34,
  platform: 'linux-x64',
  kernel: '6',
  node: '20.17.0',
  caches: { level1Data: 2 ** 15, level2: 2 ** 20, level3: 2 ** 25 },
  loads: { smallPages: times, hugePages: times, hugeShare },
});

describe('the lines about a machine', () => {
  test.each([
    [1, 'huge pages (100 % given)'],
    [0.5, 'huge pages (50 % given)'],
    [0, 'huge pages (none given)'],
    [undefined, 'huge pages (share unknown)'],
  ])('say how much memory the system gave in huge pages: a share of %s', (share, said) => {
    expect(formatMachine(machineWith(share))).toContain(`; ${said} 100 ns dependent`);
  });
});
