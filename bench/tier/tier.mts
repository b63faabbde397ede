// tier.mts — what is a read worth with Redis behind L0, against others that keep a cache in the process before Redis?
//
//   effective   the mean time of a read of the whole stream, reads one after another; and its 50th and 99th percentile
//   commands    that were sent to Redis for 1 000 reads, and Redis's CPU (user and system) for one
//   hit         a read of one of the 100 most famous items, which the process holds
//   batch       1 000 keys that L0 has not, at once, against MGET; `miss`: one key, against GET
//   stale       values in L0 that are not Redis's, after other connections have changed keys and all is quiet
//
// 5 M items of 4 KiB by Zipf's law, of which the first 5 % take 80 % of the lookups; each process may hold a fifth of the
// items. 5 M values would need 26 GB in Redis, so Redis has only those that somebody asks for in this run: the first
// fifth, which caches are filled with, and what the stream draws besides. Nobody can tell: each GET is one of 4 KiB. The
// machine has to hold three caches and Redis at once; where memory is short, there are fewer items, of the same shape.
// node-redis's own cache gets a quarter of the room for that reason.
//
// Each contender is a process, and they are read in turns, all with the same part of the stream. What it costs to hear of
// changes is not in these times: nobody writes then.
// Not claimed: a network, which makes a GET slower; more than one reader.

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { SuiteArguments } from '../harness/arguments.mjs';
import { makeTemporaryFolder } from '../harness/cleanup.mjs';
import { clearProgress, showProgress } from '../harness/progress.mjs';
import { medianRatio } from '../harness/statistics.mjs';
import { runSuite, type SuiteFigures } from '../harness/suite.mjs';
import { Samples } from '../resp/samples.mjs';
import { type Server, startRedis } from '../resp/servers.mjs';
import { permutation } from '../workloads/random.mjs';
import { zipfStream } from '../workloads/zipf.mjs';
import { BATCH, measureMisses } from './batch.mjs';
import { bytesOf, exponentFor, FAMOUS, keyOf, L0_SHARE, LOOKUPS, PREFIX, shareOf } from './catalogue.mjs';
import { Contender } from './contenders.mjs';
import { staleAfterQuiet } from './quiet.mjs';
import { connectNodeRedis } from './stores.mjs';

const SEED = 1;
const HOT = 100;
const COMPARED = 300;

/** Bytes for each item of the catalogue: a share of it in Redis and in three caches. */
const BYTES_PER_ITEM = 3600;
const ITEMS_STEP = 250_000;

interface Extent {
  readonly items: number;
  readonly rounds: number;
  /** Reads of each contender: to warm up, and in a round. */
  readonly warming: number;
  readonly reads: number;
  readonly hitMs: number;
  readonly sampleMsMin: number;
  readonly writtenReads: number;
}

const FULL = { items: 5_000_000, rounds: 7, warming: 100_000, reads: 50_000 } as const;
const QUICK = { items: 50_000, rounds: 3, warming: 5_000, reads: 10_000 } as const;

/** Processes, in turns. The share of the room that each may use. */
const CONTENDERS: readonly (readonly [name: string, share: number])[] = [
  ['node-redis', 0],
  ['node-redis-csc', 0.25],
  ['bentocache', 1],
  ['zerohop', 1],
];

await runSuite('tier', measure);

async function measure({ quick }: SuiteArguments): Promise<SuiteFigures> {
  const extent: Extent = quick
    ? { ...QUICK, hitMs: 200, sampleMsMin: 20, writtenReads: 20_000 }
    : { ...FULL, items: affordable(FULL.items), hitMs: 1000, sampleMsMin: 60, writtenReads: 200_000 };
  const folder = makeTemporaryFolder();
  const redis = await startRedis({ folder, threads: 1, maxBytes: 2 ** 36 });
  if (redis === undefined)
    throw new Error('Redis is not here; on Debian: apt-get install redis-tools (which holds it)');
  const socket = redis.address.slice('unix:'.length);
  const samples = new Samples();
  const { ids, held, stored, exponent } = draw(extent);
  await fill(socket, stored);
  await readInTurns({ redis, socket, folder, ids, held, extent, samples });
  showProgress('tier: misses');
  const famous = ids.slice(0, held).reverse();
  const missed = famous.subarray(0, Math.min(20 * BATCH, famous.length));
  for (const [name, times] of await measureMisses(socket, missed, extent))
    for (const ns of times) samples.put(name, name.endsWith('batch') ? ns * BATCH : ns, 'ns');
  showProgress('tier: writers');
  const quiet = await staleAfterQuiet(socket, famous.subarray(0, Math.min(50_000, held)), extent.writtenReads);
  clearProgress();
  const ratios = { ...ratiosOf(samples), 'stale-after-quiet': quiet.stale };
  console.log(describe(extent, exponent, held, stored.length));
  console.log(samples.table());
  console.log(
    `\nAfter ${quiet.writes} writes and quiet: ${quiet.stale} of ${quiet.held} values in L0 stale, ` +
      `${quiet.changed} of them a writer's; ${quiet.fenced} were not stored because they changed while read.\n`,
  );
  for (const [name, value] of Object.entries(ratios)) console.log(`${name.padEnd(32)}${value.toFixed(3)}`);
  return { cases: samples.cases(), ratios };
}

