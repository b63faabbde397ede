// table.mts — times one operation of each row of the comparison, in every store that can do it.
//
// Times are of one operation: a value, or a whole batch.  Every store is first compared byte for byte, and each timed
// answer at its first and last element.  All stores of a row are timed in turns.

import { type Cache, float32 } from 'zerohop';
import { type Contender, measureInTurns } from '../harness/measure.mjs';
import { showProgress } from '../harness/progress.mjs';
import { summarize } from '../harness/statistics.mjs';
import { formatNumber, formatTable } from '../harness/table.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';
import type { RemoteStore } from './table-stores.mjs';

const HOT_KEYS = 16;
const COMPARED_KEYS = 50;

export interface Row {
  readonly name: string;
  readonly label: string;
  /** Of a value; a multiple of four. */
  readonly bytes: number;
  readonly keys: number;
  /** Keys of an operation. */
  readonly batch: number;
  /** How a batch is asked of a server: key after key, all GETs at once, or one MGET. */
  readonly by?: 'one-by-one' | 'pipeline' | 'mget';
}

const EMBEDDING = { bytes: 4096, keys: 10_000 };
export const ROWS: readonly Row[] = [
  { name: 'embedding-4k', label: 'embedding, 4 KiB', ...EMBEDDING, batch: 1 },
  {
    name: 'embedding-4k-x100-one-by-one',
    label: '100 of them, one by one',
    ...EMBEDDING,
    batch: 100,
    by: 'one-by-one',
  },
  { name: 'embedding-4k-x100', label: '100 of them, pipelined', ...EMBEDDING, batch: 100, by: 'pipeline' },
  { name: 'embedding-4k-x1000', label: '1 000 of them, one MGET', ...EMBEDDING, batch: 1000, by: 'mget' },
  { name: 'output-1k', label: 'model output, 1 KiB', bytes: 1024, keys: 10_000, batch: 1 },
  { name: 'features-8k', label: 'feature vector, 8 KiB', bytes: 8192, keys: 10_000, batch: 1 },
  { name: 'tokenizer-5m', label: 'tokenizer, 5 MB', bytes: 5_000_000, keys: 4, batch: 1 },
  { name: 'shard-32m', label: 'weight shard, 32 MB', bytes: 32_000_000, keys: 1, batch: 1 },
];

/** In the suite `redis-table`: the ways to Redis, and to zerohop's server. */
export const REDIS_WAYS: readonly string[] = ['node-redis tcp', 'ioredis tcp', 'node-redis unix', 'ioredis unix'];
export const RESP_WAYS: readonly string[] = ['node-redis resp', 'ioredis resp'];

/** The way with the lowest median. */
export function fastestOf(ways: readonly string[], timeOf: (way: string) => number): string {
  return ways.reduce((best, way) => (timeOf(way) < timeOf(best) ? way : best));
}

const FLOAT_BYTES = 4;
const keyOf = (row: Row, index: number) => `${row.bytes}:${index}`;
const elementOf = (index: number, at: number) => (index * 7 + at) % 4093;
const floatsOf = (row: Row, index: number) =>
  Float32Array.from({ length: row.bytes / FLOAT_BYTES }, (_, at) => elementOf(index, at));
const bufferOf = (value: Float32Array) => Buffer.from(value.buffer, value.byteOffset, value.byteLength);

const spaceOf = (cache: Cache, row: Row) => cache.keyspace(`${row.bytes}`, { codec: float32(row.bytes / FLOAT_BYTES) });

/** Nanoseconds of one operation, one a round, under `store/row`. */
export type Samples = Map<string, number[]>;

export interface Extent {
  readonly rounds: number;
  readonly sampleMsMin: number;
}

/**
 * Stores what the rows need, in the cache and in every store, and times them.
 *
 * @throws {WrongAnswer} a store gave what was not stored.
 */
export async function measureRows(
  rows: readonly Row[],
  cache: Cache,
  stores: readonly RemoteStore[],
  extent: Extent,
): Promise<Samples> {
  const samples: Samples = new Map();
  let filled: number | undefined;
  for (const row of rows) {
    const space = spaceOf(cache, row);
    if (filled !== row.bytes) {
      showProgress(`storing ${row.keys} values of ${row.bytes} bytes`);
      for (let index = 0; index < row.keys; ++index) {
        const value = floatsOf(row, index);
        space.set(keyOf(row, index), value);
        for (const store of stores) await store.set(keyOf(row, index), bufferOf(value));
      }
      filled = row.bytes;
      for (const store of stores) await compare(store, row);
    }
    const contenders = [...stores.map((store) => remoteContender(store, row)), ...localContenders(space, row)];
    const times = await measureInTurns(contenders, {
      ...extent,
      onRound: (round, rounds) => showProgress(`${row.label}: round ${round + 1} of ${rounds}`),
    });
    for (const [name, values] of times) samples.set(`${name}/${row.name}`, values);
  }
  return samples;
}

