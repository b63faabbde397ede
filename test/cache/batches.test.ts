// Many keys read in one call: gather and getMany.
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { bytes, float16, float32, float64, int8, int16, int32, json, type Keyspace, number, utf8 } from 'zerohop';
import { anything, errorOf, openCache, turn, utf8Of } from '../fixtures/opened.js';

const DIMENSIONS = 4;

const rowOf = (i: number) => new Float32Array([i, i + 0.25, -i, 1 / (i + 1)]);

/** A keyspace of float32(4) with the keys "0" … "9". */
function tenRows(cache = openCache()) {
  const space = cache.keyspace('rows', { codec: float32(DIMENSIONS) });
  for (let i = 0; i < 10; ++i) space.set(`${i}`, rowOf(i));
  return space;
}

describe('gather', () => {
  test('copies row by row; rows that are missing stay as they were, and are told', () => {
    const space = tenRows();
    const out = new Float32Array(6 * DIMENSIONS).fill(-1);
    const keys = ['3', 'absent', '0', '3', utf8Of('9'), ''.padEnd(300, 'k')];
    expect(space.gather(keys, out)).toEqual({ hits: 4, missing: [1, 5] });
    const untouched = [-1, -1, -1, -1];
    expect([...out]).toEqual([...rowOf(3), ...untouched, ...rowOf(0), ...rowOf(3), ...rowOf(9), ...untouched]);
    expect(space.stats()).toMatchObject({ hits: 4, misses: 2 });
  });

  test('of no keys writes nothing, even into nothing', () => {
    const space = tenRows();
    const out = new Float32Array(2).fill(-1);
    expect(space.gather([], out)).toEqual({ hits: 0, missing: [] });
    expect(space.gather([], new Float32Array(0))).toEqual({ hits: 0, missing: [] });
    expect([...out]).toEqual([-1, -1]);
  });

  test('writes no further than the keys go, and only inside the view', () => {
    const space = tenRows();
    const buffer = new Float32Array(20).fill(-1);
    space.gather(['1', '2'], buffer.subarray(3, 17));
    expect([...buffer.subarray(0, 3)]).toEqual([-1, -1, -1]);
    expect([...buffer.subarray(3, 11)]).toEqual([...rowOf(1), ...rowOf(2)]);
    expect([...buffer.subarray(11)]).toEqual(new Array(9).fill(-1));
  });

  test('of thousands of keys gives each its row, but for those that were evicted', () => {
    const cache = openCache({ maxBytes: '2MB' });
    const space = cache.keyspace('rows', { codec: float32(64), keys: 'integer' });
    for (let i = 0; i < 20_000; ++i) space.set(i, new Float32Array(64).fill(i));
    const keys = Int32Array.from({ length: 5000 }, (_, i) => (i * 7919) % 20_000);
    const out = new Float32Array(5000 * 64).fill(-1);
    const { hits, missing } = space.gather(keys, out);
    expect(hits + missing.length).toBe(5000);
    expect(hits).toBeGreaterThan(500);
    const absent = new Set(missing);
    for (const [i, key] of keys.entries()) {
      const wanted = absent.has(i) ? -1 : key;
      expect([out[i * 64], out[i * 64 + 63]]).toEqual([wanted, wanted]);
    }
  });

  test.each<[string, (dimensions: number) => unknown, (new (values: number[]) => ArrayBufferView)[]]>([
    ['float64', float64, [Float64Array]],
    ['float32', float32, [Float32Array]],
    ['float16', float16, [Uint16Array, ...('Float16Array' in globalThis ? [anything(globalThis).Float16Array] : [])]],
    ['int32', int32, [Int32Array]],
    ['int16', int16, [Int16Array]],
    ['int8', int8, [Int8Array]],
    ['number', () => number, [Float64Array]],
  ])('gathers %s', (tag, codec, arrays) => {
    const dimensions = tag === 'number' ? 1 : 3;
    const space = openCache().keyspace('rows', anything({ codec: codec(dimensions) })) as Keyspace<
      unknown,
      unknown,
      unknown
    >;
    for (const array of arrays) {
      const rows = [0, 1, 2].map((i) => new array(Array.from({ length: dimensions }, (_, j) => 10 * i + j)));
      for (const [i, row] of rows.entries()) space.set(`${i}`, tag === 'number' ? anything(row)[0] : row);
      const out = new array(new Array(4 * dimensions).fill(99));
      expect(space.gather(['2', 'absent', '0', '1'], out)).toEqual({ hits: 3, missing: [1] });
      const expected = [...anything(rows[2]), ...new Array(dimensions).fill(99), ...anything(rows[0])];
      expect([...anything(out)]).toEqual([...expected, ...anything(rows[1])]);
    }
  });

  test('may write to shared, resizable, growable and odd memory', () => {
    const space = tenRows();
    const Resizable = anything(ArrayBuffer);
    const Growable = anything(SharedArrayBuffer);
    const outs: Float32Array[] = [
      new Float32Array(new SharedArrayBuffer(64)),
      new Float32Array(new Resizable(32, { maxByteLength: 256 })),
      new Float32Array(new Resizable(64, { maxByteLength: 256 }), 16, 8),
      new Float32Array(new Growable(32, { maxByteLength: 256 })),
      new Float32Array(randomBytes(80).buffer.slice(0, 80), 4, 9),
      new (class Mine extends Float32Array {})(8),
    ];
    for (const out of outs) {
      expect(space.gather(['4', '5'], out)).toEqual({ hits: 2, missing: [] });
      expect([...out.subarray(0, 8)]).toEqual([...rowOf(4), ...rowOf(5)]);
    }
  });

  test('into a view that shrank under it, or was transferred away, is an error and writes nothing', () => {
    const space = tenRows();
    const buffer = new (anything(ArrayBuffer))(64, { maxByteLength: 64 });
    const tracking = new Float32Array(buffer);
    const fixed = new Float32Array(buffer, 16, 8);
    buffer.resize(24);
    expect(errorOf(() => space.gather(['1', '2'], tracking))).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    const transferred = new Float32Array(8);
    structuredClone(transferred.buffer, { transfer: [transferred.buffer] });
    for (const out of [fixed, transferred]) {
      for (const keys of [['1', '2'], []]) {
        const error = errorOf(() => space.gather(keys, out));
        expect([error.name, error.code]).toEqual(['TypeError', 'ERR_INVALID_ARG_TYPE']);
        expect(error.message).toMatch(/^out: its buffer was detached/);
      }
    }
    expect(space.stats()).toMatchObject({ hits: 0, misses: 0 });
  });

  test('into an array that a getter among the keys shrinks writes nothing outside it', () => {
    const space = tenRows();
    const buffer = new (anything(ArrayBuffer))(64, { maxByteLength: 64 });
    const out = new Float32Array(buffer);
    const keys = Object.defineProperty(['1', '2'], 1, {
      get() {
        buffer.resize(16);
        return '2';
      },
    });
    expect(errorOf(() => space.gather(keys, out)).code).toBe('ERR_OUT_OF_RANGE');
    const detached = new Float32Array(8);
    const others = Object.defineProperty(['1', '2'], 1, {
      get() {
        structuredClone(detached.buffer, { transfer: [detached.buffer] });
        return '2';
      },
    });
    expect(errorOf(() => space.gather(others, detached))).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
  });

  test('into an array that says it is larger than it is writes no further than it is', () => {
    const space = tenRows();
    const backing = new Float32Array(12).fill(-1);
    const out = backing.subarray(0, 6);
    for (const name of ['length', 'byteLength']) Object.defineProperty(out, name, { value: 1000 });
    try {
      space.gather(['1', '2'], out);
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
    }
    expect([...backing.subarray(6)]).toEqual(new Array(6).fill(-1));
  });

  test('into too short an array is a RangeError that says how long it must be; nothing is looked up', () => {
    const space = tenRows();
    for (const length of [0, 1, 7]) {
      const out = new Float32Array(length).fill(-1);
      const error = errorOf(() => space.gather(['1', '2'], out));
      expect([error.name, error.code]).toEqual(['RangeError', 'ERR_OUT_OF_RANGE']);
      expect(error.message).toBe(`out.length: expected at least 8 elements, received number ${length}`);
      expect([...out]).toEqual(new Array(length).fill(-1));
    }
    expect(space.stats()).toMatchObject({ hits: 0, misses: 0 });
  });

  test.each([
    ['a Float64Array', new Float64Array(8)],
    ['a Uint8Array', new Uint8Array(64)],
    ['an Int32Array', new Int32Array(8)],
    ['an array', new Array(8).fill(0)],
    ['an ArrayBuffer', new ArrayBuffer(64)],
    ['a DataView', new DataView(new ArrayBuffer(64))],
    ['a Proxy', new Proxy(new Float32Array(8), {})],
    ['an impostor', Object.create(Float32Array.prototype)],
    ['null', null],
    ['undefined', undefined],
  ])('into %s is a TypeError', (_, out) => {
    const space = tenRows();
    const error = errorOf(() => space.gather(['1', '2'], anything(out)));
    expect([error.name, error.code]).toEqual(['TypeError', 'ERR_INVALID_ARG_TYPE']);
    expect(error.message).toMatch(/^out: expected a Float32Array, received /);
  });

  test.each<[string, unknown]>([
    ['bytes', bytes],
    ['utf8', utf8],
    ['json', json],
    ['float32()', float32()],
    ['a custom codec', { encode: () => new Uint8Array(4), decode: () => 1 }],
  ])('of %s, whose values have no fixed dimensions, is a TypeError', (_, codec) => {
    const space = openCache().keyspace('a', anything({ codec }));
    const error = errorOf(() => space.gather(['1'], new Float32Array(100)));
    expect([error.name, error.code]).toEqual(['TypeError', 'ERR_INVALID_ARG_TYPE']);
    expect(error.message).toMatch(/^codec: expected one of fixed dimensions/);
  });
});

