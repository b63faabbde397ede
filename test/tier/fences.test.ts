// What L0 must not keep, because Redis has another value or may have one; and writes, which keep their order.
import { describe, expect, test } from 'vitest';
import { type Key, type TierOptions, utf8 } from 'zerohop';
import { promiseOfMany, promiseOfOne, type Waiter } from '../../dist/tier/flights.js';
import { LinkError } from '../../dist/tier/link.js';
import { Tier } from '../../dist/tier/tier.js';
import { turn, until } from '../fixtures/opened.js';
import { held, openOver, proxyTo, useRedis } from '../fixtures/upstream.js';

const redis = useRedis();
const PATIENT = { timeout: 20_000, connectTimeout: 20_000, heartbeat: 20_000 };
const IMPATIENT = { timeout: 200, connectTimeout: 500, heartbeat: 50 };

const made = (keys: Key[]) => keys.map((key) => `made of ${String(key)}`);

async function behindProxy(upstream: true | TierOptions<string>, waits = IMPATIENT, refuses = false) {
  await redis.other.flushAll();
  const proxy = await proxyTo(redis.port);
  if (refuses) proxy.refuse();
  const texts = openOver({ url: `redis://127.0.0.1:${proxy.port}`, ...waits }, { maxBytes: '32MB' }).keyspace('t', {
    codec: utf8,
    upstream,
  });
  return { proxy, texts, upstream: () => texts.stats().upstream };
}

describe('with writes: local', () => {
  test('what was made while its key changed in Redis is not kept', async () => {
    const { loader, asked, finish } = held();
    const { texts, upstream, proxy } = await behindProxy({ loader, writes: 'local' }, PATIENT);
    await texts.ready();
    proxy.stop('toClient');
    const loading = texts.load('a');
    await redis.told(); // Redis has nothing under the key, and we do not know it yet
    await redis.other.set('t:a', 'theirs');
    await redis.told();
    proxy.heal(); // the reply, and the push behind it
    await until(() => asked.length === 1 && upstream().invalidations === 1);
    finish();
    expect(await loading).toBe('made of a');
    expect(texts.has('a')).toBe(false);
    expect(await texts.load('a')).toBe('theirs');
  });

  test('what was made because Redis was late is kept for aloneTtl only', async () => {
    const { texts, proxy, upstream } = await behindProxy(
      { loader: made, writes: 'local', aloneTtl: '1m' },
      {
        ...IMPATIENT,
        heartbeat: 20_000,
      },
    );
    await texts.ready();
    proxy.stop('toClient');
    expect(await texts.load('a')).toBe('made of a');
    expect(upstream().state).toBe('up');
    expect(upstream().late).toBeGreaterThan(0);
    expect(texts.entry('a')!.ttl).toBeLessThanOrEqual(60_000);
  });

  test('a touch does not keep a value for longer than Redis has it', async () => {
    const { texts } = await behindProxy({ writes: 'local' });
    await redis.other.set('t:a', 'x', { expiration: { type: 'PX', value: 60_000 } });
    await texts.load('a');
    expect(texts.touch('a', { ttl: '1h' })).toBe(true);
    expect(texts.entry('a')!.ttl).toBeLessThanOrEqual(60_000);
    expect(texts.touch('a', { ttl: '1s' })).toBe(true);
    expect(texts.entry('a')!.ttl).toBeLessThanOrEqual(1000);
    expect(texts.touch('none', { ttl: '1s' })).toBe(false);
  });
});

