// How caches and keyspaces are opened and closed, and every mistake in that.
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { describe, expect, test } from 'vitest';
import { bytes, Cache, CacheError, defaultMaxBytes, float32, open, PUBLIC, utf8 } from 'zerohop';
import { anything, callsWith, closeLater, errorOf, openCache, textOf, uniqueName, utf8Of } from '../fixtures/opened.js';

describe('open', () => {
  test.each([
    ['1MB', 2 ** 20],
    ['1.5 mb', 1.5 * 2 ** 20],
    [' 2048KB ', 2 ** 21],
    ['1048576B', 2 ** 20],
    ['1M', 2 ** 20],
    ['2 MiB', 2 ** 21],
    ['2048kib', 2 ** 21],
    ['2048k', 2 ** 21],
    [3 * 2 ** 20, 3 * 2 ** 20],
    [2 ** 20 + 0.5, 2 ** 20],
  ])('takes maxBytes %j', (maxBytes: string | number, expected) => {
    const name = uniqueName();
    openCache({ name, maxBytes });
    expect(() => openCache({ name, maxBytes: expected })).not.toThrow();
    expect(openCache({ name, maxBytes: expected }).stats().bytes.capacity).toBeLessThanOrEqual(expected);
  });

  test.each([
    [Number.NaN, RangeError],
    [-1, RangeError],
    [0, RangeError],
    [2 ** 20 - 1, RangeError],
    ['1023KB', RangeError],
    [Number.POSITIVE_INFINITY, RangeError],
    [2 ** 39, RangeError],
    ['600GB', RangeError],
    ['', TypeError],
    ['256', TypeError],
    ['256 bananas', TypeError],
    ['256iB', TypeError],
    ['256i', TypeError],
    ['256P', TypeError],
    ['-1MB', TypeError],
    ['1e9B', TypeError],
    ['0x10MB', TypeError],
    ['constructorB', TypeError],
    [null, TypeError],
    [10n, TypeError],
    [{}, TypeError],
    [[2 ** 20], TypeError],
    [true, TypeError],
  ])('refuses maxBytes %s', (maxBytes, kind) => {
    const call = () => openCache({ maxBytes: anything(maxBytes) });
    expect(call).toThrow(kind);
    expect(call).toThrow(/^options\.maxBytes: expected .*, received /);
    expect(errorOf(call).code).toBe(kind === TypeError ? 'ERR_INVALID_ARG_TYPE' : 'ERR_OUT_OF_RANGE');
  });

  test('names the units, if a size has none of them', () => {
    const { message } = errorOf(() => open({ maxBytes: '4 bananas' as '4MB' }));
    expect(message).toMatch(/'256MB' \(units: B, KB, MB, GB, TB; KiB, K and so on\), received string "4 bananas"$/);
  });

  test.each([
    [{ maxbytes: 1 }, /^options\.maxbytes: expected one of the options name, maxBytes, verify/],
    [{ tll: 1 }, /^options\.tll/],
    [null, /^options: expected an object, received null/],
    [[], /^options: expected an object/],
    ['256MB', /^options: expected an object, received string "256MB"/],
    [{ verify: 'always' }, /^options\.verify: expected 'off' or 'sample' or 'trap', received string "always"/],
    [{ verify: true }, /^options\.verify/],
    [{ verify: 0 }, /^options\.verify/],
    [{ name: 5 }, /^options\.name: expected a string, received number 5/],
    [{ name: null }, /^options\.name/],
  ])('refuses options %j', (options, message) => {
    expect(() => open(anything(options))).toThrow(TypeError);
    expect(() => open(anything(options))).toThrow(message);
  });

  test('refuses names that UTF-8 can not carry, or that are too long', () => {
    for (const name of ['\uD800', 'x'.repeat(1025), 'é'.repeat(513)]) {
      expect(() => open({ name, maxBytes: '1MB' })).toThrow(RangeError);
    }
  });

  test('takes an undefined option for one that was not given', () => {
    const cache = closeLater(open(anything({ name: undefined, maxBytes: '1MB', verify: undefined })));
    expect(cache.set('k', utf8Of('v'))).toBe(true);
  });

  test('never quotes a whole long value in a message', () => {
    const { message } = errorOf(() => open({ maxBytes: 'x'.repeat(10_000) }));
    expect(message.length).toBeLessThan(200);
  });

  test('takes a quarter of the memory this process may use where no size is given', () => {
    expect(defaultMaxBytes()).toBeGreaterThanOrEqual(2 ** 20);
    expect(Number.isInteger(defaultMaxBytes())).toBe(true);
    const cache = closeLater(open());
    expect(cache.stats().bytes.capacity).toBeLessThanOrEqual(defaultMaxBytes());
    expect(cache.stats().bytes.capacity).toBeGreaterThan(defaultMaxBytes() / 2);
  });

  test('gives one cache for one name, and a cache of its own without a name', () => {
    const name = uniqueName();
    const first = openCache({ name, maxBytes: '2MB' });
    const second = openCache({ name, maxBytes: '2MB' });
    first.set('k', utf8Of('v'));
    expect(textOf(second.get('k'))).toBe('v');
    expect(openCache().get('k')).toBeUndefined();
    expect(openCache({ name: uniqueName(), maxBytes: '2MB' }).get('k')).toBeUndefined();
  });

  test('of a name with other options is ERR_CACHE_OPTIONS until the last handle of that name is closed', () => {
    const name = uniqueName();
    const first = openCache({ name, maxBytes: '2MB' });
    const second = openCache({ name, maxBytes: '2MB' });
    for (const options of [{ maxBytes: '3MB' }, { maxBytes: '2MB', verify: 'off' as const }]) {
      const call = () => open({ name, ...options });
      expect(call).toThrow(CacheError);
      expect(errorOf(call)).toMatchObject({ name: 'CacheError', code: 'ERR_CACHE_OPTIONS' });
      expect(errorOf(call).message).toContain(name);
    }
    first.set('k', utf8Of('v'));
    first.close();
    expect(() => open({ name, maxBytes: '3MB' })).toThrow(CacheError);
    expect(textOf(second.get('k'))).toBe('v');
    second.close();
    const third = openCache({ name, maxBytes: '3MB' });
    expect(third.get('k')).toBeUndefined();
  });
});

