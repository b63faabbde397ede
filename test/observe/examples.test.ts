// examples/prometheus and examples/grafana: promtool takes the rules, and all of it asks for metrics that there are.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { METRICS } from '../../dist/observe/catalog.js';
import { ownFolder } from '../fixtures/folder.js';
import { hasPromtool, promtool, withoutPromtool } from '../fixtures/promtool.js';

const examples = path.join(__dirname, '../../examples');
const folder = path.join(examples, 'prometheus');

test('rules and scrape config are what promtool takes for right', ({ skip }) => {
  if (!hasPromtool) return withoutPromtool(skip);
  promtool(['check', 'rules', '--lint-fatal', path.join(folder, 'alerts.yml')]);
  promtool(['check', 'config', '--lint-fatal', path.join(folder, 'prometheus.yml')]);
});

test.each(['prometheus/alerts.yml', 'grafana/zerohop.json'])(
  '%s asks for metrics and labels that there are',
  (file) => {
    const text = readFileSync(path.join(examples, file), 'utf8').replaceAll('\\"', '"');
    const metrics = new Map(Object.values(METRICS).map((metric) => [metric.name, metric]));
    const asked = [...text.matchAll(/\b(zerohop_[a-z_]+?)(?:_bucket)?(?:\{([^}]*)\})?(?=[[)])/g)];
    expect(asked.length).toBeGreaterThan(6);
    for (const [, name, selectors = ''] of asked) {
      expect([...metrics.keys()]).toContain(name);
      const labels = [...selectors.matchAll(/(\w+)(?:=|!=|=~)"/g)].map((match) => match[1]!);
      expect([...metrics.get(name!)!.labels, 'job', 'instance']).toEqual(expect.arrayContaining(labels));
    }
  },
);

test('the dashboard has queries of Grafana in each panel, and panels that do not overlap', () => {
  const { panels } = JSON.parse(readFileSync(path.join(examples, 'grafana/zerohop.json'), 'utf8')) as {
    panels: { title: string; gridPos: { x: number; y: number }; targets: { expr: string }[] }[];
  };
  expect(new Set(panels.map(({ gridPos: { x, y } }) => `${x} ${y}`)).size).toBe(panels.length);
  expect(new Set(panels.map(({ title }) => title)).size).toBe(panels.length);
  for (const { targets } of panels) expect(targets.length).toBeGreaterThan(0);
});

test('queries of the dashboard are what promtool takes for PromQL', ({ skip }) => {
  if (!hasPromtool) return withoutPromtool(skip);
  const { panels } = JSON.parse(readFileSync(path.join(examples, 'grafana/zerohop.json'), 'utf8')) as {
    panels: { targets: { expr: string }[] }[];
  };
  const queries = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr.replaceAll('$__rate_interval', '5m')));
  const rules = queries.map((expr, i) => ({ record: `query:${i}`, expr }));
  const file = path.join(ownFolder(), 'queries.yml');
  writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
  promtool(['check', 'rules', file]);
});
