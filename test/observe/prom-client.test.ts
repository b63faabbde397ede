// `registerMetrics`: what prom-client shows of caches.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { AggregatorRegistry, Counter, register as defaultRegister, Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { type Cache, open, utf8 } from 'zerohop';
import { registerMetrics } from 'zerohop/metrics';
import { ownFolder } from '../fixtures/folder.js';
import { anything, errorOf, openCache, uniqueName } from '../fixtures/opened.js';
import { hasPromtool, promtool, samplesOf, withoutPromtool } from '../fixtures/promtool.js';

const root = path.join(__dirname, '..', '..');

async function scrape(register: { metrics(): Promise<string> }): Promise<Map<string, number>> {
  return samplesOf(await register.metrics());
}

function use(cache: Cache): void {
  cache.set('key', new Uint8Array(10));
  cache.get('key');
  cache.get('absent');
}

describe('registerMetrics', () => {
  test('shows hits, misses and entries of a keyspace, and the counters of stats()', async () => {
    const cache = openCache();
    const words = cache.keyspace('words', { codec: utf8 });
    const register = new Registry();
    registerMetrics(cache, register);
    for (let i = 0; i < 100; ++i) words.set(`${i}`, 'text');
    for (let i = 0; i < 150; ++i) words.get(`${i}`);
    words.delete('1');
    const shown = await scrape(register);
    const of = (name: string, more = '') => shown.get(`zerohop_${name}{cache="default",keyspace="words"${more}}`);
    const { hits, misses, copiedHits, entries, sets } = words.stats();
    expect(of('lookups_total', ',result="hit"')).toBe(hits - copiedHits);
    expect(of('lookups_total', ',result="copied"')).toBe(copiedHits);
    expect(of('lookups_total', ',result="miss"')).toBe(misses);
    expect([hits, misses, entries]).toEqual([100, 50, 99]);
    expect(of('entries')).toBe(entries);
    expect(of('sets_total')).toBe(sets);
    expect(of('deletes_total')).toBe(1);
    expect(shown.get('zerohop_capacity_bytes{cache="default"}')).toBe(cache.stats().bytes.capacity);
  });

  test('counts evictions by reason, and the lookups of the cache itself under an empty name', async () => {
    const cache = openCache({ maxEntries: 10 });
    const register = new Registry();
    registerMetrics(cache, register);
    for (let i = 0; i < 30; ++i) cache.set(`${i}`, new Uint8Array(10));
    const shown = await scrape(register);
    const evictions = shown.get('zerohop_evictions_total{cache="default",keyspace="",reason="max_entries"}');
    expect(evictions).toBe(cache.stats().evictionsBy.maxEntries);
    expect(evictions).toBeGreaterThan(0);
  });

  test('says when the counters began', async () => {
    const before = Date.now() / 1000;
    const cache = openCache();
    const register = new Registry();
    registerMetrics(cache, register);
    const name = 'zerohop_cache_start_time_seconds{cache="default"}';
    const began = (await scrape(register)).get(name)!;
    expect(Math.abs(began - before)).toBeLessThan(1);
    expect((await scrape(register)).get(name)).toBe(began);
  });

  test('is what promtool takes for clean metrics', async ({ skip }) => {
    if (!hasPromtool) return withoutPromtool(skip);
    const cache = openCache();
    use(cache);
    const register = new Registry();
    registerMetrics(cache, register);
    promtool(['check', 'metrics'], await register.metrics());
  });

  test('names counters as OpenMetrics wants them where prom-client writes that', async () => {
    const cache = openCache();
    use(cache);
    const register = new Registry(Registry.OPENMETRICS_CONTENT_TYPE as never);
    registerMetrics(cache, register as never);
    const text = await register.metrics();
    expect(text).toContain('# TYPE zerohop_lookups counter\n');
    expect(text).toContain('\nzerohop_lookups_total{');
    expect(text).not.toContain('_total_total');
  });

  test('takes several caches in a register, and a cache in several registers', async () => {
    const [first, second] = [openCache(), openCache()];
    const [register, other] = [new Registry(), new Registry()];
    registerMetrics(first, register, { name: 'first' });
    registerMetrics(second, register, { name: 'second' });
    registerMetrics(first, other);
    use(first);
    const series = (name: string) => `zerohop_sets_total{cache="${name}",keyspace=""}`;
    const shown = await scrape(register);
    expect([shown.get(series('first')), shown.get(series('second'))]).toEqual([1, 0]);
    expect((await scrape(other)).get(series('default'))).toBe(1);
  });

  test('refuses a second cache of the same name, and takes it once the first is closed', () => {
    const register = new Registry();
    const first = open({ maxBytes: '4MB' });
    registerMetrics(first, register);
    const { name, code } = errorOf(() => registerMetrics(openCache(), register));
    expect([name, code]).toEqual(['RangeError', 'ERR_OUT_OF_RANGE']);
    first.close();
    registerMetrics(openCache(), register);
  });

  test('without a register uses that of prom-client; what it returns takes the cache out again', async () => {
    const cache = openCache();
    const unregister = registerMetrics(cache);
    expect((await scrape(defaultRegister)).has('zerohop_keyspaces{cache="default"}')).toBe(true);
    unregister();
    unregister();
    expect(defaultRegister.getMetricsAsArray()).toEqual([]);
  });

  test('leaves other metrics alone, also where one has a name of ours', async () => {
    const register = new Registry();
    const theirs = new Counter({ name: 'zerohop_entries', help: 'theirs', registers: [register as never] });
    theirs.inc(7);
    expect(() => registerMetrics(openCache(), register)).toThrow(/zerohop_entries has already been registered/);
    expect([...(await scrape(register))]).toEqual([['zerohop_entries', 7]]);
  });

  test('shows its metrics again after the register was cleared and the cache registered anew', async () => {
    const register = new Registry();
    const [first, second] = [openCache(), openCache()];
    registerMetrics(first, register, { name: 'first' });
    register.clear();
    registerMetrics(second, register, { name: 'second' });
    const shown = await scrape(register);
    expect(shown.has('zerohop_keyspaces{cache="first"}')).toBe(true);
    expect(shown.has('zerohop_keyspaces{cache="second"}')).toBe(true);
  });

  test('resetting the register changes no counter, because the counts are those of the cache', async () => {
    const cache = openCache();
    const register = new Registry();
    registerMetrics(cache, register);
    use(cache);
    register.resetMetrics();
    expect((await scrape(register)).get('zerohop_sets_total{cache="default",keyspace=""}')).toBe(1);
  });

  test('counters of several processes are summed by prom-client, and start times are not', async () => {
    const texts = await Promise.all(
      [1, 2].map(async () => {
        const cache = openCache();
        const register = new Registry();
        registerMetrics(cache, register);
        use(cache);
        return await register.getMetricsAsJSON();
      }),
    );
    const shown = await scrape(AggregatorRegistry.aggregate(texts as never));
    expect(shown.get('zerohop_sets_total{cache="default",keyspace=""}')).toBe(2);
    expect(shown.get('zerohop_cache_start_time_seconds{cache="default"}')! / (Date.now() / 1000)).toBeCloseTo(1, 3);
  });

  test('a cache that nobody else holds is collected, and its series go', async () => {
    const register = new Registry();
    (() => registerMetrics(open({ maxBytes: '4MB' }), register))();
    for (let i = 0; i < 20; ++i) {
      await new Promise((resolve) => setImmediate(resolve));
      globalThis.gc!();
      if (!(await register.metrics()).includes('zerohop_keyspaces{')) return;
    }
    throw new Error('it was not collected');
  });

  test('one name opened twice is one cache with one set of counts', async () => {
    const name = uniqueName();
    const [one, same] = [openCache({ name }), openCache({ name })];
    const register = new Registry();
    registerMetrics(one, register);
    use(same);
    expect((await scrape(register)).get('zerohop_sets_total{cache="default",keyspace=""}')).toBe(1);
  });

  test.each([
    ['no cache', () => registerMetrics(anything({})), 'ERR_INVALID_ARG_TYPE'],
    ['no register', () => registerMetrics(openCache(), anything({})), 'ERR_INVALID_ARG_TYPE'],
    [
      'an unknown option',
      () => registerMetrics(openCache(), new Registry(), anything({ n: 1 })),
      'ERR_INVALID_ARG_TYPE',
    ],
    ['an empty name', () => registerMetrics(openCache(), new Registry(), { name: '' }), 'ERR_OUT_OF_RANGE'],
    ['no labels', () => registerMetrics(openCache(), new Registry(), { labels: 0 }), 'ERR_OUT_OF_RANGE'],
  ])('refuses %s', (_, call, code) => {
    expect(errorOf(call).code).toBe(code);
  });

  test('says which package is missing where prom-client is not installed', async () => {
    const folder = ownFolder();
    const place = path.join(folder, 'node_modules', 'zerohop');
    mkdirSync(path.join(place, 'build'), { recursive: true });
    cpSync(path.join(root, 'package.json'), path.join(place, 'package.json'));
    cpSync(path.join(root, 'dist'), path.join(place, 'dist'), { recursive: true });
    symlinkSync(path.join(root, 'build', 'Release'), path.join(place, 'build', 'Release'), 'junction');
    const program = path.join(folder, 'program.mjs');
    writeFileSync(
      program,
      `import { open } from 'zerohop';
import { registerMetrics } from 'zerohop/metrics';
try { registerMetrics(open({ maxBytes: '4MB' })); } catch (error) { console.log(error.code, error.message); }`,
    );
    const { stdout } = await promisify(execFile)(process.execPath, [program], { cwd: folder });
    expect(stdout).toMatch(/^ERR_CACHE_PEER .*npm install prom-client/);
  });
});
