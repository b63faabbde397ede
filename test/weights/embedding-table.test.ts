// Tables of embeddings: rows by id, over the file's own memory.
import { closeSync, ftruncateSync, openSync, readdirSync, truncateSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { EmbeddingTable, Weights } from 'zerohop';
import { ownFolder } from '../fixtures/folder.js';
import { errorOf } from '../fixtures/opened.js';
import { randomFrom } from '../fixtures/values.mjs';

const fileOf = (name = 'table.safetensors') => join(ownFolder(), name);

describe.each<[string, (random: () => number, i: number) => number | string]>([
  ['small numbers', (_, i) => i * 3],
  ['numbers of 32 bits', (random) => Math.floor(random() * 2 ** 32)],
  ['any safe integers', (random) => Math.floor((random() - 0.5) * 2 ** 53)],
  ['numbers that end alike', (random, i) => i * 2 ** 32 + (Math.floor(random() * 3) - 1)],
  ['texts', (random, i) => `user:${Math.floor(random() * 1e9)} é${i}`],
])('a table by %s', (_, make) => {
  const random = randomFrom(5);
  const ids = [...new Set(Array.from({ length: 5000 }, (_, i) => make(random, i)))];
  const known = new Set(ids);
  const strangers = Array.from({ length: 5000 }, (_, i) => make(random, i + 5000)).filter((id) => !known.has(id));
  const vectorOf = (id: number | string) => Float32Array.of(ids.indexOf(id), 1, -0.5);
  const vectors = new Map(ids.map((id) => [id, vectorOf(id)]));

  test('gives each its row, and strangers none', async () => {
    const path = fileOf();
    await EmbeddingTable.write(path, vectors);
    using table = await EmbeddingTable.open(path);
    expect([table.size, table.dimensions, table.dtype]).toEqual([ids.length, 3, 'F32']);
    for (const [id, vector] of vectors) expect(table.row(id)).toEqual(vector);
    for (const id of strangers) expect(table.has(id)).toBe(false);
    for (const id of strangers.slice(0, 100)) expect(table.row(id)).toBeUndefined();
  });

  test('gives each its row without an index in the file, too', async () => {
    const path = fileOf();
    await EmbeddingTable.write(path, vectors);
    const other = fileOf('other.safetensors');
    using weights = await Weights.open(path);
    const tensors = [...weights]
      .filter(({ name }) => name !== 'index')
      .map(({ name, dtype, shape, data }) => {
        const type = { F32: 'float32', I64: 'int64', U8: 'uint8', F64: 'float64' }[dtype]!;
        return [name, { dtype: type, shape, data }] as const;
      });
    await Weights.write(other, tensors as never);
    using table = await EmbeddingTable.open(other);
    for (const [id, vector] of vectors) expect(table.row(id)).toEqual(vector);
    for (const id of strangers) expect(table.has(id)).toBe(false);
  });
});

describe('a table', () => {
  async function opened(rows: [id: number, vector: number[]][]) {
    const path = fileOf();
    await EmbeddingTable.write(path, rows);
    return { path, table: await EmbeddingTable.open(path) };
  }

  test('gathers rows side by side, and says what is missing', async () => {
    const { table } = await opened([
      [10, [1, 2]],
      [20, [3, 4]],
      [30, [5, 6]],
      [-5, [7, 8]],
    ]);
    const out = new Float32Array(8).fill(9);
    expect(table.gather([30, 7, -5], out)).toEqual({ hits: 2, missing: [1] });
    expect([...out]).toEqual([5, 6, 9, 9, 7, 8, 9, 9]);
    expect(table.gather([7, 10], out, { missing: 'zero' })).toEqual({ hits: 1, missing: [0] });
    expect([...out.subarray(0, 4)]).toEqual([0, 0, 1, 2]);
    table.gather([10, 7, 20], out, { missing: 'mean' });
    expect([...out.subarray(2, 4)]).toEqual([2, 3]);
    expect(table.rows([20, 7])).toEqual([Float32Array.of(3, 4), undefined]);
    expect(errorOf(() => table.gather([1, 2, 3, 4, 5], out)).name).toBe('RangeError');
    expect(errorOf(() => table.gather([1], new Float64Array(2) as never)).name).toBe('TypeError');
    expect(errorOf(() => table.gather([1], out, { missing: 'guess' as never })).name).toBe('TypeError');
  });

  test('is read into huge pages where that is asked, and so is the file that it swaps to', async () => {
    const path = fileOf();
    const ids = Array.from({ length: 3000 }, (_, i) => i * 7);
    await EmbeddingTable.write(path, { ids, vectors: new Float32Array(3000 * 256).fill(1), dimensions: 256 });
    const next = fileOf('next.safetensors');
    await EmbeddingTable.write(next, { ids, vectors: new Float32Array(3000 * 256).fill(2), dimensions: 256 });
    using table = await EmbeddingTable.open(path, { pages: 'huge' });
    const held = table.row(7);
    await table.swap(next);
    truncateSync(next, 0); // a mapped file would be gone
    expect(held?.[255]).toBe(1);
    expect(table.row(7)?.[255]).toBe(2);
    const { mapped, resident } = table.residency();
    expect(resident).toBe(mapped);
    await expect(EmbeddingTable.open(path, { page: 'huge' } as never)).rejects.toThrow(TypeError);
  });

  test('finds many at once as it finds one', async () => {
    const random = randomFrom(3);
    for (const wide of [false, true]) {
      const ids = Array.from({ length: 3000 }, (_, i) => (wide ? (i - 1000) * 2 ** 32 + (i % 5) : i * 3));
      const path = fileOf();
      await EmbeddingTable.write(path, { ids, vectors: Float32Array.from(ids, (_, i) => i), dimensions: 1 });
      using table = await EmbeddingTable.open(path);
      const asked = Array.from({ length: 5000 }, () =>
        random() < 0.5 ? ids[Math.floor(random() * ids.length)]! : Math.floor((random() - 0.5) * 2 ** 45),
      );
      asked.push(0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, -0, 2 ** 31, -1, 2 ** 60);
      const wanted = asked.map((id) => table.row(id)?.[0] ?? -1);
      for (const given of [asked, Float64Array.from(asked)]) {
        const out = new Float32Array(asked.length).fill(-1);
        const { hits, missing } = table.gather(given, out);
        expect([...out]).toEqual(wanted);
        expect([hits, missing.length]).toEqual([wanted.filter((one) => one >= 0).length, asked.length - hits]);
      }
      for (const words of [Int32Array.from(asked), Uint32Array.from(asked)]) {
        const out = new Float32Array(words.length).fill(-1);
        table.gather(words, out);
        expect([...out]).toEqual(Array.from(words, (id) => table.row(id)?.[0] ?? -1));
      }
      expect(errorOf(() => table.gather([0, '1'], new Float32Array(2))).name).toBe('TypeError');
    }
  });

  test('takes no other number for an id, and no text', async () => {
    const { table } = await opened([
      [10, [1, 2]],
      [-5, [7, 8]],
    ]);
    for (const id of [10.5, Number.NaN, Number.POSITIVE_INFINITY, 10 + 2 ** 32, 2 ** 60, -0.1]) {
      expect(table.row(id), `${id}`).toBeUndefined();
      expect(table.has(id)).toBe(false);
    }
    expect(table.row(10)).toEqual(Float32Array.of(1, 2));
    expect(errorOf(() => table.row('10')).name).toBe('TypeError');
  });

  test('takes ids of 64 bits wherever it takes many; those beyond safe integers are missing', async () => {
    const path = fileOf();
    const ids = BigInt64Array.of(5n, -6n, 2n ** 40n);
    await EmbeddingTable.write(path, { ids, vectors: [[1], [2], [3]] });
    using table = await EmbeddingTable.open(path, { dtype: 'float32', ids: 'integer' });
    const asked = BigInt64Array.of(2n ** 40n, 2n ** 53n, 5n);
    expect(table.rows(asked)).toEqual([Float32Array.of(3), undefined, Float32Array.of(1)]);
    const out = new Float32Array(3);
    expect([table.gather(asked, out), out]).toEqual([{ hits: 2, missing: [1] }, Float32Array.of(3, 0, 1)]);
    expect(table.dot(Float32Array.of(2), asked)).toEqual(Float32Array.of(6, Number.NaN, 2));
    expect(table.topK(Float32Array.of(1), 1, { ids: asked })).toEqual([{ id: 2 ** 40, score: 3 }]);
    await EmbeddingTable.write(path, new Map([[7n, [1]]]));
    await table.swap(path);
    expect(table.row(7)).toEqual(Float32Array.of(1));
  });

  test('is refused if it has other elements or ids than it must have', async () => {
    const path = fileOf();
    await EmbeddingTable.write(path, { ids: ['a'], vectors: [[1, 2]], dtype: 'bfloat16' });
    using table = await EmbeddingTable.open(path, { dtype: 'bfloat16', ids: 'string' });
    expect(table.dtype).toBe('BF16');
    using same = await EmbeddingTable.open(path, { dtype: 'BF16' });
    expect(same.row('a')).toEqual(table.row('a'));
    await expect(EmbeddingTable.open(path, { dtype: 'float32' })).rejects.toMatchObject({
      code: 'ERR_WEIGHTS_TABLE',
      message: expect.stringContaining('has vectors of BF16, not F32'),
    });
    await expect(EmbeddingTable.open(path, { ids: 'integer' })).rejects.toMatchObject({
      code: 'ERR_WEIGHTS_TABLE',
      message: expect.stringContaining("has ids of the kind 'string', not 'integer'"),
    });
    await expect(EmbeddingTable.open(path, { dtype: 'int4' as 'int8' })).rejects.toThrow(TypeError);
  });

  test('swaps to another file, and rows that are held stay as they were', async () => {
    const { table, path } = await opened([
      [10, [1, 2]],
      [20, [3, 4]],
    ]);
    const held = table.row(10)!;
    await EmbeddingTable.write(path, { ids: [10, 11], vectors: Float32Array.of(100, 200, 300, 400), dimensions: 2 });
    await table.swap(path);
    expect([...table.row(10)!, ...table.row(11)!]).toEqual([100, 200, 300, 400]);
    expect([table.size, table.has(20)]).toEqual([2, false]);
    expect([...held]).toEqual([1, 2]);
    const wrong = fileOf('wrong.safetensors');
    await EmbeddingTable.write(wrong, { ids: [1], vectors: Float32Array.of(1), dimensions: 1 });
    await expect(table.swap(wrong)).rejects.toThrow(RangeError);
    await expect(table.swap('/nowhere')).rejects.toMatchObject({ code: 'ERR_WEIGHTS_NOT_FOUND' });
    expect(table.row(11)).toEqual(Float32Array.of(300, 400));
    table.close();
    expect(errorOf(() => table.row(10)).code).toBe('ERR_WEIGHTS_CLOSED');
    expect(errorOf(() => table.has(10)).code).toBe('ERR_WEIGHTS_CLOSED');
    expect(errorOf(() => table.dot(Float32Array.of(1, 2), [10])).code).toBe('ERR_WEIGHTS_CLOSED');
  });

  test('shows halves as bits, and bytes beside the scale of their row', async () => {
    const path = fileOf();
    await EmbeddingTable.write(path, {
      ids: [1, 2],
      vectors: Int8Array.of(1, -128, 3, 4),
      dimensions: 2,
      scales: Float32Array.of(0.5, 2),
    });
    using bytes = await EmbeddingTable.open(path);
    expect([bytes.row(1), bytes.scale(1), bytes.scale(3), bytes.dtype]).toEqual([
      Int8Array.of(1, -128),
      0.5,
      undefined,
      'I8',
    ]);
    for (const dtype of ['F16', 'BF16'] as const) {
      const halves = fileOf(`${dtype}.safetensors`);
      await EmbeddingTable.write(halves, {
        ids: Uint32Array.of(7),
        vectors: Uint16Array.of(0x3c00, 0x4000),
        dimensions: 2,
        dtype,
      });
      using table = await EmbeddingTable.open(halves);
      expect([table.row(7), table.dtype]).toEqual([Uint16Array.of(0x3c00, 0x4000), dtype]);
    }
  });

  test('may have no rows', async () => {
    const path = fileOf();
    await EmbeddingTable.write(path, { ids: [], vectors: new Float32Array(0), dimensions: 4 });
    using table = await EmbeddingTable.open(path);
    expect([table.size, table.row(1), table.gather([], new Float32Array(0)).hits]).toEqual([0, undefined, 0]);
  });

  test.each<[string, object, string, string]>([
    ['fewer elements', { ids: [1, 2], vectors: Float32Array.of(1, 2, 3), dimensions: 2 }, 'RangeError', 'vectors'],
    ['a number twice', { ids: [1, 1], vectors: Float32Array.of(1, 2), dimensions: 1 }, 'RangeError', 'ids'],
    ['a text twice', { ids: ['a', 'a'], vectors: Float32Array.of(1, 2), dimensions: 1 }, 'RangeError', 'ids'],
    ['an id that is no whole number', { ids: [1.5], vectors: [[1]] }, 'RangeError', 'ids[0]'],
    ['an id that numbers can not tell', { ids: BigInt64Array.of(2n ** 60n), vectors: [[1]] }, 'RangeError', 'ids[0]'],
    ['a number among texts', { ids: ['a', 1], vectors: [[1], [2]] }, 'TypeError', 'ids[1]'],
    ['a text among numbers', { ids: [1, 'a'], vectors: [[1], [2]] }, 'TypeError', 'ids[1]'],
    ['half a surrogate', { ids: ['\ud800'], vectors: [[1]] }, 'TypeError', 'ids[0]'],
    ['no id', { ids: [undefined], vectors: [[1]] }, 'TypeError', 'ids[0]'],
    ['more vectors', { ids: [1], vectors: [[1], [2]] }, 'RangeError', 'vectors'],
    ['a longer vector', { ids: [1, 2], vectors: [[1], [2, 3]] }, 'RangeError', 'vectors[1]'],
    ['no dimensions', { ids: [1], vectors: Float32Array.of(1) }, 'TypeError', 'dimensions'],
    [
      'fewer scales',
      { ids: [1], vectors: Int8Array.of(1), dimensions: 1, scales: new Float32Array(2) },
      'RangeError',
      'scales',
    ],
    ['bytes as halves', { ids: [1], vectors: Int8Array.of(1), dimensions: 1, dtype: 'F16' }, 'TypeError', 'dtype'],
    ['another type', { ids: [1], vectors: [[1]], dtype: 'F64' }, 'TypeError', 'dtype'],
    ['what is no pair', [1], 'TypeError', 'rows[0]'],
    ['a vector that is none', [[1, 5]], 'TypeError', 'vectors[0]'],
    ['nothing', { vectors: [] }, 'TypeError', 'ids'],
  ])('is not written of %s, and nothing is left', async (_, contents, name, message) => {
    const path = fileOf();
    await expect(EmbeddingTable.write(path, contents as never)).rejects.toMatchObject({
      name,
      message: expect.stringContaining(message),
    });
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  test.each(['sync', 'async'])('is written row by row out of an iterable (%s)', async (kind) => {
    const D = 300;
    const N = 20_000; // several pieces
    const vectorOf = (row: number) => new Float32Array(D).fill(row + 0.5);
    function* rows(): Generator<[string, Float32Array]> {
      for (let row = 0; row < N; ++row) yield [`item ${row}`, vectorOf(row)];
    }
    async function* later() {
      yield* rows();
    }
    const path = fileOf();
    const told: number[] = [];
    const onProgress = ({ rows }: { rows: number }) => told.push(rows);
    await EmbeddingTable.write(path, kind === 'sync' ? rows() : later(), { onProgress });
    expect([told.length > 2, told.at(-1)]).toEqual([true, N]);
    expect(told).toEqual([...told].sort((a, b) => a - b));
    using table = await EmbeddingTable.open(path);
    expect([table.size, table.dimensions]).toEqual([N, D]);
    for (let row = 0; row < N; row += 37) expect(table.row(`item ${row}`)).toEqual(vectorOf(row));
  });

  test('whose writing is given up leaves nothing, and ends the iterable that it was written from', async () => {
    const path = fileOf();
    const controller = new AbortController();
    const reason = new Error('enough');
    let ended = false;
    async function* endless(): AsyncGenerator<[number, Float32Array]> {
      try {
        for (let id = 0; ; ++id) yield [id, new Float32Array(4096)];
      } finally {
        ended = true;
      }
    }
    const onProgress = () => controller.abort(reason);
    const writing = EmbeddingTable.write(path, endless(), { onProgress, signal: controller.signal });
    await expect(writing).rejects.toBe(reason);
    expect([ended, readdirSync(dirname(path))]).toEqual([true, []]);
    const fails = (async function* (): AsyncGenerator<[number, number[]]> {
      yield [1, [1]];
      throw reason;
    })();
    await expect(EmbeddingTable.write(path, fails)).rejects.toBe(reason);
    expect(readdirSync(dirname(path))).toEqual([]);
  });

  test('is written with numbers made narrower', async () => {
    const random = randomFrom(4);
    const D = 64;
    const special = [
      0,
      -0,
      1,
      -1,
      65504,
      65519.9,
      65520,
      1e9,
      2 ** -14,
      2 ** -24,
      2 ** -25,
      3 * 2 ** -26,
      6e-8,
      -5.96e-8,
    ];
    const vectors = Array.from({ length: 300 }, (_, row) =>
      Array.from({ length: D }, (_, i) => (row === 0 ? (special[i] ?? i / 7) : (random() - 0.5) * 10 ** (i % 9))),
    );
    const rows = vectors.map((vector, id) => [id, vector] as const);
    for (const dtype of ['F16', 'BF16'] as const) {
      const path = fileOf(`${dtype}.safetensors`);
      await EmbeddingTable.write(path, rows, { dtype, nonFinite: 'keep' });
      using weights = await Weights.open(path);
      const back = weights.tensor('vectors').toFloat32();
      for (const [row, vector] of vectors.entries())
        for (const [i, x] of vector.entries()) {
          const got = back[row * D + i]!;
          const near = Math.fround(x);
          const [bits, least, most] = dtype === 'F16' ? [11, -14, 65504] : [8, -126, 3.39e38];
          const step = 2 ** (Math.max(least, Math.floor(Math.log2(Math.abs(near) || 2 ** least))) - bits + 1);
          if (Math.abs(near) >= most + step / 2) expect(got).toBe(Math.sign(x) * Number.POSITIVE_INFINITY);
          else expect(Math.abs(got - near)).toBeLessThanOrEqual(step / 2);
          expect(Object.is(Math.sign(got), -0)).toBe(Object.is(got, -0));
        }
    }
    const path = fileOf();
    const flat = Float32Array.from(vectors.flat());
    for (const contents of [rows, { ids: rows.map(([id]) => id), vectors: flat, dimensions: D }]) {
      await EmbeddingTable.write(path, contents, { dtype: 'I8' });
      using table = await EmbeddingTable.open(path);
      expect(table.dtype).toBe('I8');
      for (const [id, vector] of vectors.entries()) {
        const scale = table.scale(id)!;
        const bytes = table.row(id)!;
        for (const [i, x] of vector.entries())
          expect(Math.abs(bytes[i]! * scale - x)).toBeLessThanOrEqual(scale * 0.501);
      }
    }
    await expect(EmbeddingTable.write(path, [[1, [Number.NaN]]], { dtype: 'I8' })).rejects.toThrow(RangeError);
  });

  test('may have more rows than one buffer can show', async () => {
    const N = 1_100_000; // 4.5 GB, all holes but for three rows
    const D = 1024;
    const path = fileOf();
    const bytes = N * D * 4;
    const text = JSON.stringify({
      ids: { dtype: 'I64', shape: [N], data_offsets: [0, 8 * N] },
      vectors: { dtype: 'F32', shape: [N, D], data_offsets: [8 * N, 8 * N + bytes] },
    }).padEnd(248);
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    const file = openSync(path, 'w');
    writeSync(file, Buffer.concat([length, Buffer.from(text)]));
    writeSync(file, new Uint8Array(Int32Array.from({ length: 2 * N }, (_, i) => (i % 2 === 0 ? i * 5 : 0)).buffer));
    ftruncateSync(file, 256 + 8 * N + bytes);
    // The first, the last that one buffer of 4 GiB shows, and the last.
    const rows = [0, 2 ** 20 - 1, 2 ** 20, N - 1];
    for (const row of rows) writeSync(file, new Float32Array(D).fill(row + 1), 0, 4 * D, 256 + 8 * N + row * D * 4);
    closeSync(file);
    using table = await EmbeddingTable.open(path);
    for (const row of rows) expect(table.row(row * 10)).toEqual(new Float32Array(D).fill(row + 1));
    expect(table.row(50)).toEqual(new Float32Array(D));
    const ids = rows.map((row) => row * 10);
    const out = new Float32Array(4 * D);
    expect(table.gather(ids, out).hits).toBe(4);
    expect(rows.map((_, i) => out[i * D])).toEqual(rows.map((row) => row + 1));
    const query = new Float32Array(D);
    query[0] = 1;
    expect([...table.dot(query, ids)]).toEqual(rows.map((row) => row + 1));
  });

  test.each<[string, Record<string, unknown>]>([
    ['no vectors', { ids: new BigInt64Array(1) }],
    ['vectors of one dimension', { ids: new BigInt64Array(2), vectors: new Float32Array(2) }],
    [
      'ids of another number',
      { ids: new BigInt64Array(3), vectors: { dtype: 'float32', shape: [2, 1], data: new Float32Array(2) } },
    ],
    [
      'ids of another type',
      { ids: new Float32Array(2), vectors: { dtype: 'float32', shape: [2, 1], data: new Float32Array(2) } },
    ],
    [
      'an index of no size',
      {
        ids: new BigInt64Array(1),
        vectors: { dtype: 'float32', shape: [1, 1], data: new Float32Array(1) },
        index: { dtype: 'int32', shape: [3, 2], data: new Int32Array(6) },
      },
    ],
    [
      'ends that go back',
      {
        ids: Uint8Array.of(1, 2),
        'ids.ends': Float64Array.of(2, 1),
        vectors: { dtype: 'float32', shape: [2, 1], data: new Float32Array(2) },
      },
    ],
  ])('is refused with ERR_WEIGHTS_TABLE if it has %s', async (_, tensors) => {
    const path = fileOf();
    await Weights.write(path, tensors as never, { metadata: { 'index.seed': '0'.repeat(16) } });
    await expect(EmbeddingTable.open(path)).rejects.toMatchObject({ code: 'ERR_WEIGHTS_TABLE' });
  });

  test('whose index lies shows no other memory, and its searches end', async () => {
    const path = fileOf();
    const slots = new Int32Array(8).map((_, i) => (i % 2 === 0 ? 5 : 1_000_000));
    const tensors = {
      ids: BigInt64Array.of(5n),
      vectors: { dtype: 'float32', shape: [1, 1], data: Float32Array.of(1) },
      index: { dtype: 'int32', shape: [4, 2], data: slots },
    } as const;
    await Weights.write(path, tensors, { metadata: { 'index.seed': '0'.repeat(16) } });
    using table = await EmbeddingTable.open(path);
    expect([table.row(5), table.row(6)]).toEqual([undefined, undefined]);
    // One that does not say how it was filled is made anew.
    await Weights.write(path, tensors);
    using indexed = await EmbeddingTable.open(path);
    expect([indexed.row(5), indexed.row(6)]).toEqual([Float32Array.of(1), undefined]);
  });
});
