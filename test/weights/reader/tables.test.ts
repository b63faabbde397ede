// Tables with anything wrong in them: they are refused, or answer what a second reader finds that compares every id;
// and where their index lies, each answer fits the others, and is of this table.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { EmbeddingTable, type TableRow, WeightsError } from 'zerohop';
import { randomFrom } from '../../fixtures/values.mjs';
import { Refused } from './answer.js';
import { BYTE_CHANGES } from './bytes.js';
import { below, fileOf, oneOf, type Random } from './make-safetensors.js';
import { metadataOf, readSafetensors } from './safetensors.js';
import { type ReadTable, readTable, rowIn } from './table.js';

const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'zerohop-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'table.safetensors');

/** A tensor as it stands in the file. */
interface Part {
  name: string;
  dtype: string;
  shape: number[];
  bytes: Buffer;
}

const IDS: Record<string, (random: Random, i: number) => number | string> = {
  'small numbers': (_, i) => i * 3,
  'far numbers': (random, i) => Math.floor((random() - 0.5) * 2 ** 50) + i,
  'numbers that end alike': (_, i) => i * 2 ** 32 + 5,
  texts: (random, i) => ['', 'é', `user ${i}`, `${Math.floor(random() * 1e6)}`][i < 2 ? i : 2 + (i % 2)]!,
};

/** Of the table that was made last; undefined: its file does not say it. */
let seed: string | undefined;

/** Tensors of a table at random, without an index or with the one that is written here. */
async function makeTable(random: Random, kind: string): Promise<Part[]> {
  const size = below(random, 20);
  const dimensions = 1 + below(random, 20);
  const ids = [...new Set(Array.from({ length: size }, (_, i) => IDS[kind]!(random, i)))];
  const count = ids.length * dimensions;
  const small = () => below(random, 200) - 100;
  const contents = oneOf(random, [
    () => ({ vectors: Float32Array.from({ length: count }, small) }),
    () => ({ vectors: Int8Array.from({ length: count }, small), scales: Float32Array.from(ids, small) }),
    () => ({ vectors: Int8Array.from({ length: count }, small) }),
    () => ({ vectors: Uint16Array.from({ length: count }, () => 0x3c00 + below(random, 100)) }),
    () => ({ vectors: Uint16Array.from({ length: count }, () => 0x3f80 + below(random, 9)), dtype: 'BF16' as const }),
  ])();
  await EmbeddingTable.write(path, { ids, dimensions, ...contents } as never);
  const file = readFileSync(path);
  seed = metadataOf(file).get('index.seed') as string;
  const parts = readSafetensors(file).map(({ name, dtype, shape, begin, end }) => ({
    name,
    dtype,
    shape,
    bytes: Buffer.from(file.subarray(begin, end)),
  }));
  const kept = random() < 0.4 ? parts.filter(({ name }) => name !== 'index') : parts;
  const numbers = kept.find(({ name, dtype }) => name === 'ids' && dtype === 'I64');
  if (kind === 'small numbers' && numbers !== undefined && random() < 0.5) {
    numbers.dtype = 'U32';
    numbers.bytes = Buffer.from(Uint32Array.from(ids as number[]).buffer);
  }
  return kept;
}

function written(parts: readonly Part[]): Buffer {
  let at = 0;
  const entries = parts.map(({ name, dtype, shape, bytes }) => {
    at += bytes.length;
    return `${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [at - bytes.length, at] })}`;
  });
  if (seed !== undefined) entries.unshift(`"__metadata__":{"index.seed":"${seed}"}`);
  return fileOf(`{${entries.join()}}`, Buffer.concat(parts.map(({ bytes }) => bytes)));
}