describe('keyspaces', () => {
  test('do not see each other’s keys, nor the cache’s own', () => {
    const cache = openCache();
    const a = cache.keyspace('a', { codec: bytes });
    const b = cache.keyspace('b', { codec: bytes });
    cache.set('k', utf8Of('root'));
    a.set('k', utf8Of('in a'));
    expect(b.get('k')).toBeUndefined();
    b.set('k', utf8Of('in b'));
    expect([cache, a, b].map((one) => textOf(one.get('k')))).toEqual(['root', 'in a', 'in b']);
    expect(a.delete('k')).toBe(true);
    expect([cache, a, b].map((one) => one.has('k'))).toEqual([true, false, true]);
    cache.clear();
    expect([cache, a, b].map((one) => one.has('k'))).toEqual([false, false, false]);
  });

  test('of one name are one, through every handle of the cache', () => {
    const name = uniqueName();
    const first = openCache({ name, maxBytes: '2MB' });
    const second = openCache({ name, maxBytes: '2MB' });
    first.keyspace('a', { codec: float32(2) }).set('k', new Float32Array([1, 2]));
    expect([...second.keyspace('a', { codec: float32(2) }).get('k')!]).toEqual([1, 2]);
  });

  test('of one name in two scopes are two: nobody is locked out, and neither scope learns of the other', () => {
    const cache = openCache();
    const scopes = [undefined, 'tenant', 'competitor'].map((scope) => (scope === undefined ? {} : { scope }));
    const spaces = scopes.map((scope, i) => cache.keyspace('a', { codec: i === 0 ? utf8 : bytes, ...scope }));
    for (const [i, space] of spaces.entries()) space.set('k', anything(i === 0 ? 'public' : utf8Of(`${i}`)));
    expect(cache.keyspace('a', { codec: utf8, scope: PUBLIC }).get('k')).toBe('public');
    expect(spaces.slice(1).map((space) => textOf(anything(space.get('k'))))).toEqual(['1', '2']);
    const error = errorOf(() => cache.keyspace('a', { codec: utf8, scope: 'tenant' }));
    expect(error.code).toBe('ERR_CACHE_OPTIONS');
    expect(error.message).not.toContain('competitor');
  });

  test('whose name reads like that of another scope are others still', () => {
    const cache = openCache();
    cache.keyspace('a', { codec: bytes, scope: 'tenant' }).set('k', utf8Of('tenant'));
    for (const name of ['["a","tenant"]', '["[\\"a\\",\\"tenant\\"]",""]', 'tenant', 'a'])
      expect(cache.keyspace(name, { codec: bytes }).get('k')).toBeUndefined();
  });

  test('of a scope without a name are a RangeError, not public', () => {
    const error = errorOf(() => openCache().keyspace('a', { codec: bytes, scope: '' }));
    expect([error.name, error.message]).toEqual([
      'RangeError',
      expect.stringMatching(/^options\.scope: expected .* 1 to/),
    ]);
  });

  test('with another codec are ERR_CACHE_OPTIONS', () => {
    const cache = openCache();
    cache.keyspace('a', { codec: float32(4), scope: 'tenant' });
    for (const options of [
      { codec: float32(5), scope: 'tenant' },
      { codec: bytes, scope: 'tenant' },
    ]) {
      const call = () => cache.keyspace('a', anything(options));
      expect(call).toThrow(CacheError);
      expect(errorOf(call).code).toBe('ERR_CACHE_OPTIONS');
      expect(errorOf(call).message).toMatch(/^keyspace '\["a","tenant"\]' is open/);
    }
    expect(() => cache.keyspace('a', { codec: float32(4), scope: 'tenant' })).not.toThrow();
  });

  test('more scopes than there is room for are ERR_CACHE_OPTIONS', () => {
    const cache = openCache({ maxBytes: '1MB' });
    const call = () => {
      for (let i = 0; i < 100; ++i) cache.keyspace(`space ${i}`, { codec: bytes, scope: `scope ${i}` });
    };
    expect(errorOf(call)).toMatchObject({ name: 'CacheError', code: 'ERR_CACHE_OPTIONS' });
    expect(errorOf(call).message).toMatch(/^all 2 scopes .* are taken .*raise maxBytes/);
    expect(cache.stats().scopes).toEqual({ open: 2, max: 2 });
    expect(cache.set('k', utf8Of('v'))).toBe(true);
  });

  test('more than 1023 of them are ERR_CACHE_OPTIONS, which says what to do, and they are counted', () => {
    const cache = openCache();
    for (let i = 0; i < 1023; ++i) cache.keyspace(`space ${i}`, { codec: bytes });
    expect(cache.stats().keyspaces).toEqual({ open: 1024, max: 1024 });
    const error = errorOf(() => cache.keyspace('one more', { codec: bytes }));
    expect(error).toMatchObject({ code: 'ERR_CACHE_OPTIONS' });
    expect(error.message).toMatch(/^all 1024 keyspaces .*put what differs by user or request into the key/);
    expect(() => cache.keyspace('space 0', { codec: bytes })).not.toThrow();
  });

  test.each([
    ['', { codec: bytes }],
    [5, { codec: bytes }],
    [undefined, { codec: bytes }],
    ['a', undefined],
    ['a', {}],
    ['a', { codec: 'bytes' }],
    ['a', { codec: bytes, scope: 5 }],
    ['a', { codec: bytes, tll: 5 }],
  ])('keyspace(%j, %j) is a TypeError', (name, options) => {
    const cache = openCache();
    expect(() => cache.keyspace(anything(name), anything(options))).toThrow(TypeError);
  });

  test('keep their cache open while they are used', () => {
    const keyspace = open({ maxBytes: '1MB' }).keyspace('a', { codec: bytes });
    for (let i = 0; i < 5; ++i) globalThis.gc?.();
    expect(keyspace.set('k', utf8Of('v'))).toBe(true);
    expect(textOf(keyspace.get('k'))).toBe('v');
  });
});