describe('with writes: behind', () => {
  /** So many that they are not all sent in a few turns. */
  const backlog = (texts: { set(key: string, value: string): unknown }) => {
    for (let i = 0; i < 9000; ++i) texts.set(`k${i}`, 'x');
  };

  test('a value that waits is not hidden by what Redis has, and is what a load gives', async () => {
    const { texts, upstream } = await behindProxy({ writes: 'behind', loader: made }, PATIENT);
    await texts.load('a');
    await until(() => upstream().writes === 1);
    backlog(texts);
    texts.set('a', 'ours');
    await redis.other.set('t:a', 'theirs');
    await until(() => !texts.has('a'));
    expect(upstream().queued).toBeGreaterThan(0);
    expect(await texts.load('a')).toBe('ours');
    await texts.flushed();
    await redis.told();
    expect(await redis.other.get('t:a')).toBe('ours');
    expect(texts.get('a') ?? 'ours').toBe('ours');
  });

  test('a value that is on its way is what a load gives', async () => {
    const { texts, proxy, upstream } = await behindProxy({ writes: 'behind' }, PATIENT);
    await texts.ready();
    proxy.stop('toServer');
    texts.set('a', 'ours');
    await until(() => upstream().queued === 0);
    texts.clear(); // as if it was evicted
    expect(await texts.load('a')).toBe('ours');
    const removed = texts.deleteAsync('a');
    const loading = texts.load('a');
    proxy.heal();
    await removed;
    expect(await loading).toBeUndefined();
  });

  test('a touch of a value that waits goes to Redis with it', async () => {
    const { texts } = await behindProxy({ writes: 'behind' });
    texts.set('a', 'x', { ttl: '1m' });
    texts.touch('a', { ttl: '2h' });
    expect(texts.get('a')).toBe('x');
    await texts.flushed();
    expect(await redis.other.pTTL('t:a')).toBeGreaterThan(7_000_000);
  });
});

/** What a tier needs of a link and these tests do not look at. */
const NO_LINK = {
  keyPrefix: '',
  shown: 'nowhere',
  isStarting: false,
  ready: () => Promise.resolve(),
  add() {},
  remove() {},
  wrote() {},
  lasts: () => Promise.resolve(false),
  groups: (all: unknown[]) => [all],
};

/** A tier over a link that is made up. */
function tierOver(link: object, options: object = {}) {
  const space = openOver(undefined).keyspace('t', { codec: utf8 });
  const tier = new Tier({
    handle: (space as unknown as { handle: number }).handle,
    keys: 'string',
    form: { toRedis: (stored: Uint8Array) => Buffer.from(stored), fromRedis: (bytes: Uint8Array) => bytes },
    prefix: 't:',
    options: { writes: 'through', leaseMs: 0, staleMs: 0, aloneTtlMs: 1000, loaderTimeoutMs: 1000, ...options },
    link,
    ttl: Number.POSITIVE_INFINITY,
    ttlJitter: 0,
    encode: Buffer.from,
    explain: (error: unknown) => error,
  } as never);
  return { space, tier };
}

test('what a batch misses of several servers is made at once, also that of one that is away', async () => {
  const calls: Key[][] = [];
  const loader = (keys: Key[]) => {
    calls.push(keys);
    return made(keys);
  };
  const serverOf = (at: string) => /t:(.)/.exec(at)![1]!;
  let takes = 0;
  let bothTake!: () => void;
  const both = new Promise<void>((resolve) => {
    bothTake = resolve;
  });
  const link = {
    ...NO_LINK,
    isUpFor: (at: string) => serverOf(at) !== 'c',
    groups: <T>(all: T[], keyOf: (one: T) => string) =>
      [...new Set(all.map((one) => serverOf(keyOf(one))))].map((server) =>
        all.filter((one) => serverOf(keyOf(one)) === server),
      ),
    async run(_script: unknown, keys: string[], args: string[]) {
      expect(new Set(keys.map(serverOf)).size).toBe(1);
      if (serverOf(keys[0]!) === 'c') throw new LinkError('down', 'away');
      if (args.length === 0) return [keys.map(() => null), keys.map(() => -2)];
      if (!keys[1]?.startsWith('zerohop:lease:')) return null; // leases are kept, or end
      if (args.length === 4) return 1; // a value is given
      if (++takes === 2) bothTake();
      await both; // one server does not wait for another
      return keys.filter((_, i) => i % 2 === 0).map(() => -1);
    },
  };
  const { space, tier } = tierOver(link, { loader, leaseMs: 1000 });
  const keys = ['a1', 'b1', 'c1', 'a2'];
  const found = await Promise.all(keys.map((key) => promiseOfOne((waiter) => tier.load(key, waiter))));
  expect(found.map((stored) => Buffer.from(stored!).toString())).toEqual(made(keys));
  expect(calls.map((call) => [...call].sort())).toEqual([['a1', 'a2', 'b1', 'c1']]);
  await until(() => keys.every((key) => space.has(key)));
  expect(keys.map((key) => space.entry(key)!.ttl <= 1000)).toEqual([false, false, true, false]);
  const { done } = tier.writing.write('c2', Buffer.from('x'), Number.POSITIVE_INFINITY, 0);
  await expect(done).rejects.toMatchObject({ code: 'ERR_UPSTREAM_WRITE' });
  expect(space.entry('c2')!.ttl).toBeLessThanOrEqual(1000);
});

