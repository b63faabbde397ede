// Scores of a table's rows: dot products and the best rows, whatever the rows are made of.
import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { EmbeddingTable } from 'zerohop';
import { ownFolder } from '../fixtures/folder.js';
import { errorOf } from '../fixtures/opened.js';
import { randomFrom } from '../fixtures/values.mjs';

const fileOf = (name = 'table.safetensors') => join(ownFolder(), name);

describe('scores', () => {
  const random = randomFrom(9);
  const N = 3000;
  const D = 33;
  const ids = Array.from({ length: N }, (_, i) => i * 11 + 1);
  const vectors = new Float32Array(N * D).map(() => random() - 0.5);
  const query = new Float32Array(D).map(() => random() - 0.5);
  const exact = (row: number) => query.reduce((sum, one, d) => sum + one * vectors[row * D + d]!, 0);
  const halves = Uint16Array.from(new Uint16Array(vectors.buffer).filter((_, i) => i % 2 === 1)); // bfloat16, cut off

  test.each(['F32', 'BF16'] as const)('of %s rows are dot products, where they lie', async (dtype) => {
    const path = fileOf();
    await EmbeddingTable.write(
      path,
      dtype === 'F32' ? { ids, vectors, dimensions: D } : { ids, vectors: halves, dimensions: D, dtype },
    );
    using table = await EmbeddingTable.open(path);
    const near = dtype === 'F32' ? 1e-4 : 0.05;
    const asked = [1, 12, 5, 11 * 2999 + 1];
    const scores = table.dot(query, asked);
    expect(scores).toHaveLength(4);
    for (const [i, row] of [0, 1, -1, 2999].entries())
      if (row < 0) expect(scores[i]).toBeNaN();
      else expect(Math.abs(scores[i]! - exact(row))).toBeLessThan(near);
    const best = table.topK(query, 10);
    const all = ids.map((id, row) => ({ id, score: exact(row) })).sort((a, b) => b.score - a.score);
    expect(best).toHaveLength(10);
    for (const [i, { id, score }] of best.entries()) {
      expect(Math.abs(score - all[i]!.score)).toBeLessThan(near);
      expect(score).toBe(table.dot(query, [id])[0]);
      if (i > 0) expect(score).toBeLessThanOrEqual(best[i - 1]!.score);
    }
    if (dtype === 'F32') expect(best.map(({ id }) => id)).toEqual(all.slice(0, 10).map(({ id }) => id));
    const some = ids.slice(100, 200);
    const among = table.topK(query, 3, { ids: [...some, 5] });
    expect(among).toEqual(
      table
        .topK(query, N)
        .filter(({ id }) => some.includes(id as number))
        .slice(0, 3),
    );
    expect([table.topK(query, 0), table.topK(query, 2 * N).length]).toEqual([[], N]);
    expect(errorOf(() => table.dot(new Float32Array(2), [1])).name).toBe('RangeError');
    expect(errorOf(() => table.dot([1] as never, [1])).name).toBe('TypeError');
    expect(errorOf(() => table.topK(query, -1)).name).toBe('RangeError');
  });

  test('of bytes are of the elements times their scales', async () => {
    const path = fileOf();
    const bytes = Int8Array.from(vectors, (one) => Math.round(one * 254));
    const scales = Float32Array.from(ids, (_, row) => (row % 7) / 254 - 0.005);
    await EmbeddingTable.write(path, { ids, vectors: bytes, scales, dimensions: D });
    using table = await EmbeddingTable.open(path);
    const scoreOf = (row: number) => scales[row]! * query.reduce((sum, one, d) => sum + one * bytes[row * D + d]!, 0);
    const all = ids.map((id, row) => ({ id, score: scoreOf(row) })).sort((a, b) => b.score - a.score);
    const scores = table.dot(query, ids);
    for (const [row, score] of scores.entries()) expect(Math.abs(score - scoreOf(row))).toBeLessThan(1e-4);
    for (const threads of [1, 3])
      expect(table.topK(query, 20, { threads }).map(({ id }) => id)).toEqual(all.slice(0, 20).map(({ id }) => id));
    // Without scales they count as they are.
    const plain = fileOf('plain.safetensors');
    await EmbeddingTable.write(plain, { ids: [1], vectors: Int8Array.of(-3), dimensions: 1 });
    using unscaled = await EmbeddingTable.open(plain);
    expect(unscaled.topK(Float32Array.of(2), 1)).toEqual([{ id: 1, score: -6 }]);
  });

  test('are the same however many threads find them', async () => {
    const path = fileOf();
    const many = new Float32Array(60_000 * 40).map((_, i) => (i * 7919) % 251);
    await EmbeddingTable.write(path, {
      ids: Int32Array.from({ length: 60_000 }, (_, i) => i),
      vectors: many,
      dimensions: 40,
    });
    using table = await EmbeddingTable.open(path);
    const asked = new Float32Array(40).map((_, i) => i - 20);
    // Many are equal: of those the earlier row.
    const alone = table.topK(asked, 500, { threads: 1 });
    for (const threads of [2, 5]) expect(table.topK(asked, 500, { threads })).toEqual(alone);
    expect(errorOf(() => table.topK(asked, 1, { threads: 0 })).name).toBe('RangeError');
  });

  test('of a file that was cut are an error, and no fault', async () => {
    const path = fileOf();
    await EmbeddingTable.write(path, { ids, vectors, dimensions: D });
    using table = await EmbeddingTable.open(path);
    truncateSync(path, 8192);
    const changed = [
      () => table.dot(query, ids),
      () => table.topK(query, 3),
      () => table.topK(query, 3, { threads: 2 }),
      () => table.gather(ids, new Float32Array(N * D)),
    ];
    for (const call of changed)
      expect(errorOf(call)).toMatchObject({ name: 'WeightsError', code: 'ERR_WEIGHTS_CHANGED' });
  });

  test('come back with ids that are texts or far numbers', async () => {
    const path = fileOf();
    for (const id of ['é', -(2 ** 40) - 5, 2 ** 52]) {
      await EmbeddingTable.write(path, { ids: [id], vectors: Float32Array.of(2), dimensions: 1 });
      using table = await EmbeddingTable.open(path);
      expect(table.topK(Float32Array.of(3), 1)).toEqual([{ id, score: 6 }]);
    }
  });
});
