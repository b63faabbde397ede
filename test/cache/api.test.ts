// What keys, values and counts are, through every method that takes them.
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { float32 } from 'zerohop';
import { anything, callsWith, errorOf, openCache, textOf, utf8Of } from '../fixtures/opened.js';

describe('keys', () => {
  test('a string and its UTF-8 bytes are the same key', () => {
    const cache = openCache();
    for (const key of ['user:1', 'Grüße', '日本語', '🦊', 'nul\0inside', '\0', '\uFFFD', '\uFEFFbom']) {
      cache.set(key, utf8Of(`value of ${key}`));
      expect(textOf(cache.get(utf8Of(key)))).toBe(`value of ${key}`);
      cache.set(utf8Of(key), utf8Of('other'));
      expect(textOf(cache.get(key))).toBe('other');
    }
  });

  test('strings that differ only in normalisation differ', () => {
    const cache = openCache();
    cache.set('\u00e9', utf8Of('composed'));
    expect(cache.get('e\u0301')).toBeUndefined();
    cache.set('e\u0301', utf8Of('decomposed'));
    expect(textOf(cache.get('\u00e9'))).toBe('composed');
  });

  test.each([1, 50, 250, 251, 252, 253, 254, 255, 256, 257, 1000, 65_534, 65_535])('%i bytes are a key', (length) => {
    const cache = openCache();
    const key = 'k'.repeat(length);
    expect(cache.set(key, utf8Of('v'))).toBe(true);
    expect(textOf(cache.get(Buffer.from(key)))).toBe('v');
    expect(cache.get(`${key.slice(1)}x`)).toBeUndefined();
    expect(cache.delete(key)).toBe(true);
  });

  test('multi-byte characters count as their bytes, whatever the offset', () => {
    const cache = openCache();
    for (let before = 240; before < 262; ++before) {
      const key = `${'k'.repeat(before)}🦊日é`;
      cache.set(key, utf8Of(String(before)));
      expect(textOf(cache.get(utf8Of(key)))).toBe(String(before));
    }
    expect(cache.set('é'.repeat(32_767), utf8Of('v'))).toBe(true);
    expect(() => cache.get('é'.repeat(32_768))).toThrow(RangeError);
  });

  test.each([
    ['an empty string', ''],
    ['empty bytes', new Uint8Array(0)],
    ['a string of 65 536 bytes', 'k'.repeat(65_536)],
    ['65 536 bytes', new Uint8Array(65_536)],
  ])('%s is a RangeError that names the limit', (_, key) => {
    const cache = openCache();
    for (const call of callsWith(cache, key)) {
      expect(call).toThrow(RangeError);
      expect(call).toThrow(/key: expected 1 to 65535 bytes, received (0|65536)/);
      expect(errorOf(call).code).toBe('ERR_OUT_OF_RANGE');
    }
  });

  test.each([
    ['a number', 1],
    ['null', null],
    ['undefined', undefined],
    ['an object', { toString: () => 'k' }],
    ['a Symbol', Symbol('k')],
    ['a bigint', 1n],
    ['a String object', new String('k')],
    ['an ArrayBuffer', new ArrayBuffer(4)],
    ['a DataView', new DataView(new ArrayBuffer(4))],
    ['a Float32Array', new Float32Array(1)],
    ['an Int8Array', new Int8Array(1)],
    ['a Proxy of a Uint8Array', new Proxy(new Uint8Array(1), {})],
  ])('%s is a TypeError', (_, key) => {
    const cache = openCache();
    for (const call of callsWith(cache, anything(key))) {
      expect(call).toThrow(TypeError);
      expect(errorOf(call).code).toBe('ERR_INVALID_ARG_TYPE');
      expect(errorOf(call).message).toMatch(/^key(s\[\d\])?: /);
    }
  });

  test.each(['\uD800', 'a\uD800', '\uDC00a', '\uDC00\uD800', `\uFFFD\uD800`, `${'k'.repeat(300)}\uDFFF`])(
    'a lone surrogate is a TypeError, not the replacement character (%j)',
    (key) => {
      const cache = openCache();
      for (const call of callsWith(cache, key)) {
        expect(call).toThrow(TypeError);
        expect(call).toThrow(/lone surrogate/);
      }
    },
  );

  test('bytes that are no UTF-8 are keys like any other', () => {
    const cache = openCache();
    cache.set(Buffer.from([0xff, 0xfe]), utf8Of('1'));
    cache.set(Buffer.from([0xff]), utf8Of('2'));
    expect(textOf(cache.get(Buffer.from([0xff, 0xfe])))).toBe('1');
    expect(textOf(cache.get(Buffer.from([0xff])))).toBe('2');
  });

  test('a key may be a Buffer, a subarray, or shared memory, and may change afterwards', () => {
    const cache = openCache();
    const shared = new Uint8Array(new SharedArrayBuffer(8));
    shared.set(utf8Of('abc'));
    cache.set(shared.subarray(0, 3), utf8Of('v'));
    shared.fill(0);
    expect(textOf(cache.get(Buffer.from('xabcx').subarray(1, 4)))).toBe('v');
  });
});