describe('getMany', () => {
  test('of a keyspace that copies gives copies, in order, in buffers of their own', async () => {
    const cache = openCache();
    const space = cache.keyspace('copies', { codec: float32(DIMENSIONS), copy: true });
    for (let i = 0; i < 5; ++i) space.set(`${i}`, rowOf(i));
    await turn();
    const read: (Float32Array | undefined)[] = anything(space.getMany(['4', 'absent', '0', '4']));
    expect(read.map((row) => row && [...row])).toEqual([[...rowOf(4)], undefined, [...rowOf(0)], [...rowOf(4)]]);
    const one = [
      space.get('1'),
      space.peek('1'),
      space.entry('1')!.value,
      space.getCopy('1'),
      [...space.entries()][0]![1],
    ];
    for (const row of [...read, ...anything(one)]) {
      if (row === undefined) continue;
      expect(row.buffer).toBeInstanceOf(ArrayBuffer);
      expect(row.buffer.byteLength).toBe(4 * DIMENSIONS);
      row.fill(0); // the caller's own
    }
    expect([...anything(space.get('4'))]).toEqual([...rowOf(4)]);
    expect([...anything(space.get('1'))]).toEqual([...rowOf(1)]);
  });

  test('of a keyspace that copies looks nothing up if one of the keys is none', () => {
    const space = openCache().keyspace('copies', { codec: bytes, copy: true });
    space.set('a', utf8Of('v'));
    for (const keys of [
      ['a', 5],
      ['a', ''],
      ['a', undefined],
    ]) {
      expect(errorOf(() => space.getMany(anything(keys))).message).toMatch(/^keys?(\[1\])?: /);
    }
    expect(space.stats()).toMatchObject({ hits: 0, misses: 0 });
  });

  test.each([false, true])(
    'of keys that a codec changes while it decodes gives what was asked for (copy %s)',
    (copy) => {
      const cache = openCache({ maxBytes: '16MB' });
      const keys = new Int32Array([1, 2, 3]);
      const space = cache.keyspace('texts', {
        keys: 'integer',
        copy,
        codec: {
          encode: (text: string) => utf8Of(text.padEnd(20_000)),
          decode: (encoded: Uint8Array) => {
            keys.fill(9);
            return Buffer.from(encoded.slice()).toString().trim();
          },
        },
      });
      for (const key of [1, 2, 3, 9]) space.set(key, `value ${key}`);
      for (let i = 0; i < 50; ++i) {
        keys.set([1, 2, 3]);
        expect(space.getMany(keys)).toEqual(['value 1', 'value 2', 'value 3']);
      }
    },
  );
});
