// What the dashboard is told: bounded, in the right order, and the sum of everything.
import { createClient } from 'redis';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Cache, json, open, PUBLIC, serve, utf8 } from 'zerohop';
import { TIME_BUCKETS } from '../../dist/addon/native.js';
import { addUpstreams } from '../../dist/cache/upstreams.js';
import { endOf, quantilesOf, Window } from '../../dist/observe/quantiles.js';
import { Recorder } from '../../dist/observe/snapshot.js';
import { openCache, uniqueName } from '../fixtures/opened.js';

const START = 1_800_000_000_000;
const KEYSPACES_MAX = 1023;

describe('keyspaces', () => {
  test('the hottest of the last minute come first, whichever was opened last; the others are summed', async () => {
    const cache = openCache();
    const all = Array.from({ length: KEYSPACES_MAX }, (_, i) => cache.keyspace(`k${i}`, { codec: json }));
    const recorder = new Recorder(cache, 'default');
    for (const [i, keyspace] of all.entries()) for (let n = 0; n < (i === 5 ? 50 : 1); ++n) keyspace.get('k');
    await recorder.snapshot(START);
    all.at(-1)!.set('k', 1);
    for (let n = 0; n < 30; ++n) all.at(-1)!.get('k');
    const { keyspaces, lookups } = (await recorder.snapshot(START + 1000))!;
    expect(keyspaces.shown).toHaveLength(10);
    expect(keyspaces.shown.slice(0, 2).map(({ name }) => name)).toEqual(['k1022', 'k5']);
    expect(keyspaces.shown[0]).toEqual({
      name: 'k1022',
      lookups: { perSecond: 30, total: 31 },
      hitRate: 30 / 31,
      entries: 1,
    });
    expect(keyspaces.others!.count).toBe(KEYSPACES_MAX - 10);
    const shown = keyspaces.shown.reduce((sum, one) => sum + one.lookups.total, 0);
    expect(shown + keyspaces.others!.lookups.total).toBe(KEYSPACES_MAX + 49 + 30);
    expect(lookups).toEqual({ perSecond: 30, total: KEYSPACES_MAX + 49 + 30 });
  });

  test('a snapshot is small, however many there are, however they are called, and however many models', async () => {
    const cache = openCache();
    for (let i = 0; i < 900; ++i) cache.keyspace(`${i} ${'🔑'.repeat(200)}`, { codec: utf8 }).set('k', 'v');
    const run = (all: number[]) => all;
    for (let i = 0; i < 100; ++i)
      await cache.model({ name: `${i} ${'m'.repeat(200)}`, version: '1', scope: PUBLIC, codec: json, run }).predict(1);
    const snapshot = (await new Recorder(cache, 'default').snapshot(START))!;
    expect(Buffer.byteLength(JSON.stringify(snapshot))).toBeLessThan(12_000);
    expect(JSON.stringify(snapshot)).not.toContain('\\ud'); // no half of a character
    expect(snapshot.models.others!.count).toBe(90);
  });
});

describe('points', () => {
  test('are rates by the second, also where a second was not told', async () => {
    const cache = openCache();
    const recorder = new Recorder(cache, 'default');
    await recorder.snapshot(START);
    cache.set('k', new Uint8Array(8));
    for (let i = 0; i < 9; ++i) cache.get('absent');
    cache.delete('k');
    const { point } = (await recorder.snapshot(START + 3000))!;
    expect(point).toMatchObject({ at: START + 3000, lookups: 3, hitRate: 0, capacity: 0, deleted: 1 / 3 });
    expect(point.live + point.retired + point.free).toBe(cache.stats().bytes.capacity);
  });

  test('are those of five minutes', async () => {
    const recorder = new Recorder(openCache(), 'default');
    for (let second = 0; second < 400; ++second) await recorder.snapshot(START + second * 1000);
    expect(recorder.history).toHaveLength(300);
    await recorder.snapshot(START + 1_000_000);
    expect(recorder.history).toHaveLength(1);
  });

  test('know nothing after a clock that went back', async () => {
    const cache = openCache();
    const recorder = new Recorder(cache, 'default');
    await recorder.snapshot(START);
    cache.get('absent');
    const { point, lookups } = (await recorder.snapshot(START - 5000))!;
    expect(point.lookups).toBe(null);
    expect(lookups).toEqual({ perSecond: null, total: 1 });
  });
});

