// What is told on node:diagnostics_channel: evictions and refusals, as they are counted.
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, describe, expect, test } from 'vitest';
import { bytes, type Cache } from 'zerohop';
import { openCache, pinningView, spin, uniqueName, utf8Of } from '../fixtures/opened.js';

const EVICTION = 'zerohop:eviction';
const REFUSAL = 'zerohop:refusal';

const listening: [string, (message: unknown, name: string | symbol) => void][] = [];

/** All messages of a channel until the test ends; `also` is called with each. */
function messagesOf(name: string, also?: () => void): { entries: number }[] {
  const messages: { entries: number }[] = [];
  const listener = (message: unknown) => {
    messages.push(message as { entries: number });
    also?.();
  };
  subscribe(name, listener);
  listening.push([name, listener]);
  return messages;
}

afterEach(() => {
  for (const [name, listener] of listening.splice(0)) unsubscribe(name, listener);
});

const sumOf = (messages: { entries: number }[]) => messages.reduce((sum, { entries }) => sum + entries, 0);

function fill(cache: Cache, sets: number, size = 1000): void {
  for (let i = 0; i < sets; ++i) cache.set(`${i}`, new Uint8Array(size));
}

/** Of which a cache of 2 MB has room for one. */
const LARGE = 1_000_000;

/** A cache in which no value of this size can be stored any more, because views of another one are held. */
function pinnedCache(): { cache: Cache; held: unknown } {
  const cache = openCache({ maxBytes: '2MB' });
  cache.set('held', new Uint8Array(LARGE));
  return { cache, held: pinningView(cache, 'held') };
}

describe(`'${EVICTION}'`, () => {
  test('tells, set by set, as many entries as are counted', () => {
    const messages = messagesOf(EVICTION);
    const cache = openCache({ maxBytes: '1MB' });
    const told: number[] = [];
    for (let i = 0; i < 3000; ++i) {
      const before = { evictions: cache.stats().evictions, messages: messages.length };
      cache.set(`${i}`, new Uint8Array(1000));
      const evicted = cache.stats().evictions - before.evictions;
      expect(messages.length - before.messages).toBe(evicted > 0 ? 1 : 0);
      if (evicted > 0) told.push(evicted);
    }
    expect(messages.map(({ entries }) => entries)).toEqual(told);
    expect(sumOf(messages)).toBeGreaterThan(1000);
    expect(messages[0]).toEqual({ entries: told[0] });
  });

  test('tells those of other keyspaces, of large values, of setMany and of maxEntries too', () => {
    const messages = messagesOf(EVICTION);
    const cache = openCache({ maxBytes: '1MB' });
    const other = cache.keyspace('other', { codec: bytes });
    for (let i = 0; i < 700; ++i) other.set(`${i}`, new Uint8Array(1000));
    cache.set('large', new Uint8Array(400_000));
    expect(sumOf(messages)).toBe(other.stats().evictions);
    other.setMany(Array.from({ length: 1000 }, (_, i) => [`${i}`, new Uint8Array(900)] as const));
    expect(sumOf(messages)).toBe(cache.stats().evictions);
    const before = sumOf(messages);
    fill(openCache({ maxEntries: 10 }), 100, 5);
    expect(sumOf(messages) - before).toBe(90);
  });

  test('has no message about what is deleted, cleared, overwritten or expired', () => {
    const messages = messagesOf(EVICTION);
    const cache = openCache();
    fill(cache, 100);
    fill(cache, 100);
    cache.delete('1');
    for (let i = 0; i < 50; ++i) cache.set(`ttl ${i}`, utf8Of('v'), { ttl: 1, tags: ['t'] });
    spin(2);
    cache.get('ttl 1');
    cache.deleteByTag('t');
    cache.clear();
    fill(cache, 10);
    expect(messages).toEqual([]);
  });

  test('tells of evicted entries, not of expired ones that were removed on the way', () => {
    const messages = messagesOf(EVICTION);
    const cache = openCache({ maxBytes: '1MB' });
    for (let i = 0; i < 500; ++i) cache.set(`ttl ${i}`, new Uint8Array(1000), { ttl: 1 });
    spin(2);
    fill(cache, 3000);
    const { evictions, expired } = cache.stats();
    expect(expired).toBeGreaterThan(400); // the others may not have been in the way yet
    expect(sumOf(messages)).toBe(evictions);
  });

  test('is told in the thread and of the set that evicted, with the channel’s own name', () => {
    const names: unknown[] = [];
    const listener = (_: unknown, name: string | symbol) => names.push(name);
    subscribe(EVICTION, listener);
    listening.push([EVICTION, listener]);
    fill(openCache({ maxBytes: '1MB' }), 2000);
    expect(new Set(names)).toEqual(new Set([EVICTION]));
    expect(channel(EVICTION).hasSubscribers).toBe(true);
  });

  test('lets a listener use the cache, and close it', () => {
    const name = uniqueName();
    const cache = openCache({ name, maxBytes: '1MB' });
    const other = openCache({ name, maxBytes: '1MB' });
    let depth = 0;
    const messages = messagesOf(EVICTION, () => {
      if (++depth < 20) {
        cache.set(`of a listener ${depth}`, new Uint8Array(1000));
        cache.getMany(['1', '2']);
      } else cache.close();
    });
    expect(() => fill(cache, 5000)).toThrow('the cache was closed');
    expect(messages.length).toBeGreaterThanOrEqual(20);
    expect(sumOf(messages)).toBe(other.stats().evictions);
  });

  test('changes nothing where nobody listens, or the listener has stopped', () => {
    const messages = messagesOf(EVICTION);
    for (const [name, listener] of listening.splice(0)) unsubscribe(name, listener);
    const cache = openCache({ maxBytes: '1MB' });
    fill(cache, 2000);
    expect(messages).toEqual([]);
    expect(cache.stats().evictions).toBeGreaterThan(500);
  });
});

describe(`'${REFUSAL}'`, () => {
  test('tells each set that stored nothing', () => {
    const messages = messagesOf(REFUSAL);
    const { cache, held } = pinnedCache();
    const space = cache.keyspace('a', { codec: bytes });
    const outcomes = [1, 2, 3].map((i) => space.set(`${i}`, new Uint8Array(LARGE)));
    const refused = outcomes.filter((stored) => !stored).length;
    expect(refused).toBe(3);
    expect(messages).toEqual([{ entries: 1 }, { entries: 1 }, { entries: 1 }]);
    expect(space.stats()).toMatchObject({
      refusals: 3,
      refusalsBy: { pinned: 3, readers: 0, memory: 0, worth: 0 },
      sets: 0,
    });
    expect(held).toHaveLength(LARGE);
  });

  test('has no message about a set that stores or throws', () => {
    const messages = messagesOf(REFUSAL);
    const cache = openCache({ maxBytes: '1MB' });
    fill(cache, 2000);
    expect(() => cache.set('k', new Uint8Array(2 ** 21))).toThrow(RangeError);
    expect(() => cache.set('', new Uint8Array(1))).toThrow(RangeError);
    expect(messages).toEqual([]);
  });

  test('comes with a set that leaves nothing under the key: neither the new value nor the old one', () => {
    const { cache, held } = pinnedCache();
    cache.set('k', utf8Of('old'));
    expect(cache.set('k', new Uint8Array(LARGE))).toBe(false);
    expect([cache.has('k'), cache.get('k')]).toEqual([false, undefined]);
    expect(cache.set('k', utf8Of('new'))).toBe(true);
    expect(held).toHaveLength(LARGE);
    expect(cache.stats().refusals).toBe(1);
  });
});