describe('values', () => {
  test.each([
    ['an empty Uint8Array', new Uint8Array(0), 0],
    ['a Buffer', Buffer.from('hello'), 5],
    ['a pooled Buffer at an odd offset', Buffer.from('xhello').subarray(1), 5],
    ['a subarray at an odd offset', new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8, 9]).subarray(3, 8), 5],
    ['a SharedArrayBuffer', new Uint8Array(new SharedArrayBuffer(9), 3, 5).fill(7), 5],
    ['a subclass', new (class Mine extends Uint8Array {})([1, 2, 3]), 3],
    [
      'a length-tracking view of a resizable buffer',
      new Uint8Array(new (anything(ArrayBuffer))(8, { maxByteLength: 64 })),
      8,
    ],
    ['a growable SharedArrayBuffer', new Uint8Array(new (anything(SharedArrayBuffer))(8, { maxByteLength: 64 })), 8],
    ['255 bytes', randomBytes(255), 255],
    ['256 bytes', randomBytes(256), 256],
    ['a whole segment and more', randomBytes(300_001), 300_001],
  ])('%s is stored', (_, value, length) => {
    const cache = openCache();
    expect(cache.set('k', value)).toBe(true);
    const expected = Buffer.from(value);
    value.fill(255);
    expect(cache.get('k')?.length).toBe(length);
    expect(expected.equals(cache.get('k')!.slice())).toBe(true);
    expect(expected.equals(cache.getCopy('k')!)).toBe(true);
    expect(expected.equals(cache.getMany(['k'])[0]!.slice())).toBe(true);
  });

  test('empty and zero values are hits', () => {
    const cache = openCache();
    cache.set('empty', new Uint8Array(0));
    cache.set('zero', new Uint8Array(1));
    expect(cache.get('empty')).toHaveLength(0);
    expect(cache.getCopy('empty')).toHaveLength(0);
    expect(cache.has('empty')).toBe(true);
    expect(cache.getMany(['empty', 'zero', 'absent']).map((one) => one?.length)).toEqual([0, 1, undefined]);
    expect(cache.stats()).toMatchObject({ hits: 4, misses: 1 });
  });

  test('a resized buffer gives the bytes it has now', () => {
    const cache = openCache();
    const buffer = new (anything(ArrayBuffer))(8, { maxByteLength: 64 });
    const view = new Uint8Array(buffer);
    buffer.resize(20);
    cache.set('k', view);
    expect(cache.get('k')).toHaveLength(20);
  });

  test('a view that its buffer shrank away from is a TypeError', () => {
    const cache = openCache();
    const buffer = new (anything(ArrayBuffer))(64, { maxByteLength: 64 });
    const view = new Uint8Array(buffer, 32, 16);
    buffer.resize(8);
    expect(() => cache.set('k', view)).toThrow(/value: its buffer .* shrank/);
    expect(cache.has('k')).toBe(false);
  });

  test('a detached value is a TypeError, and the old value stays', () => {
    const cache = openCache();
    cache.set('k', utf8Of('old'));
    const value = new Uint8Array(16);
    structuredClone(value.buffer, { transfer: [value.buffer] });
    expect(() => cache.set('k', value)).toThrow(TypeError);
    expect(() => cache.set('k', value)).toThrow(/value: its buffer was detached/);
    expect(textOf(cache.get('k'))).toBe('old');
  });

  test.each([
    ['a string', 'text'],
    ['undefined', undefined],
    ['null', null],
    ['a number', 5],
    ['an array', [1, 2]],
    ['an ArrayBuffer', new ArrayBuffer(4)],
    ['a DataView', new DataView(new ArrayBuffer(4))],
    ['a Float32Array', new Float32Array(4)],
    ['a Uint8ClampedArray', new Uint8ClampedArray(4)],
    ['an impostor', Object.create(Uint8Array.prototype)],
  ])('%s is a TypeError', (_, value) => {
    const cache = openCache();
    const call = () => cache.set('k', anything(value));
    expect(call).toThrow(TypeError);
    expect(call).toThrow(/value/);
    expect(errorOf(call).code).toBe('ERR_INVALID_ARG_TYPE');
    expect(cache.has('k')).toBe(false);
  });

  test('a value beyond half of maxBytes is a RangeError that names the limit and maxBytes', () => {
    const cache = openCache({ maxBytes: '2MB' });
    const call = () => cache.set('k', new Uint8Array(1.5 * 2 ** 20));
    expect(call).toThrow(RangeError);
    const { code, message } = errorOf(call);
    expect(code).toBe('ERR_OUT_OF_RANGE');
    expect(message).toMatch(/^value: expected at most \d+ bytes, received 1572864; raise maxBytes$/);
    const limit = Number(/at most (\d+)/.exec(message)![1]);
    expect(cache.set('k', new Uint8Array(limit))).toBe(true);
    expect(cache.get('k')).toHaveLength(limit);
    expect(() => cache.set('k', new Uint8Array(limit + 1))).toThrow(RangeError);
  });

  test('set overwrites, and a view of the old value stays as it was', () => {
    const cache = openCache();
    cache.set('k', utf8Of('old'));
    const view = cache.get('k');
    cache.set('k', utf8Of('new value'));
    expect(textOf(view)).toBe('old');
    expect(textOf(cache.get('k'))).toBe('new value');
    expect(cache.stats().entries).toBe(1);
  });

  test('a view stays while its entry is deleted', () => {
    const cache = openCache();
    cache.set('k', utf8Of('value'));
    const view = cache.get('k');
    expect(cache.delete('k')).toBe(true);
    expect(cache.delete('k')).toBe(false);
    expect(cache.get('k')).toBeUndefined();
    expect(cache.has('k')).toBe(false);
    expect(textOf(view)).toBe('value');
  });

  test('views stay through clear and what is stored after it', () => {
    const cache = openCache({ maxBytes: '1MB' });
    const value = randomBytes(5000);
    cache.set('k', value);
    const large = randomBytes(200_000);
    cache.set('large', large);
    const views = [cache.get('k')!, cache.get('large')!];
    cache.clear();
    expect(cache.getMany(['k', 'large'])).toEqual([undefined, undefined]);
    expect(cache.stats().entries).toBe(0);
    for (let i = 0; i < 500; ++i) cache.set(`new ${i}`, randomBytes(5000));
    expect(value.equals(views[0]!.slice())).toBe(true);
    expect(large.equals(views[1]!.slice())).toBe(true);
  });

  test('a copy is the caller’s own', () => {
    const cache = openCache();
    cache.set('k', utf8Of('value'));
    const copy = cache.getCopy('k')!;
    expect(copy.buffer).toBeInstanceOf(ArrayBuffer);
    expect(copy.buffer.byteLength).toBe(5);
    copy.fill(0);
    structuredClone(copy.buffer, { transfer: [copy.buffer] });
    expect(textOf(cache.get('k'))).toBe('value');
    expect(cache.getCopy('absent')).toBeUndefined();
  });
});

