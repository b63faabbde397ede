// redis-table.mts — what does a Node program wait for a value: in Redis, in zerohop's server, in its own process?
//
//   redis        by node-redis and ioredis, each over TCP and over a unix socket
//   resp         `zerohop serve`, another process, by node-redis over a unix socket
//   any, many    zerohop in this process: `get` of a key drawn at random, `getMany` of a batch
//   hot          the same, of keys that were asked for lately
//   gather       the same, rows side by side in an array of the caller's
//
// Times are of one operation: a value, or a whole batch.  Client and server share the machine's cores, and no network is
// crossed, so a real Redis is further away than this one.  Every way is first compared byte for byte, and each timed
// answer at its first and last element.
// Not claimed: more than one client at a time, and values that do not fit.

import { createServer } from 'node:net';
import { type Cache, float32, open } from 'zerohop';
import type { SuiteArguments } from '../harness/arguments.mjs';
import { makeTemporaryFolder } from '../harness/cleanup.mjs';
import { casesOf, ratiosOf } from '../harness/comparison.mjs';
import { type Contender, measureInTurns } from '../harness/measure.mjs';
import { clearProgress, showProgress } from '../harness/progress.mjs';
import { summarize } from '../harness/statistics.mjs';
import { runSuite, type SuiteFigures } from '../harness/suite.mjs';
import { formatNumber, formatTable } from '../harness/table.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';
import { type Server, startRedis, startZerohop } from './servers.mjs';
import { openIoredis, openNodeRedis, type RemoteStore } from './table-stores.mjs';

const MAX_BYTES = 2 ** 29;
const HOT_KEYS = 16;
const COMPARED_KEYS = 50;

const FULL = { rounds: 9, sampleMsMin: 60 };
const QUICK = { rounds: 2, sampleMsMin: 10 };

interface Row {
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
const ROWS: readonly Row[] = [
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

/** The ways to Redis. */
const REDIS = ['node-redis tcp', 'ioredis tcp', 'node-redis unix', 'ioredis unix'];

const FLOAT_BYTES = 4;
const keyOf = (row: Row, index: number) => `${row.bytes}:${index}`;
const elementOf = (index: number, at: number) => (index * 7 + at) % 4093;
const floatsOf = (row: Row, index: number) =>
  Float32Array.from({ length: row.bytes / FLOAT_BYTES }, (_, at) => elementOf(index, at));
const bufferOf = (value: Float32Array) => Buffer.from(value.buffer, value.byteOffset, value.byteLength);

const spaceOf = (cache: Cache, row: Row) => cache.keyspace(`${row.bytes}`, { codec: float32(row.bytes / FLOAT_BYTES) });

await runSuite('redis-table', measure);

async function measure({ quick }: SuiteArguments): Promise<SuiteFigures> {
  const cache = open({ maxBytes: MAX_BYTES });
  const stores = await openStores();
  const samples = new Map<string, number[]>();
  let filled: number | undefined;
  for (const row of ROWS) {
    const space = spaceOf(cache, row);
    if (filled !== row.bytes) {
      showProgress(`redis-table: storing ${row.keys} values of ${row.bytes} bytes`);
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
      ...(quick ? QUICK : FULL),
      onRound: (round, rounds) => showProgress(`redis-table: ${row.name}, round ${round + 1} of ${rounds}`),
    });
    for (const [name, values] of times) samples.set(`${name}/${row.name}`, values);
  }
  clearProgress();
  for (const store of stores) store.close();
  cache.close();
  const ratios = ratiosOf(samples, comparisonsOf(samples));
  print(samples);
  return { cases: casesOf(samples, 'ns'), ratios };
}

async function openStores(): Promise<RemoteStore[]> {
  const options = { folder: makeTemporaryFolder(), threads: 1, maxBytes: MAX_BYTES };
  const stores: RemoteStore[] = [];
  const port = await freePort();
  const redis = await startRedis({ ...options, port });
  if (redis === undefined) console.log('Redis is not here; on Debian: apt-get install redis-tools (which holds it)');
  else {
    stores.push(await openNodeRedis('node-redis tcp', { port }), await openIoredis('ioredis tcp', { port }));
    stores.push(
      await openNodeRedis('node-redis unix', pathOf(redis)),
      await openIoredis('ioredis unix', pathOf(redis)),
    );
  }
  stores.push(await openNodeRedis('resp', pathOf(await startZerohop(options))));
  return stores;
}

function pathOf({ address }: Server) {
  return { path: address.slice('unix:'.length) };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
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

// ---- What is told

/** Against the fastest of the four ways to Redis. */
function comparisonsOf(samples: ReadonlyMap<string, readonly number[]>) {
  return ROWS.flatMap(({ name }) => {
    const median = (way: string) => summarize(samples.get(`${way}/${name}`) ?? [Infinity]).median;
    const fastest = REDIS.reduce((best, way) => (median(way) < median(best) ? way : best));
    return ['resp', 'any', 'hot', 'many', 'gather'].map((way) => ({
      ratio: `${name}-${way}-vs-redis`,
      ours: `${way}/${name}`,
      rival: `${fastest}/${name}`,
    }));
  });
}

function print(samples: ReadonlyMap<string, readonly number[]>): void {
  const columns = [...REDIS, 'resp', 'any or many', 'hot', 'gather'];
  const cell = (way: string, row: string) => {
    const values = samples.get(`${way}/${row}`);
    return values === undefined ? '-' : formatTime(summarize(values).median);
  };
  const rows = ROWS.map(({ name, label }) => [
    label,
    ...columns.map((way) =>
      way === 'any or many' ? cell(samples.has(`any/${name}`) ? 'any' : 'many', name) : cell(way, name),
    ),
  ]);
  console.log(
    '\nWhat a Node program waits for a value. Redis by two clients and two kinds of sockets; zerohop over RESP by',
  );
  console.log('node-redis and a unix socket, and in the process. No network is crossed. Every answer was checked.\n');
  console.log(formatTable(['', ...columns], rows));
}

function formatTime(ns: number): string {
  if (ns < 1e3) return `${formatNumber(ns)} ns`;
  return ns < 1e6 ? `${formatNumber(ns / 1e3)} µs` : `${formatNumber(ns / 1e6)} ms`;
}
