// docs/METRICS.md has each metric as it is.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { METRICS, RESULTS } from '../../dist/observe/catalog.js';

const text = readFileSync(path.join(__dirname, '../../docs/METRICS.md'), 'utf8');
const named = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);

describe('docs/METRICS.md', () => {
  test('lists every metric, with its type, its labels and its meaning', () => {
    const rows = [...text.matchAll(/^\| `(\w+)` \| (counter|gauge|histogram) \| (.*) \| (.*) \|$/gm)];
    const listed = rows.map(([, name, type, labels, help]) => ({
      name: `zerohop_${name}`,
      type,
      labels: named(labels!),
      help,
    }));
    expect(listed).toEqual(
      Object.values(METRICS).map(({ name, type, labels, help }) => ({ name, type, labels, help })),
    );
  });

  test('lists every result of a lookup', () => {
    const listed = [...text.matchAll(/^\| `(\w+)` \| .* \| (?:yes|no) \|$/gm)].map((match) => match[1]);
    expect(listed).toEqual([...RESULTS]);
  });
});

describe('a metric', () => {
  test.each(Object.values(METRICS).map((metric) => [metric.name, metric] as const))(
    '%s is named as Prometheus wants it',
    (name, { type, labels, help }) => {
      expect(name).toMatch(/^zerohop_[a-z_]+$/);
      expect(name.endsWith('_total')).toBe(type === 'counter');
      if (type === 'histogram') expect(name).toMatch(/_seconds$/);
      for (const label of labels) expect(label).toMatch(/^[a-z]+$/);
      expect(help).toMatch(/^[A-Z].*\.$/);
    },
  );
});