describe('float32 vectors', () => {
  test('come back bit for bit: NaN payloads, -0, denormals, infinities', () => {
    const vectors = openCache().keyspace('vectors', { codec: float32(8) });
    const bits = new Uint32Array([
      0x7fc00001, 0x7f800001, 0xffc12345, 0x80000000, 1, 0x7f800000, 0xff800000, 0x3f800000,
    ]);
    vectors.set('k', new Float32Array(bits.buffer));
    const view = vectors.get('k')!;
    expect(view).toBeInstanceOf(Float32Array);
    expect(new Uint32Array(view.slice().buffer)).toEqual(bits);
    expect(new Uint32Array(vectors.getCopy('k')!.buffer)).toEqual(bits);
    expect(Object.is(view[3], -0)).toBe(true);
  });

  test('of 64 dimensions and more are aligned to 64 bytes', () => {
    const vectors = openCache().keyspace('vectors', { codec: float32(100) });
    for (let i = 0; i < 20; ++i) {
      vectors.set(`key ${'x'.repeat(i)}`, new Float32Array(100).fill(i));
      expect(vectors.get(`key ${'x'.repeat(i)}`)!.byteOffset % 64).toBe(0);
    }
  });

  test('of other dimensions are a RangeError; other types a TypeError', () => {
    const vectors = openCache().keyspace('vectors', { codec: float32(4) });
    for (const length of [0, 3, 5]) {
      const call = () => vectors.set('k', new Float32Array(length));
      expect(call).toThrow(RangeError);
      expect(call).toThrow(`value.length: expected 4 (the keyspace's dimensions), received number ${length}`);
    }
    for (const value of [[1, 2, 3, 4], new Float64Array(4), new Uint8Array(16), null, undefined, 'text']) {
      expect(() => vectors.set('k', anything(value))).toThrow(TypeError);
    }
    expect(vectors.has('k')).toBe(false);
  });

  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 28 + 1, '4', null])(
    'dimensions of %s are a RangeError',
    (dimensions) => {
      expect(() => float32(anything(dimensions))).toThrow(RangeError);
      expect(() => float32(anything(dimensions))).toThrow(/^dimensions: expected a whole number from 1 to 268435456/);
    },
  );
});

