// Numbers that are not finite, as elements of vectors and queries: one rule for every way to write and to search.
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { EmbeddingTable, Weights } from 'zerohop';
import { ownFolder } from '../fixtures/folder.js';
import { errorOf } from '../fixtures/opened.js';

const fileOf = () => join(ownFolder(), 'table.safetensors');
const INFINITY = Number.POSITIVE_INFINITY;
/** Bits of NaN, Infinity and -Infinity. */
const HALVES = [0x7e00, 0x7c00, 0xfc00];
const BFLOATS = [0x7fc0, 0x7f80, 0xff80];

describe('a table is not written where a number', () => {
  test.each<[string, unknown, object | undefined, string]>([
    [
      'is NaN',
      [
        [7, [1, 2]],
        [42, [1, Number.NaN]],
      ],
      undefined,
      'vectors[1][1]',
    ],
    ['is Infinity', [[42, [INFINITY, 2]]], undefined, 'vectors[0][0]'],
    ['is missing', [[42, [1, undefined]]], undefined, 'vectors[0][1]'],
    ['is too large for float32', [[42, [1e300, 2]]], undefined, 'vectors[0][0]'],
    ['is too large for float16', [[42, [1, -70_000]]], { dtype: 'F16' }, 'vectors[0][1]'],
    ['is too large for bfloat16', [[42, [1, 3.4e38]]], { dtype: 'BF16' }, 'vectors[0][1]'],
    ['is NaN among bytes', [[42, [Number.NaN, 1]]], { dtype: 'I8' }, 'vectors[0][0]'],
    ['is too large for the scale of bytes', [[42, [1, 1e300]]], { dtype: 'I8' }, 'vectors[0][1]'],
    [
      'is no byte, though it was to be kept',
      [[42, [1, INFINITY]]],
      { dtype: 'I8', nonFinite: 'keep' },
      'vectors[0][1]',
    ],
    ['of a list is NaN', { ids: [7, 42], vectors: [[1], [Number.NaN]] }, undefined, 'vectors[1][0]'],
    [
      'of one array is NaN',
      { ids: [7, 42], vectors: Float32Array.of(1, 2, 3, Number.NaN), dimensions: 2 },
      undefined,
      'vectors[1][1]',
    ],
    [
      'of one array becomes Infinity',
      { ids: [7, 42], vectors: Float32Array.of(1, 1e9), dimensions: 1 },
      { dtype: 'F16' },
      'vectors[1][0]',
    ],
    ...HALVES.map((bits): [string, unknown, object | undefined, string] => [
      `of 16 bits is ${bits.toString(16)}`,
      { ids: [7, 42], vectors: Uint16Array.of(0, bits), dimensions: 1 },
      undefined,
      'vectors[1][0]',
    ]),
    ...BFLOATS.map((bits): [string, unknown, object | undefined, string] => [
      `of bfloat16 is ${bits.toString(16)}`,
      { ids: [7, 42], vectors: Uint16Array.of(0, bits), dimensions: 1 },
      { dtype: 'BF16' },
      'vectors[1][0]',
    ]),
    [
      'is a scale',
      { ids: [7, 42], vectors: Int8Array.of(1, 1), dimensions: 1, scales: Float32Array.of(1, Number.NaN) },
      undefined,
      'scales[1]',
    ],
  ])('%s', async (_, contents, options, place) => {
    const error = await EmbeddingTable.write(fileOf(), contents as never, options as never).then(
      () => expect.unreachable(),
      (error) => error,
    );
    expect(error).toMatchObject({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
    expect(error.message).toContain(`${place}: `);
    expect(error.message).toContain('id 42');
  });

  test('is infinite in its type, but the largest finite one is written', async () => {
    for (const [dtype, most] of [
      ['F32', 3.4028234e38],
      ['F16', 65519.99],
      ['BF16', 3.38e38],
      ['I8', 3.4e38],
    ] as const) {
      const path = fileOf();
      await EmbeddingTable.write(path, [[1, [most, -most]]], { dtype });
      using table = await EmbeddingTable.open(path);
      expect(table.topK(Float32Array.of(1, 0), 1)).toHaveLength(1);
    }
  });

  test('is not finite, and nonFinite takes no value but its two', async () => {
    await expect(EmbeddingTable.write(fileOf(), [[1, [1]]], { nonFinite: true as never })).rejects.toThrow(TypeError);
  });
});

describe.each(['F32', 'F16', 'BF16', 'I8'] as const)('of a table of %s with such vectors', (dtype) => {
  // Rows enough for groups of every width; each tenth is not finite, in its last element or its scale.
  const N = 700;
  const D = 35;
  const special = [Number.NaN, INFINITY, -INFINITY];
  const isOdd = (row: number) => row % 10 === 3;
  const vectorOf = (row: number) =>
    Array.from({ length: D }, (_, i) => (isOdd(row) && i === D - 1 ? special[row % 3]! : ((row * 7 + i) % 11) - 5));

  async function tableOf(): Promise<EmbeddingTable> {
    const path = fileOf();
    const ids = Array.from({ length: N }, (_, row) => row);
    if (dtype === 'I8') {
      const vectors = Int8Array.from({ length: N * D }, (_, i) => ((i * 7) % 11) - 5);
      const scales = Float32Array.from(ids, (row) => (isOdd(row) ? special[row % 3]! : 0.5));
      await EmbeddingTable.write(path, { ids, vectors, dimensions: D, scales }, { nonFinite: 'keep' });
    } else
      await EmbeddingTable.write(
        path,
        ids.map((row) => [row, vectorOf(row)] as const),
        { dtype, nonFinite: 'keep' },
      );
    return EmbeddingTable.open(path);
  }

  test('a search finds none, over all or among ids, by however many threads, and dot says NaN', async () => {
    using table = await tableOf();
    const query = new Float32Array(D).map((_, i) => (i % 5) + 1);
    const ids = Array.from({ length: N }, (_, row) => row);
    const good = ids.filter((row) => !isOdd(row));
    const scores = table.dot(query, ids);
    for (const row of ids) expect(Number.isFinite(scores[row]), `${row}`).toBe(!isOdd(row));
    const order = good.map((id) => ({ id, score: scores[id]! })).sort((a, b) => b.score - a.score || a.id - b.id);
    for (const k of [1, 10, N]) {
      expect(table.topK(query, k)).toEqual(order.slice(0, k));
      expect(table.topK(query, k, { threads: 4 })).toEqual(order.slice(0, k));
      expect(table.topK(query, k, { ids })).toEqual(order.slice(0, k));
    }
    expect(table.topK(query, 3, { ids: ids.filter(isOdd) })).toEqual([]);
  });

  test('a query with such a number is refused', async () => {
    using table = await tableOf();
    for (const value of special) {
      const query = new Float32Array(D).fill(1);
      query[D - 1] = value;
      for (const search of [
        () => table.dot(query, [1]),
        () => table.topK(query, 1),
        () => table.topK(query, 1, { ids: [1] }),
      ]) {
        expect(errorOf(search)).toMatchObject({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE' });
        expect(errorOf(search).message).toContain(`query[${D - 1}]`);
      }
    }
  });
});

test('vectors whose product overflows are found no more than those that are not finite', async () => {
  const path = fileOf();
  await EmbeddingTable.write(path, [
    [1, [1e30, 1]],
    [2, [1, 1]],
  ]);
  using table = await EmbeddingTable.open(path);
  const query = Float32Array.of(1e30, 1);
  expect([...table.dot(query, [1, 2])]).toEqual([Number.NaN, Math.fround(1e30)]);
  expect(table.topK(query, 2)).toEqual([{ id: 2, score: Math.fround(1e30) }]);
});

test('tensors are written as they are, masks of -Infinity too', async () => {
  const path = fileOf();
  const mask = Float32Array.of(0, -INFINITY, Number.NaN);
  await Weights.write(path, { mask });
  using weights = await Weights.open(path);
  expect(weights.tensor('mask').data).toEqual(mask);
});
