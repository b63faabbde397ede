// Redis slow, stopped or gone; connections that end, or that nobody answers on.
import { channel } from 'node:diagnostics_channel';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type DegradedEvent, type Key, utf8 } from 'zerohop';
import { answer } from '../fixtures/child.js';
import { turn, until } from '../fixtures/opened.js';
import { openOver, proxyTo, useRedis } from '../fixtures/upstream.js';

const redis = useRedis();
beforeEach(async () => {
  await redis.other.flushAll();
});

/** For what waits for nothing but a proxy. */
const PATIENT = { timeout: 20_000, connectTimeout: 20_000, heartbeat: 20_000 };
const IMPATIENT = { timeout: 200, connectTimeout: 500, heartbeat: 50 };
const loader = (keys: Key[]) => keys.map((key) => `made of ${String(key)}`);

async function behindProxy(loads = true, waits = IMPATIENT) {
  const proxy = await proxyTo(redis.port);
  const cache = openOver({ url: `redis://127.0.0.1:${proxy.port}`, ...waits });
  const texts = cache.keyspace('t', { codec: utf8, upstream: loads ? { loader } : true });
  await texts.ready();
  const state = () => texts.stats().upstream.state;
  return { proxy, cache, texts, state };
}

/** Stops Redis without a word, until the test ends or the function it gives is called. */
async function stopRedis(): Promise<() => void> {
  const pid = Number(/process_id:(\d+)/.exec(await redis.other.info('server'))![1]);
  const go = () => process.kill(pid, 'SIGCONT');
  onTestFinished(go);
  process.kill(pid, 'SIGSTOP');
  return go;
}

function heardEvents(): DegradedEvent[] {
  const heard: DegradedEvent[] = [];
  const listener = (event: unknown) => void heard.push(event as DegradedEvent);
  channel('zerohop:degraded').subscribe(listener);
  onTestFinished(() => void channel('zerohop:degraded').unsubscribe(listener));
  return heard;
}

describe('in one chunk with the reply of a read', () => {
  test.each([
    ['a push about its key', () => redis.other.set('t:a', 'after')],
    ['a push that all keys are gone', () => redis.other.flushAll()],
  ])('%s keeps it out of L0', async (_name, change) => {
    const { proxy, texts } = await behindProxy(false, PATIENT);
    await redis.other.set('t:a', 'before');
    await redis.told();
    proxy.stop('toClient');
    const loading = texts.load('a');
    await redis.told();
    await change();
    await redis.told();
    proxy.heal();
    expect(await loading).toBe('before'); // it was asked for before the change
    expect(texts.has('a')).toBe(false);
    expect(texts.stats().upstream.fenced).toBe(1);
    expect(await texts.load('a')).toBe((await redis.other.get('t:a')) ?? undefined);
  });

  test('a push about another key does not', async () => {
    const { proxy, texts } = await behindProxy(false, PATIENT);
    await redis.other.set('t:a', 'before');
    await redis.told();
    proxy.stop('toClient');
    const loading = texts.load('a');
    await redis.told();
    await redis.other.set('t:b', 'x');
    await redis.told();
    proxy.heal();
    expect(await loading).toBe('before');
    expect(texts.get('a')).toBe('before');
  });
});

test('whoever asks after a push does not get what was read before it', async () => {
  const { proxy, texts } = await behindProxy(false, PATIENT);
  await redis.other.set('t:a', 'before');
  await redis.told();
  proxy.delay('toServer', () => 60);
  const early = texts.load('a'); // on its way to Redis
  await turn();
  await redis.other.set('t:a', 'after');
  await until(() => texts.stats().upstream.invalidations > 0);
  const late = texts.load('a');
  proxy.heal();
  expect(await late).toBe('after');
  expect(['before', 'after']).toContain(await early);
  expect(await texts.load('a')).toBe('after');
});

test('a write of another client between ours and its reply is not hidden', async () => {
  const { proxy, texts } = await behindProxy(false, PATIENT);
  proxy.stop('toClient');
  const write = texts.setAsync('a', 'ours');
  await redis.told();
  await redis.other.set('t:a', 'theirs');
  await redis.told();
  proxy.heal();
  await write;
  expect(texts.has('a')).toBe(false);
  expect(await texts.load('a')).toBe('theirs');
});

