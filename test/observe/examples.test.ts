// examples/prometheus: promtool takes it, and it asks for metrics that there are.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { METRICS } from '../../dist/observe/catalog.js';
import { hasPromtool, promtool, withoutPromtool } from '../fixtures/promtool.js';

const folder = path.join(__dirname, '../../examples/prometheus');

test('rules and scrape config are what promtool takes for right', ({ skip }) => {
  if (!hasPromtool) return withoutPromtool(skip);
  promtool(['check', 'rules', '--lint-fatal', path.join(folder, 'alerts.yml')]);
  promtool(['check', 'config', '--lint-fatal', path.join(folder, 'prometheus.yml')]);
});

test('rules ask for metrics and labels that there are', () => {
  const text = readFileSync(path.join(folder, 'alerts.yml'), 'utf8');
  const metrics = new Map(Object.values(METRICS).map((metric) => [metric.name, metric]));
  const asked = [...text.matchAll(/\b(zerohop_[a-z_]+?)(?:_bucket)?(?:\{(\w+)[^}]*\})?\[/g)];
  expect(asked.length).toBeGreaterThan(6);
  for (const [, name, label] of asked) {
    expect([...metrics.keys()]).toContain(name);
    if (label !== undefined) expect(metrics.get(name!)!.labels).toContain(label);
  }
});