/** What is done to the tensors; 'index' and 'ids' in its name: answers of the index are no more those of the ids. */
const CHANGES: Record<string, (parts: Part[], random: Random) => Buffer> = {
  nothing: (parts) => written(parts),
  'tensors stand elsewhere, at any byte': (parts, random) => {
    const odd = { name: 'odd', dtype: 'U8', shape: [1], bytes: Buffer.of(1) };
    return written([odd, ...parts].sort(() => random() - 0.5));
  },
  'vectors and scales are other numbers': (parts, random) => {
    for (const { name, bytes } of parts) if (name === 'vectors' || name === 'scales') scribble(bytes, random);
    return written(parts);
  },
  'ids are other numbers, or end elsewhere': (parts, random) => {
    const { bytes } = oneOf(
      random,
      parts.filter(({ name }) => name.startsWith('ids')),
    );
    scribble(bytes, random);
    return written(parts);
  },
  'ids end anywhere': (parts, random) => {
    const ends = parts.find(({ name }) => name === 'ids.ends');
    const values = [Number.NaN, -1, 0.5, 0, 1, 3, 1e300, Number.POSITIVE_INFINITY];
    if (ends !== undefined && ends.bytes.length > 0)
      ends.bytes.writeDoubleLE(oneOf(random, values), 8 * below(random, ends.bytes.length / 8));
    return written(parts);
  },
  'the index has any rows': (parts, random) =>
    withIndex(parts, (slots) => {
      for (let i = 1; i < slots.length; i += 2)
        if (random() < 0.5) slots[i] = oneOf(random, [1, 2, 3, 20, 21, 1_000_000, 2 ** 31 - 1, -1, -(2 ** 31), 0]);
    }),
  'the index has no end': (parts, random) =>
    withIndex(parts, (slots) => {
      for (let i = 1; i < slots.length; i += 2) slots[i] = random() < 0.5 ? 1 : 1_000_000;
    }),
  'the index is full of one id': (parts, random) =>
    withIndex(parts, (slots) => {
      for (let i = 0; i < slots.length; i += 2) slots.set([random() < 0.5 ? 0 : 3, 1 + below(random, 20)], i);
    }),
  'the index has another seed, or none': (parts, random) => {
    seed = oneOf(random, [undefined, '', '0123', '0'.repeat(16), 'F'.repeat(16), 'f'.repeat(16)]);
    return written(parts);
  },
  'the index is of another size': (parts, random) => {
    const index = parts.find(({ name }) => name === 'index');
    if (index !== undefined) {
      const slots = oneOf(random, [0, 1, 2, 3, 4, 64, 4096]);
      index.shape = [slots, 2];
      index.bytes = Buffer.alloc(8 * slots, random() < 0.5 ? 1 : 0);
    }
    return written(parts);
  },
  'a tensor is missing, with the index': (parts, random) => {
    parts.splice(below(random, parts.length), 1);
    return written(parts);
  },
  'a type is another, also of ids': (parts, random) => {
    const part = oneOf(random, parts);
    const alike = [
      ['F32', 'I32', 'U32'],
      ['F16', 'BF16', 'I16', 'U16'],
      ['I8', 'U8', 'BOOL', 'F8_E4M3'],
      ['I64', 'F64', 'U64'],
    ];
    part.dtype = oneOf(random, alike.find((types) => types.includes(part.dtype))!);
    return written(parts);
  },
  'a shape is another, also of ids': (parts, random) => {
    const part = oneOf(random, parts);
    const [size = 1, wide = 1] = part.shape;
    part.shape = oneOf(random, [[size * wide], [wide, size], [size, wide, 1], [1, size, wide], [size * wide, 1]]);
    return written(parts);
  },
  'rows are none, of any width': (parts, random) => {
    for (const part of parts) {
      if (part.name === 'index') continue;
      part.bytes = Buffer.alloc(0);
      part.shape = part.name === 'vectors' ? [0, oneOf(random, [0, 1, 2 ** 31, 2 ** 52])] : [0];
    }
    return written(parts);
  },
};
for (const [name, change] of Object.entries(BYTE_CHANGES))
  CHANGES[`${name}, anywhere in index or ids too`] = (parts, random) => change(written(parts), random);

function scribble(bytes: Buffer, random: Random): void {
  for (let i = below(random, 9); i > 0 && bytes.length > 0; --i)
    bytes[below(random, bytes.length)] = below(random, 256);
}

function withIndex(parts: Part[], change: (slots: Int32Array) => void): Buffer {
  const index = parts.find(({ name }) => name === 'index');
  if (index !== undefined) {
    const slots = new Int32Array(new Uint8Array(index.bytes).buffer);
    change(slots);
    index.bytes = Buffer.from(slots.buffer);
  }
  return written(parts);
}

const bytesOf = (row: TableRow) => Buffer.from(row.buffer, row.byteOffset, row.byteLength);
const STRANGERS = [7, -1, 2 ** 32 + 5, 2 ** 52, 0.5, Number.NaN, 2 ** 60, Number.NEGATIVE_INFINITY, -0];

