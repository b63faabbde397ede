// A value that is past its time is given while one process of all makes a new one: nobody waits for it.
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type Key, type TierOptions, utf8 } from 'zerohop';
import { errorOf, until } from '../fixtures/opened.js';
import { held, openOver, proxyTo, useRedis } from '../fixtures/upstream.js';

const redis = useRedis();
beforeEach(async () => {
  await redis.other.flushAll();
});

/** Longer than the end of a stale value in a test may be away. */
const STALE = '10m';

/** Redis has a value that is stale for so long still. */
async function setStale(key: string, value = 'old', leftMs = 60_000) {
  await redis.other.set(`s:${key}`, value, { expiration: { type: 'PX', value: leftMs } });
  await redis.told();
}

function service(upstream: TierOptions<string>) {
  const texts = openOver(redis.url).keyspace('s', { codec: utf8, ttl: '1h', upstream: { stale: STALE, ...upstream } });
  return { texts, upstream: () => texts.stats().upstream };
}

describe('of several processes', () => {
  const LEASE_MS = 1000;
  const PROCESS_S = 100;

  /** A process of its own, killed after the test. */
  class Service {
    readonly said: { asked?: string[]; loaded?: string; ready?: boolean }[] = [];
    readonly child: ChildProcess;

    constructor(name: string) {
      const file = path.join(__dirname, '../fixtures/stale-service.mjs');
      this.child = spawn(process.execPath, [file, redis.url, `${LEASE_MS}`, name], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      let text = '';
      this.child.stdout!.setEncoding('utf8').on('data', (chunk: string) => {
        const lines = (text + chunk).split('\n');
        text = lines.pop()!;
        this.said.push(...lines.map((line) => JSON.parse(line)));
      });
      onTestFinished(() => void this.child.kill('SIGKILL'));
    }

    static async start(...names: string[]): Promise<Service[]> {
      const services = names.map((name) => new Service(name));
      await until(() => services.every(({ said }) => said.length > 0), PROCESS_S);
      return services;
    }

    get asked(): number {
      return this.said.filter(({ asked }) => asked !== undefined).length;
    }

    say(line: string): void {
      this.child.stdin!.write(`${line}\n`);
    }

    async load(): Promise<string> {
      const before = this.said.length;
      this.say('load');
      const answer = () => this.said.slice(before).find(({ loaded }) => loaded !== undefined)?.loaded;
      await until(() => answer() !== undefined, PROCESS_S);
      return answer()!;
    }
  }

  const loads = (services: readonly Service[]) => Promise.all(services.map((one) => one.load()));
  const asked = (services: readonly Service[]) => services.reduce((sum, one) => sum + one.asked, 0);

  test('one makes a new value, nobody waits, and then all have it', async () => {
    const services = await Service.start('x', 'y', 'z');
    await setStale('a');
    expect(await loads(services)).toEqual(['old', 'old', 'old']);
    await until(() => asked(services) === 1, PROCESS_S);
    await new Promise((resolve) => setTimeout(resolve, 1.5 * LEASE_MS)); // the lease is renewed
    expect(await loads(services)).toEqual(['old', 'old', 'old']);
    expect(asked(services)).toBe(1);
    const [maker] = services.filter((one) => one.asked === 1);
    maker!.say('finish');
    await until(async () => (await redis.other.get('s:a')) !== 'old', PROCESS_S);
    await redis.told();
    const made = (await redis.other.get('s:a'))!;
    expect(made).toMatch(/^a made by [xyz]$/);
    expect(await redis.other.pTTL('s:a')).toBeGreaterThan(65 * 60_000); // ttl and stale
    await until(async () => (await loads(services)).every((value) => value === made), PROCESS_S);
    expect(asked(services)).toBe(1);
    expect(await redis.other.keys('*')).toEqual(['s:a']);
  }, 300_000);

  test('one that is killed is followed by another, and nobody waits for either', async () => {
    const [first, second] = (await Service.start('first', 'second')) as [Service, Service];
    await setStale('a');
    expect(await first.load()).toBe('old');
    await until(() => first.asked === 1, PROCESS_S);
    first.child.kill('SIGKILL');
    while (second.asked === 0) expect(await second.load()).toBe('old');
    second.say('finish');
    await until(async () => (await second.load()) === 'a made by second', PROCESS_S);
    expect(await redis.other.get('s:a')).toBe('a made by second');
  }, 300_000);

  test.each([
    ['without an end', () => redis.other.set('s:a', 'theirs')],
    ['that is stale itself', () => setStale('a', 'theirs', 30_000)],
    [
      'of a service like it',
      () =>
        openOver(redis.url)
          .keyspace('s', { codec: utf8, ttl: '1h', upstream: { stale: STALE, loader: () => [] } })
          .setAsync('a', 'theirs'),
    ],
  ])(
    'a value %s that somebody sets meanwhile stays',
    async (_name, set) => {
      const [first] = (await Service.start('first')) as [Service];
      await setStale('a');
      expect(await first.load()).toBe('old');
      await until(() => first.asked === 1, PROCESS_S);
      first.child.kill('SIGSTOP'); // it does not hear of it before it gives what it made
      first.say('finish');
      await set();
      first.child.kill('SIGCONT');
      await until(async () => (await first.load()) === 'theirs', PROCESS_S);
    },
    300_000,
  );
});

describe('a stale value', () => {
  test('is given at once, kept for a short time, and one call makes all new ones', async () => {
    const calls: Key[][] = [];
    const { loader, finish } = held();
    const { texts, upstream } = service({
      lease: '2s',
      loader: (keys) => {
        calls.push(keys);
        return loader(keys);
      },
    });
    const keys = Array.from({ length: 50 }, (_, i) => `k${i}`);
    await Promise.all(keys.map((key) => setStale(key)));
    expect(new Set(await texts.loadMany(keys))).toEqual(new Set(['old']));
    expect(texts.entry('k0')!.ttl).toBeLessThanOrEqual(2000);
    await until(() => calls.length === 1);
    texts.clear();
    expect(new Set(await texts.loadMany(keys))).toEqual(new Set(['old'])); // and the loader is not asked again
    finish();
    await until(() => upstream().writes === 50);
    await redis.told();
    expect(await texts.loadMany(keys)).toEqual(keys.map((key) => `made of ${key}`));
    expect(calls.map((of) => [...of].sort())).toEqual([[...keys].sort()]);
    expect(texts.entry('k0')!.ttl).toBeLessThanOrEqual(3_600_000);
    expect(upstream()).toMatchObject({ stale: 100, loaded: 50, failedRefreshes: 0, waited: 0 });
  });

  test('that ends while a new one is made is followed by it, and who asks then waits for it', async () => {
    const { loader, asked, finish } = held();
    const { texts, upstream } = service({ loader, lease: '1m' });
    await setStale('a', 'old', 1500);
    expect(await texts.load('a')).toBe('old');
    await until(() => asked.length === 1);
    await until(async () => (await redis.other.exists('s:a')) === 0);
    const loading = texts.load('a');
    await until(() => upstream().waited === 1);
    finish();
    expect(await loading).toBe('made of a');
    expect(asked).toEqual(['a']);
    expect(await redis.other.get('s:a')).toBe('made of a');
  });

  test('that is deleted meanwhile stays deleted', async () => {
    const { loader, asked, finish } = held();
    const { texts, upstream } = service({ loader });
    await setStale('a');
    expect(await texts.load('a')).toBe('old');
    await until(() => asked.length === 1);
    await redis.other.del('s:a');
    finish();
    await until(() => upstream().fenced > 0);
    await redis.told();
    expect(await redis.other.exists(['s:a', 'zerohop:lease:{s:a}'])).toBe(0);
    expect(texts.has('a')).toBe(false);
  });

  test('that a late Redis may have replaced all the same is not kept', async () => {
    const { loader, asked, finish } = held();
    const proxy = await proxyTo(redis.port);
    const where = { url: `redis://127.0.0.1:${proxy.port}`, timeout: 200, heartbeat: 20_000 };
    const texts = openOver(where).keyspace('s', {
      codec: utf8,
      ttl: '1h',
      upstream: { stale: STALE, loader, lease: '1m' },
    });
    await setStale('a');
    expect(await texts.load('a')).toBe('old');
    await until(() => asked.length === 1);
    proxy.stop('toClient');
    finish();
    await until(() => texts.stats().upstream.lostWrites === 1);
    expect(texts.has('a')).toBe(false);
    proxy.heal();
    expect(await texts.load('a')).toBe('made of a');
  });

  test('is given up for a new one that is too large for L0', async () => {
    const large = 'x'.repeat(9_000_000); // of 16 MB
    const { texts, upstream } = service({ loader: () => [large], lease: '1m' });
    await setStale('a');
    expect(await texts.load('a')).toBe('old');
    await until(() => upstream().writes === 1);
    await until(() => !texts.has('a'));
    expect(await texts.load('a')).toBe(large);
  });

  test('is given for as long as it lasts if the loader fails, which is not asked again at once', async () => {
    let asked = 0;
    const loader = () => {
      asked++;
      return Promise.reject(new Error('the model is not there'));
    };
    const { texts, upstream } = service({ loader, lease: '1m' });
    await setStale('a');
    expect(await texts.load('a')).toBe('old');
    await until(() => upstream().failedRefreshes === 1);
    texts.clear();
    expect(await texts.load('a')).toBe('old');
    await redis.told();
    expect(asked).toBe(1);
    await redis.other.del(['s:a', 'zerohop:lease:{s:a}']);
    await until(() => !texts.has('a'));
    await expect(texts.load('a')).rejects.toThrow('the model is not there');
  });
});

test('what is written lives in Redis for as long as it may be stale, too', async () => {
  const { texts } = service({ loader: () => [] });
  await texts.setAsync('a', 'x');
  await texts.setAsync('b', 'x', { ttl: '1m' });
  expect(texts.entry('a')!.ttl).toBeLessThanOrEqual(3_600_000);
  const minutes = async (key: string) => Math.round((await redis.other.pTTL(`s:${key}`)) / 60_000);
  expect([await minutes('a'), await minutes('b')]).toEqual([70, 11]);
  texts.touch('a', { ttl: '2h' });
  await texts.deleteAsync('b');
  expect(await minutes('a')).toBe(130);
});

test('values without an end are not stale', async () => {
  const { texts, upstream } = service({ loader: () => [] });
  await redis.other.set('s:a', 'x');
  await redis.told();
  expect(await texts.load('a')).toBe('x');
  expect(upstream().stale).toBe(0);
});

test.each([
  [{ ttl: '1h', upstream: { stale: '1m' } }, /loader/],
  [{ ttl: '1h', upstream: { stale: '1m', loader: () => [], lease: false } }, /leases/],
  [{ ttl: '1h', upstream: { stale: '1m', loader: () => [], writes: 'local' } }, /local/],
  [{ ttl: '1h', upstream: { stale: Number.POSITIVE_INFINITY, loader: () => [] } }, /finite/],
  [{ upstream: { stale: '1m', loader: () => [] } }, /options\.ttl: expected a finite duration/],
] as const)('stale is refused where it cannot be kept: %j', (options, message) => {
  const cache = openOver(redis.url);
  // biome-ignore lint/suspicious/noExplicitAny: wrong options
  expect(errorOf(() => cache.keyspace('s', { codec: utf8, ...options } as any)).message).toMatch(message);
});