describe('models', () => {
  const runOf = (cache: Cache, name: string) =>
    cache.model({
      name,
      version: '1',
      scope: PUBLIC,
      codec: json,
      run: async (all: number[]) => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        return all;
      },
    });

  test('are told with what they saved, those that saved most first', async () => {
    const cache = openCache();
    const [little, much] = [runOf(cache, 'little'), runOf(cache, 'much')];
    for (const model of [little, much]) await model.predict(1);
    for (let i = 0; i < 20; ++i) await much.predict(1);
    const recorder = new Recorder(cache, 'default', { models: { much: { usdPerHour: 3600 } } });
    const { models, money, latency } = (await recorder.snapshot(START))!;
    expect(models.shown.map(({ name }) => name)).toEqual(['much', 'little']);
    const [first, second] = models.shown as [(typeof models.shown)[number], (typeof models.shown)[number]];
    expect(first).toMatchObject({ hits: 20, hitRate: 20 / 21, failures: 0 });
    expect(first.savedSeconds!).toBeGreaterThan(0.3);
    expect(first.savedUsd!).toBeCloseTo(first.savedSeconds!, 6); // a dollar is a second
    expect(first.runs!.p50).toBeGreaterThan(0.015);
    expect(second.savedUsd).toBe(null);
    expect(money).toMatchObject({ unpricedModels: 1 });
    expect(latency).toEqual({ of: 'runs', times: null }); // none since it watches
  });

  test('a name with two versions is one line', async () => {
    const cache = openCache();
    const run = (all: number[]) => all;
    for (const version of ['1', '2'])
      await cache.model({ name: 'm', version, scope: PUBLIC, codec: json, run }).predict(1);
    const { models } = (await new Recorder(cache, 'default').snapshot(START))!;
    expect(models.shown).toHaveLength(1);
    expect(models.shown[0]!.runs!.count).toBe(2);
  });
});

describe('servers', () => {
  test('are told with their commands, the busiest first, and with what clients wait for', async () => {
    const cache = openCache({ maxBytes: '16MB' });
    const server = serve(cache, { port: 0 });
    onTestFinished(() => server.close());
    const recorder = new Recorder(cache, 'default');
    await recorder.snapshot(START);
    const client = await createClient({ url: server.addresses[0]! }).connect();
    await Promise.all(Array.from({ length: 1280 }, (_, i) => client.get(`${i}`)));
    await recorder.snapshot(START + 1000);
    await Promise.all(Array.from({ length: 640 }, (_, i) => client.get(`${i}`)));
    const { servers, commands, latency } = (await recorder.snapshot(START + 2000))!;
    expect(servers).toMatchObject([{ address: server.addresses[0]!, clients: 1, refusedConnections: 0 }]);
    expect(servers[0]!.commands.total).toBeGreaterThan(1900);
    expect(commands.shown[0]!.name).toBe('get');
    expect(commands.shown[0]!.calls.total).toBeGreaterThanOrEqual(1792);
    expect(latency!.of).toBe('commands');
    const times = latency!.times!;
    expect(times.count).toBeGreaterThan(0);
    expect(times.p50).toBeLessThanOrEqual(times.p99);
    expect(times.p99).toBeLessThanOrEqual(times.p999);
    client.destroy();
  });

  test('one that ends leaves, and its times do not count against what comes', async () => {
    const cache = openCache({ maxBytes: '16MB' });
    const recorder = new Recorder(cache, 'default');
    const busy = async (at: number) => {
      const server = serve(cache, { port: 0 });
      const client = await createClient({ url: server.addresses[0]! }).connect();
      await recorder.snapshot(at);
      await Promise.all(Array.from({ length: 640 }, (_, i) => client.get(`${i}`)));
      const snapshot = (await recorder.snapshot(at + 1000))!;
      client.destroy();
      await server.close();
      return snapshot;
    };
    await busy(START);
    expect((await recorder.snapshot(START + 2000))!.servers).toEqual([]);
    expect((await busy(START + 3000)).latency!.times!.count).toBeGreaterThan(0);
  });
});

test('an upstream is told while there is one', async () => {
  const cache = openCache();
  const recorder = new Recorder(cache, 'default');
  const state = { name: 'redis://10.0.0.9:6379', healthy: true, state: '', requests: 10, errors: 0 };
  const remove = addUpstreams(cache, () => [state]);
  await recorder.snapshot(START);
  Object.assign(state, { healthy: false, state: 'no answer for 3 s', requests: 30, errors: 2 });
  expect((await recorder.snapshot(START + 1000))!.upstreams).toEqual([
    {
      name: state.name,
      healthy: false,
      state: 'no answer for 3 s',
      requests: { perSecond: 20, total: 30 },
      errors: { perSecond: 2, total: 2 },
      times: null,
    },
  ]);
  remove();
  expect((await recorder.snapshot(START + 2000))!.upstreams).toEqual([]);
});

