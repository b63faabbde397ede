// Of several processes that miss the same key, one makes its value: also if one of them is killed, or stopped for a while.
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { type Key, utf8 } from 'zerohop';
import { until } from '../fixtures/opened.js';
import { held, openOver, useRedis } from '../fixtures/upstream.js';

const redis = useRedis();
beforeEach(async () => {
  await redis.other.flushAll();
});

const LEASE_MS = 2000;
/** For a process to start and to do one thing, on a machine that does much else. */
const PROCESS_S = 100;
vi.setConfig({ testTimeout: 300_000 });

interface Said {
  asked?: string[];
  loaded?: string;
  waited?: number;
  stored?: boolean;
  fenced?: boolean;
}

/** A process of its own, killed after the test. */
class Holder {
  readonly said: Said[] = [];
  readonly child: ChildProcess;

  constructor(name: string) {
    const file = path.join(__dirname, '../fixtures/lease-holder.mjs');
    this.child = spawn(process.execPath, [file, redis.url, `${LEASE_MS}`, name], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let text = '';
    this.child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      for (const line of text.split('\n').slice(0, -1)) this.said.push(JSON.parse(line));
      text = text.slice(text.lastIndexOf('\n') + 1);
    });
    onTestFinished(() => void this.child.kill('SIGKILL'));
  }

  get isAsked(): boolean {
    return this.said.some(({ asked }) => asked !== undefined);
  }

  get loaded(): string | undefined {
    return this.said.find(({ loaded }) => loaded !== undefined)?.loaded;
  }

  get end(): Said | undefined {
    return this.said.find(({ stored }) => stored !== undefined);
  }

  finish(): void {
    this.child.stdin!.write('\n');
  }
}

const lasts = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test('of two processes one asks its loader, and the other takes what it stored', async () => {
  const first = new Holder('first');
  await until(() => first.isAsked, PROCESS_S);
  const second = new Holder('second');
  await lasts(1.5 * LEASE_MS); // the lease is renewed
  first.finish();
  await until(() => second.loaded !== undefined, PROCESS_S);
  expect(first.loaded).toBe('a made by first');
  expect(second.loaded).toBe('a made by first');
  expect(second.isAsked).toBe(false);
  expect(await redis.other.keys('*')).toEqual(['leased:a']);
});

test('a process that is killed is followed by another one', async () => {
  const first = new Holder('first');
  await until(() => first.isAsked, PROCESS_S);
  const second = new Holder('second');
  await lasts(LEASE_MS / 2);
  first.child.kill('SIGKILL');
  await until(() => second.isAsked, PROCESS_S);
  second.finish();
  await until(() => second.end !== undefined, PROCESS_S);
  expect(second.loaded).toBe('a made by second');
  expect(await redis.other.get('leased:a')).toBe('a made by second');
});

test('a process that was stopped, and comes back late, does not overwrite, or store what nobody wants', async () => {
  const first = new Holder('first');
  await until(() => first.isAsked, PROCESS_S);
  first.child.kill('SIGSTOP');
  const second = new Holder('second');
  await until(() => second.isAsked, PROCESS_S);
  second.finish();
  await until(() => second.end !== undefined, PROCESS_S);
  expect(second.end).toMatchObject({ stored: true });
  // Even if the value is gone again meanwhile: the lease is not the first one's any more.
  await redis.other.del('leased:a');
  first.finish();
  first.child.kill('SIGCONT');
  await until(() => first.end !== undefined, PROCESS_S);
  expect(first.loaded).toBe('a made by first'); // for who asked it
  expect(first.end).toMatchObject({ stored: false, fenced: true });
  expect(await redis.other.exists('leased:a')).toBe(0);
});

const slow = (log: Key[][], ms: number) => async (keys: Key[]) => {
  log.push(keys);
  await lasts(ms);
  return keys.map((key) => (key === 'none' ? undefined : `made of ${String(key)}`));
};

test('of caches that miss many keys at once each key is made once', async () => {
  const log: Key[][] = [];
  const spaces = Array.from({ length: 4 }, () =>
    openOver(redis.url).keyspace('t', { codec: utf8, upstream: { loader: slow(log, 50) } }),
  );
  const keys = Array.from({ length: 200 }, (_, i) => `k${i}`);
  const loads = spaces.map((space, i) => space.loadMany(keys.slice(i * 20, i * 20 + 140)));
  for (const [i, values] of (await Promise.all(loads)).entries())
    expect(values).toEqual(keys.slice(i * 20, i * 20 + 140).map((key) => `made of ${key}`));
  expect(log.flat().sort()).toEqual(keys.sort());
  await until(() => spaces.reduce((sum, space) => sum + space.stats().upstream.writes, 0) === keys.length);
});

test('a key without a value, or whose loader fails, leaves no lease behind', async () => {
  const cache = openOver(redis.url);
  const texts = cache.keyspace('t', { codec: utf8, upstream: { loader: slow([], 1), lease: '1m' } });
  expect(await texts.loadMany(['none', 'a'])).toEqual([undefined, 'made of a']);
  const failing = cache.keyspace('f', {
    codec: utf8,
    upstream: { loader: () => Promise.reject(new Error('no')), lease: '1m' },
  });
  await expect(failing.load('a')).rejects.toThrow('no');
  await redis.told();
  expect(await redis.other.keys('*')).toEqual(['t:a']);
});

test('a value that is not stored, because its key changed meanwhile, leaves no lease behind', async () => {
  const { loader, asked, finish } = held();
  const texts = openOver(redis.url).keyspace('t', { codec: utf8, upstream: { loader, lease: '1m' } });
  const loading = texts.load('a');
  await until(() => asked.length === 1);
  await redis.other.set('t:a', 'theirs');
  await until(() => texts.stats().upstream.invalidations > 0);
  finish();
  expect(await loading).toBe('made of a');
  await texts.load('b'); // what the link sends comes in order
  expect(await redis.other.exists('zerohop:lease:{t:a}')).toBe(0);
  expect(await redis.other.get('t:a')).toBe('theirs');
});

