// bench-rows.ts: times one operation of each row of a comparison: in servers that are asked over a socket, and in this
// process.
//
// Times are of one operation: a value, or a whole batch. Every store is first compared byte for byte, and each timed
// answer at its first and last element. All stores of a row are timed in turns. In this process these are the ways:
//
//   any, many   `get` of a key drawn at random, `getMany` of a batch
//   hot         `get` of one of a few keys that were asked for lately
//   gather      a batch, side by side in an array of the caller's

import { type Cache, float32 } from '../index.js';
import { type Contender, measureInTurns, WrongAnswer } from './bench-measure.js';

const HOT_KEYS = 16;
const COMPARED_KEYS = 50;
const STORED_TOGETHER = 100;

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

/** A server that is asked over a socket. */
export interface RemoteStore {
  readonly name: string;
  get(key: string): Promise<Buffer | null>;
  mget(keys: string[]): Promise<(Buffer | null)[]>;
  set(key: string, value: Buffer): Promise<unknown>;
  close(): void;
}

const FLOAT_BYTES = 4;
export const keyOf = (row: Row, index: number) => `${row.bytes}:${index}`;
export const elementOf = (index: number, at: number) => (index * 7 + at) % 4093;
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
  showProgress: (text: string) => void,
): Promise<Samples> {
  const samples: Samples = new Map();
  let filled: number | undefined;
  for (const row of rows) {
    const space = spaceOf(cache, row);
    if (filled !== row.bytes) {
      for (let from = 0; from < row.keys; from += STORED_TOGETHER) {
        showProgress(`storing ${row.keys} values of ${row.bytes} bytes: ${from}`);
        await storeSome(row, from, Math.min(row.keys, from + STORED_TOGETHER), space, stores);
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

async function storeSome(
  row: Row,
  from: number,
  to: number,
  space: Vectors,
  stores: readonly RemoteStore[],
): Promise<void> {
  const sets: Promise<unknown>[] = [];
  for (let index = from; index < to; ++index) {
    const value = floatsOf(row, index);
    space.set(keyOf(row, index), value);
    for (const store of stores) sets.push(store.set(keyOf(row, index), bufferOf(value)));
  }
  await Promise.all(sets);
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
        for (let i = 0; i < indices.length; ++i) check(indices[i]!, values[i]);
      } else if (row.by === 'pipeline') {
        const values = await Promise.all(keys.map((key) => store.get(key)));
        for (let i = 0; i < indices.length; ++i) check(indices[i]!, values[i]);
      } else {
        for (let i = 0; i < indices.length; ++i) check(indices[i]!, await store.get(keys[i]!));
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
      for (let i = 0; i < indices.length; ++i) check(indices[i]!, space.get(keys[i]!));
  };
  if (row.batch === 1 || row.by === 'one-by-one')
    return [contender('any', row, oneByOne), contender('hot', row, oneByOne, Math.min(HOT_KEYS, row.keys))];
  const rows = new Float32Array(row.batch * (last + 1));
  return [
    contender('many', row, (drawn) => {
      for (const { indices, keys } of drawn) {
        const values = space.getMany(keys);
        for (let i = 0; i < indices.length; ++i) check(indices[i]!, values[i]);
      }
    }),
    contender('gather', row, (drawn) => {
      for (const { indices, keys } of drawn) {
        space.gather(keys, rows);
        for (let i = 0; i < indices.length; ++i) {
          const from = i * (last + 1);
          check(indices[i]!, rows.subarray(from, from + last + 1));
        }
      }
    }),
  ];
}