test('two upstreams of one name have a speed each', async () => {
  const cache = openCache();
  const recorder = new Recorder(cache, 'default');
  const [busy, calm] = [100, 1000].map((requests) => ({
    ...{ name: 'redis://10.0.0.9:6379', healthy: true, state: '' },
    ...{ requests, errors: 0 },
  }));
  addUpstreams(cache, () => [busy!, calm!]);
  await recorder.snapshot(START);
  busy!.requests += 50;
  const { upstreams } = (await recorder.snapshot(START + 1000))!;
  expect(upstreams.map(({ requests }) => requests.perSecond)).toEqual([50, 0]);
});

test('a cache that is closed while it is read has no snapshot, and throws nothing', async () => {
  for (let turns = 0; turns < 12; turns += 2) {
    const cache = open({ maxBytes: '4MB', name: uniqueName() });
    for (let i = 0; i < 1000; ++i) cache.keyspace(`k${i}`, { codec: json });
    const recorder = new Recorder(cache, 'default');
    const snapshot = recorder.snapshot(START);
    for (let i = 0; i < turns; ++i) await new Promise((resolve) => setImmediate(resolve));
    cache.close();
    await snapshot;
    expect(await recorder.snapshot(START + 1000)).toBe(undefined);
  }
});

describe('quantiles', () => {
  /** Buckets of these times, in seconds. */
  function bucketsOf(times: readonly number[], onto = new Float64Array(TIME_BUCKETS)): Float64Array {
    const buckets = onto.slice();
    for (const time of times) {
      let bucket = 0;
      while (endOf(bucket) < time) bucket++;
      buckets[bucket]!++;
    }
    return buckets;
  }

  test('buckets end where the native histogram says', () => {
    const ends = Array.from({ length: TIME_BUCKETS }, (_, i) => Math.round(endOf(i) * 1e9));
    expect(ends.slice(0, 3)).toEqual([1, 2, 3]);
    expect(ends.slice(62, 67)).toEqual([63, 64, 66, 68, 70]);
    expect(ends.at(-1)).toBe(2 ** 41);
    expect(ends.every((end, i) => i < 32 || end - ends[i - 1]! <= ends[i - 1]! / 32 + 1)).toBe(true);
  });

  test('are those of the times, at most 1/32 too high', () => {
    const times = Array.from({ length: 1000 }, (_, i) => (i + 1) / 1e6);
    const { count, ...found } = quantilesOf(bucketsOf(times))!;
    expect(count).toBe(1000);
    for (const [name, exact] of Object.entries({ p50: 500e-6, p90: 900e-6, p99: 990e-6, p999: 999e-6 })) {
      expect(found[name as keyof typeof found]).toBeGreaterThanOrEqual(exact - 1e-12);
      expect(found[name as keyof typeof found]).toBeLessThanOrEqual(exact * (1 + 1 / 32));
    }
    expect(quantilesOf(new Float64Array(TIME_BUCKETS))).toBe(null);
  });

  test('of a window are those of the last minute alone', () => {
    const window = new Window();
    let buckets = bucketsOf([]);
    for (let second = 0; second <= 300; ++second) {
      buckets = bucketsOf([second < 200 ? 1 : 0.001], buckets);
      window.add(START + second * 1000, buckets);
    }
    expect(window.minute()!.p999).toBeLessThan(0.00104);
    expect(window.minute()!.count).toBeGreaterThanOrEqual(60);
    expect(window.minute()!.count).toBeLessThanOrEqual(70);
    expect(window.moment()!.count).toBeGreaterThanOrEqual(10);
    expect(window.moment()!.count).toBeLessThanOrEqual(20);
  });

  test('of a window begin anew after a time without a look, and when counts fall', () => {
    const window = new Window();
    window.add(START, bucketsOf([1, 1, 1]));
    window.add(START + 60_000, bucketsOf([1, 1, 1, 1]));
    expect(window.minute()).toBe(null);
    window.add(START + 61_000, bucketsOf([1]));
    expect(window.minute()).toBe(null);
    window.add(START + 62_000, bucketsOf([1, 0.5]));
    expect(window.minute()!.count).toBe(1);
  });
});
