// Tables whose file is cut at the worst moment: they say so, and the process goes on.
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { EmbeddingTable, Weights } from 'zerohop';
import { ownFolder } from '../fixtures/folder.js';
import { errorOf } from '../fixtures/opened.js';

const fileOf = (name: string) => join(ownFolder(), name);

test('a table by texts whose file is cut while it is open says so, whoever searches for an id', async () => {
  const path = fileOf('texts');
  const ids = Array.from({ length: 20_000 }, (_, i) => `id ${i}`);
  await EmbeddingTable.write(path, { ids, vectors: new Float32Array(ids.length), dimensions: 1 });
  using table = await EmbeddingTable.open(path);
  expect([table.has('id 7'), table.has('none'), table.rows(['id 7', 'é']).length]).toEqual([true, false, 2]);
  truncateSync(path, 4096);
  const query = Float32Array.of(1);
  for (const search of [
    () => table.has('id 7'),
    () => table.row('id 7'),
    () => table.scale('id 7'),
    () => table.rows(['id 7']),
    () => table.dot(query, ['id 7']),
    () => table.gather(['id 7'], new Float32Array(1)),
    () => table.topK(query, 1, { ids: ['id 7'] }),
  ])
    expect(errorOf(search)).toMatchObject({ name: 'WeightsError', code: 'ERR_WEIGHTS_CHANGED', path });
});

describe('a table whose file is cut while it is opened', () => {
  const COUNT = 20_000;
  const numbers = Array.from({ length: COUNT }, (_, i) => i);
  const vectors = new Float32Array(COUNT);
  const write = async (name: string, ids: readonly (number | string)[], indexed: boolean) => {
    const path = fileOf(name);
    if (indexed) {
      await EmbeddingTable.write(path, { ids: ids as number[], vectors, dimensions: 1 });
      return path;
    }
    const shaped = { vectors: { dtype: 'float32' as const, shape: [COUNT, 1], data: vectors } };
    if (typeof ids[0] === 'number') {
      const data = name === 'halves' ? Uint32Array.from(ids as number[]) : BigInt64Array.from(ids as number[], BigInt);
      await Weights.write(path, { ...shaped, ids: data });
    } else {
      const texts = (ids as string[]).map((id) => Buffer.from(id));
      let end = 0;
      const ends = Float64Array.from(texts, (text) => {
        end += text.length;
        return end;
      });
      await Weights.write(path, { ...shaped, ids: new Uint8Array(Buffer.concat(texts)), 'ids.ends': ends });
    }
    return path;
  };

  test.each<[string, string, readonly (number | string)[], boolean]>([
    ['by numbers', 'numbers', numbers, true],
    ['by numbers, without an index', 'numbers', numbers, false],
    ['by numbers of 32 bits, without an index', 'halves', numbers, false],
    ['by texts', 'texts', numbers.map((i) => `id ${i}`), true],
    ['by texts, without an index', 'texts', numbers.map((i) => `id ${i}`), false],
  ])('%s is refused, and by swap, too', async (_, name, ids, indexed) => {
    const path = await write(name, ids, indexed);
    const whole = await EmbeddingTable.open(path);
    const [found] = whole.topK(Float32Array.of(1), 1);
    expect(found!.id).toBe(ids[0]);
    const content = readFileSync(path);
    // The file is mapped when the call returns, and looked at later.
    const opening = EmbeddingTable.open(path);
    truncateSync(path, 4096);
    await expect(opening).rejects.toMatchObject({ code: 'ERR_WEIGHTS_CHANGED', path });
    const next = join(dirname(path), 'next');
    writeFileSync(next, content);
    const swapping = whole.swap(next);
    truncateSync(next, 4096);
    await expect(swapping).rejects.toMatchObject({ code: 'ERR_WEIGHTS_CHANGED', path: next });
    whole.close();
  });
});