/** So many items as memory holds, at most `items`. */
function affordable(items: number): number {
  const [, kib = '0'] = /MemAvailable: +(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8')) ?? [];
  const fit = Math.floor((Number(kib) * 1024) / BYTES_PER_ITEM / ITEMS_STEP) * ITEMS_STEP;
  return Math.max(ITEMS_STEP, Math.min(items, fit));
}

/** The ids to read: first those that caches are filled with, the least famous first; then the stream. */
function draw({ items, warming, reads, rounds }: Extent) {
  showProgress('tier: drawing');
  const exponent = exponentFor(items, items * FAMOUS, LOOKUPS);
  const held = Math.round(items * L0_SHARE);
  const stream = zipfStream(items, warming + reads * rounds, SEED, exponent);
  const ids = new Uint32Array(held + stream.length);
  ids.set(
    permutation(items, SEED + 1)
      .subarray(0, held)
      .reverse(),
  ); // as zipfStream deals ranks to ids
  ids.set(stream, held);
  return { ids, held, exponent, stored: Uint32Array.from(new Set(ids)) };
}

async function fill(socket: string, stored: Uint32Array): Promise<void> {
  const client = await connectNodeRedis(socket);
  for (let from = 0; from < stored.length; from += BATCH) {
    showProgress(`tier: storing ${from} of ${stored.length}`);
    const command: (string | Buffer)[] = ['MSET'];
    for (const id of stored.subarray(from, from + BATCH)) command.push(keyOf(id), bytesOf(id));
    await client.sendCommand(command);
  }
  client.destroy();
}

interface Reading {
  readonly redis: Server;
  readonly socket: string;
  readonly folder: string;
  readonly ids: Uint32Array;
  readonly held: number;
  readonly extent: Extent;
  readonly samples: Samples;
}

async function readInTurns({ redis, socket, folder, ids, held, extent, samples }: Reading): Promise<void> {
  const file = path.join(folder, 'ids');
  writeFileSync(file, ids);
  const contenders: Contender[] = [];
  const { warming, reads, rounds, hitMs } = extent;
  for (const [name, share] of CONTENDERS) {
    const contender = await Contender.start(name, socket, Math.max(HOT * 2, Math.round(held * share)), file);
    contenders.push(contender);
    showProgress(`tier: filling ${name}`);
    await contender.ask({ do: 'compare', from: held - COMPARED, to: held + COMPARED });
    if (share > 0) await contender.ask({ do: 'fill', from: Math.round(held * (1 - share)), to: held });
    await contender.ask({ do: 'read', from: held, to: held + (share > 0 ? warming : Math.min(warming, reads)) });
  }
  for (let round = 0; round < rounds; round++) {
    const from = held + warming + round * reads;
    for (const contender of inTurn(contenders, round)) {
      const { name } = contender;
      showProgress(`tier: round ${round + 1} of ${rounds}, ${name}`);
      const before = redis.cpuSeconds();
      const told = await contender.ask({ do: 'read', from, to: from + reads });
      samples.put(`${name}/redis-cpu`, ((redis.cpuSeconds() - before) * 1e9) / reads, 'ns');
      samples.put(`${name}/effective`, told.mean, 'ns');
      samples.put(`${name}/p50`, told.p50, 'ns');
      samples.put(`${name}/p99`, told.p99, 'ns');
      samples.put(`${name}/commands-per-1000-reads`, (told.commands * 1000) / reads, 'count');
      samples.put(`${name}/rss`, told.rss, 'bytes');
    }
    for (const contender of inTurn(contenders.slice(1), round)) {
      const { mean } = await contender.ask({ do: 'hit', from: held - HOT, to: held, ms: hitMs });
      samples.put(`${contender.name}/hit`, mean, 'ns');
    }
  }
  await Promise.all(contenders.map((contender) => contender.end()));
}

function ratiosOf(samples: Samples): Record<string, number> {
  const against = (rival: string, what: string) =>
    medianRatio(samples.of(`zerohop/${what}`), samples.of(`${rival}/${what}`));
  return {
    'effective-vs-node-redis': against('node-redis', 'effective'),
    'effective-vs-node-redis-csc': against('node-redis-csc', 'effective'),
    'effective-vs-bentocache': against('bentocache', 'effective'),
    'hit-vs-node-redis-csc': against('node-redis-csc', 'hit'),
    'hit-vs-bentocache': against('bentocache', 'hit'),
    'redis-commands-per-1000-reads': against('node-redis', 'commands-per-1000-reads'),
    'redis-cpu-vs-node-redis': against('node-redis', 'redis-cpu'),
    'load-many-1000-vs-mget': against('node-redis', 'batch'),
    'load-one-vs-get': against('node-redis', 'miss'),
  };
}

function describe({ items }: Extent, exponent: number, held: number, stored: number): string {
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  return (
    `\n${items} items of 4 KiB under ${PREFIX}, by Zipf's law with the exponent ${exponent.toFixed(4)}: the first 5 % take ` +
    `${percent(shareOf(items, items * FAMOUS, exponent))} of the lookups.\nA process holds ${held} of them (the first so ` +
    `many take ${percent(shareOf(items, held, exponent))}). Redis has the ${stored} that are asked for.\n`
  );
}

function inTurn<T>(list: readonly T[], round: number): T[] {
  return list.map((_, i) => list[(round + i) % list.length] as T);
}
