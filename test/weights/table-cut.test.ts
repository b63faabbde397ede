// Tables whose file is cut at the worst moment: they say so, and the process goes on.
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { EmbeddingTable, Weights } from 'zerohop';
import { ownFolder } from '../fixtures/folder.js';

const fileOf = (name: string) => join(ownFolder(), name);

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
