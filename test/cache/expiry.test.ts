// Values are served until their time is over, not a moment less, and then by no way of asking.
import { afterEach, describe, expect, test, vi } from 'vitest';
import { bytes, type Cache, float32, type Keyspace, type SetOptions, utf8 } from 'zerohop';
import { native } from '../../dist/addon/native.js';
import {
  anything,
  errorOf,
  inTime,
  makeNear,
  nowMs,
  openCache,
  spin,
  spinUntil,
  textOf,
  uniqueName,
  utf8Of,
} from '../fixtures/opened.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const VALUE = utf8Of('value');

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** Asks without a pause until there is no answer, and tells how long that took from before `store`. */
function lifeOf(store: () => void, ask: () => unknown): number {
  const before = nowMs();
  store();
  spinUntil(() => ask() === undefined, 3);
  return nowMs() - before;
}

describe('how long a value lasts', () => {
  test.each<[string, number | string, number]>([
    ['a number of ms', 90_000, 90_000],
    ['minutes', '10m', 10 * MINUTE_MS],
    ['hours', '1.5h', 1.5 * HOUR_MS],
    ['days', '2d', 48 * HOUR_MS],
    ['seconds', '30s', 30_000],
    ['ten years', '3650d', 3650 * 24 * HOUR_MS],
    ['for ever', Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
  ])('may be said in %s: per set, per keyspace, per cache', (_, ttl, ms) => {
    const cache = openCache({ ttl });
    const plain = openCache();
    const inherited = cache.keyspace('inherited', { codec: bytes });
    const own = plain.keyspace('own', { codec: bytes, ttl });
    const before = nowMs();
    cache.set('k', VALUE);
    inherited.set('k', VALUE);
    own.set('k', VALUE);
    plain.set('k', VALUE, { ttl });
    inherited.setMany([['many', VALUE]]);
    plain.setMany([['many', VALUE]], { ttl });
    const left = [
      cache.entry('k'),
      inherited.entry('k'),
      own.entry('k'),
      plain.entry('k'),
      inherited.entry('many'),
      plain.entry('many'),
    ].map((entry) => entry!.ttl);
    for (const each of left) {
      expect(each).toBeLessThanOrEqual(ms);
      expect(each).toBeGreaterThanOrEqual(ms - (nowMs() - before) - 0.01);
    }
  });

  test('is what the keyspace says before what the cache says, and what the set says before both', () => {
    const cache = openCache({ ttl: '1h' });
    const short = cache.keyspace('short', { codec: bytes, ttl: '10s' });
    const endless = cache.keyspace('endless', { codec: bytes, ttl: Number.POSITIVE_INFINITY });
    short.set('k', VALUE);
    short.set('own', VALUE, { ttl: '5s' });
    short.set('endless', VALUE, { ttl: Number.POSITIVE_INFINITY });
    short.set('undefined', VALUE, anything({ ttl: undefined }));
    endless.set('k', VALUE);
    expect(short.entry('k')!.ttl).toBeLessThanOrEqual(10_000);
    expect(short.entry('own')!.ttl).toBeLessThanOrEqual(5000);
    expect(short.entry('endless')!.ttl).toBe(Number.POSITIVE_INFINITY);
    expect(short.entry('undefined')!.ttl).toBeGreaterThan(5000);
    expect(endless.entry('k')!.ttl).toBe(Number.POSITIVE_INFINITY);
  });

  test.each([1, 3, 10, 31, 33, 70, 150])(
    'of %i ms is never less, in a loop that never lets the event loop turn',
    (ttl) => {
      const cache = openCache();
      const asks: (() => unknown)[] = [
        () => cache.get('k'),
        () => cache.peek('k'),
        () => cache.getCopy('k'),
        () => cache.getMany(['k'])[0],
        () => cache.entry('k'),
        () => cache.has('k') || undefined,
      ];
      for (const ask of asks) {
        expect(lifeOf(() => cache.set('k', VALUE, { ttl }), ask)).toBeGreaterThanOrEqual(ttl - 0.01);
        expect(ask()).toBeUndefined();
      }
    },
  );

  test('is the same for answers of the near cache', () => {
    const cache = openCache();
    for (const ttl of [200, 400]) {
      const before = cache.stats().nearHits;
      let asked = 0;
      const life = lifeOf(
        () => cache.set('k', VALUE, { ttl }),
        () => {
          ++asked;
          return cache.get('k');
        },
      );
      expect(life).toBeGreaterThanOrEqual(ttl - 0.01);
      // Else this test says nothing of it.
      expect(cache.stats().nearHits - before).toBeGreaterThan(asked / 10);
      for (let i = 0; i < 1000; ++i) expect(cache.get('k')).toBeUndefined();
    }
  });

  test('of many keys at once is each one’s own, near or not', () => {
    const cache = openCache();
    const texts = cache.keyspace('texts', { codec: utf8 });
    const ends = new Map<string, number>();
    for (let i = 0; i < 100; ++i) {
      const ttl = 20 + 5 * i;
      ends.set(`${i}`, nowMs() + ttl);
      texts.set(`${i}`, `value ${i}`, { ttl });
    }
    let served = 0;
    while (ends.size > 0) {
      for (const [key, end] of ends) {
        const value = texts.get(key);
        const after = nowMs();
        if (value !== undefined) {
          expect(value).toBe(`value ${key}`);
          ++served;
          expect(after, key).toBeLessThan(end + 3000);
        } else {
          expect(after, key).toBeGreaterThanOrEqual(end - 0.01);
          ends.delete(key);
        }
      }
    }
    expect(texts.stats().nearHits).toBeGreaterThan(0);
    expect(texts.stats()).toMatchObject({ hits: served, misses: 100, expired: 100, entries: 0 });
  });

  test('does not change with mocked timers: neither by standing still nor by being put forward', async () => {
    const cache = openCache();
    cache.set('hour', VALUE, { ttl: '1h' });
    await makeNear(cache, 'hour');
    vi.useFakeTimers();
    expect(
      lifeOf(
        () => cache.set('k', VALUE, { ttl: 300 }),
        () => cache.get('k'),
      ),
    ).toBeGreaterThanOrEqual(300 - 0.01);
    vi.advanceTimersByTime(2 * HOUR_MS);
    vi.setSystemTime(Date.now() + 48 * HOUR_MS);
    expect(textOf(cache.get('hour'))).toBe('value');
    expect(cache.entry('hour')!.ttl).toBeGreaterThan(HOUR_MS - 20_000);
    expect(cache.entry('hour')!.age).toBeLessThan(20_000);
  });

  test('does not change with the time of day', () => {
    const cache = openCache();
    const now = Date.now();
    for (const jump of [-(10 ** 11), 10 ** 11]) {
      vi.spyOn(Date, 'now').mockReturnValue(now + jump);
      cache.set('hour', VALUE, { ttl: '1h' });
      expect(
        lifeOf(
          () => cache.set('k', VALUE, { ttl: 100 }),
          () => cache.get('k'),
        ),
      ).toBeGreaterThanOrEqual(100 - 0.01);
      vi.restoreAllMocks();
      expect(cache.has('hour')).toBe(true);
    }
  });
});

describe('an entry whose time is over', () => {
  const ways: [string, (space: Keyspace<Float32Array, unknown, unknown>) => unknown, unknown][] = [
    ['get', (space) => space.get('k'), undefined],
    ['getCopy', (space) => space.getCopy('k'), undefined],
    ['peek', (space) => space.peek('k'), undefined],
    ['entry', (space) => space.entry('k'), undefined],
    ['has', (space) => space.has('k'), false],
    ['getMany', (space) => space.getMany(['k', 'k']), [undefined, undefined]],
    ['gather', (space) => space.gather(['k', 'k'], new Float32Array(4)), { hits: 0, missing: [0, 1] }],
    ['keys', (space) => [...space.keys()], []],
    ['entries', (space) => [...space.entries()], []],
    ['touch', (space) => space.touch('k', { ttl: '1h' }), false],
    ['delete', (space) => space.delete('k'), false],
    ['deleteMany', (space) => space.deleteMany(['k']), 0],
    ['deleteByTag', (space) => space.deleteByTag('t'), 0],
  ];

  test.each(ways)('is not there for %s, and is counted once', (_, ask, nothing) => {
    const cache = openCache();
    const space = cache.keyspace('vectors', { codec: float32(2) });
    space.set('k', new Float32Array(2), { ttl: 2, tags: ['t'] });
    spin(4);
    for (let i = 0; i < 3; ++i) expect(ask(space)).toEqual(nothing);
    space.get('k');
    expect(space.get('k')).toBeUndefined();
    expect([...space.keys()]).toEqual([]);
    expect(space.stats()).toMatchObject({ expired: 1, deletes: 0, evictions: 0, entries: 0, hits: 0 });
    expect(cache.stats()).toMatchObject({ expired: 1, deletes: 0, evictions: 0, entries: 0, hits: 0 });
  });

  test('is a miss for those that count lookups, and none for the others', () => {
    const cache = openCache();
    const expire = () => {
      cache.set('k', VALUE, { ttl: 1 });
      spin(2);
    };
    for (const ask of [() => cache.peek('k'), () => cache.entry('k'), () => cache.has('k'), () => [...cache.keys()]]) {
      expire();
      ask();
    }
    expect(cache.stats()).toMatchObject({ hits: 0, misses: 0 });
    for (const ask of [() => cache.get('k'), () => cache.getCopy('k'), () => cache.getMany(['k'])]) {
      expire();
      ask();
    }
    expect(cache.stats()).toMatchObject({ hits: 0, misses: 3 });
  });

  test('leaves by itself, is counted, and its tags go with it', () => {
    const cache = openCache();
    for (let i = 0; i < 500; ++i) cache.set(`${i}`, VALUE, { ttl: 5, tags: [`tag ${i % 7}`] });
    cache.set('stays', VALUE, { ttl: '1h' });
    spin(7);
    for (let i = 0; i < 128; ++i) native.maintain(); // two minutes of upkeep
    expect(cache.stats()).toMatchObject({ entries: 1, expired: 500, evictions: 0 });
    expect(cache.has('stays')).toBe(true);
  });

  test('leaves a view that was read before as it was', () => {
    const cache = openCache();
    cache.set('k', utf8Of('first'));
    const view = cache.get('k');
    expect(cache.touch('k', { ttl: 3 })).toBe(true);
    spin(5);
    expect(cache.has('k')).toBe(false);
    cache.set('k', utf8Of('second'));
    expect([textOf(view), textOf(cache.get('k'))]).toEqual(['first', 'second']);
  });
});

describe('setting a key again', () => {
  test('without an end takes the end away', async () => {
    const cache = openCache();
    await inTime(200, async (ttl) => {
      cache.set('k', utf8Of('expiring'), { ttl: '1h' });
      await makeNear(cache, 'k');
      cache.touch('k', { ttl });
      const end = nowMs() + ttl;
      for (let i = 0; i < 1000; ++i) cache.get('k');
      if (!cache.has('k')) return false;
      cache.set('k', utf8Of('endless'));
      expect(cache.entry('k')!.ttl).toBe(Number.POSITIVE_INFINITY);
      spinUntil(() => nowMs() > end + 10);
      expect(textOf(cache.get('k'))).toBe('endless');
      return true;
    });
  });

  test('with an end gives one', async () => {
    const cache = openCache();
    cache.set('k', utf8Of('endless'));
    await makeNear(cache, 'k');
    expect(
      lifeOf(
        () => cache.set('k', utf8Of('expiring'), { ttl: 100 }),
        () => cache.get('k'),
      ),
    ).toBeGreaterThanOrEqual(100 - 0.01);
  });

  test('with another end gives that one', () => {
    const cache = openCache();
    cache.set('k', VALUE, { ttl: 20 });
    cache.set('k', VALUE, { ttl: '1h' });
    spin(25);
    expect(cache.has('k')).toBe(true);
    cache.set('k', VALUE, { ttl: 20 });
    spin(25);
    expect(cache.has('k')).toBe(false);
  });
});

describe('ttlJitter', () => {
  const lives = (space: Cache | Keyspace<Uint8Array, unknown, unknown>, options?: SetOptions) => {
    const found = [];
    for (let i = 0; i < 400; ++i) {
      space.set(`${i}`, VALUE, options);
      found.push(space.entry(`${i}`)!.ttl);
    }
    return found.sort((a, b) => a - b);
  };

  test('spreads the ends over its share of the ttl, and never beyond the ttl', () => {
    const cache = openCache({ ttl: '1h', ttlJitter: 0.5 });
    const own = cache.keyspace('own', { codec: bytes, ttl: '30m', ttlJitter: 0.1 });
    const inherited = cache.keyspace('inherited', { codec: bytes });
    const cases: [number[], number, number][] = [
      [lives(cache), HOUR_MS, 0.5],
      [lives(inherited), HOUR_MS, 0.5],
      [lives(own), 30 * MINUTE_MS, 0.1],
      [lives(own, { ttl: '10m' }), 10 * MINUTE_MS, 0.1],
    ];
    for (const [found, ttl, jitter] of cases) {
      const share = (n: number) => ttl * (1 - jitter * n);
      expect(found.at(-1)).toBeLessThanOrEqual(ttl);
      expect(found[0]).toBeGreaterThan(share(1) - 10_000);
      // One of 400 is in the first, and one in the last fifth: else by a chance of 1 to 10^38.
      expect(found[0]).toBeLessThan(share(0.8));
      expect(found.at(-1)).toBeGreaterThan(share(0.2) - 10_000);
      expect(new Set(found).size).toBeGreaterThan(100);
    }
  });

  test('of 0 takes nothing off, and does nothing to what does not expire', () => {
    const cache = openCache({ ttl: '1h', ttlJitter: 0.9 });
    const exact = cache.keyspace('exact', { codec: bytes, ttlJitter: 0 });
    const before = nowMs();
    expect(lives(exact)[0]).toBeGreaterThan(HOUR_MS - (nowMs() - before) - 0.01);
    expect(lives(cache, { ttl: Number.POSITIVE_INFINITY })[0]).toBe(Number.POSITIVE_INFINITY);
  });

  test('is taken off by touch too', () => {
    const cache = openCache({ ttl: '1h', ttlJitter: 0.9 });
    const left = Array.from({ length: 100 }, (_, i) => {
      cache.set(`${i}`, VALUE, { ttl: 1000 });
      expect(cache.touch(`${i}`)).toBe(true);
      return cache.entry(`${i}`)!.ttl;
    });
    expect(Math.max(...left)).toBeLessThanOrEqual(HOUR_MS);
    expect(Math.max(...left) - Math.min(...left)).toBeGreaterThan(0.3 * HOUR_MS);
  });
});

describe('a named cache', () => {
  test.each([
    [{ ttl: '11m' }],
    [{}],
    [{ ttl: '10m', ttlJitter: 0.1 }],
    [{ ttl: Number.POSITIVE_INFINITY }],
    [{ ttl: '10m', maxEntries: 5 }],
  ])('with ttl 10m cannot be opened again with %j', (other) => {
    const name = uniqueName();
    openCache({ name, ttl: '10m' });
    expect(errorOf(() => openCache({ name, ...other }))).toMatchObject({
      name: 'CacheError',
      code: 'ERR_CACHE_OPTIONS',
      message: expect.stringContaining(name),
    });
  });

  test('can be opened again with the same ttl in other words', () => {
    const name = uniqueName();
    openCache({ name, ttl: '10m' }).set('k', VALUE);
    expect(openCache({ name, ttl: 600_000, ttlJitter: 0 }).has('k')).toBe(true);
    expect(openCache({ name, ttl: 600_000.9 }).has('k')).toBe(true); // whole milliseconds
  });
});
