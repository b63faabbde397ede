// Metrics of caches that somebody means ill with, or that change while they are scraped.
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { type Cache, json, open, utf8 } from 'zerohop';
import { registerMetrics } from 'zerohop/metrics';
import { Collector } from '../../dist/observe/collector.js';
import { piecesOf } from '../../dist/observe/text.js';
import { openCache, turn, uniqueName } from '../fixtures/opened.js';
import { hasPromtool, promtool, samplesOf, withoutPromtool } from '../fixtures/promtool.js';

const KEYSPACES_MAX = 1023; // beside the cache itself

function collected(cache: Cache, limit = 100): () => Promise<string> {
  const collector = new Collector();
  collector.add(cache, 'default', limit);
  return async () => Buffer.concat(await piecesOf(await collector.collect(), 'prometheus')).toString();
}

describe('names', () => {
  const names = [
    '"',
    '\\',
    '\\"',
    '\n',
    'a\nb 1',
    '\r\n# TYPE x counter',
    '</script><script>',
    '{}',
    'le="1"',
    '🔑',
    '\0',
  ];

  test('of keyspaces are whatever text there is, and the text of metrics stays one', async ({ skip }) => {
    const cache = openCache();
    const write = collected(cache);
    for (const [i, name] of names.entries()) {
      const keyspace = cache.keyspace(name, { codec: utf8 });
      for (let sets = 0; sets <= i; ++sets) keyspace.set('k', 'v');
    }
    const text = await write();
    const shown = samplesOf(text);
    const sets = [...shown].filter(([series]) => series.startsWith('zerohop_sets_total{'));
    expect(sets.map(([, count]) => count)).toEqual([0, ...names.map((_, i) => i + 1)]);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it is about
    expect(text).not.toMatch(/[\0-\x09\x0b-\x1f]/);
    if (!hasPromtool) return withoutPromtool(skip);
    promtool(['check', 'metrics'], text);
  });

  test('that look like those of scopes and models break nothing', async () => {
    const cache = openCache();
    const write = collected(cache);
    for (const name of ['[', '["a"', '["a","b"]', 'model [', 'model ["m","1",null] 0123456789abcdef', 'model x'])
      cache.keyspace(name, { codec: utf8 }).set('k', 'v');
    const shown = samplesOf(await write());
    const sets = [...shown].filter(([series]) => series.startsWith('zerohop_sets_total{'));
    expect(sets.reduce((all, [, count]) => all + count, 0)).toBe(6);
  });

  test('of keys and tenants are in no label', async () => {
    const cache = openCache();
    const write = collected(cache);
    cache.keyspace('words', { codec: utf8, scope: 'the tenant' }).set('the key', 'the value');
    expect(await write()).not.toMatch(/the (tenant|key|value)/);
  });
});

describe('with as many keyspaces as there may be', () => {
  test('those beyond the bound are summed, and no count moves when others are opened', async () => {
    const cache = openCache();
    const write = collected(cache, 10);
    const series = (keyspace: string) => `zerohop_sets_total{cache="default",keyspace="${keyspace}"}`;
    const keyspaces = [];
    for (let i = 0; i < KEYSPACES_MAX; ++i) {
      const keyspace = cache.keyspace(`k${i}`, { codec: json });
      keyspace.set('k', i);
      keyspaces.push(keyspace);
      if (i === 20) expect(samplesOf(await write()).get(series('other'))).toBe(12);
    }
    const shown = samplesOf(await write());
    expect([shown.get(series('')), shown.get(series('k0')), shown.get(series('k8'))]).toEqual([0, 1, 1]);
    expect(shown.has(series('k9'))).toBe(false);
    expect(shown.get(series('other'))).toBe(KEYSPACES_MAX - 9);
    expect(shown.size).toBeLessThan(300);
  });

  test('ten thousand keyspaces of ten caches are told, and the event loop turns between', async () => {
    const register = new Registry();
    const caches = Array.from({ length: 10 }, () => openCache());
    for (const [i, cache] of caches.entries()) {
      for (let k = 0; k < 1000; ++k) cache.keyspace(`k${k}`, { codec: json });
      registerMetrics(cache, register, { name: `cache ${i}`, labels: 50 });
    }
    let turns = 0;
    let scraped = false;
    const counting = (async () => {
      while (!scraped) {
        await turn();
        turns++;
      }
    })();
    const shown = samplesOf(await register.metrics());
    scraped = true;
    await counting;
    expect(turns).toBeGreaterThan(50);
    const entries = [...shown.keys()].filter((series) => series.startsWith('zerohop_entries{'));
    expect(entries).toHaveLength(10 * 51);
  });
});

describe('while a scrape is under way', () => {
  test('the cache may be closed: the scrape ends without it, and without an error', async () => {
    const register = new Registry();
    const [closing, staying] = [open({ maxBytes: '4MB' }), openCache()];
    for (let k = 0; k < 1000; ++k) closing.keyspace(`k${k}`, { codec: json });
    registerMetrics(closing, register, { name: 'closing', labels: 1024 });
    registerMetrics(staying, register, { name: 'staying' });
    for (let turns = 0; turns < 12; turns += 3) {
      const text = register.metrics();
      for (let i = 0; i < turns; ++i) await turn();
      closing.close();
      expect(await text).toContain('zerohop_keyspaces{cache="staying"}');
    }
    expect(await register.metrics()).not.toContain('closing');
  });

  test('workers may open keyspaces and use them: no counter falls', async () => {
    const name = uniqueName();
    const cache = openCache({ name, maxBytes: '16MB' });
    const write = collected(cache, 1024);
    const worker = new Worker(
      `const { open, json, PUBLIC } = require('zerohop');
      const cache = open({ name: ${JSON.stringify(name)}, maxBytes: '16MB' });
      (async () => {
        for (let i = 0; i < 60; ++i) {
          const name = 'm' + i % 20;
          const model = cache.model({ name, version: String(i), scope: PUBLIC, codec: json, run: (all) => all });
          await Promise.all([model.predict(1), model.predict(1), model.predict(2)]);
          await model.predict(1);
        }
        cache.close();
      })();`,
      { eval: true },
    );
    let ended = false;
    const end = once(worker, 'exit').then(() => {
      ended = true;
    });
    let last = new Map<string, number>();
    while (!ended) {
      const shown = samplesOf(await write());
      for (const [series, value] of shown)
        if (/_(total|bucket|count|sum)\{/.test(series))
          expect(value, series).toBeGreaterThanOrEqual(last.get(series) ?? 0);
      last = shown;
    }
    await end;
    const shown = samplesOf(await write());
    const sum = (result: string) =>
      [...shown]
        .filter(([series]) => series.startsWith('zerohop_lookups_total{') && series.includes(`result="${result}"`))
        .reduce((all, [, count]) => all + count, 0);
    expect([sum('hit') + sum('copied'), sum('miss'), sum('coalesced')]).toEqual([60, 120, 60]);
  });

  test('another one gets the same, and both are whole', async () => {
    const cache = openCache();
    const write = collected(cache, 1024);
    for (let k = 0; k < 500; ++k) cache.keyspace(`k${k}`, { codec: json }).set('k', k);
    const [first, second] = await Promise.all([write(), turn().then(write)]);
    expect(first).toBe(second);
  });
});
