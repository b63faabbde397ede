// What each codec takes, gives back and refuses. A value is read by every way of reading: as a copy, as a view of a
// shown segment, in memory of its own, and in a batch.
import { randomBytes } from 'node:crypto';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, test } from 'vitest';
import {
  bytes,
  type Cache,
  type Codec,
  float16,
  float32,
  float64,
  int8,
  int16,
  int32,
  json,
  type Keyspace,
  number,
  open,
  utf8,
} from 'zerohop';
import { resolveCodec } from '../../dist/codecs.js';

const opened: Cache[] = [];
let names = 0;

function openCache(maxBytes = '16MB'): Cache {
  const cache = open({ maxBytes });
  opened.push(cache);
  return cache;
}

afterEach(() => {
  for (const cache of opened.splice(0)) cache.close();
});

/** For what TypeScript would refuse. */
// biome-ignore lint/suspicious/noExplicitAny: callers in JavaScript pass anything
type Anything = any;
const anything = (value: unknown) => value as Anything;

function spaceOf(codec: unknown, cache = openCache()): Keyspace<Anything, Anything, Anything> {
  return cache.keyspace(`space ${names++}`, { codec: resolveCodec(codec) });
}

function errorOf(call: () => unknown): { name: string; code: string; message: string } {
  try {
    call();
  } catch (error) {
    return error as { name: string; code: string; message: string };
  }
  throw new Error('it did not throw');
}

/** Hits on one value after which its segment is shown, where the platform can: a large one has one of its own. */
const hitsFor = (size: number) => (size > 10_000 ? 10 : 500);

/** What is stored under `key`, about `size` large, read in every way; `plain` is what is compared. */
function readings<T>(
  space: Keyspace<Anything, Anything, Anything>,
  key: string,
  plain: (value: Anything) => T,
  size = 0,
): T[] {
  const values = [plain(space.get(key)), plain(space.getCopy(key))];
  for (const value of space.getMany([key, key])) values.push(plain(value));
  for (let i = 0; i < hitsFor(size); ++i) space.get(key);
  values.push(plain(space.get(key)), plain(space.getMany([key])[0]));
  return values;
}

const hex = (view: ArrayBufferView) => Buffer.from(view.buffer, view.byteOffset, view.byteLength).toString('hex');

/** The type of a typed array and every bit of it. */
const typeAndBits = (view: ArrayBufferView) => `${view.constructor.name} ${hex(view)}`;

