// weights.mts — the operations of a table of 10 000 rows of 128 float32, and of a checkpoint of 1 024 x 256 float32.
// Both are files that are mapped and warm.

import path from 'node:path';
import { EmbeddingTable, Weights } from 'zerohop';
import { uniformStream } from '../workloads/random.mjs';
import { CALLS, type Operation, type Room } from './operation.mjs';
import { expectRight } from './right.mjs';

const ROWS = 10_000;
const DIMENSIONS = 128;
const BEST = 10;
const SHAPE = [1024, 256] as const;
const ELEMENTS = SHAPE[0] * SHAPE[1];

const single = { calls: CALLS, items: 1 };
const batch = { calls: 1, items: CALLS };
const once = { calls: 1, items: 1 };

/** Exact in a float32; the first row is the longest. */
const element = (row: number, i: number) => ((ROWS - row) * 32 + (i % 32)) / 64;

export async function tableOperations(folder: string): Promise<Room> {
  const file = path.join(folder, 'table.safetensors');
  const ids = Int32Array.from({ length: ROWS }, (_, row) => 7 * row);
  const vectors = new Float32Array(ROWS * DIMENSIONS);
  for (const at of vectors.keys()) vectors[at] = element(Math.floor(at / DIMENSIONS), at % DIMENSIONS);
  await EmbeddingTable.write(file, { ids, vectors, dimensions: DIMENSIONS });
  const table = await EmbeddingTable.open(file);
  const rows = uniformStream(ROWS, CALLS, 1);
  const wanted = Int32Array.from(rows, (row) => ids[row]!);
  const out = new Float32Array(CALLS * DIMENSIONS);
  const scores = new Float32Array(CALLS);
  const query = new Float32Array(DIMENSIONS).fill(1 / DIMENSIONS);
  const isRow = (values: ArrayLike<number> | undefined, row: number) =>
    values?.length === DIMENSIONS &&
    values[0] === element(row, 0) &&
    values[DIMENSIONS - 1] === element(row, DIMENSIONS - 1);
  const meanOf = (row: number) =>
    vectors.subarray(row * DIMENSIONS, (row + 1) * DIMENSIONS).reduce((a, b) => a + b) / DIMENSIONS;
  const operations: Operation[] = [
    {
      name: 'has',
      method: 'EmbeddingTable.has',
      ...single,
      check: () =>
        expectRight(
          wanted.every((id) => table.has(id) && !table.has(id + 1)),
          'has',
        ),
      run: (i) => table.has(wanted[i]!),
    },
    {
      name: 'row',
      method: 'EmbeddingTable.row',
      ...single,
      check: () =>
        expectRight(
          rows.every((row, i) => isRow(table.row(wanted[i]!) as Float32Array, row)),
          'row',
        ),
      run: (i) => table.row(wanted[i]!),
    },
    {
      name: 'rows, of 100',
      method: 'EmbeddingTable.rows',
      ...batch,
      check: () =>
        expectRight(
          table.rows(wanted).every((values, i) => isRow(values as Float32Array, rows[i]!)),
          'rows',
        ),
      run: () => table.rows(wanted),
    },
    {
      name: 'scale',
      method: 'EmbeddingTable.scale',
      ...single,
      check: () =>
        expectRight(
          wanted.every((id) => table.scale(id) === 1),
          'scale',
        ),
      run: (i) => table.scale(wanted[i]!),
    },
    {
      name: 'gather, of 100',
      method: 'EmbeddingTable.gather',
      ...batch,
      check() {
        expectRight(table.gather(wanted, out).hits === CALLS, 'gather');
        expectRight(
          rows.every((row, i) => isRow(out.subarray(i * DIMENSIONS, (i + 1) * DIMENSIONS), row)),
          'gather',
        );
      },
      run: () => table.gather(wanted, out),
    },
    {
      name: 'dot, of 100',
      method: 'EmbeddingTable.dot',
      ...batch,
      check() {
        table.dot(query, wanted, scores);
        expectRight(
          rows.every((row, i) => Math.abs(scores[i]! / meanOf(row) - 1) < 1e-3),
          'dot',
        );
      },
      run: () => table.dot(query, wanted, scores),
    },
    {
      name: 'topK, 10 of 10 000',
      method: 'EmbeddingTable.topK',
      ...once,
      check() {
        const best = table.topK(query, BEST).map(({ id }) => id);
        expectRight(String(best) === String([...ids.subarray(0, BEST)]), 'topK');
      },
      run: () => table.topK(query, BEST),
    },
    {
      name: 'residency',
      method: 'EmbeddingTable.residency',
      ...once,
      check: () => expectRight(table.residency().mapped >= vectors.byteLength, 'residency'),
      run: () => table.residency(),
    },
    {
      name: 'open and close of a table',
      method: 'EmbeddingTable.open',
      ...once,
      awaited: true,
      check: async () => openAndClose(file, EmbeddingTable),
      run: () => openAndClose(file, EmbeddingTable),
    },
  ];
  return { operations, close: () => table.close() };
}