describe('before the first connection', () => {
  test('a write waits, and is not overtaken by one that follows the connection', async () => {
    const sent: string[] = [];
    let connected!: () => void;
    const first = new Promise<void>((resolve) => {
      connected = resolve;
    });
    const link = {
      ...NO_LINK,
      isUp: false,
      isStarting: true,
      isUpFor: () => link.isUp,
      ready: () => first,
      call: (_at: unknown, command: string[]) => Promise.resolve(sent.push(`${command[0]} ${command[2]}`)),
      run: (_script: unknown, keys: string[]) => {
        sent.push('READ');
        return Promise.resolve([keys.map(() => null), keys.map(() => -2)]);
      },
    };
    const { tier } = tierOver(link);
    const write = (value: string) => tier.writing.write('a', Buffer.from(value), Number.POSITIVE_INFINITY, 0).done;
    const done = [write('first')];
    await turn();
    expect(sent).toEqual([]);
    link.isUp = true;
    link.isStarting = false; // and who waited has not gone on yet
    done.push(write('second'));
    const loading = promiseOfOne((waiter) => tier.load('b', waiter));
    connected();
    await Promise.all([...done, loading]);
    expect(sent).toEqual(['SET first', 'SET second', 'READ']);
  });

  test.each(['through', 'behind'] as const)(
    'a write that finds Redis gone is not lost without a word: %s',
    async (writes) => {
      const { texts, proxy, upstream } = await behindProxy({ writes, aloneTtl: '10m' }, IMPATIENT, true);
      const write = texts.setAsync('a', 'ours').then(
        () => 'taken',
        ({ code }) => code,
      );
      texts.set('b', 'ours');
      const flushed = texts.flushed();
      expect(await write).toBe(writes === 'behind' ? 'taken' : 'ERR_UPSTREAM_WRITE');
      await flushed; // it cannot be told
      expect(upstream()).toMatchObject({ connects: 0, ...(writes === 'behind' ? { queued: 2 } : { lostWrites: 2 }) });
      await redis.other.set('t:a', 'before');
      proxy.heal();
      await until(() => upstream().state === 'up');
      await texts.flushed();
      const there = await redis.other.mGet(['t:a', 't:b']);
      expect(there).toEqual(writes === 'behind' ? ['ours', 'ours'] : ['before', null]);
      expect(await texts.loadMany(['a', 'b'])).toEqual(there.map((value) => value ?? undefined));
    },
  );

  test('flushed waits for it', async () => {
    const { texts } = await behindProxy({ writes: 'behind' });
    texts.set('a', 'x');
    await texts.flushed();
    expect(await redis.other.get('t:a')).toBe('x');
  });
});

