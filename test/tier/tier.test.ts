// What lies behind a keyspace: Redis, and behind that a loader.
import { Registry } from 'prom-client';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { bytes, float32, json, type Key, number, utf8 } from 'zerohop';
import { registerMetrics } from 'zerohop/metrics';
import { Recorder } from '../../dist/observe/snapshot.js';
import { errorOf, turn, until } from '../fixtures/opened.js';
import { samplesOf } from '../fixtures/promtool.js';
import { openOver, useRedis } from '../fixtures/upstream.js';

const redis = useRedis();
beforeEach(async () => {
  await redis.other.flushAll();
});

const vector = (...elements: number[]) => new Float32Array(elements);
const raw = (array: Float32Array) => Buffer.from(array.buffer);

describe('a load', () => {
  test('finds a value in Redis, keeps it in L0, and does not ask Redis again', async () => {
    const vectors = openOver(redis.url).keyspace('v', { codec: float32(2), upstream: true });
    await redis.other.set('v:a', raw(vector(1, 2)));
    await redis.told();
    expect(await vectors.load('a')).toEqual(vector(1, 2));
    expect(vectors.get('a')).toEqual(vector(1, 2));
    const { commands } = vectors.stats().upstream;
    expect(await vectors.load('a')).toEqual(vector(1, 2));
    expect(vectors.stats().upstream.commands).toBe(commands);
  });

  test('gives undefined if there is nothing anywhere', async () => {
    const texts = openOver(redis.url).keyspace('t', { codec: utf8, upstream: true });
    expect(await texts.load('nothing')).toBeUndefined();
  });

  test('asks the loader for what Redis has not, and tells Redis', async () => {
    const asked: Key[][] = [];
    const loader = (keys: Key[]) => {
      asked.push(keys);
      return keys.map((key) => (key === 'none' ? undefined : `made of ${key}`));
    };
    const texts = openOver(redis.url).keyspace('t', { codec: utf8, ttl: '1h', upstream: { loader } });
    await redis.other.set('t:b', 'of Redis');
    expect(await texts.loadMany(['a', 'b', 'none', 'c'])).toEqual(['made of a', 'of Redis', undefined, 'made of c']);
    expect(asked).toEqual([['a', 'none', 'c']]);
    await until(() => texts.has('a') && texts.has('c'));
    expect(await redis.other.get('t:a')).toBe('made of a');
    expect(await redis.other.pTTL('t:c')).toBeGreaterThan(3_500_000);
    expect(await redis.other.exists('t:none')).toBe(0);
  });

  test('joins another one for the same key, and all of a turn are one command', async () => {
    let asked = 0;
    const loader = (keys: Key[]) => {
      asked += keys.length;
      return keys.map(String);
    };
    const texts = openOver(redis.url).keyspace('t', { codec: utf8, upstream: { loader, writes: 'local' } });
    await texts.ready();
    const { commands } = texts.stats().upstream;
    const loads = [texts.load('a'), texts.load('a'), texts.loadMany(['b', 'a', 'b']), texts.load('c')];
    expect(await Promise.all(loads)).toEqual(['a', 'a', ['b', 'a', 'b'], 'c']);
    expect(asked).toBe(3);
    expect(texts.stats().upstream.commands - commands).toBe(1);
  });

  test('keeps a value in L0 no longer than Redis would', async () => {
    const texts = openOver(redis.url).keyspace('t', { codec: utf8, upstream: true });
    await redis.other.set('t:short', 'x', { expiration: { type: 'PX', value: 5000 } });
    await redis.other.set('t:long', 'x');
    await redis.told();
    await texts.loadMany(['short', 'long']);
    expect(texts.entry('short')!.ttl).toBeLessThanOrEqual(5000);
    expect(texts.entry('long')!.ttl).toBe(Number.POSITIVE_INFINITY);
    await texts.load('alone');
    await redis.other.set('t:alone', 'x', { expiration: { type: 'PX', value: 7000 } });
    await redis.told();
    await texts.load('alone');
    expect(texts.entry('alone')!.ttl).toBeLessThanOrEqual(7000);
  });

  test('of more keys than one batch takes gives each its value', async () => {
    const texts = openOver(redis.url, { maxBytes: '64MB' }).keyspace('t', { codec: utf8, upstream: true });
    const keys = Array.from({ length: 5000 }, (_, i) => `k${i}`);
    for (const key of keys) void redis.other.set(`t:${key}`, `value of ${key}`);
    await redis.told();
    expect(await texts.loadMany(keys)).toEqual(keys.map((key) => `value of ${key}`));
    expect(texts.getMany(keys)).toEqual(keys.map((key) => `value of ${key}`));
  });

  test('knows keys of any bytes, and integers', async () => {
    const cache = openOver(redis.url);
    const texts = cache.keyspace('t', { codec: utf8, upstream: true });
    const counts = cache.keyspace('c', { codec: utf8, keys: 'integer', upstream: true });
    const strange = [Uint8Array.of(0xff, 0x0d, 0x0a, 0), 'käse', 'a,b\r\nc'];
    for (const key of strange) {
      const at = Buffer.concat([Buffer.from('t:'), Buffer.from(key as string)]);
      await redis.other.set(at, 'before');
      expect(await texts.load(key)).toBe('before');
      await redis.other.set(at, 'after');
      await until(() => !texts.has(key));
      expect(await texts.load(key)).toBe('after');
    }
    await redis.other.set('c:-7', 'minus seven');
    expect(await counts.load(-7)).toBe('minus seven');
    await redis.other.del('c:-7');
    await until(() => !counts.has(-7));
    await redis.other.set('c:not a number', 'passed over');
    await redis.other.set('c:7.5', 'passed over');
    expect(await counts.load(0)).toBeUndefined();
  });

  test('of a key that the caller changes afterwards is of the key that was asked for', async () => {
    const texts = openOver(redis.url).keyspace('t', { codec: utf8, upstream: true });
    await redis.other.set('t:abc', 'x');
    await redis.told();
    const key = Buffer.from('abc');
    const loading = texts.load(key);
    key.fill(0);
    expect(await loading).toBe('x');
    expect(texts.get('abc')).toBe('x');
  });

  test('gathers rows from all tiers', async () => {
    const loader = (keys: Key[]) => keys.map((key) => (key === 'none' ? null : vector(7, 8)));
    const vectors = openOver(redis.url).keyspace('v', { codec: float32(2), upstream: { loader } });
    vectors.set('l0', vector(1, 2));
    await redis.other.set('v:redis', raw(vector(3, 4)));
    await redis.other.set('v:short', 'abc');
    const out = new Float32Array(10);
    expect(await vectors.gatherAsync(['l0', 'redis', 'none', 'made', 'short'], out)).toEqual({
      hits: 3,
      missing: [2, 4],
    });
    expect([...out]).toEqual([1, 2, 3, 4, 0, 0, 7, 8, 0, 0]);
  });

  test('fails with the loader, or if that gives something else than one value for each key', async () => {
    const cache = openOver(redis.url);
    const reason = new Error('the model is not there');
    const failing = cache.keyspace('f', { codec: utf8, upstream: { loader: () => Promise.reject(reason) } });
    await expect(failing.load('a')).rejects.toBe(reason);
    await expect(failing.loadMany(['a', 'b'])).rejects.toBe(reason);
    const short = cache.keyspace('s', { codec: utf8, upstream: { loader: () => [] } });
    await expect(short.load('a')).rejects.toMatchObject({ code: 'ERR_UPSTREAM_LOADER' });
    const slow = cache.keyspace('o', {
      codec: utf8,
      upstream: { loader: () => new Promise(() => {}), loaderTimeout: 20 },
    });
    await expect(slow.load('a')).rejects.toMatchObject({
      code: 'ERR_UPSTREAM_LOADER',
      message: expect.stringContaining('upstream.loaderTimeout'),
    });
  });

  test('tells of a value in Redis that the codec cannot read', async () => {
    const cache = openOver(redis.url);
    const vectors = cache.keyspace('v', { codec: float32(2), upstream: true });
    const numbers = cache.keyspace('n', { codec: number, upstream: true });
    await redis.other.set('v:a', 'abc');
    await redis.other.set('n:a', 'abc');
    await expect(vectors.load('a')).rejects.toMatchObject({ code: 'ERR_CACHE_VALUE' });
    await expect(numbers.load('a')).rejects.toMatchObject({ code: 'ERR_CACHE_VALUE' });
  });

  test('is refused when the cache is closed, also one under way', async () => {
    const cache = openOver(redis.url);
    const texts = cache.keyspace('t', { codec: utf8, upstream: { loader: () => new Promise(() => {}) } });
    await texts.ready();
    const loading = texts.load('a');
    await turn();
    cache.close();
    await expect(loading).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' });
    await expect(texts.load('a')).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' });
  });
});