test('a write of another client just before ours leaves ours', async () => {
  const { proxy, texts } = await behindProxy(false, PATIENT);
  proxy.stop('toServer');
  const write = texts.setAsync('a', 'ours');
  await redis.other.set('t:a', 'theirs');
  proxy.heal();
  await write;
  await redis.told();
  expect(await texts.load('a')).toBe('ours');
});

describe('a connection', () => {
  test('that nobody answers on is noticed, and L0 forgets what it tracked', async () => {
    const { proxy, texts, state } = await behindProxy();
    const heard = heardEvents();
    await redis.other.set('t:a', 'before');
    await redis.told();
    await texts.load('a');
    proxy.stop('toClient', 'toServer');
    await redis.other.set('t:a', 'after');
    expect(texts.get('a')).toBe('before'); // nobody could tell
    await until(() => state() !== 'up');
    expect(texts.has('a')).toBe(false);
    expect(await texts.load('a')).toBe('made of a');
    expect(texts.entry('a')!.ttl).toBeLessThanOrEqual(5000);
    proxy.heal();
    await until(() => state() === 'up');
    expect(texts.has('a')).toBe(false);
    expect(await texts.load('a')).toBe('after');
    expect(heard.map(({ degraded }) => degraded)).toEqual([true, false]);
    expect(heard[0]!.upstream).toBe(`redis://127.0.0.1:${proxy.port}`);
  });

  test('that is cut is made again, and tracks again', async () => {
    const { proxy, texts, state } = await behindProxy(false);
    await redis.other.set('t:a', 'x');
    await redis.told();
    await texts.load('a');
    proxy.cut();
    await until(() => texts.stats().upstream.outages === 1);
    expect(texts.has('a')).toBe(false);
    await until(() => state() === 'up');
    expect(await texts.load('a')).toBe('x');
    await redis.other.set('t:a', 'y');
    await until(() => !texts.has('a'));
    expect(texts.stats().upstream.connects).toBe(2);
  });

  test('that is cut while a key is read has its loader asked, and the key counts as failed once', async () => {
    const { proxy, texts } = await behindProxy(true, PATIENT);
    proxy.stop('toClient');
    const loading = texts.load('a');
    await redis.told();
    proxy.cut();
    expect(await loading).toBe('made of a');
    expect(texts.stats().upstream.failed).toBe(1);
  });

  test('that is open keeps no process alive, and a load under way does', async () => {
    expect(await answer('upstream-ends.mjs', { args: [redis.url] })).toEqual({ loaded: 'made', ended: true });
  });
});

