// Headers that say millions: what is too much for any model is refused before it costs what it says; what is not is
// read.
import { closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Weights } from 'zerohop';
import { ownFolder } from '../fixtures/folder.js';
import { u32, u64 } from './reader/make-gguf.js';
import { fileOf } from './reader/make-safetensors.js';

const TENSORS_MAX = 2 ** 20;
const METADATA_MAX = 2 ** 16;

/** A file with these bytes, then zeros, which take no place on the disk. */
function written(name: string, head: Buffer, bytes = head.length): string {
  const path = join(ownFolder(), name);
  const file = openSync(path, 'w');
  writeSync(file, head);
  ftruncateSync(file, bytes);
  closeSync(file);
  return path;
}

const repeated = (count: number, make: (i: number) => string) =>
  Array.from({ length: count }, (_, i) => make(i)).join();

describe('a safetensors header', () => {
  const empty = '{"dtype":"U8","shape":[0],"data_offsets":[0,0]}';
  const tensors = (count: number) => fileOf(`{${repeated(count, (i) => `"${i}":${empty}`)}}`, Buffer.alloc(0));
  const texts = (count: number) => fileOf(`{"__metadata__":{${repeated(count, (i) => `"${i}":""`)}}}`, Buffer.alloc(0));

  test('of 100 000 tensors, more than the largest models have, is read', async () => {
    using weights = await Weights.open(written('a.safetensors', tensors(100_000)));
    expect(weights.tensors.size).toBe(100_000);
    expect(weights.tensor('99999').shape).toEqual([0]);
  });

  test('of as many texts as may be is read, and of one more refused', async () => {
    using weights = await Weights.open(written('a.safetensors', texts(METADATA_MAX)));
    expect(Object.keys(weights.metadata)).toHaveLength(METADATA_MAX);
    const more = written('a.safetensors', texts(METADATA_MAX + 1));
    await expect(Weights.open(more)).rejects.toMatchObject({ code: 'ERR_WEIGHTS_COUNT' });
  });

  test('of nothing but one tensor’s million unknown fields is read', async () => {
    const fields = repeated(1_000_000, (i) => `"${i}":0`);
    const entry = `{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":{${fields}}}`;
    using weights = await Weights.open(written('a.safetensors', fileOf(`{"w":${entry}}`, Buffer.alloc(0))));
    expect(weights.tensors.size).toBe(1);
  });
});

describe('a GGUF header', () => {
  const preamble = (tensors: number, values: number) =>
    Buffer.concat([Buffer.from('GGUF'), u32(3), u64(tensors), u64(values)]);
  const GIB = 2 ** 30;

  test.each([
    ['10 000 000 tensors', 10_000_000, 0],
    ['one tensor too many', TENSORS_MAX + 1, 0],
    ['10 000 000 values', 0, 10_000_000],
    ['one value too many', 0, METADATA_MAX + 1],
  ])('that claims %s is refused, with the bytes and without', async (_, tensors, values) => {
    const head = preamble(tensors, values);
    for (const bytes of [head.length, GIB])
      await expect(Weights.open(written('a.gguf', head, bytes))).rejects.toMatchObject({ code: 'ERR_WEIGHTS_COUNT' });
  });

  test('that claims as many as may be is refused for what it has instead', async () => {
    const head = preamble(TENSORS_MAX, METADATA_MAX);
    await expect(Weights.open(written('a.gguf', head))).rejects.toMatchObject({ code: 'ERR_WEIGHTS_COUNT' });
    // Zeros: the first key is empty.
    await expect(Weights.open(written('a.gguf', head, GIB))).rejects.toMatchObject({ code: 'ERR_WEIGHTS_KEY' });
  });

  test('of a million texts in a list is read; a list is made when it is asked for', async () => {
    const list = Buffer.concat([u64(1), Buffer.from('k'), u32(9), u32(8), u64(1_000_000), Buffer.alloc(8_000_000)]);
    using weights = await Weights.open(written('a.gguf', Buffer.concat([preamble(0, 1), list])));
    expect(Object.keys(weights.metadata)).toEqual(['k']);
    expect(weights.metadata['k']).toHaveLength(1_000_000);
  });
});

test('an index of more tensors than any model has is refused', async () => {
  const folder = ownFolder();
  const map = repeated(TENSORS_MAX + 1, (i) => `"${i}":"a"`);
  writeFileSync(join(folder, 'model.safetensors.index.json'), `{"weight_map":{${map}}}`);
  await expect(Weights.open(folder)).rejects.toMatchObject({ code: 'ERR_WEIGHTS_COUNT' });
});