describe('a value in Redis', () => {
  test.each([
    ['float32', float32(3), vector(0.5, -0, 1e-40), raw(vector(0.5, -0, 1e-40))],
    ['bytes', bytes, Uint8Array.of(0, 255, 13, 10), Buffer.of(0, 255, 13, 10)],
    ['utf8', utf8, 'naïve ☕', Buffer.from('naïve ☕')],
    ['json', json, { a: [1, null] }, Buffer.from('{"a":[1,null]}')],
    ['number', number, 0.1, Buffer.from('0.1')],
    ['number -0', number, -0, Buffer.from('-0')],
    ['number infinity', number, Number.NEGATIVE_INFINITY, Buffer.from('-inf')],
    [
      'a codec of the user',
      {
        encode: (text: string) => Buffer.from(text, 'hex'),
        decode: (of: Uint8Array) => Buffer.from(of).toString('hex'),
      },
      'beef',
      Buffer.of(0xbe, 0xef),
    ],
  ])('of %s lies there as documented, and comes back', async (name, codec, value, expected) => {
    // biome-ignore lint/suspicious/noExplicitAny: codecs of all types
    const writer = openOver(redis.url).keyspace('x', { codec: codec as any, upstream: true });
    // biome-ignore lint/suspicious/noExplicitAny: as above
    const reader = openOver(redis.url).keyspace('x', { codec: codec as any, upstream: true });
    await writer.setAsync(name, value);
    await redis.told();
    const typed = redis.other.withTypeMapping({ 36: Buffer });
    expect(await typed.get(`x:${name}`)).toEqual(expected);
    expect(await reader.load(name)).toEqual(value);
    expect(reader.get(name)).toEqual(value);
  });

  test('that others wrote as a number is read as one', async () => {
    const numbers = openOver(redis.url).keyspace('n', { codec: number, upstream: true });
    await redis.other.incrBy('n:count', 41);
    await redis.other.incrByFloat('n:share', 0.25);
    await redis.other.set('n:nan', 'nan');
    expect(await numbers.loadMany(['count', 'share', 'nan'])).toEqual([41, 0.25, Number.NaN]);
    await redis.other.incr('n:count');
    await until(() => !numbers.has('count'));
    expect(await numbers.load('count')).toBe(42);
  });
});

