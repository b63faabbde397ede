// Ids that somebody chose in order to make a table slow: they are spread like others, and no index makes a search long.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { EmbeddingTable, Weights } from 'zerohop';
import { ownFolder } from '../fixtures/folder.js';

const fileOf = (name = 'table.safetensors') => join(ownFolder(), name);
const GOLDEN = 0x9e3779b1;

/** Numbers whose products with a constant lie side by side: all of one slot where that product chooses it. */
function numbersOfOneSlot(count: number): number[] {
  let inverse = 1;
  for (let i = 0; i < 6; ++i) inverse = Math.imul(inverse, 2 - Math.imul(GOLDEN | 0, inverse));
  return Array.from({ length: count }, (_, i) => Math.imul(i, inverse) >>> 0);
}

/** Texts of one FNV-1a: of each pair, found by search, one half. */
function textsOfOneHash(pairs: number): string[] {
  const fnv = (text: string, from: number) =>
    [...text].reduce((hash, c) => Math.imul(hash ^ c.charCodeAt(0), 0x01000193), from);
  let state = 0x811c9dc5 | 0;
  let texts = [''];
  for (let pair = 0; pair < pairs; ++pair) {
    const seen = new Map<number, string>();
    for (let i = 0; ; ++i) {
      const text = i.toString(36).padStart(6, '0');
      const hash = fnv(text, state);
      const other = seen.get(hash);
      if (other !== undefined) {
        texts = texts.flatMap((before) => [before + other, before + text]);
        state = hash;
        break;
      }
      seen.set(hash, text);
    }
  }
  return texts;
}

/** How many slots the farthest id lies behind an empty one: the longest run of slots in use. */
async function longestRun(path: string): Promise<number> {
  using weights = await Weights.open(path);
  const slots = weights.tensor('index').data as Int32Array;
  let longest = 0;
  for (let slot = 0, run = 0; slot < slots.length / 2; ++slot) {
    run = slots[2 * slot + 1] === 0 ? 0 : run + 1;
    longest = Math.max(longest, run);
  }
  return longest;
}

describe.each<[string, () => (number | string)[]]>([
  ['numbers whose multiples are neighbours', () => numbersOfOneSlot(20_000)],
  ['numbers that end alike', () => Array.from({ length: 20_000 }, (_, i) => i * 2 ** 32)],
  ['numbers that begin alike', () => Array.from({ length: 20_000 }, (_, i) => i)],
  ['texts of one FNV-1a', () => textsOfOneHash(9)],
])('ids that are %s', (_, make) => {
  const ids = make();

  test('are all found, by short probe sequences in the index', async () => {
    const path = fileOf();
    await EmbeddingTable.write(path, {
      ids: ids as number[],
      vectors: Float32Array.from(ids, (_, i) => i),
      dimensions: 1,
    });
    expect(await longestRun(path)).toBeLessThan(128);
    using table = await EmbeddingTable.open(path);
    for (const [i, id] of ids.entries()) expect(table.row(id)![0]).toBe(i);
    expect(table.gather(ids, new Float32Array(ids.length)).hits).toBe(ids.length);
  });

  test('make the same file each time', async () => {
    const [one, other] = [fileOf(), fileOf()];
    const rows = ids.slice(0, 500).map((id, i) => [id, [i]] as const);
    for (const path of [one, other]) await EmbeddingTable.write(path, rows);
    expect(readFileSync(one).equals(readFileSync(other))).toBe(true);
    await EmbeddingTable.write(other, rows.slice(1));
    using first = await Weights.open(one);
    using second = await Weights.open(other);
    expect(first.metadata['index.seed']).not.toBe(second.metadata['index.seed']);
  });
});

test.each<[string, (slots: Int32Array, rows: number) => void]>([
  ['is full of rows that there are not', (slots) => slots.fill(2 ** 31 - 1)],
  ['is full of one row', (slots) => slots.fill(1)],
  [
    'is full of rows that there are',
    (slots, rows) =>
      slots.forEach((_, i) => {
        slots[i] = 1 + (i % rows);
      }),
  ],
])('an index that %s gives each search an end soon', async (_, fill) => {
  const path = fileOf();
  const rows = 1000;
  await EmbeddingTable.write(
    path,
    Array.from({ length: rows }, (_, i) => [`t${i}`, [i]] as const),
  );
  using good = await Weights.open(path);
  // As many slots as a file may have room for: to look at them all takes long.
  const slots = new Int32Array(2 ** 22);
  fill(slots, rows);
  const tensors = Object.fromEntries(
    [...good].map(({ name, dtype, shape, data }) => [
      name,
      name === 'index'
        ? { dtype: 'int32', shape: [2 ** 21, 2], data: slots }
        : { dtype: { F32: 'float32', U8: 'uint8', F64: 'float64' }[dtype], shape, data },
    ]),
  );
  const other = fileOf();
  await Weights.write(other, tensors as never, { metadata: { 'index.seed': '0123456789abcdef' } });
  using table = await EmbeddingTable.open(other);
  // Some thousand million steps if each looked at all slots.
  for (let i = 0; i < 2000; ++i) expect(table.has(`t${i}`)).toBeTypeOf('boolean');
  expect(table.rows(['t1', 'stranger'])).toHaveLength(2);
});