describe('close', () => {
  test('makes every method of the cache and of its keyspaces throw ERR_CACHE_CLOSED', () => {
    const cache = openCache();
    const keyspace = cache.keyspace('a', { codec: bytes });
    cache.close();
    for (const each of [cache, keyspace]) {
      const calls = [...callsWith(anything(each), 'k'), () => each.getMany([])];
      for (const call of calls) {
        expect(call).toThrow(CacheError);
        expect(errorOf(call)).toMatchObject({ code: 'ERR_CACHE_CLOSED', message: 'the cache was closed' });
      }
    }
    for (const call of [() => cache.clear(), () => cache.stats(), () => cache.keyspace('b', { codec: bytes })]) {
      expect(errorOf(call).code).toBe('ERR_CACHE_CLOSED');
    }
  });

  test('again has no effect, and no effect on caches opened since', () => {
    const cache = openCache();
    cache.close();
    const next = openCache();
    next.set('k', utf8Of('v'));
    cache.close();
    cache[Symbol.dispose]();
    expect(() => cache.get('k')).toThrow(CacheError);
    expect(textOf(next.get('k'))).toBe('v');
  });

  test('is what Symbol.dispose does', () => {
    const cache = openCache();
    cache[Symbol.dispose]();
    expect(() => cache.get('k')).toThrow(CacheError);
  });

  test('leaves views as they are', () => {
    const cache = openCache();
    const value = randomBytes(4096);
    cache.set('k', value);
    const view = cache.get('k')!;
    cache.close();
    globalThis.gc?.();
    expect(value.equals(view.slice())).toBe(true);
  });
});

describe('the package', () => {
  test('gives the same classes and the same caches by require and by import', () => {
    const required = createRequire(__filename)('zerohop') as typeof import('zerohop');
    expect(required.Cache).toBe(Cache);
    expect(required.CacheError).toBe(CacheError);
    expect(required.open).toBe(open);
    const name = uniqueName();
    openCache({ name, maxBytes: '1MB' }).set('k', utf8Of('v'));
    const cache = closeLater(required.open({ name, maxBytes: '1MB' }));
    expect(cache).toBeInstanceOf(Cache);
    expect(textOf(cache.get('k'))).toBe('v');
  });

  test('throws CacheErrors that are Errors with a stack', () => {
    const cache = openCache();
    cache.close();
    const error = errorOf(() => cache.get('k'));
    expect(error).toBeInstanceOf(CacheError);
    expect(error).toBeInstanceOf(Error);
    expect((error as unknown as Error).stack).toContain('opening.test');
  });
});
