// Codecs of the caller's own, and what may be given as one.
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { bytes, float16, float32, json, number, utf8 } from 'zerohop';
import { resolveCodec } from '../../dist/cache/codecs.js';
import { anything, errorOf, openCache } from '../fixtures/opened.js';
import { type Anything, detach, expectRefused, hex, readings, spaceOf, typeAndBits } from '../fixtures/readings.js';

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
    expectRefused(
      spaceOf({ encode: () => result, decode: () => 1 }),
      1,
      /^what encode returned: expected a Uint8Array, received /,
    );
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

  test('cannot be changed afterwards', () => {
    const codec = anything(float32(4));
    const change = (target: Anything, key: string) => {
      target[key] = 1;
    };
    expect(() => change(codec, 'row')).toThrow(TypeError);
    expect(() => change(codec.row, 'bytes')).toThrow(TypeError);
    expect(() => change(bytes, 'view')).toThrow(TypeError);
  });
});
