// touch: a use, and time that begins anew; nothing else of an entry changes.
import { describe, expect, test } from 'vitest';
import { bytes, type Cache, number } from 'zerohop';
import {
  inTime,
  makeNear,
  nowMs,
  openCache,
  pinningView,
  spin,
  spinUntil,
  textOf,
  utf8Of,
} from '../fixtures/opened.js';

const VALUE = utf8Of('value');
const HOUR_MS = 3_600_000;

describe('touch', () => {
  test('of what is not there, or not there any more, is false and changes nothing', () => {
    const cache = openCache();
    cache.set('expired', VALUE, { ttl: 1 });
    cache.set('deleted', VALUE);
    cache.delete('deleted');
    spin(2);
    for (const key of ['absent', 'expired', 'deleted']) {
      expect(cache.touch(key)).toBe(false);
      expect(cache.touch(key, { ttl: '1h' })).toBe(false);
      expect(cache.has(key)).toBe(false);
    }
    expect(cache.stats()).toMatchObject({ entries: 0, hits: 0, misses: 0, sets: 2, refusals: 0 });
  });

  test('renews: touched in time, again and again, an entry stays', async () => {
    const cache = openCache();
    await inTime(100, (ttl) => {
      let touched = nowMs();
      cache.set('k', VALUE, { ttl });
      for (let i = 0; i < 8; ++i) {
        spin(ttl / 6); // together longer than it would last untouched
        const before = nowMs();
        const there = cache.touch('k', { ttl });
        if (!there) expect(nowMs() - touched).toBeGreaterThanOrEqual(ttl - 0.01);
        if (!there) return false;
        touched = before;
      }
      return cache.touch('k', { ttl: '1h' });
    });
    expect(textOf(cache.get('k'))).toBe('value');
    const before = nowMs();
    cache.touch('k', { ttl: 150 });
    spinUntil(() => !cache.has('k'));
    expect(nowMs() - before).toBeGreaterThanOrEqual(150 - 0.01);
  });

  test('without a ttl takes the keyspace’s; where that has none, the end stays what it is', () => {
    const cache = openCache({ ttl: '1h' });
    cache.set('k', VALUE, { ttl: '1m' });
    cache.set('endless', VALUE, { ttl: Number.POSITIVE_INFINITY });
    for (const key of ['k', 'endless']) {
      expect(cache.touch(key)).toBe(true);
      expect(cache.entry(key)!.ttl).toBeGreaterThan(HOUR_MS - 10_000);
      expect(cache.entry(key)!.ttl).toBeLessThanOrEqual(HOUR_MS);
    }
    const endless = openCache();
    endless.set('k', VALUE, { ttl: '1m' });
    endless.set('endless', VALUE);
    const left = endless.entry('k')!.ttl;
    spin(5);
    expect(endless.touch('k')).toBe(true);
    expect(endless.touch('endless')).toBe(true);
    expect(endless.entry('k')!.ttl).toBeLessThanOrEqual(left - 5);
    expect(endless.entry('endless')!.ttl).toBe(Number.POSITIVE_INFINITY);
  });

  test('shortens; and Infinity takes the end away', async () => {
    const cache = openCache();
    await inTime(100, (ttl) => {
      cache.set('short', VALUE, { ttl: '1h' });
      cache.set('long', VALUE, { ttl });
      expect(cache.touch('short', { ttl: 20 })).toBe(true);
      if (!cache.touch('long', { ttl: Number.POSITIVE_INFINITY })) return false;
      expect(cache.entry('long')!.ttl).toBe(Number.POSITIVE_INFINITY);
      spin(ttl + 10);
      expect([cache.has('short'), cache.has('long')]).toEqual([false, true]);
      return true;
    });
  });

  test.each([5, 300, 20_000, 200_000])('gives an end to an entry of %i bytes that had none', (size) => {
    const cache = openCache();
    const value = new Uint8Array(size).fill(size % 251);
    cache.set('k', value);
    cache.set('other', VALUE);
    const view = cache.get('k')!;
    expect(cache.touch('k', { ttl: '1h' })).toBe(true);
    expect(cache.entry('k')).toMatchObject({ size, cost: 0 });
    expect(cache.entry('k')!.ttl).toBeLessThanOrEqual(HOUR_MS);
    const before = nowMs();
    expect(cache.touch('k', { ttl: 120 })).toBe(true);
    spinUntil(() => {
      const found = cache.get('k');
      if (found !== undefined) expect(Buffer.compare(found.slice(), value)).toBe(0);
      return found === undefined;
    });
    expect(nowMs() - before).toBeGreaterThanOrEqual(120 - 0.01);
    expect(Buffer.compare(view.slice(), value)).toBe(0);
    expect(cache.stats()).toMatchObject({ sets: 2, entries: 1, expired: 1, refusals: 0 });
  });

  test('keeps value, tags, cost and key; it is neither a set nor a lookup', () => {
    const cache = openCache();
    cache.set('k', VALUE, { ttl: '1m', tags: ['t', 'u'], cost: 12.5 });
    cache.set('tagged', VALUE, { tags: ['t'], cost: 2 });
    cache.set(utf8Of('bytes'), VALUE);
    cache.set('string', VALUE);
    for (const key of ['k', 'tagged', 'bytes', 'string']) {
      expect(cache.touch(key, { ttl: '2h' })).toBe(true);
      expect(textOf(cache.peek(key))).toBe('value');
      expect(cache.entry(key)!.ttl).toBeGreaterThan(HOUR_MS);
    }
    expect([cache.entry('k')!.cost, cache.entry('tagged')!.cost]).toEqual([12.5, 2]);
    const keys = [...cache.keys()];
    expect(keys).toHaveLength(4);
    expect(new Set(keys)).toEqual(new Set(['k', 'tagged', utf8Of('bytes'), 'string']));
    expect(cache.stats()).toMatchObject({ sets: 4, hits: 0, misses: 0, entries: 4 });
    expect([cache.deleteByTag('u'), cache.deleteByTag('t')]).toEqual([1, 1]);
  });

  test('leaves the age what it was: since the value was stored', () => {
    const cache = openCache();
    cache.set('endless', VALUE);
    cache.set('expiring', VALUE, { ttl: '1m' });
    spin(300);
    for (const key of ['endless', 'expiring']) {
      cache.touch(key, { ttl: '1h' });
      expect(cache.entry(key)!.age, key).toBeGreaterThan(200);
    }
  });

  test('counts as a use', () => {
    const cache = openCache();
    cache.set('k', VALUE);
    cache.set('expiring', VALUE, { ttl: '1h' });
    const frequencyOf = (key: string) => cache.entry(key)!.frequency;
    expect([frequencyOf('k'), frequencyOf('expiring')]).toEqual([1, 1]);
    // Uses within one tick of the policy's clock count once, and those of other keys let it tick.
    for (let i = 0; i < 40_000; ++i) cache.touch(i % 2 === 0 ? 'k' : 'expiring', { ttl: '1h' });
    expect(frequencyOf('k')).toBeGreaterThanOrEqual(5);
    expect(frequencyOf('expiring')).toBeGreaterThanOrEqual(5);
  });

  test('is seen at once by answers of the near cache', async () => {
    const cache = openCache();
    const scores = cache.keyspace('scores', { codec: number });
    scores.set('endless', 1);
    scores.set('expiring', 2, { ttl: '1h' });
    for (const key of ['endless', 'expiring']) {
      await makeNear(scores, key);
      const before = nowMs();
      expect(scores.touch(key, { ttl: 60 })).toBe(true);
      spinUntil(() => scores.get(key) === undefined);
      expect(nowMs() - before).toBeGreaterThanOrEqual(60 - 0.01);
    }
    await inTime(100, async (ttl) => {
      scores.set('longer', 3, { ttl: '1h' });
      await makeNear(scores, 'longer');
      expect(scores.touch('longer', { ttl })).toBe(true);
      if (!scores.touch('longer', { ttl: '1h' })) return false;
      spin(ttl + 50);
      expect(scores.get('longer')).toBe(3);
      return true;
    });
  });
});