describe.each([
  ['with a lease', '1m'],
  ['without leases', false],
] as const)('what a loader made, %s,', (_name, lease) => {
  test('is not kept if Redis does not confirm in time that it has it', async () => {
    const { loader, asked, finish } = held();
    const { texts, proxy, upstream } = await behindProxy({ loader, lease }, { ...IMPATIENT, heartbeat: 20_000 });
    const loading = texts.load('a');
    await until(() => asked.length === 1);
    proxy.stop('toClient');
    finish();
    expect(await loading).toBe('made of a');
    await until(() => upstream().lostWrites === 1);
    expect(texts.has('a')).toBe(false);
    proxy.heal();
    await redis.told();
    expect(await texts.load('a')).toBe('made of a');
    await redis.other.set('t:a', 'theirs');
    await until(() => !texts.has('a'));
  });

  test('is not kept if Redis has another value by then', async () => {
    const { loader, asked, finish } = held();
    const { texts, upstream } = await behindProxy({ loader, lease });
    const loading = texts.load('a');
    await until(() => asked.length === 1);
    await redis.other.set('t:a', 'theirs');
    finish();
    expect(await loading).toBe('made of a');
    await until(() => upstream().fenced > 0);
    await redis.told();
    expect(texts.peek('a') ?? 'theirs').toBe('theirs');
    expect(await texts.load('a')).toBe('theirs');
  });
});

test('what a loader made is not kept if Redis refuses it', async () => {
  const { loader, asked, finish } = held();
  const { texts, upstream } = await behindProxy({ loader, lease: false });
  const loading = texts.load('a');
  await until(() => asked.length === 1);
  await redis.other.configSet('maxmemory', '1');
  try {
    finish();
    expect(await loading).toBe('made of a');
    await until(() => upstream().lostWrites === 1);
    expect(texts.has('a')).toBe(false);
  } finally {
    await redis.other.configSet('maxmemory', '0');
  }
});

describe('a value that is too large for L0', () => {
  const large = 'x'.repeat(3_000_000);
  const spaceOver = async (url: string, upstream: true | TierOptions<string>) => {
    await redis.other.flushAll();
    const texts = openOver({ url, ...PATIENT }, { maxBytes: '4MB' }).keyspace('t', { codec: utf8, upstream });
    await texts.ready();
    return { texts, upstream: () => texts.stats().upstream };
  };

  test.each([
    ['is up, and writes go through', 'through', false, 1],
    ['is up, and is only read', 'local', false, 0],
    ['is away', 'through', true, 0],
  ] as const)('is given, and not kept, when a loader made it and Redis %s', async (_name, writes, isAway, stored) => {
    const loader = (keys: Key[]) => keys.map(() => large);
    const url = isAway ? 'redis://127.0.0.1:1' : redis.url;
    const { texts, upstream } = await spaceOver(url, { loader, writes });
    expect(await texts.load('a')).toBe(large);
    await until(() => upstream().writes === stored);
    expect(texts.has('a')).toBe(false);
    await turn();
    expect(await texts.load('a')).toBe(large); // nobody joins the load that is over
    expect(upstream()).toMatchObject({ writes: stored, lostWrites: 0, loaded: 2 - stored });
  });

  test('is given, and not kept, when Redis has it', async () => {
    const { texts } = await spaceOver(redis.url, true);
    await redis.other.set('t:a', large);
    await redis.told();
    expect(await texts.load('a')).toBe(large);
    expect(await texts.loadMany(['a', 'b'])).toEqual([large, undefined]);
    expect(texts.has('a')).toBe(false);
  });
});

test('a load of many takes nothing any more once it has failed', async () => {
  const taken: number[] = [];
  let waiter!: Waiter;
  const loading = promiseOfMany(
    3,
    (_stored, place) => taken.push(place),
    (one) => {
      waiter = one;
    },
  );
  waiter.found(undefined, 0);
  waiter.failed('no');
  waiter.found(undefined, 1);
  await expect(loading).rejects.toBe('no');
  expect(taken).toEqual([0]);
});

test('a loader gets the key that the user asked for, also if it was being read anew already', async () => {
  const keys: Key[] = [];
  const loader = (asked: Key[]) => {
    keys.push(...asked);
    return made(asked);
  };
  const { texts, proxy } = await behindProxy({ loader }, PATIENT);
  await texts.setAsync('ü', 'x');
  proxy.stop('toServer');
  texts.touch('ü', { ttl: '2h' }); // reads it anew
  const loading = texts.load('ü');
  await redis.other.del('t:ü');
  proxy.heal();
  expect(await loading).toBe('made of ü');
  expect(keys).toEqual(['ü']);
});
