// The README's table of ratios, of runs that are made up.
import { describe, expect, test } from 'vitest';
import { rangesTable } from '../../bench/harness/ranges.mjs';
import type { Report } from '../../bench/harness/report.mjs';

const runOf = (suite: string, node: string, ratios: Record<string, number>, cases: Record<string, number> = {}) =>
  ({
    suite,
    machine: { cpu: 'a processor', node },
    commit: '',
    cases: Object.entries(cases).map(([name, median]) => ({ name, unit: 'ns', median, p5: median, p95: median })),
    ratios,
  }) as unknown as Report;

const rowOf = (label: string, ...runs: Report[]) =>
  rangesTable(runs)
    .find((line) => line.includes(label))
    ?.split(' | ')
    .at(-1)
    ?.replace(/ \|$/, '');

describe('a range', () => {
  test('says of which Node each of its runs is', () => {
    const runs = ['24.1.0', '20.17.0', '20.20.2'].map((node, i) => runOf('hit', node, { 'hot-get-vs-map': 0.5 + i }));
    expect(rowOf('÷ Map', ...runs)).toBe('0.50 to 2.50 (20, 20, 24)');
  });

  test('is made of the cases of a run that is older than the ratio', () => {
    const old = runOf('hit', '20.17.0', {}, { 'zerohop/random-get': 300, 'lru-cache/random-get': 200 });
    const young = runOf('hit', '22.1.0', { 'random-get-vs-lru-cache': 1.25 });
    expect(rowOf('all equally likely', old, young)).toBe('1.25 to 1.50 (20, 22)');
  });

  test('that no run has is not left out', () => {
    expect(rowOf('each key depends on', runOf('hit', '20.17.0', {}))).toBe('not recorded yet');
  });
});