function detach(view: ArrayBufferView): void {
  structuredClone(view.buffer, { transfer: [view.buffer as ArrayBuffer] });
}

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

  test('without dimensions, vectors of any length live side by side, empty ones too', () => {
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

  test('other dimensions are a RangeError, and the old value stays', () => {
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

  test('every other type is a TypeError', () => {
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

  test('a value whose buffer was detached, or shrank under it, is a TypeError and no empty vector', () => {
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

  test('a subclass that lies about its length is judged by what it holds', () => {
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

  test('a copy has a buffer of its own, of just its size', () => {
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

  test('of fixed dimensions are rows, which only an array of their type can take', () => {
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

describe('number', () => {
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
  ])('%d comes back', (value) => {
    const space = spaceOf(number);
    space.set('k', value);
    for (const read of readings(space, 'k', (one) => one)) expect(read).toBe(value);
  });

  test('thousands of them do, each under its key', () => {
    const space = spaceOf(number);
    const keys = Array.from({ length: 5000 }, (_, i) => `${i}`);
    for (const key of keys) space.set(key, Number(key) / 7);
    expect(space.getMany(keys)).toEqual(keys.map((key) => Number(key) / 7));
  });

  test('encoded together, before any is stored, stay apart', () => {
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
  ])('%s is a TypeError', (_, value) => {
    const space = spaceOf(number);
    const { name, code, message } = errorOf(() => space.set('k', value));
    expect({ name, code }).toEqual({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    expect(message).toMatch(/^value: expected a number, received /);
    expect(space.has('k')).toBe(false);
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

const MEBI = 2 ** 20;

describe('utf8', () => {
  test.each([
    ['an empty string', ''],
    ['ASCII', 'hello'],
    ['Latin-1', 'Grüße, naïve façade \u0080\u00ff'],
    ['other scripts', '日本語 עברית हिन्दी'],
    ['surrogate pairs', '🦊👩‍👩‍👧‍👦\u{10FFFF}\u{10000}'],
    ['NULs', '\0a\0b\0'],
    ['a leading byte-order mark', '\uFEFFtext'],
    ['nothing but a byte-order mark', '\uFEFF'],
    ['the replacement character', 'a\uFFFDb\uFFFD'],
    ['the noncharacters', '\uFFFE\uFFFF'],
    ['line ends', '\r\n\u2028\u2029'],
    ['255 characters', 'é'.repeat(255)],
    ['a mebibyte of ASCII', 'abcdefgh'.repeat(MEBI / 8)],
    ['a mebibyte of two-byte characters', 'éü'.repeat(MEBI / 4)],
    ['a mebibyte of surrogate pairs', '🦊'.repeat(MEBI / 4)],
    ['a mebibyte of ASCII that ends in one other character', `${'x'.repeat(MEBI)}é`],
    ['a rope', Array.from({ length: 2000 }, (_, i) => `é${i}`).reduce((rope, part) => rope + part, '')],
  ])('%s come back', (_, text) => {
    const space = spaceOf(utf8);
    expect(space.set('k', text)).toBe(true);
    // Not toBe for each: a difference between mebibytes takes minutes to print.
    expect(readings(space, 'k', (read) => read === text, text.length)).toEqual(new Array(6).fill(true));
  });

  test('strings that differ only in normalisation stay different values', () => {
    const space = spaceOf(utf8);
    space.set('composed', '\u00e9');
    space.set('decomposed', 'e\u0301');
    expect(space.getMany(['composed', 'decomposed'])).toEqual(['\u00e9', 'e\u0301']);
  });

  test('what is stored is UTF-8 and nothing else', () => {
    expect(hex(utf8.encode('aé€🦊'))).toBe('61c3a9e282acf09fa68a');
    expect(utf8.encode('').byteLength).toBe(0);
  });

  test.each(['\uD800', 'a\uD800', '\uDC00a', '\uDC00\uD800', '\uFFFD\uD800', `${'k'.repeat(MEBI)}\uDFFF`])(
    'a lone surrogate is a RangeError, and the old value stays (%#)',
    (text) => {
      const space = spaceOf(utf8);
      space.set('k', 'old');
      const { name, code, message } = errorOf(() => space.set('k', text));
      expect({ name, code }).toEqual({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
      expect(message).toMatch(/^value: expected well-formed Unicode, without lone surrogates, received string/);
      expect(space.get('k')).toBe('old');
    },
  );

  test.each([
    ['a Buffer', Buffer.from('text')],
    ['a String object', new String('text')],
    ['an object with toString', { toString: () => 'text' }],
    ['a number', 5],
    ['null', null],
    ['undefined', undefined],
    ['a Symbol', Symbol('s')],
    ['an array', ['text']],
  ])('%s is a TypeError', (_, value) => {
    const space = spaceOf(utf8);
    const { name, code, message } = errorOf(() => space.set('k', value));
    expect({ name, code }).toEqual({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    expect(message).toMatch(/^value: expected a string, received /);
    expect(space.has('k')).toBe(false);
  });
});

describe('json', () => {
  test.each([
    ['null', null],
    ['false', false],
    ['a number', -1.5e300],
    ['an empty string', ''],
    ['an empty array', []],
    ['an empty object', {}],
    ['nested values', { a: [1, { b: null, 'c d': 'é🦊' }], 日: '\uFEFF\0' }],
    ['a lone surrogate', { text: 'a\uD800', '\uDC00': 1 }],
    ['a mebibyte', { text: 'aé'.repeat(MEBI / 3) }],
    ['depth', JSON.parse('['.repeat(500) + ']'.repeat(500))],
  ])('%s come back', (_, value) => {
    const space = spaceOf(json);
    expect(space.set('k', value)).toBe(true);
    const expected = JSON.stringify(value);
    expect(readings(space, 'k', (read) => JSON.stringify(read) === expected, expected.length)).toEqual(
      new Array(6).fill(true),
    );
  });

  test('every hit is another object, the caller’s own', () => {
    const space = spaceOf(json);
    space.set('k', { list: [1] });
    space.get('k').list.push(2);
    space.getCopy('k').list.push(3);
    space.getMany(['k'])[0].list.push(4);
    expect(space.get('k')).toEqual({ list: [1] });
  });

  test('a property called __proto__ is a property', () => {
    const space = spaceOf(json);
    space.set('k', JSON.parse('{"__proto__": {"polluted": true}}'));
    const read = space.get('k');
    expect(read.polluted).toBeUndefined();
    expect(Object.keys(read)).toEqual(['__proto__']);
  });

  test('toJSON says what is stored', () => {
    const space = spaceOf(json);
    space.set('k', { when: new Date(0), what: { toJSON: () => 'said' } });
    expect(space.get('k')).toEqual({ when: '1970-01-01T00:00:00.000Z', what: 'said' });
  });

  test.each([
    ['undefined', undefined],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['an object whose toJSON says nothing', { toJSON: () => undefined }],
  ])('%s has no JSON: a TypeError', (_, value) => {
    const space = spaceOf(json);
    const { name, code, message } = errorOf(() => space.set('k', value));
    expect({ name, code }).toEqual({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    expect(message).toMatch(/^value: expected a value that JSON can hold, received /);
    expect(space.has('k')).toBe(false);
  });

  test('a bigint and a circle are TypeErrors', () => {
    const space = spaceOf(json);
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    for (const value of [1n, { deep: 1n }, circle]) expect(() => space.set('k', value)).toThrow(TypeError);
    expect(space.has('k')).toBe(false);
  });

  test('a toJSON or a getter that throws throws through, and the old value stays', () => {
    const space = spaceOf(json);
    space.set('k', 'old');
    const mine = new Error('mine');
    const fail = () => {
      throw mine;
    };
    for (const value of [
      { toJSON: fail },
      { deep: { toJSON: fail } },
      Object.defineProperty({}, 'a', { get: fail, enumerable: true }),
    ]) {
      expect(errorOf(() => space.set('k', value))).toBe(mine);
    }
    expect(space.get('k')).toBe('old');
  });

  test('a toJSON may use the cache, or close it', () => {
    const cache = openCache();
    const space = spaceOf(json, cache);
    space.set('outer', { toJSON: () => space.set('inner', 1) && space.get('inner') + 1 });
    expect(space.getMany(['inner', 'outer'])).toEqual([1, 2]);
    const closing = {
      toJSON() {
        cache.close();
        return 1;
      },
    };
    expect(errorOf(() => space.set('k', closing)).code).toBe('ERR_CACHE_CLOSED');
  });
});

/** Keeps points as two float64. */
class PointCodec {
  readonly name: string = 'point';
  readonly #scratch = new Float64Array(2);

  encode({ x, y }: { x: number; y: number }): Uint8Array {
    this.#scratch.set([x, y]);
    return new Uint8Array(this.#scratch.buffer);
  }

  decode(view: Uint8Array): { x: number; y: number } {
    this.#scratch.set(new Float64Array(view.buffer, view.byteOffset, 2));
    return { x: this.#scratch[0]!, y: this.#scratch[1]! };
  }
}

const plainBytes = { encode: (value: Anything) => value, decode: (view: Uint8Array) => view };

describe('a custom codec', () => {
  test('encodes and decodes, with itself as `this`, and may use one buffer again and again', () => {
    const space = spaceOf(new PointCodec());
    for (let i = 0; i < 100; ++i) space.set(`${i}`, { x: i, y: -i });
    for (let i = 0; i < 100; i += 33) {
      expect(readings(space, `${i}`, (point) => point)).toEqual(new Array(6).fill({ x: i, y: -i }));
    }
    expect(space.get('absent')).toBeUndefined();
  });

  test('decodes a view of the cache’s memory for get, and bytes of its own for getCopy', () => {
    const space = spaceOf(plainBytes);
    const value = randomBytes(300);
    space.set('k', value);
    for (const read of readings(space, 'k', typeAndBits)) expect(read).toBe(`Uint8Array ${hex(value)}`);
    expect(space.get('k').byteOffset % 64).toBe(0);
    const copy = space.getCopy('k');
    expect([copy.byteOffset, copy.buffer.byteLength, copy.buffer instanceof ArrayBuffer]).toEqual([0, 300, true]);
    copy.fill(0);
    expect(hex(space.get('k'))).toBe(hex(value));
  });

  test('may encode to nothing', () => {
    const space = spaceOf({ encode: () => new Uint8Array(0), decode: (view: Uint8Array) => `${view.length} bytes` });
    space.set('k', 'anything');
    expect(readings(space, 'k', (read) => read)).toEqual(new Array(6).fill('0 bytes'));
  });

  test.each([
    ['nothing', undefined],
    ['a string', 'text'],
    ['a promise', Promise.resolve(new Uint8Array(1))],
    ['an ArrayBuffer', new ArrayBuffer(4)],
    ['a Float32Array', new Float32Array(1)],
    ['an array', [1, 2]],
    ['an impostor', Object.create(Uint8Array.prototype)],
  ])('that encodes to %s is a TypeError', (_, result) => {
    const space = spaceOf({ encode: () => result, decode: () => 1 });
    const { name, code, message } = errorOf(() => space.set('k', 1));
    expect({ name, code }).toEqual({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    expect(message).toMatch(/^what encode returned: expected a Uint8Array, received /);
    expect(space.has('k')).toBe(false);
  });

  test('that encodes to detached bytes is a TypeError', () => {
    const gone = new Uint8Array(8);
    detach(gone);
    expect(() => spaceOf(plainBytes).set('k', gone)).toThrow(/its buffer was detached/);
  });

  test('that throws throws through: encode before anything is stored, decode at every hit', () => {
    const mine = new RangeError('mine');
    let fails = false;
    const attempt = <T>(value: T): T => {
      if (fails) throw mine;
      return value;
    };
    const space = spaceOf({ encode: attempt, decode: attempt });
    space.set('k', Buffer.from('old'));
    fails = true;
    for (const call of [
      () => space.set('k', Buffer.from('new')),
      () => space.get('k'),
      () => space.getCopy('k'),
      () => space.getMany(['k']),
    ]) {
      expect(errorOf(call)).toBe(mine);
    }
    fails = false;
    expect(Buffer.from(space.get('k')).toString()).toBe('old');
  });

  test('that looks up others while it decodes does not disturb the batch around it', () => {
    const cache = openCache();
    cache.set('other', Buffer.from('of another keyspace'));
    const space = spaceOf(
      {
        encode: (text: string) => Buffer.from(text),
        decode(view: Uint8Array) {
          cache.getMany(['other', 'other', 'other', 'other']);
          return Buffer.from(view).toString();
        },
      },
      cache,
    );
    for (const key of ['a', 'b', 'c']) space.set(key, key);
    space.get('a');
    expect(space.getMany(['a', 'b', 'c'])).toEqual(['a', 'b', 'c']);
  });

  test('keeps a keyspace to its name, apart from the built-in ones and from those without a name', () => {
    const cache = openCache();
    const named = (name: string) => resolveCodec({ ...plainBytes, name });
    cache.keyspace('s', { codec: named('utf8') });
    expect(() => cache.keyspace('s', { codec: named('utf8') })).not.toThrow();
    for (const other of [named('other'), named('utf8)'), resolveCodec(plainBytes), anything(utf8), anything(bytes)]) {
      expect(errorOf(() => cache.keyspace('s', { codec: other })).code).toBe('ERR_CACHE_OPTIONS');
    }
  });

  test.each([
    [5, 'TypeError'],
    [null, 'TypeError'],
    [Symbol('s'), 'TypeError'],
    ['', 'RangeError'],
    ['é'.repeat(128), 'RangeError'],
    ['\uD800', 'RangeError'],
  ])('can not be called %o', (name, kind) => {
    const error = errorOf(() => resolveCodec({ ...plainBytes, name }));
    expect(error.name).toBe(kind);
    expect(error.message).toMatch(/^options\.codec\.name: expected /);
  });

  test('is read once, when the keyspace is opened', () => {
    const reads: string[] = [];
    const option = new Proxy({ ...plainBytes, name: 'p' } as Record<string, unknown>, {
      get(target, key) {
        reads.push(String(key));
        return target[String(key)];
      },
    });
    const space = spaceOf(option);
    space.set('k', Buffer.from('v'));
    space.get('k');
    expect(reads).toEqual(['encode', 'decode', 'name']);
  });

  test.each(['encode', 'decode', 'name'])('whose %s is a getter that throws throws through', (property) => {
    const mine = new Error('mine');
    const option = Object.defineProperty({ ...plainBytes }, property, {
      get() {
        throw mine;
      },
    });
    expect(errorOf(() => resolveCodec(option))).toBe(mine);
  });
});

describe('a codec option', () => {
  test('of a built-in codec, or one resolved before, is that codec', () => {
    for (const codec of [bytes, utf8, json, number, float32(), float32(4), float16(4), resolveCodec(plainBytes)]) {
      expect(resolveCodec(codec)).toBe(codec);
    }
  });

  test.each([
    ['the name of one', 'float32'],
    ['a function that makes one', float32],
    ['undefined', undefined],
    ['null', null],
    ['a number', 1024],
    ['an empty object', {}],
    ['an array', []],
    ['half of one', { encode: plainBytes.encode }],
    ['the other half', { decode: plainBytes.decode }],
    ['words for functions', { encode: 'utf8', decode: 'utf8' }],
    ['the copy of a built-in one', { ...float32(4) }],
    ['a Proxy of a built-in one', new Proxy(float32(4), {})],
  ])('of %s is a TypeError', (_, option) => {
    const { name, code, message } = errorOf(() => resolveCodec(option));
    expect({ name, code }).toEqual({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    expect(message).toMatch(/^options\.codec: expected a codec such as float32\(1024\), or an object \{/);
  });

  test('can not be changed afterwards', () => {
    const codec = anything(float32(4));
    const change = (target: Anything, key: string) => {
      target[key] = 1;
    };
    expect(() => change(codec, 'row')).toThrow(TypeError);
    expect(() => change(codec.row, 'bytes')).toThrow(TypeError);
    expect(() => change(bytes, 'view')).toThrow(TypeError);
  });
});