describe('touch that gives an end, where room is short', () => {
  const MAX_BYTES = 2 ** 20;
  const LARGE = 500_000; // of which there is never room for two in it

  /** That it came true, or that nothing happened. */
  function expectTouched(cache: Cache, key: string, size: number): boolean {
    const touched = cache.touch(key, { ttl: '1h' });
    const entry = cache.entry(key);
    expect(entry?.size, `touch said ${touched}`).toBe(size);
    if (touched) expect(entry!.ttl).toBeLessThanOrEqual(HOUR_MS);
    else expect(entry!.ttl).toBe(Number.POSITIVE_INFINITY);
    return touched;
  }

  test('says true only for an entry that then has one: small values', () => {
    const cache = openCache({ maxBytes: MAX_BYTES });
    const value = new Uint8Array(5000);
    let touched = 0;
    for (let i = 0; i < 6000; ++i) {
      const key = `${i % 100}`;
      if (i % 5 === 0) cache.set(key, value);
      cache.set(`filler ${i}`, value);
      const other = `${(i * 7 + 30) % 100}`;
      if (cache.entry(other)?.ttl === Number.POSITIVE_INFINITY && expectTouched(cache, other, 5000)) ++touched;
    }
    expect(cache.stats().evictions).toBeGreaterThan(1000);
    expect(touched).toBeGreaterThan(100);
  });

  test('does not push out the entry itself', () => {
    const cache = openCache({ maxBytes: MAX_BYTES });
    cache.set('k', new Uint8Array(LARGE));
    expectTouched(cache, 'k', LARGE);
  });

  test('keeps the entry if it is refused; the refusal is counted once, and nothing else', () => {
    const cache = openCache({ maxBytes: 2 * MAX_BYTES });
    const space = cache.keyspace('large', { codec: bytes });
    space.set('k', new Uint8Array(2 * LARGE).fill(7));
    const held = pinningView(space, 'k') as Uint8Array;
    const touched = space.touch('k', { ttl: '1h' });
    const { refusals } = space.stats();
    expect(refusals).toBe(touched ? 0 : 1);
    expect(cache.stats().refusals).toBe(refusals);
    expect(held[2 * LARGE - 1]).toBe(7);
    expect(space.peek('k')).toHaveLength(2 * LARGE);
  });
});