async function openAndClose(file: string, of: { open(file: string): Promise<{ close(): void }> }): Promise<void> {
  (await of.open(file)).close();
}

export async function weightsOperations(folder: string): Promise<Room> {
  const file = path.join(folder, 'weights.safetensors');
  const names = Array.from({ length: CALLS }, (_, i) => `layers.${i}.bias`);
  const large = Float32Array.from({ length: ELEMENTS }, (_, i) => i % 1000);
  await Weights.write(file, [
    ['layers.0.weight', { dtype: 'float32', shape: SHAPE, data: large }],
    ...names.map((name, i): [string, Float32Array] => [name, new Float32Array(16).fill(i)]),
  ]);
  const weights = await Weights.open(file);
  const tensor = weights.tensor('layers.0.weight');
  const rowBytes = 4 * SHAPE[1];
  const floats = new Float32Array(ELEMENTS);
  const read = new Uint8Array(rowBytes);
  const isLarge = (values: ArrayLike<number>) =>
    values.length === ELEMENTS && large.every((value, i) => values[i] === value);
  const operations: Operation[] = [
    {
      name: 'tensor',
      method: 'Weights.tensor',
      ...single,
      check: () =>
        expectRight(
          names.every((name) => weights.tensor(name).name === name),
          'tensor',
        ),
      run: (i) => weights.tensor(names[i]!),
    },
    {
      name: 'data',
      method: 'WeightTensor.data',
      ...single,
      check: () =>
        expectRight(
          names.every((name, i) => (weights.tensor(name).data as Float32Array)[15] === i),
          'data',
        ),
      run: (i) => weights.tensor(names[i]!).data,
    },
    {
      name: 'part, a row',
      method: 'WeightTensor.part',
      ...single,
      check: () =>
        expectRight((tensor.part(rowBytes, 2 * rowBytes) as Float32Array)[1] === large[SHAPE[1] + 1], 'part'),
      run: (i) => tensor.part(i * rowBytes, (i + 1) * rowBytes),
    },
    {
      name: 'read, a row',
      method: 'WeightTensor.read',
      ...single,
      check() {
        tensor.read(read, rowBytes);
        expectRight(new Float32Array(read.buffer)[1] === large[SHAPE[1] + 1], 'read');
      },
      run: (i) => tensor.read(read, i * rowBytes),
    },
    {
      name: 'toFloat32, 1 MiB',
      method: 'WeightTensor.toFloat32',
      ...once,
      check: () => expectRight(isLarge(tensor.toFloat32(floats)), 'toFloat32'),
      run: () => tensor.toFloat32(floats),
    },
    {
      name: 'externalData',
      method: 'Weights.externalData',
      ...once,
      check: () => expectRight(weights.externalData()[0]?.data.length === weights.bytes, 'externalData'),
      run: () => weights.externalData(),
    },
    {
      name: 'residency',
      method: 'Weights.residency',
      ...once,
      check: () => expectRight(weights.residency().mapped >= weights.bytes, 'residency'),
      run: () => weights.residency(),
    },
    {
      name: 'advise',
      method: 'Weights.advise',
      ...once,
      check: () => void weights.advise(),
      run: () => weights.advise(),
    },
    {
      name: 'check',
      method: 'Weights.check',
      ...once,
      check: () => weights.check(),
      run: () => weights.check(),
    },
    {
      name: 'open and close of weights',
      method: 'Weights.open',
      ...once,
      awaited: true,
      check: async () => openAndClose(file, Weights),
      run: () => openAndClose(file, Weights),
    },
  ];
  return { operations, close: () => weights.close() };
}
