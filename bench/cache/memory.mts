// memory.mts — how much memory does a small entry take?
//
// One million entries of a 32-byte key and an 8-byte value.  What counts is what the system gave: the resident size of
// the process with them less that before the cache was opened, everything included; the same of a Redis server before
// and after they were set.  Each in a process of its own, zerohop and Redis in turns.
//
//   …-with-ttl   every entry with a time to live, in both; else in neither
//
// Not claimed: other sizes of key and value, fragmentation after long use.

import { spawnSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import type { SuiteArguments } from '../harness/arguments.mjs';
import { endChildren, makeTemporaryFolder } from '../harness/cleanup.mjs';
import { type Comparison, casesOf, formatSamples, ratiosOf } from '../harness/comparison.mjs';
import { clearProgress, showProgress } from '../harness/progress.mjs';
import { runSuite, type SuiteFigures } from '../harness/suite.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';
import { startRedisServer } from '../main/stores/redis-server.mjs';
import { SmallEntries } from '../workloads/small-entries.mjs';
import type { MemoryFigures } from './memory-case.mjs';
import { TTL_MS } from './rivals.mjs';

const ENTRIES = 1_000_000;
const MAX_BYTES = 2 ** 30;
const PIPELINE = 1000;
/** Redis reads its own size ten times a second, and moves to a larger table a little at a time. */
const SETTLE_MS = 1500;

/** What the names are followed by, and how long an entry lives. */
const LIVES: readonly (readonly [string, number | undefined])[] = [
  ['', undefined],
  ['-with-ttl', TTL_MS],
];

const FULL_ROUNDS = 5;
const QUICK_ROUNDS = 1;

const COMPARISONS: readonly Comparison[] = [
  { ratio: 'bytes-vs-redis', ours: 'zerohop/resident', rival: 'redis/resident' },
  { ratio: 'bytes-vs-redis-with-ttl', ours: 'zerohop-with-ttl/resident', rival: 'redis-with-ttl/resident' },
];
const program = fileURLToPath(new URL('./memory-case.mjs', import.meta.url));

await runSuite('memory', measure);

async function measure({ quick }: SuiteArguments): Promise<SuiteFigures> {
  const rounds = quick ? QUICK_ROUNDS : FULL_ROUNDS;
  const samples = new Map<string, number[]>();
  const add = (name: string, bytes: number) => {
    samples.set(name, [...(samples.get(name) ?? []), bytes / ENTRIES]);
  };
  let redisIsHere = true;
  for (let round = 0; round < rounds; round++) {
    for (const [suffix, ttlMs] of LIVES) {
      showProgress(`memory: zerohop${suffix}, round ${round + 1} of ${rounds}`);
      const { residentBytes, segmentBytes, indexBytes } = weighZerohop(ttlMs);
      add(`zerohop${suffix}/resident`, residentBytes);
      add(`zerohop${suffix}/of that, segments`, segmentBytes);
      add(`zerohop${suffix}/of that, index`, indexBytes);
      showProgress(`memory: redis${suffix}, round ${round + 1} of ${rounds}`);
      const bytes = redisIsHere ? await weighRedis(ttlMs) : undefined;
      if (bytes === undefined) redisIsHere = false;
      else add(`redis${suffix}/resident`, bytes);
    }
  }
  clearProgress();
  print(samples, rounds, redisIsHere);
  return { cases: casesOf(samples, 'bytes'), ratios: ratiosOf(samples, COMPARISONS) };
}

function weighZerohop(ttlMs: number | undefined): MemoryFigures {
  const args = ['--expose-gc', program, String(ENTRIES), String(ttlMs ?? 0)];
  const child = spawnSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (child.status !== 0)
    throw new Error(`zerohop's process ended with ${child.signal ?? `exit code ${child.status}`}`);
  const figures = JSON.parse(child.stdout) as MemoryFigures;
  if (figures.wrong >= 0) throw WrongAnswer.from('zerohop', `id ${figures.wrong}`, 'after weighing');
  return figures;
}

/** Undefined where there is no Redis. */
async function weighRedis(ttlMs: number | undefined): Promise<number | undefined> {
  const server = await startRedisServer(makeTemporaryFolder(), MAX_BYTES);
  if (server === undefined) return undefined;
  const client = new Redis({ path: server.socket });
  const before = await residentBytes(client);
  await fillRedis(client, ttlMs);
  const after = await residentBytes(client);
  await checkRedis(client);
  client.disconnect();
  await endChildren();
  return after - before;
}

async function fillRedis(client: Redis, ttlMs: number | undefined): Promise<void> {
  const small = new SmallEntries();
  for (let from = 0; from < ENTRIES; from += PIPELINE) {
    const pipeline = client.pipeline();
    for (let id = from; id < from + PIPELINE; id++) {
      small.select(id);
      const [key, value] = [Buffer.from(small.key), Buffer.from(small.value)];
      if (ttlMs === undefined) pipeline.set(key, value);
      else pipeline.set(key, value, 'PX', ttlMs);
    }
    for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
  }
}

async function checkRedis(client: Redis): Promise<void> {
  const small = new SmallEntries();
  for (let from = 0; from < ENTRIES; from += PIPELINE) {
    const keys = Array.from({ length: PIPELINE }, (_, at) => {
      small.select(from + at);
      return Buffer.from(small.key);
    });
    for (const [at, value] of (await client.mgetBuffer(keys)).entries()) {
      small.select(from + at);
      if (value === null || !small.holds(value)) throw WrongAnswer.from('redis', `id ${from + at}`, 'after weighing');
    }
  }
}

async function residentBytes(client: Redis): Promise<number> {
  await pause(SETTLE_MS);
  const found = /^used_memory_rss:(\d+)/m.exec(await client.info('memory'));
  if (found === null) throw new Error('Redis does not tell its size');
  return Number(found[1]);
}

function print(samples: Map<string, number[]>, rounds: number, redisIsHere: boolean): void {
  console.log(`
${ENTRIES.toLocaleString('en')} entries of a 32-byte key and an 8-byte value; bytes an entry, median of ${rounds} rounds; Node ${process.versions.node}
`);
  console.log(formatSamples(samples, 'bytes', COMPARISONS));
  if (!redisIsHere) console.log('\nno redis-server here; on Debian: apt-get install redis-tools (which holds it)');
}
