// getMany: its order, its keys, and what the getters among them may do.
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { anything, errorOf, openCache, textOf, utf8Of } from '../fixtures/opened.js';

describe('getMany', () => {
  test('answers in the order of the keys, duplicates and misses included', () => {
    const cache = openCache();
    for (const key of ['a', 'b', 'c']) cache.set(key, utf8Of(key.toUpperCase()));
    const values = cache.getMany(['c', 'absent', 'a', utf8Of('b'), 'a', 'absent']);
    expect(values.map((one) => textOf(one))).toEqual(['C', undefined, 'A', 'B', 'A', undefined]);
    expect(cache.stats()).toMatchObject({ hits: 4, misses: 2 });
  });

  test('of no keys is empty', () => {
    expect(openCache().getMany([])).toEqual([]);
  });

  test('of thousands of keys and many segments gives each its value', () => {
    const cache = openCache({ maxBytes: '16MB' });
    const keys = Array.from({ length: 5000 }, (_, i) => `key ${i}`);
    for (const key of keys) cache.set(key, utf8Of(key.repeat(50)));
    const values = cache.getMany(keys);
    keys.forEach((key, i) => {
      expect(textOf(values[i])).toBe(key.repeat(50));
    });
    expect(cache.getMany(keys.map((key) => `${key}?`)).every((one) => one === undefined)).toBe(true);
  });

  test('mixes small and large values', () => {
    const cache = openCache({ maxBytes: '8MB' });
    const values = [10, 100_000, 20, 1_000_000, 300].map((length) => randomBytes(length));
    for (const [i, value] of values.entries()) cache.set(`${i}`, value);
    const found = cache.getMany(['0', '1', '2', '3', '4']);
    for (const [i, value] of values.entries()) expect(value.equals(found[i]!.slice()), `${i}`).toBe(true);
  });

  test.each([
    ['a string', 'abc'],
    ['undefined', undefined],
    ['null', null],
    ['a Set', new Set(['a'])],
    ['an array-like', { length: 1, 0: 'a' }],
    ['a Uint8Array', new Uint8Array(3)],
  ])('of %s is a TypeError', (_, keys) => {
    expect(() => openCache().getMany(anything(keys))).toThrow(TypeError);
    expect(() => openCache().getMany(anything(keys))).toThrow(/^keys: expected an array/);
  });

  test('of an array with a hole, or something else that is no key, is a TypeError and looks nothing up', () => {
    const cache = openCache();
    cache.set('a', utf8Of('v'));
    for (const keys of [Object.assign(new Array(3), { 0: 'a', 2: 'a' }), ['a', 5], ['a', null], ['a', '']]) {
      expect(() => cache.getMany(anything(keys))).toThrow(/^keys?(\[1\])?: /);
    }
    expect(cache.stats()).toMatchObject({ hits: 0, misses: 0 });
  });

  test('of a Proxy reads what the Proxy says', () => {
    const cache = openCache();
    cache.set('a', utf8Of('v'));
    const keys = new Proxy(['a', 'b'], {});
    expect(cache.getMany(keys).map((one) => one && textOf(one))).toEqual(['v', undefined]);
  });

  test('lets the error of a getter among the keys through', () => {
    const keys = Object.defineProperty(['a', 'b'], 1, {
      get() {
        throw new RangeError('mine');
      },
    });
    expect(() => openCache().getMany(keys)).toThrow('mine');
  });

  test('ends in ERR_CACHE_CLOSED if a getter among the keys closes the cache', () => {
    const cache = openCache();
    cache.set('a', utf8Of('v'));
    const keys = Object.defineProperty(['a', 'b'], 1, {
      get() {
        cache.close();
        return 'b';
      },
    });
    expect(errorOf(() => cache.getMany(keys)).code).toBe('ERR_CACHE_CLOSED');
  });

  test('never reads another cache that a getter opens in place of this one', () => {
    const cache = openCache();
    cache.set('a', utf8Of('mine'));
    cache.get('a'); // what is copied has somewhere to go
    const keys = Object.defineProperty(['a', 'b'], 1, {
      get() {
        cache.close();
        openCache().set('a', utf8Of('of another cache'));
        return 'b';
      },
    });
    expect(errorOf(() => cache.getMany(keys)).code).toBe('ERR_CACHE_CLOSED');
  });

  test('is not disturbed by a getter that looks up other keys', () => {
    const cache = openCache();
    for (const key of ['a', 'b', 'c']) cache.set(key, utf8Of(key));
    cache.get('a');
    const keys = Object.defineProperty(['a', 'b', 'c'], 1, {
      get() {
        cache.getMany(Array.from({ length: 3000 }, () => 'c'));
        return 'b';
      },
    });
    expect(cache.getMany(keys).map((one) => textOf(one))).toEqual(['a', 'b', 'c']);
  });

  test('looks up what the array holds after a getter lengthened or shortened it, and nothing else', () => {
    const cache = openCache();
    for (const key of ['a', 'b', 'c']) cache.set(key, utf8Of(key.repeat(9)));
    cache.get('a');
    cache.getMany(['c', 'c', 'c', 'c', 'c', 'c']); // leaves its locations behind
    const longer: string[] = Object.defineProperty(['a', 'b'], 1, {
      get() {
        if (longer.length === 2) longer.push('absent', 'absent');
        return 'b';
      },
    });
    const values = cache.getMany(longer).map((one) => textOf(one));
    expect(values.slice(0, 2)).toEqual(['a'.repeat(9), 'b'.repeat(9)]);
    expect(values.slice(2).every((one) => one === undefined)).toBe(true);
    const shorter: string[] = Object.defineProperty(['a', 'b', 'c'], 1, {
      get() {
        shorter.length = 2;
        return 'b';
      },
    });
    expect(cache.getMany(shorter).map((one) => textOf(one))).toEqual(['a'.repeat(9), 'b'.repeat(9)]);
  });

  test('is not disturbed by a codec that looks up other keys while it makes a view', () => {
    const cache = openCache();
    const text = {
      encode: (value: string) => utf8Of(value),
      decode: (encoded: Uint8Array) => {
        cache.getMany(['other', 'other', 'other', 'other']);
        return Buffer.from(encoded.slice()).toString();
      },
    };
    const texts = cache.keyspace('texts', { codec: text });
    cache.set('other', utf8Of('of another keyspace'));
    for (const key of ['a', 'b', 'c']) texts.set(key, key);
    texts.get('a');
    expect(texts.getMany(['a', 'b', 'c'])).toEqual(['a', 'b', 'c']);
  });
});