describe('a write', () => {
  test('is in L0 at once, in Redis soon, and does not come back as a change', async () => {
    const texts = openOver(redis.url).keyspace('t', { codec: utf8, ttl: '1m', upstream: true });
    expect(texts.set('a', 'x')).toBe(true);
    expect(texts.get('a')).toBe('x');
    await texts.setAsync('b', 'y');
    expect(await redis.other.get('t:a')).toBe('x');
    expect(await redis.other.pTTL('t:b')).toBeGreaterThan(50_000);
    await texts.load('nothing');
    expect(texts.stats().upstream).toMatchObject({ invalidations: 0, writes: 2, lostWrites: 0 });
    expect(texts.get('a')).toBe('x');
    texts.setMany([
      ['c', '1'],
      ['d', '2'],
    ]);
    texts.delete('a');
    expect(texts.has('a')).toBe(false);
    await texts.deleteAsync('b');
    expect(await redis.other.mGet(['t:a', 't:b', 't:c', 't:d'])).toEqual([null, null, '1', '2']);
    texts.touch('c', { ttl: '2h' });
    await texts.load('nothing');
    expect(await redis.other.pTTL('t:c')).toBeGreaterThan(7_000_000);
  });

  test('does not hide a change that another client made', async () => {
    const texts = openOver(redis.url).keyspace('t', { codec: utf8, upstream: true });
    await texts.setAsync('a', 'ours');
    await redis.other.set('t:a', 'theirs');
    await until(() => !texts.has('a'));
    expect(await texts.load('a')).toBe('theirs');
  });

  test('that Redis refuses is in neither, and is told', async () => {
    const texts = openOver(redis.url).keyspace('t', { codec: utf8, upstream: true });
    await texts.setAsync('a', 'before');
    await redis.other.configSet('maxmemory', '1');
    try {
      const write = texts.setAsync('a', 'after');
      expect(texts.get('a')).toBe('after');
      await expect(write).rejects.toMatchObject({ code: 'ERR_UPSTREAM_WRITE' });
      expect(texts.has('a')).toBe(false);
      expect(texts.set('b', 'x')).toBe(true);
      await until(() => !texts.has('b'));
      expect(texts.stats().upstream.lostWrites).toBe(2);
    } finally {
      await redis.other.configSet('maxmemory', '0');
    }
  });

  test('stays here with writes: local', async () => {
    const texts = openOver(redis.url).keyspace('t', {
      codec: utf8,
      upstream: { writes: 'local', loader: (keys) => keys.map(String) },
    });
    texts.set('a', 'x');
    await texts.load('b');
    texts.delete('a');
    await texts.load('a');
    expect(await redis.other.keys('*')).toEqual([]);
    expect(texts.get('b')).toBe('b');
    await redis.other.set('t:b', 'theirs');
    await until(() => !texts.has('b'));
  });

  test('waits in the queue with writes: behind, of which each key has one', async () => {
    const texts = openOver(redis.url).keyspace('t', { codec: utf8, upstream: { writes: 'behind' } });
    await texts.ready();
    for (let i = 0; i < 1000; ++i) texts.set(`k${i % 10}`, `${i}`);
    expect(texts.stats().upstream.queued).toBe(10);
    expect(await texts.load('k3')).toBe('993');
    await texts.flushed();
    expect(await redis.other.get('t:k3')).toBe('993');
    expect(texts.stats().upstream).toMatchObject({ writes: 10, queued: 0, lostWrites: 0 });
    expect(texts.get('k3')).toBe('993');
  });

  test.each(['through', 'behind'] as const)(
    'is not undone by a load of the same turn, with writes: %s',
    async (writes) => {
      await redis.other.set('t:a', 'before');
      const texts = openOver(redis.url).keyspace('t', { codec: utf8, upstream: { writes } });
      const loading = texts.load('a'); // waits for the connection, and then goes first
      for (let i = 0; i < 10; ++i) await null;
      texts.set('a', 'ours');
      await loading;
      expect(texts.get('a')).toBe('ours');
      await texts.flushed();
      await redis.told();
      expect(texts.get('a') ?? 'ours').toBe(await redis.other.get('t:a'));
    },
  );

  test('that finds the queue full is dropped and counted', async () => {
    const texts = openOver(redis.url).keyspace('t', { codec: utf8, upstream: { writes: 'behind', queue: 2 } });
    await texts.ready();
    expect(['a', 'b', 'c'].map((key) => texts.set(key, 'x'))).toEqual([true, true, false]);
    await expect(texts.setAsync('d', 'x')).rejects.toMatchObject({
      code: 'ERR_UPSTREAM_WRITE',
      message: expect.stringContaining('upstream.queue'),
    });
    expect(texts.set('a', 'y')).toBe(true);
    await texts.flushed();
    expect(await redis.other.mGet(['t:a', 't:b', 't:c'])).toEqual(['y', 'x', null]);
    expect(texts.stats().upstream.lostWrites).toBe(2);
  });

  test('with tags is refused, and so is deleting by one', () => {
    const texts = openOver(redis.url).keyspace('t', { codec: utf8, upstream: true });
    expect(errorOf(() => texts.set('a', 'x', { tags: ['t'] })).code).toBe('ERR_INVALID_ARG_TYPE');
    expect(errorOf(() => texts.deleteByTag('t')).code).toBe('ERR_INVALID_ARG_TYPE');
  });
});

