// Many keys stored or forgotten in one call: setMany and deleteMany.
import { describe, expect, test } from 'vitest';
import { float32, type SetOptions } from 'zerohop';
import { anything, errorOf, openCache, utf8Of } from '../fixtures/opened.js';

const DIMENSIONS = 4;

const rowOf = (i: number) => new Float32Array([i, i + 0.25, -i, 1 / (i + 1)]);

describe('setMany', () => {
  const pairs = (count: number) => Array.from({ length: count }, (_, i) => [`${i}`, rowOf(i)] as const);

  function* generate(count: number): Generator<readonly [string, Float32Array]> {
    yield* pairs(count);
  }

  test.each<[string, () => Iterable<readonly [string, Float32Array]>]>([
    ['an array of pairs', () => pairs(50)],
    ['a Map', () => new Map(pairs(50))],
    ['a generator', () => generate(50)],
    ['a Set of pairs', () => new Set(pairs(50))],
    ['an iterable of one’s own', () => ({ [Symbol.iterator]: () => generate(50) })],
    ['entries of another keyspace', () => anything(tenRowsAndMore().entries())],
  ])('takes %s', (_, entries) => {
    const space = openCache().keyspace('rows', { codec: float32(DIMENSIONS) });
    expect(space.setMany(entries(), { ttl: '1h', tags: ['t'], cost: 2 })).toBe(50);
    for (let i = 0; i < 50; ++i) expect([...space.get(`${i}`)!]).toEqual([...rowOf(i)]);
    expect(space.entry('7')).toMatchObject({ cost: 2 });
    expect(space.stats()).toMatchObject({ sets: 50, entries: 50 });
    expect(space.deleteByTag('t')).toBe(50);
  });

  function tenRowsAndMore() {
    const other = openCache().keyspace('other', { codec: float32(DIMENSIONS) });
    other.setMany(pairs(50));
    return other;
  }

  test('of nothing returns 0, and of the same key twice stores the last value', () => {
    const cache = openCache();
    expect([cache.setMany([]), cache.setMany(new Map())]).toEqual([0, 0]);
    expect(
      cache.setMany([
        ['k', utf8Of('1')],
        ['k', utf8Of('2')],
      ]),
    ).toBe(2);
    expect([...cache.get('k')!]).toEqual([...utf8Of('2')]);
  });

  test('of an iterable that throws midway stores what came before, and throws that', () => {
    const cache = openCache();
    const mine = new Error('mine');
    function* broken(): Generator<[string, Uint8Array]> {
      yield ['a', utf8Of('1')];
      yield ['b', utf8Of('2')];
      throw mine;
    }
    expect(errorOf(() => cache.setMany(broken()))).toBe(mine);
    expect(cache.stats()).toMatchObject({ sets: 2, entries: 2 });
  });

  test.each<[string, unknown, RegExp]>([
    ['a wrong key', [5, utf8Of('v')], /^key: /],
    ['a wrong value', ['k', 'text'], /^value: /],
    ['a hole', undefined, /^entries: expected an iterable of \[key, value\]/],
    ['a string', 'ab', /^entries: /],
    ['an object', { 0: 'k', 1: utf8Of('v') }, /^entries: /],
    ['a typed array', new Uint8Array(2), /^entries: /],
    ['an empty pair', [], /^value: |^key: /],
  ])('stops at %s: what came before is stored, the iterator is closed', (_, wrong, message) => {
    const cache = openCache();
    let closed = false;
    function* entries(): Generator<[string, Uint8Array]> {
      try {
        yield ['a', utf8Of('1')];
        yield anything(wrong);
        yield ['b', utf8Of('2')];
      } finally {
        closed = true;
      }
    }
    const error = errorOf(() => cache.setMany(entries()));
    expect(error.code).toMatch(/^ERR_(INVALID_ARG_TYPE|OUT_OF_RANGE)$/);
    expect(error.message).toMatch(message);
    expect(closed).toBe(true);
    expect([...cache.keys()]).toEqual(['a']);
  });

  test('of an iterable that closes the cache ends in ERR_CACHE_CLOSED', () => {
    const cache = openCache();
    function* entries(): Generator<[string, Uint8Array]> {
      yield ['a', utf8Of('1')];
      cache.close();
      yield ['b', utf8Of('2')];
    }
    expect(errorOf(() => cache.setMany(entries())).code).toBe('ERR_CACHE_CLOSED');
  });

  test('of an iterable that sets, deletes and clears in between leaves what was stored last', () => {
    const cache = openCache();
    function* entries(): Generator<[string, Uint8Array]> {
      yield ['a', utf8Of('1')];
      cache.delete('a');
      yield ['b', utf8Of('2')];
      cache.clear();
      yield ['c', utf8Of('3')];
      cache.set('d', utf8Of('4'));
    }
    expect(cache.setMany(entries())).toBe(3);
    expect([...cache.keys()].sort()).toEqual(['c', 'd']);
  });

  test('through a codec that writes into one buffer again and again stores each value', () => {
    const buffer = new Uint8Array(1);
    const space = openCache().keyspace('a', {
      codec: {
        encode: (value: number) => {
          buffer[0] = value;
          return buffer;
        },
        decode: (encoded: Uint8Array) => encoded[0]!,
      },
    });
    space.setMany(Array.from({ length: 200 }, (_, i) => [`${i}`, i] as const));
    expect(space.getMany(['0', '7', '199'])).toEqual([0, 7, 199]);
  });

  test.each<[string, unknown]>([
    ['a number', 5],
    ['null', null],
    ['undefined', undefined],
    ['an object', {}],
    ['a function', () => []],
  ])('of %s is a TypeError', (_, entries) => {
    const error = errorOf(() => openCache().setMany(anything(entries)));
    expect([error.name, error.code]).toEqual(['TypeError', 'ERR_INVALID_ARG_TYPE']);
    expect(error.message).toMatch(/^entries: expected an iterable/);
  });

  test.each<[SetOptions]>([[{ ttl: -1 }], [anything({ tll: 5 })], [anything(null)], [{ tags: anything('t') }]])(
    'with options %j is refused before anything is stored, even of nothing',
    (options) => {
      const cache = openCache();
      for (const entries of [[['a', utf8Of('1')] as const], []]) {
        expect(errorOf(() => cache.setMany(entries, options)).message).toMatch(/^options/);
      }
      expect(cache.stats()).toMatchObject({ sets: 0, entries: 0 });
    },
  );
});

