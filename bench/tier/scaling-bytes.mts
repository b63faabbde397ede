// scaling-bytes.mts — what does a vector take in L0 and in Redis, and what does a read cost that L0 cannot answer?
//
//   bytes/l0/N      maxBytes, by the vectors of N bytes that a cache holds which has evicted for long
//   bytes/redis/N   used_memory of Redis with vectors less that without, by the vector: with keys, lives and tables
//   usage/redis/N   MEMORY USAGE of one key: without the entry for its time to live, and without the tables
//   miss, get       one read after another over a unix socket: `load` of what L0 has not, GET of node-redis; in turns
//   batch           a key of a `loadMany` of 100 that L0 has not
//   …-cpu           of Redis, user and system, for each of them

import { createClient, RESP_TYPES } from 'redis';
import { float32, open } from 'zerohop';
import { makeTemporaryFolder } from '../harness/cleanup.mjs';
import { type Case, makeCase } from '../harness/report.mjs';
import { medianRatio, single, summarize } from '../harness/statistics.mjs';
import { type Server, startRedis } from '../resp/servers.mjs';
import { VECTOR_BYTES } from './plan.mjs';

const L0_BYTES = 256 * 2 ** 20;
const STORED = 100_000;
const PIPELINE = 1000;
const TTL_S = 86_400;
const READS = 2000;
const MISSED = 4096;
const BATCH = 100;
const BATCHES = 100;

/** What keys are: the vector's number after a name, 8 digits. */
const keyOf = (index: number) => `user:${String(index).padStart(8, '0')}`;
const PREFIX = 'emb:';

export interface ReadingFigures {
  readonly cases: Case[];
  readonly ratios: Record<string, number>;
}

export function bytesInL0(): Case[] {
  return VECTOR_BYTES.map((bytes) => {
    const cache = open({ maxBytes: L0_BYTES, ttl: TTL_S * 1000 });
    const vectors = cache.keyspace('emb', { codec: float32(bytes / 4) });
    const vector = new Float32Array(bytes / 4);
    const room = L0_BYTES / bytes;
    for (let i = 0; i < 4 * room; ++i) vectors.set(keyOf(i), vector);
    const { entries } = cache.stats();
    cache.close();
    return makeCase(`bytes/l0/${bytes}`, 'bytes', single(L0_BYTES / entries));
  });
}

/** @returns undefined where there is no Redis */
export async function redisFigures(
  rounds: number,
  progress: (text: string) => void,
): Promise<ReadingFigures | undefined> {
  const folder = makeTemporaryFolder();
  const server = await startRedis({ folder, threads: 1, maxBytes: 0 });
  if (server === undefined) return undefined;
  const path = server.address.slice('unix:'.length);
  const client = createClient({ socket: { path, tls: false } }).withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  await client.connect();
  const cases: Case[] = [];
  for (const bytes of VECTOR_BYTES.toSorted((a, b) => a - b)) {
    progress(`Redis: ${STORED} vectors of ${bytes} bytes`);
    await client.flushAll();
    const before = await usedBytes(client);
    const value = Buffer.alloc(bytes, 7);
    for (let from = 0; from < STORED; from += PIPELINE)
      await Promise.all(
        Array.from({ length: PIPELINE }, (_, i) =>
          client.set(PREFIX + keyOf(from + i), value, { expiration: { type: 'EX', value: TTL_S } }),
        ),
      );
    cases.push(makeCase(`bytes/redis/${bytes}`, 'bytes', single(((await usedBytes(client)) - before) / STORED)));
    const usage = await client.sendCommand(['MEMORY', 'USAGE', PREFIX + keyOf(0)]);
    cases.push(makeCase(`usage/redis/${bytes}`, 'bytes', single(Number(usage))));
  }
  const get = async (key: string) => (await client.get(PREFIX + key)) as Buffer | null;
  const read = await reads(server, path, get, rounds, progress);
  client.destroy();
  return { cases: [...cases, ...read.cases], ratios: read.ratios };
}

async function usedBytes(client: { info(section: string): Promise<unknown> }): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(String(await client.info('memory')))![1]);
}

/** The vectors of 4 KiB are in Redis. */
async function reads(
  server: Server,
  path: string,
  get: (key: string) => Promise<Buffer | null>,
  rounds: number,
  progress: (text: string) => void,
): Promise<ReadingFigures> {
  const cache = open({ maxBytes: L0_BYTES, upstream: `unix:${path}` });
  const vectors = cache.keyspace('emb', { codec: float32(MISSED / 4), upstream: { writes: 'local' } });
  await vectors.ready();
  const samples = new Map<string, number[]>();
  const add = (name: string, value: number) => samples.set(name, [...(samples.get(name) ?? []), value]);
  /** `run` for each of them; the median of its times, which a busy machine disturbs least. */
  async function timed<T>(name: string, all: readonly T[], keysOfEach: number, run: (one: T) => Promise<void>) {
    const cpu = server.cpuSeconds();
    const times: number[] = [];
    for (const one of all) {
      const begun = process.hrtime.bigint();
      await run(one);
      times.push(Number(process.hrtime.bigint() - begun));
    }
    add(name, summarize(times).median / keysOfEach);
    add(`${name}-cpu`, ((server.cpuSeconds() - cpu) * 1e9) / (all.length * keysOfEach));
  }
  let next = 0;
  const keys = (count: number) => Array.from({ length: count }, () => keyOf(next++ % STORED));
  for (let round = 0; round < rounds; ++round) {
    progress(`reads that L0 cannot answer: round ${round + 1} of ${rounds}`);
    await timed('get', keys(READS), 1, async (key) => {
      if ((await get(key))?.length !== MISSED) throw new Error(`GET ${key} is wrong`);
    });
    vectors.clear();
    await timed('miss', keys(READS), 1, async (key) => {
      if ((await vectors.load(key))?.length !== MISSED / 4) throw new Error(`${key} is wrong`);
    });
    vectors.clear();
    const batches = Array.from({ length: BATCHES }, () => keys(BATCH));
    await timed('batch', batches, BATCH, async (of) => {
      for (const vector of await vectors.loadMany(of)) if (vector === undefined) throw new Error('a vector is missing');
    });
  }
  cache.close();
  const unit = (name: string) => [...samples.get(name)!];
  return {
    cases: [...samples].map(([name, values]) => makeCase(name, 'ns', summarize(values))),
    ratios: { 'miss-vs-get': medianRatio(unit('miss'), unit('get')) },
  };
}
