// Keys of a batch go to native code as one string where they can: each of them must still be read as by itself.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Cache, float32, type Keyspace, open } from 'zerohop';

const text = (bytes: ArrayLike<number> | undefined) => bytes && Buffer.from(Uint8Array.from(bytes)).toString();

let cache: Cache;
beforeEach(() => {
  cache = open({ maxBytes: '64MB' });
});
afterEach(() => cache.close());

const KEYS = [
  'a',
  'ab',
  'abc',
  'abcd',
  'abcde',
  'é',
  'aé',
  'éa',
  '\u0800',
  '😀',
  'x😀y',
  '\ufffd',
  'z'.repeat(300),
  'é'.repeat(300),
];

describe('a batch of strings', () => {
  it('is read as each of them by itself, in any order', () => {
    for (const key of KEYS) cache.set(key, Buffer.from(`value of ${key}`));
    const orders = [KEYS, KEYS.toReversed(), [...KEYS, ...KEYS], ['nobody', ...KEYS, 'nothing']];
    for (const keys of orders) {
      const expected = keys.map((key) => text(cache.get(key)));
      expect(cache.getMany(keys).map(text)).toEqual(expected);
    }
  });

  it('may be empty', () => {
    expect(cache.getMany([])).toEqual([]);
    expect(cache.deleteMany([])).toBe(0);
  });

  it.each([
    ['halves of one character, in two keys', ['a\ud83d', '\ude00b']],
    ['a lone surrogate among others', ['a', '\ud800', 'b']],
    ['a lone surrogate at the end', ['a', 'b\udc00']],
  ])('with %s is a TypeError', (_, keys) => {
    expect(() => cache.getMany(keys)).toThrow(/lone surrogate/);
    expect(() => cache.deleteMany(keys)).toThrow(TypeError);
  });

  it.each([[['a', '', 'b']], [['']], [['a', 'b', '']]])('with an empty key is a RangeError: %j', (keys) => {
    expect(() => cache.getMany(keys)).toThrow(RangeError);
  });

  it('with a key of 65 535 bytes is read, of 65 536 it is a RangeError', () => {
    const longest = 'k'.repeat(65_535);
    cache.set(longest, Buffer.from('long'));
    expect(cache.getMany(['a', longest, 'b']).map(text)).toEqual([undefined, 'long', undefined]);
    expect(() => cache.getMany(['a', `${longest}k`])).toThrow(/received 65536/);
    expect(() => cache.getMany(['é'.repeat(32_768)])).toThrow(/received 65536/);
  });

  it('too long for one string is read key by key', () => {
    const keys = Array.from({ length: 200 }, (_, i) => `${i}${'-'.repeat(60_000)}`);
    for (const key of keys.slice(0, 100)) cache.set(key, Buffer.from(key.slice(0, 3)));
    expect(cache.getMany(keys).filter((value) => value !== undefined)).toHaveLength(100);
    expect(text(cache.getMany(keys)[99])).toBe('99-');
    expect(cache.deleteMany(keys)).toBe(100);
  });

  it('mixed with bytes is read as it is', () => {
    cache.set('one', Buffer.from('1'));
    cache.set(Buffer.from('two'), Buffer.from('2'));
    expect(cache.getMany(['one', Buffer.from('two'), 'two', Buffer.from('three')]).map(text)).toEqual([
      '1',
      '2',
      '2',
      undefined,
    ]);
  });
});

describe('gather', () => {
  let vectors: Keyspace<Float32Array | ArrayLike<number>, ArrayLike<number>, Float32Array>;
  beforeEach(() => {
    vectors = cache.keyspace('vectors', { codec: float32(100) }) as unknown as typeof vectors;
  });

  // Batches, and windows of them: around every border rows are found before, or after, others are copied.
  it.each([0, 1, 31, 32, 33, 63, 64, 65, 96, 2000, 3000, 5243, 5300])(
    'puts each of %i rows in its place, some of them missing',
    (count) => {
      for (let i = 0; i < count; ++i) if (i % 7 !== 3) vectors.set(`row ${i}`, new Float32Array(100).fill(i));
      const out = new Float32Array(count * 100).fill(-1);
      const keys = Array.from({ length: count }, (_, i) => `row ${i}`);
      const { hits, missing } = vectors.gather(keys, out);
      expect(missing).toEqual(Array.from({ length: count }, (_, i) => i).filter((i) => i % 7 === 3));
      expect(hits).toBe(count - missing.length);
      for (let i = 0; i < count; ++i) {
        const row = out.subarray(i * 100, (i + 1) * 100);
        if (!row.every((element) => element === (i % 7 === 3 ? -1 : i))) throw new Error(`row ${i} is another's`);
      }
    },
  );
});