/**
 * Medians, with their units.
 *
 * @param columns  the title of each, and the stores whose figures it shows: of each row, the first that has one
 */
export function formatRows(
  rows: readonly Row[],
  samples: Samples,
  columns: readonly (readonly [title: string, ...stores: string[]])[],
): string {
  const cell = (stores: readonly string[], row: Row) => {
    const values = stores.map((store) => samples.get(`${store}/${row.name}`)).find((one) => one !== undefined);
    return values === undefined ? '-' : formatTime(summarize(values).median);
  };
  return formatTable(
    ['', ...columns.map(([title]) => title)],
    rows.map((row) => [row.label, ...columns.map(([, ...stores]) => cell(stores, row))]),
  );
}

/** `361 ns`, `53.0 µs`, `6.97 ms` */
export function formatTime(ns: number): string {
  if (ns < 1e3) return `${formatNumber(ns)} ns`;
  return ns < 1e6 ? `${formatNumber(ns / 1e3)} µs` : `${formatNumber(ns / 1e6)} ms`;
}

/** @throws {WrongAnswer} some byte of some value differs. */
async function compare(store: RemoteStore, row: Row): Promise<void> {
  for (let index = 0; index < row.keys; index += Math.ceil(row.keys / COMPARED_KEYS)) {
    const key = keyOf(row, index);
    const value = await store.get(key);
    if (value === null || !value.equals(bufferOf(floatsOf(row, index))))
      throw WrongAnswer.from(store.name, key, 'compared byte for byte');
  }
}

// ---- What is timed

/** Draws keys for `operations` operations: so many lists of `row.batch`. The same in each run. */
function draw(row: Row, operations: number, round: number, among = row.keys): number[][] {
  let state = (round + 1) * 0x9e3779b1;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * among);
  };
  return Array.from({ length: operations }, () => Array.from({ length: row.batch }, next));
}

interface Drawn {
  readonly indices: number[];
  readonly keys: string[];
}

function contender(
  name: string,
  row: Row,
  run: (drawn: readonly Drawn[]) => void | Promise<void>,
  among = row.keys,
): Contender {
  let drawn: Drawn[] = [];
  return {
    name,
    operationsMin: 1,
    operationsMax: 200_000,
    operationsStep: 1,
    prepare: (operations, round) => {
      drawn = draw(row, operations, round, among).map((indices) => ({
        indices,
        keys: indices.map((index) => keyOf(row, index)),
      }));
    },
    run: () => run(drawn),
  };
}

function remoteContender(store: RemoteStore, row: Row): Contender {
  const last = row.bytes - FLOAT_BYTES;
  const check = (index: number, value: Buffer | null | undefined) => {
    if (
      !value ||
      value.readFloatLE(0) !== elementOf(index, 0) ||
      value.readFloatLE(last) !== elementOf(index, last / 4)
    )
      throw WrongAnswer.from(store.name, keyOf(row, index), row.name);
  };
  return contender(store.name, row, async (drawn) => {
    for (const { indices, keys } of drawn) {
      if (row.by === 'mget') {
        const values = await store.mget(keys);
        for (let i = 0; i < indices.length; ++i) check(indices[i] as number, values[i]);
      } else if (row.by === 'pipeline') {
        const values = await Promise.all(keys.map((key) => store.get(key)));
        for (let i = 0; i < indices.length; ++i) check(indices[i] as number, values[i]);
      } else {
        for (let i = 0; i < indices.length; ++i) check(indices[i] as number, await store.get(keys[i] as string));
      }
    }
  });
}

type Vectors = ReturnType<typeof spaceOf>;

function localContenders(space: Vectors, row: Row): Contender[] {
  const last = row.bytes / FLOAT_BYTES - 1;
  const check = (index: number, value: ArrayLike<number> | undefined) => {
    if (value?.[0] !== elementOf(index, 0) || value[last] !== elementOf(index, last))
      throw WrongAnswer.from('zerohop', keyOf(row, index), row.name);
  };
  const oneByOne = (drawn: readonly Drawn[]) => {
    for (const { indices, keys } of drawn)
      for (let i = 0; i < indices.length; ++i) check(indices[i] as number, space.get(keys[i] as string));
  };
  if (row.batch === 1 || row.by === 'one-by-one')
    return [contender('any', row, oneByOne), contender('hot', row, oneByOne, Math.min(HOT_KEYS, row.keys))];
  const rows = new Float32Array(row.batch * (last + 1));
  return [
    contender('many', row, (drawn) => {
      for (const { indices, keys } of drawn) {
        const values = space.getMany(keys);
        for (let i = 0; i < indices.length; ++i) check(indices[i] as number, values[i]);
      }
    }),
    contender('gather', row, (drawn) => {
      for (const { indices, keys } of drawn) {
        space.gather(keys, rows);
        for (let i = 0; i < indices.length; ++i) {
          const from = i * (last + 1);
          check(indices[i] as number, rows.subarray(from, from + last + 1));
        }
      }
    }),
  ];
}
