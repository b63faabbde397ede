// What each codec of numbers takes, gives back and refuses, read in every way.
import { randomBytes } from 'node:crypto';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { bytes, type Codec, float16, float32, float64, int8, int16, int32, number } from 'zerohop';
import { anything, errorOf, openCache } from '../fixtures/opened.js';
import { type Anything, detach, expectRefused, hex, readings, spaceOf, typeAndBits } from '../fixtures/readings.js';

interface ArrayType {
  new (length: number): Anything;
  new (buffer: ArrayBufferLike, offset?: number, length?: number): Anything;
  readonly name: string;
  readonly BYTES_PER_ELEMENT: number;
}

const Float16Array = (globalThis as { Float16Array?: ArrayType }).Float16Array;

/** The codec, the arrays it takes, the array it gives. */
const vectors: [string, (dimensions?: number) => Codec<Anything, Anything, Anything>, ArrayType[], ArrayType][] = [
  ['float64', float64, [Float64Array], Float64Array],
  ['float32', float32, [Float32Array], Float32Array],
  ['float16', float16, Float16Array ? [Float16Array, Uint16Array] : [Uint16Array], Float16Array ?? Uint16Array],
  ['int32', int32, [Int32Array], Int32Array],
  ['int16', int16, [Int16Array], Int16Array],
  ['int8', int8, [Int8Array], Int8Array],
];

const arrayTypes: ArrayType[] = [
  Uint8Array,
  Uint8ClampedArray,
  Int8Array,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  ...(Float16Array ? [Float16Array] : []),
  Float32Array,
  Float64Array,
  anything(BigInt64Array),
  anything(BigUint64Array),
];