describe('a delete of a missing key', () => {
  const spaceWith = (loader: (keys: Key[]) => unknown) =>
    openOver(redis.url).keyspace('t', { codec: utf8, upstream: { loader: loader as never, lease: '1m' } });

  test.each([
    ['by another process', () => spaceWith(() => [])],
    ['by the same one', undefined],
  ])('%s keeps away what was being made, and who asks then has it made anew', async (_name, another) => {
    const { loader, asked, finish } = held();
    const texts = spaceWith(loader);
    const loading = texts.load('a');
    await until(() => asked.length === 1);
    await (another?.() ?? texts).deleteAsync('a');
    expect(await redis.other.exists('zerohop:lease:{t:a}')).toBe(0);
    const third = spaceWith((keys) => keys.map(() => 'made anew'));
    expect(await third.load('a')).toBe('made anew');
    await until(() => third.stats().upstream.writes === 1);
    finish();
    expect(await loading).toBe('made of a');
    await until(() => texts.stats().upstream.fenced === 1);
    await redis.told();
    expect(texts.peek('a') ?? 'made anew').toBe('made anew');
    expect(await redis.other.get('t:a')).toBe('made anew');
  });

  test('stays so if nobody asks again', async () => {
    const { loader, asked, finish } = held();
    const texts = spaceWith(loader);
    const loading = texts.load('a');
    await until(() => asked.length === 1);
    await spaceWith(() => []).deleteAsync('a');
    finish();
    expect(await loading).toBe('made of a');
    await until(() => texts.stats().upstream.fenced === 1);
    expect(texts.has('a')).toBe(false);
    expect(await redis.other.keys('*')).toEqual([]);
  });
});

test('who asks again after a change, while the first load has the lease, is woken when that ends', async () => {
  const { loader, asked, finish } = held();
  const texts = openOver(redis.url).keyspace('t', {
    codec: utf8,
    upstream: { loader, lease: '10m', loaderTimeout: '10m' },
  });
  const loading = texts.load('a');
  await until(() => asked.length === 1);
  await redis.other.set('t:a', 'theirs');
  await redis.other.del('t:a');
  await until(() => texts.stats().upstream.invalidations > 0);
  await redis.told();
  const next = texts.load('a');
  await until(() => texts.stats().upstream.waited === 1);
  finish();
  expect(await loading).toBe('made of a');
  expect(await next).toBe('made of a');
  expect(asked).toEqual(['a', 'a']);
});

test('a key that holds no string is one without a value: the loader is asked, and Redis keeps what it has', async () => {
  await redis.other.hSet('t:a', 'f', 'v');
  const log: Key[][] = [];
  const texts = openOver(redis.url).keyspace('t', { codec: utf8, upstream: { loader: slow(log, 1) } });
  expect(await texts.load('a')).toBe('made of a');
  expect(log).toEqual([['a']]);
  expect(texts.stats().upstream).toMatchObject({ misses: 1, waited: 0 }); // Redis is not asked again and again
  expect(await redis.other.type('t:a')).toBe('hash');
  expect(await redis.other.exists('zerohop:lease:{t:a}')).toBe(0);
});

test('a lease lies in the slot of its value, and a key that can have none is made without', async () => {
  const { loader, finish } = held();
  const texts = openOver(redis.url).keyspace('t', { codec: utf8, upstream: { loader, lease: '1m' } });
  const loading = texts.loadMany(['a', 'b{c}d', '{}', 'e}', Buffer.from('{\xff}', 'latin1')]);
  await until(() => texts.stats().upstream.loaded === 5);
  const leases = await redis.other.keys('zerohop:lease:*');
  expect(leases.slice().sort()).toEqual(['zerohop:lease:t:b{c}d', 'zerohop:lease:t:{\ufffd}', 'zerohop:lease:{t:a}']);
  finish();
  expect(await loading).toHaveLength(5);
  await until(() => texts.stats().upstream.writes === 5);
});

test('what a lease stored is in L0 too', async () => {
  const texts = openOver(redis.url).keyspace('t', { codec: utf8, upstream: { loader: slow([], 1) } });
  expect(await texts.load('a')).toBe('made of a');
  await until(() => texts.stats().upstream.writes === 1);
  await redis.told();
  await until(() => texts.has('a'));
  expect(await redis.other.get('t:a')).toBe('made of a');
});

test('who waits for another one waits no longer than for a loader, however long that one’s lease is', async () => {
  const texts = openOver(redis.url).keyspace('t', {
    codec: utf8,
    upstream: { loader: slow([], 1), loaderTimeout: 300 },
  });
  await texts.load('to be connected');
  await redis.other.set('zerohop:lease:{t:a}', 'somebody', { expiration: { type: 'EX', value: 3600 } });
  expect(await texts.load('a')).toBe('made of a');
  expect(texts.stats().upstream.waited).toBeGreaterThan(0);
});

test('without leases each cache asks its own loader, and the first value stays', async () => {
  const log: Key[][] = [];
  const [one, other] = Array.from({ length: 2 }, () =>
    openOver(redis.url).keyspace('t', { codec: utf8, upstream: { loader: slow(log, 50), lease: false } }),
  );
  await Promise.all([one!.ready(), other!.ready()]);
  expect(await Promise.all([one!.load('a'), other!.load('a')])).toEqual(['made of a', 'made of a']);
  expect(log).toEqual([['a'], ['a']]);
});