describe('an upstream', () => {
  test("may be a client of the user's, whose prefix counts", async () => {
    const mine = redis.other.duplicate({ keyPrefix: 'mine:' });
    const texts = openOver(mine).keyspace('t', { codec: utf8, upstream: { prefix: 'of:' } });
    await texts.setAsync('a', 'x');
    expect(await redis.other.get('mine:of:a')).toBe('x');
    await redis.other.set('mine:of:a', 'y');
    await until(() => !texts.has('a'));
    expect(mine.isOpen).toBe(false);
  });

  test('may be told for each keyspace, and one opened twice has one', async () => {
    const cache = openOver(undefined);
    const texts = cache.keyspace('t', { codec: utf8, upstream: redis.url });
    const again = cache.keyspace('t', { codec: utf8, upstream: redis.url });
    await texts.setAsync('a', 'x');
    expect(again.get('a')).toBe('x');
    expect(again.stats().upstream.writes).toBe(1);
    expect(
      errorOf(() => cache.keyspace('t', { codec: utf8, upstream: { url: redis.url, writes: 'local' } })).code,
    ).toBe('ERR_CACHE_OPTIONS');
    for (const other of [{ ttl: '1m' }, { ttlJitter: 0.5 }] as const)
      expect(errorOf(() => cache.keyspace('t', { codec: utf8, upstream: redis.url, ...other })).code).toBe(
        'ERR_CACHE_OPTIONS',
      );
  });

  test('of two keyspaces whose keys could be the same is refused', () => {
    const cache = openOver(redis.url);
    cache.keyspace('a', { codec: utf8, upstream: true });
    for (const prefix of ['', 'a', 'a:b:'])
      expect(errorOf(() => cache.keyspace('b', { codec: utf8, upstream: { prefix } })).message).toMatch(
        /Set upstream\.prefix/,
      );
    cache.keyspace('a', { codec: utf8, scope: 'tenant', upstream: true });
  });

  test.each([
    [{ upstream: 7 }, 'ERR_INVALID_ARG_TYPE'],
    [{ upstream: 'http://x' }, 'ERR_INVALID_ARG_VALUE'],
    [{ upstream: {} }, 'ERR_INVALID_ARG_TYPE'],
    [{ upstream: { url: 'redis://x', timeout: 0 } }, 'ERR_OUT_OF_RANGE'],
  ])('with wrong options, as %j, is refused', (options, code) => {
    expect(errorOf(() => openOver(options.upstream as never)).code).toBe(code);
  });

  test('that nobody named is missed when a keyspace asks for it', () => {
    const cache = openOver(undefined);
    expect(errorOf(() => cache.keyspace('t', { codec: utf8, upstream: true })).message).toMatch(/open/);
    expect(
      errorOf(() => cache.keyspace('u', { codec: utf8, upstream: { url: redis.url, loader: 1 as never } })).code,
    ).toBe('ERR_INVALID_ARG_TYPE');
  });
});