describe('stats', () => {
  test('hits and misses are the lookups: get, getCopy and each key of getMany; has is none', () => {
    const cache = openCache();
    for (let i = 0; i < 10; ++i) cache.set(`${i}`, randomBytes(100 + i * 1000));
    let lookups = 0;
    for (let i = 0; i < 1000; ++i) {
      const key = `${i % 15}`;
      if (i % 3 === 0) cache.get(key);
      else if (i % 3 === 1) cache.getCopy(key);
      else lookups += cache.getMany([key, key, 'absent']).length - 1;
      ++lookups;
      cache.has(key);
    }
    const { hits, misses, sets, entries } = cache.stats();
    expect(hits + misses).toBe(lookups);
    expect(misses).toBeGreaterThan(300);
    expect(hits).toBeGreaterThan(600);
    expect({ sets, entries }).toEqual({ sets: 10, entries: 10 });
  });

  test('say what there is', () => {
    const cache = openCache({ maxBytes: '8MB' });
    for (let i = 0; i < 100; ++i) cache.set(`${i}`, randomBytes(1000));
    cache.delete('1');
    cache.delete('absent');
    const stats = cache.stats();
    expect(stats).toMatchObject({
      sets: 100,
      deletes: 1,
      entries: 99,
      refusals: 0,
      evictions: 0,
      corrupted: 0,
      evicting: false,
    });
    const { bytes: sizes } = stats;
    expect(sizes.capacity).toBeLessThanOrEqual(8 * 2 ** 20);
    expect(sizes.live + sizes.free + sizes.retired).toBe(sizes.capacity);
    expect(sizes.live).toBeGreaterThanOrEqual(99_000);
    expect(sizes.capacity + sizes.index).toBeLessThanOrEqual(8 * 2 ** 20 + stats.segmentBytes);
    expect(['shared', 'array', 'copy']).toContain(stats.backend);
  });

  test('counters survive clear; evictions and overwrites keep entries right', () => {
    const cache = openCache({ maxBytes: '1MB' });
    for (let i = 0; i < 3000; ++i) cache.set(`${i % 1500}`, randomBytes(1000));
    const { evictions, entries, sets } = cache.stats();
    expect(sets).toBe(3000);
    expect(evictions).toBeGreaterThan(0);
    let found = 0;
    for (let i = 0; i < 1500; ++i) found += cache.has(`${i}`) ? 1 : 0;
    expect(found).toBe(entries);
    cache.clear();
    expect(cache.stats()).toMatchObject({ sets: 3000, entries: 0 });
  });
});