describe.each(vectors)('%s', (tag, codec, taken, given) => {
  const bytesOf = (length: number) => length * given.BYTES_PER_ELEMENT;
  const arrayOf = (buffer: Buffer, array = given) => new array(new Uint8Array(buffer).buffer);

  test.each([1, 3, 31, 32, 1000, 100_003])('%i elements come back bit for bit, whatever the bits', (length) => {
    const bits = randomBytes(bytesOf(length));
    for (const space of [spaceOf(codec(length)), spaceOf(codec())]) {
      for (const array of taken) {
        expect(space.set('k', arrayOf(bits, array))).toBe(true);
        for (const read of readings(space, 'k', typeAndBits, length)) {
          expect(read).toBe(`${given.name} ${bits.toString('hex')}`);
        }
      }
    }
  });

  test('without dimensions takes vectors of any length side by side, empty ones too', () => {
    const space = spaceOf(codec());
    for (const length of [0, 1, 2, 7, 300]) {
      space.set(`${length}`, arrayOf(randomBytes(bytesOf(length))));
      expect(readings(space, `${length}`, (vector) => vector.length)).toEqual(new Array(6).fill(length));
    }
    expect(space.get('absent')).toBeUndefined();
  });

  test('vectors of 256 bytes and more are aligned to 64 bytes, others to 8', () => {
    const space = spaceOf(codec());
    for (let i = 0; i < 50; ++i) {
      space.set('x'.repeat(i + 1), new given(256 / given.BYTES_PER_ELEMENT));
      expect(space.get('x'.repeat(i + 1)).byteOffset % 64).toBe(0);
      space.set('x'.repeat(i + 1), new given(3));
      expect(space.get('x'.repeat(i + 1)).byteOffset % 8).toBe(0);
    }
  });

  test('refuses other dimensions with a RangeError, and the old value stays', () => {
    const space = spaceOf(codec(4));
    const old = arrayOf(randomBytes(bytesOf(4)));
    space.set('k', old);
    for (const array of taken) {
      for (const length of [0, 3, 5, 400]) {
        const { name, code, message } = errorOf(() => space.set('k', new array(length)));
        expect({ name, code }).toEqual({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
        expect(message).toBe(`value.length: expected 4 (the keyspace's dimensions), received number ${length}`);
      }
    }
    expect(hex(space.get('k'))).toBe(hex(old));
  });

  test('refuses every other type with a TypeError', () => {
    const strangers = [
      ...arrayTypes.filter((array) => !taken.includes(array)).map((array) => new array(4)),
      [1, 2, 3, 4],
      { length: 4 },
      'text',
      4,
      null,
      undefined,
      Symbol('s'),
      new ArrayBuffer(32),
      new DataView(new ArrayBuffer(32)),
      new Proxy(new given(4), {}),
      Object.create(anything(given).prototype),
      Object.setPrototypeOf(new BigInt64Array(4), anything(given).prototype),
    ];
    for (const space of [spaceOf(codec(4)), spaceOf(codec())]) {
      for (const stranger of strangers) {
        const { name, code, message } = errorOf(() => space.set('k', stranger));
        expect({ name, code }).toEqual({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
        expect(message).toMatch(/^value: expected an? .*Array.*, received /);
      }
      expect(space.has('k')).toBe(false);
    }
  });

  test('shared memory, subarrays, subclasses, resizable buffers and other realms hold values too', () => {
    const values = taken.flatMap((array) => {
      const resizable = new (anything(ArrayBuffer))(bytesOf(1), { maxByteLength: bytesOf(8) });
      const tracking = new array(resizable);
      resizable.resize(bytesOf(5));
      return [
        new array(new SharedArrayBuffer(bytesOf(9)), bytesOf(2), 5),
        new array(9).subarray(3, 8),
        new (class Mine extends array {})(5),
        new array(new (anything(ArrayBuffer))(bytesOf(7), { maxByteLength: bytesOf(64) }), bytesOf(1), 5),
        new array(new (anything(SharedArrayBuffer))(bytesOf(5), { maxByteLength: bytesOf(64) })),
        tracking,
        runInNewContext(`new ${array.name}(5)`),
      ];
    });
    for (const space of [spaceOf(codec(5)), spaceOf(codec())]) {
      for (const value of values) {
        const elements = new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
        elements.set(randomBytes(elements.length));
        const expected = hex(value);
        expect(space.set('k', value)).toBe(true);
        elements.fill(0); // what was stored is a copy
        expect([expected.length, hex(space.get('k'))]).toEqual([2 * bytesOf(5), expected]);
      }
    }
  });

  test('refuses a value whose buffer was detached or shrank, and takes it for no empty vector', () => {
    for (const space of [spaceOf(codec(5)), spaceOf(codec())]) {
      for (const array of taken) {
        const gone = new array(5);
        detach(gone);
        const buffer = new (anything(ArrayBuffer))(bytesOf(8), { maxByteLength: bytesOf(8) });
        const shrunk = new array(buffer, bytesOf(2), 5);
        buffer.resize(bytesOf(1));
        for (const value of [gone, shrunk]) {
          const { code, message } = errorOf(() => space.set('k', value));
          expect(code).toBe('ERR_INVALID_ARG_TYPE');
          expect(message).toMatch(/^value: its buffer was detached .*, or shrank/);
        }
      }
      expect(space.has('k')).toBe(false);
    }
  });

  test('judges a subclass that lies about its length by what it holds', () => {
    const space = spaceOf(codec(4));
    for (const array of taken) {
      class Liar extends array {
        get length() {
          return 4;
        }
        get byteLength() {
          return 4 * array.BYTES_PER_ELEMENT;
        }
      }
      expect(errorOf(() => space.set('k', new Liar(5))).code).toBe('ERR_OUT_OF_RANGE');
    }
  });

  test('gives copies in buffers of their own, of just their size', () => {
    const space = spaceOf(codec());
    space.set('k', arrayOf(randomBytes(bytesOf(5))));
    const expected = hex(space.get('k'));
    const copy = space.getCopy('k');
    expect(copy.buffer).toBeInstanceOf(ArrayBuffer);
    expect(copy.buffer.byteLength).toBe(bytesOf(5));
    new Uint8Array(copy.buffer).fill(0xee);
    expect(hex(space.get('k'))).toBe(expected);
  });

  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 28 + 1, '4', null, 4n, {}, true])(
    'dimensions of %s are a RangeError',
    (dimensions) => {
      const { name, code, message } = errorOf(() => codec(anything(dimensions)));
      expect({ name, code }).toEqual({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
      expect(message).toMatch(/^dimensions: expected a whole number from 1 to 268435456, received /);
    },
  );

  test('a keyspace keeps its dimensions, or that it has none', () => {
    const cache = openCache();
    cache.keyspace('four', { codec: codec(4) }).set('k', new given(4));
    expect(cache.keyspace('four', { codec: codec(4) }).has('k')).toBe(true);
    cache.keyspace('any', { codec: codec() });
    for (const [name, other] of [
      ['four', codec(5)],
      ['four', codec()],
      ['any', codec(4)],
      ['any', bytes],
    ] as const) {
      expect(errorOf(() => cache.keyspace(name, { codec: anything(other) })).code).toBe('ERR_CACHE_OPTIONS');
    }
  });

  test('no two types of elements are the same layout', () => {
    const tags = vectors.flatMap(([, other]) => [other().tag, other(4).tag]);
    expect(tags.filter((other) => other === codec().tag || other === codec(4).tag)).toEqual([tag, `${tag}(4)`]);
  });

  test('of fixed dimensions gives rows that only an array of its type can take', () => {
    const { row } = codec(6);
    expect(row).toMatchObject({ bytes: bytesOf(6), array: given });
    const accepted = arrayTypes.filter((array) => row!.accepts(new array(6)));
    expect(new Set(accepted)).toEqual(new Set(taken));
    expect(row!.accepts([1, 2, 3, 4, 5, 6])).toBe(false);
    expect(codec().row).toBeUndefined();
  });
});

describe('float16', () => {
  test('gives numbers where the runtime has a Float16Array, and their bits elsewhere', () => {
    const space = spaceOf(float16(3));
    space.set('k', Uint16Array.of(0x3c00, 0xc000, 0x7c00)); // 1, -2, Infinity
    const expected = Float16Array ? [1, -2, Number.POSITIVE_INFINITY] : [0x3c00, 0xc000, 0x7c00];
    expect(readings(space, 'k', (vector) => [...vector])).toEqual(new Array(6).fill(expected));
  });
});

describe('bytes', () => {
  test('takes a Uint8Array of another realm, and none that only says it is one', () => {
    const cache = openCache();
    cache.set('k', runInNewContext('new Uint8Array([1, 2, 3])'));
    expect([...cache.get('k')!.slice()]).toEqual([1, 2, 3]);
    const liar = Object.setPrototypeOf(new Float32Array(4), Uint8Array.prototype);
    expect(errorOf(() => cache.set('k', liar)).code).toBe('ERR_INVALID_ARG_TYPE');
  });
});

describe('the codec number', () => {
  test.each([
    0,
    -0,
    1,
    -1.5,
    0.1 + 0.2,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number.MIN_VALUE,
    Number.MAX_VALUE,
    Number.MAX_SAFE_INTEGER,
    2 ** 53,
  ])('gives %d back', (value) => {
    const space = spaceOf(number);
    space.set('k', value);
    for (const read of readings(space, 'k', (one) => one)) expect(read).toBe(value);
  });

  test('gives thousands of values back, each under its key', () => {
    const space = spaceOf(number);
    const keys = Array.from({ length: 5000 }, (_, i) => `${i}`);
    for (const key of keys) space.set(key, Number(key) / 7);
    expect(space.getMany(keys)).toEqual(keys.map((key) => Number(key) / 7));
  });

  test('keeps values apart that are encoded before any of them is stored', () => {
    const values = Array.from({ length: 3000 }, (_, i) => i - 0.5);
    const encoded = values.map((value) => number.encode(value));
    expect(encoded.map((one) => (one as Float64Array)[0])).toEqual(values);
    expect(new Set(encoded.map((one) => one.byteLength))).toEqual(new Set([8]));
  });

  test.each([
    ['a string', '1'],
    ['a bigint', 1n],
    ['a Number object', new Number(1)],
    ['a boolean', true],
    ['null', null],
    ['undefined', undefined],
    ['a Date', new Date(0)],
    ['an array', [1]],
    ['a Symbol', Symbol('s')],
  ])('refuses %s with a TypeError', (_, value) => {
    expectRefused(spaceOf(number), value, /^value: expected a number, received /);
  });

  test('is a row of eight bytes', () => {
    expect(number.row).toMatchObject({ bytes: 8, array: Float64Array });
    expect([new Float64Array(1), new Float32Array(2), [1]].map((out) => number.row!.accepts(out))).toEqual([
      true,
      false,
      false,
    ]);
  });
});