/** Asks everything, and holds the answers to each other; where the index is believed, to what the second reader finds. */
function interrogate(table: EmbeddingTable, wanted: ReadTable, believed: boolean, random: Random): void {
  const { texts, dimensions, rows } = wanted;
  expect([table.size, table.dimensions, table.dtype]).toEqual([rows.length, dimensions, wanted.dtype]);
  const known = wanted.ids.map((id) => (typeof id === 'bigint' ? Number(id) : id.toString()));
  const asked = [...known, ...(texts ? ['stranger', 'é', '\ud800'] : STRANGERS), ...(texts ? [] : [below(random, 99)])];
  expect(() => table.row(texts ? 1 : ('1' as never))).toThrow(TypeError);
  const found = asked.map((id) => {
    const row = table.row(id);
    expect(table.has(id)).toBe(row !== undefined);
    expect(table.scale(id) === undefined).toBe(row === undefined);
    if (believed) {
      const place = rowIn(wanted, id);
      expect(row && bytesOf(row).toString('hex'), `${id}`).toBe(rows[place]?.toString('hex'));
      if (place >= 0) expect(table.scale(id)).toBe(wanted.scales === undefined ? 1 : wanted.scales[place]);
    } else if (row !== undefined) expect(rows.map((one) => one.equals(bytesOf(row)))).toContain(true);
    return row;
  });
  if (dimensions > 1000) return; // of no rows: there is nothing to be gathered into
  const out = emptyOf(wanted.dtype, asked.length * dimensions);
  const { missing } = table.gather(asked, out, { missing: 'zero' });
  const wide = out.BYTES_PER_ELEMENT * dimensions;
  for (const [i, row] of found.entries()) {
    expect(missing.includes(i)).toBe(row === undefined);
    expect(
      bytesOf(out)
        .subarray(i * wide, (i + 1) * wide)
        .equals(row ? bytesOf(row) : Buffer.alloc(wide)),
    ).toBe(true);
  }
  const query = Float32Array.from({ length: dimensions }, () => below(random, 9) - 4);
  const scores = table.dot(query, asked);
  for (const [i, row] of found.entries()) if (row === undefined) expect(scores[i]).toBeNaN();
  const best = table.topK(query, rows.length + 2);
  expect(best.length).toBeLessThanOrEqual(rows.length);
  if (!believed) return;
  const own = [...table.dot(query, known)];
  if (!own.every(Number.isFinite)) return;
  const order = own.map((score, i) => ({ id: known[i]!, score, i })).sort((a, b) => b.score - a.score || a.i - b.i);
  expect(best).toEqual(order.map(({ id, score }) => ({ id, score })));
}

function emptyOf(dtype: string, length: number): TableRow {
  if (dtype === 'F32') return new Float32Array(length);
  return dtype === 'I8' ? new Int8Array(length) : new Uint16Array(length);
}

/** What the second reader says; undefined where it refuses. */
function readOf(file: Buffer): ReadTable | undefined {
  try {
    return readTable(file);
  } catch (error) {
    if (error instanceof Refused) return undefined;
    throw error;
  }
}

describe.each(Object.keys(IDS))('a table by %s', (kind) => {
  let answered = 0;
  let refused = 0;

  test.each(Object.keys(CHANGES))('answers rightly or is refused where %s', async (change) => {
    const random = randomFrom(Object.keys(CHANGES).indexOf(change) + 1000 * Object.keys(IDS).indexOf(kind));
    for (let i = 0; i < 15; ++i) {
      const parts = await makeTable(random, kind);
      const file = CHANGES[change]!(parts, random);
      writeFileSync(path, file);
      const wanted = readOf(file);
      const table = await EmbeddingTable.open(path).catch((error) => {
        expect(error).toBeInstanceOf(WeightsError);
        return undefined;
      });
      expect(table !== undefined, `taken: ${file.toString('latin1')}`).toBe(wanted !== undefined);
      if (table === undefined) ++refused;
      else {
        ++answered;
        // Ids beyond 2^53 can be in a file, and not be asked for.
        const sayable = wanted!.ids.every((id) =>
          typeof id === 'bigint' ? Number.isSafeInteger(Number(id)) : Buffer.from(id.toString()).equals(id),
        );
        interrogate(table, wanted!, sayable && !(wanted!.indexed && /index|ids/.test(change)), random);
        table.close();
      }
    }
  });

  test('answered hundreds of times, and was refused hundreds of times', () => {
    expect(answered).toBeGreaterThan(150);
    expect(refused).toBeGreaterThan(60);
  });
});