describe('a Redis', () => {
  test('that is not there is no error: loads go to the loader, and it is told once', async () => {
    const warnings: Error[] = [];
    const listener = (warning: Error) => void warnings.push(warning);
    process.on('warning', listener);
    onTestFinished(() => void process.off('warning', listener));
    const proxy = await proxyTo(redis.port);
    const url = `redis://user:secret@127.0.0.1:${proxy.port}`;
    proxy.refuse();
    const cache = openOver({ url, ...IMPATIENT });
    const texts = cache.keyspace('t', { codec: utf8, upstream: { loader, aloneTtl: '1s' } });
    const plain = cache.keyspace('p', { codec: utf8, upstream: true });
    expect(await texts.loadMany(['a', 'b'])).toEqual(['made of a', 'made of b']);
    expect(await plain.load('a')).toBeUndefined();
    expect(texts.set('c', 'x')).toBe(true);
    expect(texts.get('c')).toBe('x');
    await expect(texts.setAsync('c', 'x')).rejects.toMatchObject({ code: 'ERR_UPSTREAM_WRITE' });
    await expect(texts.deleteAsync('c')).rejects.toMatchObject({ code: 'ERR_UPSTREAM_WRITE' });
    await until(() => warnings.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const told = warnings.filter(({ name }) => name === 'ZerohopWarning');
    expect(told).toHaveLength(1);
    expect(told[0]!.message).not.toContain('secret');
    expect(texts.stats().upstream).toMatchObject({ failed: 2, loaded: 2, lostWrites: 3 });
  });

  test('that stops answering is given up after a few deadlines, and is used again when it answers', async () => {
    const cache = openOver({ url: redis.url, ...IMPATIENT, heartbeat: '10s' });
    const texts = cache.keyspace('t', { codec: utf8, upstream: { loader } });
    await texts.ready();
    await texts.load('known');
    const go = await stopRedis();
    for (let i = 0; i < 3; ++i) expect(await texts.load(`k${i}`)).toBe(`made of k${i}`);
    await until(() => texts.stats().upstream.state !== 'up');
    expect(texts.stats().upstream.late).toBeGreaterThanOrEqual(3);
    const { commands } = texts.stats().upstream;
    expect(await texts.load('later')).toBe('made of later'); // at once
    expect(texts.stats().upstream.commands).toBe(commands);
    go();
    await until(() => texts.stats().upstream.state === 'up');
    expect(texts.has('later')).toBe(false);
    await redis.other.set('t:later', 'of Redis', { condition: 'XX' });
    expect(await texts.load('fresh')).toBe('made of fresh');
  });

  test('that is slow within its deadline is waited for, and one reply too late is not', async () => {
    const { proxy, texts, state } = await behindProxy(true, { ...IMPATIENT, timeout: 2000 });
    await redis.other.set('t:a', 'of Redis');
    await redis.other.set('t:b', 'of Redis');
    proxy.delay('toClient', () => 80);
    expect(await texts.load('a')).toBe('of Redis');
    proxy.stop('toClient');
    const loading = texts.load('b');
    expect(await loading).toBe('made of b');
    proxy.heal();
    await until(() => state() === 'up');
    // What Redis has was not overwritten, and L0 does not hold what Redis has not.
    await until(() => texts.peek('b') === undefined || texts.peek('b') === 'of Redis');
    expect(await redis.other.get('t:b')).toBe('of Redis');
  });

  test('that comes back is asked for each key once, however many wait', async () => {
    const { proxy, texts, state } = await behindProxy(false, PATIENT);
    const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
    for (const key of keys) await redis.other.set(`t:${key}`, key);
    proxy.cut();
    await until(() => texts.stats().upstream.outages === 1);
    await until(() => state() === 'up');
    const { hits, commands } = texts.stats().upstream;
    const loads = Array.from({ length: 1000 }, (_, i) => texts.load(keys[i % 50]!));
    expect(new Set(await Promise.all(loads))).toEqual(new Set(keys));
    expect(texts.stats().upstream.hits - hits).toBe(50);
    // One question whether keys expire, and one transaction; or one MGET.
    expect(texts.stats().upstream.commands - commands).toBeLessThanOrEqual(5);
  });

  test('that is away gets what waits in the queue when it is back', async () => {
    const proxy = await proxyTo(redis.port);
    const cache = openOver({ url: `redis://127.0.0.1:${proxy.port}`, ...IMPATIENT });
    const texts = cache.keyspace('t', { codec: utf8, upstream: { writes: 'behind' } });
    await texts.ready();
    proxy.refuse();
    proxy.cut();
    await until(() => texts.stats().upstream.outages === 1);
    texts.set('a', 'first');
    texts.set('a', 'last');
    await texts.flushed(); // it does not wait for a Redis that is away
    expect(texts.stats().upstream.queued).toBe(1);
    expect(await texts.load('a')).toBe('last');
    proxy.heal();
    await until(() => texts.stats().upstream.state === 'up');
    await texts.flushed();
    expect(await redis.other.get('t:a')).toBe('last');
    expect(await texts.load('a')).toBe('last');
  });

  test('that becomes a replica, and takes no writes, is left', async () => {
    const cache = openOver({ url: redis.url, ...IMPATIENT, heartbeat: '10s' });
    const texts = cache.keyspace('t', { codec: utf8, upstream: true });
    await texts.setAsync('a', 'before');
    await redis.other.sendCommand(['REPLICAOF', '127.0.0.1', '1']);
    onTestFinished(async () => void (await redis.other.sendCommand(['REPLICAOF', 'NO', 'ONE'])));
    await expect(texts.setAsync('a', 'after')).rejects.toMatchObject({ code: 'ERR_UPSTREAM_WRITE' });
    await until(() => texts.stats().upstream.outages === 1);
    expect(texts.has('a')).toBe(false);
  });

  test('that forbids tracking is not used', async () => {
    await redis.other.aclSetUser('untracked', ['on', '>pw', '~*', '+@all', '-client|tracking']);
    onTestFinished(async () => void (await redis.other.aclDelUser('untracked')));
    const cache = openOver({ url: `redis://untracked:pw@127.0.0.1:${redis.port}`, ...IMPATIENT });
    const texts = cache.keyspace('t', { codec: utf8, upstream: { loader } });
    await redis.other.set('t:a', 'of Redis');
    expect(await texts.load('a')).toBe('made of a');
    expect(texts.stats().upstream.connects).toBe(0);
  });
});
