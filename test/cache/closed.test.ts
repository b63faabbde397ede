// After close(): every method says so, also when the caller's own code closed the cache in the middle of a call.
import { describe, expect, test } from 'vitest';
import { type Cache, float32, type Keyspace, utf8 } from 'zerohop';
import { type anything, errorOf, openCache } from '../fixtures/opened.js';

type Anything = ReturnType<typeof anything>;

describe('ERR_CACHE_CLOSED', () => {
  const calls: [string, (space: Keyspace<Anything, unknown, unknown>) => unknown][] = [
    ['get', (space) => space.get('k')],
    ['getCopy', (space) => space.getCopy('k')],
    ['peek', (space) => space.peek('k')],
    ['entry', (space) => space.entry('k')],
    ['has', (space) => space.has('k')],
    ['set', (space) => space.set('k', 'v')],
    ['set with options', (space) => space.set('k', 'v', { ttl: 5, tags: ['t'] })],
    ['setMany', (space) => space.setMany([['k', 'v']])],
    ['setMany of none', (space) => space.setMany([])],
    ['getMany', (space) => space.getMany(['k'])],
    ['getMany of none', (space) => space.getMany([])],
    ['delete', (space) => space.delete('k')],
    ['deleteMany', (space) => space.deleteMany(['k'])],
    ['deleteMany of none', (space) => space.deleteMany([])],
    ['deleteByTag', (space) => space.deleteByTag('t')],
    ['touch', (space) => space.touch('k')],
    ['clear', (space) => space.clear()],
    ['keys', (space) => [...space.keys()]],
    ['entries', (space) => [...space.entries()]],
    ['iteration', (space) => [...space]],
    ['stats', (space) => space.stats()],
  ];

  test.each(calls)('is what %s throws after the cache was closed', (_, call) => {
    const cache = openCache();
    const spaces: Anything[] = [
      cache.keyspace('a', { codec: utf8 }),
      cache.keyspace('b', { codec: utf8, copy: true }),
      cache.keyspace('c', { codec: utf8, near: false, ttl: '1h' }),
    ];
    for (const space of spaces) {
      space.set('k', 'v');
      expect(() => call(space)).not.toThrow();
    }
    cache.close();
    for (const space of spaces) {
      expect(errorOf(() => call(space))).toMatchObject({ name: 'CacheError', code: 'ERR_CACHE_CLOSED' });
    }
  });

  test('is what gather throws, of keys and of none', () => {
    const cache = openCache();
    const space = cache.keyspace('a', { codec: float32(2) });
    cache.close();
    for (const keys of [['k'], []]) {
      expect(errorOf(() => space.gather(keys, new Float32Array(2))).code).toBe('ERR_CACHE_CLOSED');
    }
  });

  test('is thrown if code of the caller’s closes the cache in the middle of a call', () => {
    const closing = (cache: Cache) => ({
      encode: (value: number) => {
        cache.close();
        return new Uint8Array([value]);
      },
      decode: (encoded: Uint8Array) => {
        cache.close();
        return encoded[0]!;
      },
    });
    for (const call of [
      (space: Keyspace<number, unknown, unknown>) => space.set('k', 1),
      (space: Keyspace<number, unknown, unknown>) => space.set('k', 1, { ttl: '1h', tags: ['t'] }),
      (space: Keyspace<number, unknown, unknown>) => space.setMany([['k', 1]]),
    ]) {
      const cache = openCache();
      const space = cache.keyspace('a', { codec: closing(cache) });
      expect(errorOf(() => call(space)).code).toBe('ERR_CACHE_CLOSED');
    }
    const name = 'closes while it decodes';
    const keeper = openCache({ name });
    const plain = { encode: (value: number) => new Uint8Array([value]), decode: (encoded: Uint8Array) => encoded[0]! };
    keeper.keyspace('a', { codec: plain }).setMany([
      ['k', 1],
      ['l', 2],
    ]);
    for (const call of [
      (space: Keyspace<number, unknown, unknown>) => space.get('k'),
      (space: Keyspace<number, unknown, unknown>) => space.getCopy('k'),
      (space: Keyspace<number, unknown, unknown>) => space.peek('k'),
      (space: Keyspace<number, unknown, unknown>) => space.entry('k')?.value,
      (space: Keyspace<number, unknown, unknown>) => space.getMany(['k', 'l', 'k'])[0],
    ]) {
      const cache = openCache({ name });
      const space = cache.keyspace('a', { codec: closing(cache) });
      let outcome: unknown;
      try {
        outcome = call(space);
      } catch (error) {
        outcome = (error as { code: string }).code;
      }
      expect([1, 'ERR_CACHE_CLOSED']).toContain(outcome);
      expect(() => space.get('k')).toThrow('the cache was closed');
    }
  });
});