test('the cache counts over all its keyspaces with Redis, and tells Prometheus', async () => {
  const cache = openOver(redis.url);
  expect(cache.stats().upstream).toBeUndefined(); // no keyspace has it
  const loader = (keys: Key[]) => keys.map(String);
  const one = cache.keyspace('one', { codec: utf8, upstream: { loader, lease: false } });
  const other = cache.keyspace('other', { codec: utf8, upstream: true });
  const own = cache.keyspace('own', { codec: utf8, upstream: redis.url }); // a connection of its own
  await redis.other.set('other:b', 'x');
  await redis.told();
  await one.load('a');
  await other.loadMany(['b', 'c']);
  await own.setAsync('d', 'x');
  await until(() => one.stats().upstream.writes === 1);
  const upstream = cache.stats().upstream!;
  expect(upstream).toMatchObject({
    ...{ upstreams: 2, healthy: 2, connects: 2, outages: 0, late: 0, refused: 0, flushes: 0 },
    ...{ hits: 1, misses: 2, loaded: 1, waited: 0, failed: 0, writes: 2, lostWrites: 0, queued: 0 },
  });
  expect(upstream.commands).toBe(one.stats().upstream.commands + own.stats().upstream.commands);
  const registry = new Registry();
  onTestFinished(registerMetrics(cache, registry, { name: 'c' }));
  const shown = samplesOf(await registry.metrics());
  const labels = `cache="c",upstream="${redis.url}"`;
  expect(shown.get(`zerohop_upstream_up{${labels}}`)).toBe(1);
  expect(shown.get(`zerohop_upstream_lookups_total{${labels},result="hit"}`)).toBe(1);
  expect(shown.get(`zerohop_upstream_lookups_total{${labels},result="miss"}`)).toBe(2);
  expect(shown.get(`zerohop_upstream_writes_total{${labels},result="confirmed"}`)).toBe(2);
  expect(shown.get(`zerohop_upstream_connections_total{${labels}}`)).toBe(2);
});

test('the dashboard is told how Redis does', async () => {
  const cache = openOver(redis.url);
  const recorder = new Recorder(cache, 'default');
  const texts = cache.keyspace('t', { codec: utf8, upstream: true });
  await texts.load('nothing');
  const { upstreams } = (await recorder.snapshot(1000))!;
  expect(upstreams).toMatchObject([{ healthy: true, state: 'up', errors: { total: 0 } }]);
  expect(upstreams[0]!.name).toContain(new URL(redis.url).port);
  expect(upstreams[0]!.requests.total).toBeGreaterThan(0);
});
