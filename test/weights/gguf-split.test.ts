// A GGUF model in several files: what each says of that is held to the files that there are.
import { symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Weights } from 'zerohop';
import { ownFolder } from '../fixtures/folder.js';
import { GgufFile, u16, u32, u64 } from './reader/make-gguf.js';

interface Said {
  no?: number;
  count?: number;
  tensors?: number;
}

/** A file with one tensor of one byte. */
function part(tensor: string, { no, count, tensors }: Said, value = 1): Buffer {
  const file = new GgufFile();
  const values: [string, number, Buffer][] = [];
  if (no !== undefined) values.push(['split.no', 2, u16(no)]);
  if (count !== undefined) values.push(['split.count', 2, u16(count)]);
  if (tensors !== undefined) values.push(['split.tensors.count', 5, u32(tensors)]);
  file.put('fixed', 'magic', Buffer.from('GGUF'));
  file.put('u32', 'version', u32(3));
  file.put('u64', 'number of tensors', u64(1));
  file.put('u64', 'number of values', u64(values.length));
  for (const value of values) file.value(...value);
  file.text('name', tensor);
  file.put('u32', 'dimensions', u32(1));
  file.put('u64', 'dimension', u64(1));
  file.put('u32', 'type', u32(24));
  file.put('u64', 'offset', u64(0));
  file.put('pad', 'data', Buffer.of(value));
  return file.bytes();
}

/** The path of the second of so many. */
function written(...parts: Buffer[]): string {
  const folder = ownFolder();
  const name = (i: number) => join(folder, `m-0000${i}-of-0000${parts.length}.gguf`);
  for (const [i, bytes] of parts.entries()) writeFileSync(name(i + 1), bytes);
  return name(Math.min(2, parts.length));
}

const good = (no: number): Said => ({ no, count: 3, tensors: 3 });
const three = (second: Said) => written(part('a', good(0)), part('b', second), part('c', good(2)));

describe('files of one model', () => {
  test('are opened together by the name of any of them', async () => {
    const path = written(part('a', good(0), 7), part('b', good(1), 8), part('c', good(2), 9));
    for (const one of [path, path.replace('00002-of', '00003-of')]) {
      using weights = await Weights.open(one);
      expect([...weights].map(({ name, data }) => [name, (data as Int8Array)[0]])).toEqual([
        ['a', 7],
        ['b', 8],
        ['c', 9],
      ]);
      expect(weights.metadata['split.count']).toBe(3);
    }
  });

  test('need not say what they are', async () => {
    using weights = await Weights.open(three({}));
    expect(weights.tensors.size).toBe(3);
  });

  test.each<[string, () => string]>([
    ['another number of files', () => three({ no: 1, count: 4, tensors: 3 })],
    ['that it is not split', () => three({ count: 0 })],
    ['another place among them', () => three({ no: 2, count: 3, tensors: 3 })],
    ['another place alone', () => three({ no: 0 })],
    ['more tensors than there are', () => written(...[0, 1].map((no) => part(`${no}`, { no, count: 2, tensors: 4 })))],
    ['another number of tensors alone', () => three({ tensors: 2 })],
  ])('are refused if one says %s', async (_, make) => {
    await expect(Weights.open(make())).rejects.toMatchObject({ name: 'WeightsError', code: 'ERR_WEIGHTS_SPLIT' });
  });

  test('are refused with the name of the one that is wrong', async () => {
    const path = three({ no: 2, count: 3, tensors: 3 });
    await expect(Weights.open(path)).rejects.toMatchObject({ path, message: expect.stringContaining('split.no is 2') });
  });

  test('are refused if one is missing', async () => {
    const path = three(good(1));
    unlinkSync(path.replace('00002-of', '00003-of'));
    await expect(Weights.open(path)).rejects.toMatchObject({ code: 'ERR_WEIGHTS_NOT_FOUND' });
    // Nor does it help to call them otherwise.
    await expect(Weights.open(written(part('a', good(0)), part('b', good(1))))).rejects.toMatchObject({
      code: 'ERR_WEIGHTS_SPLIT',
    });
  });
});

describe('one file', () => {
  const alone = (said: Said) => {
    const path = join(ownFolder(), 'model.gguf');
    writeFileSync(path, part('a', said));
    return path;
  };

  test('of several is no model, whatever its name', async () => {
    await expect(Weights.open(alone(good(0)))).rejects.toMatchObject({ code: 'ERR_WEIGHTS_SPLIT' });
  });

  test('that was several, or is one of one, is a model', async () => {
    for (const said of [{ no: 2, count: 0, tensors: 3 }, { no: 0, count: 1, tensors: 1 }, {}]) {
      using weights = await Weights.open(alone(said));
      expect(weights.tensors.size).toBe(1);
    }
    using numbered = await Weights.open(written(part('a', { no: 0, count: 1, tensors: 1 })));
    expect(numbered.tensors.size).toBe(1);
  });
});

test('metadata of a safetensors file with the names of a split are texts like any others', async () => {
  const path = join(ownFolder(), 'a.safetensors');
  await Weights.write(path, { w: Int8Array.of(1) }, { metadata: { 'split.count': '3' } });
  using weights = await Weights.open(path);
  expect(weights.metadata['split.count']).toBe('3');
});

test('a link that an index names is not followed, even if it is the only shard', async () => {
  const folder = ownFolder();
  const elsewhere = join(ownFolder(), 'secret');
  await Weights.write(elsewhere, { w: Int8Array.of(1) });
  symlinkSync(elsewhere, join(folder, 'a.safetensors'));
  writeFileSync(join(folder, 'model.safetensors.index.json'), '{"weight_map":{"w":"a.safetensors"}}');
  await expect(Weights.open(folder)).rejects.toMatchObject({ code: 'ERR_WEIGHTS_OPEN' });
  using weights = await Weights.open(join(folder, 'a.safetensors')); // the caller's own word
  expect(weights.tensors.size).toBe(1);
});