describe('deleteMany', () => {
  test('forgets keys of any kind, and counts those that were there', () => {
    const cache = openCache();
    for (const key of ['a', 'b', 'c', 'd']) cache.set(key, utf8Of(key));
    expect(cache.deleteMany(['a', 'absent', utf8Of('b'), 'a'])).toBe(2);
    expect([...cache.keys()].sort()).toEqual(['c', 'd']);
    expect(cache.deleteMany([])).toBe(0);
    expect(cache.stats()).toMatchObject({ deletes: 2, entries: 2 });
  });

  test('forgets nothing if one of the keys is none', () => {
    const cache = openCache();
    cache.set('a', utf8Of('v'));
    for (const keys of [
      ['a', 5],
      ['a', ''],
      ['a', null],
      [utf8Of('a'), '\uD800'],
      Object.assign(new Array(2), ['a']),
    ]) {
      const error = errorOf(() => cache.deleteMany(anything(keys)));
      expect(error.message).toMatch(/^keys?(\[1\])?: /);
    }
    for (const keys of ['a', new Set(['a']), undefined, null, { length: 1, 0: 'a' }]) {
      expect(errorOf(() => cache.deleteMany(anything(keys))).message).toMatch(/^keys: expected an array/);
    }
    expect(cache.stats()).toMatchObject({ deletes: 0, entries: 1 });
  });
});
