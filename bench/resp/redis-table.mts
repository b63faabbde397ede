// redis-table.mts — what does a Node program wait for a value: in Redis, in zerohop's server, in its own process?
//
//   redis        by node-redis and ioredis, each over TCP and over a unix socket
//   resp         `zerohop serve`, another process, by the same two over a unix socket
//   any, many    zerohop in this process: `get` of a key drawn at random, `getMany` of a batch
//   hot          the same, of keys that were asked for lately
//   gather       the same, rows side by side in an array of the caller's
//
// Client and server share the machine's cores, and no network is crossed, so a real Redis is further away than this one.
// Not claimed: more than one client at a time, and values that do not fit.

import { createServer } from 'node:net';
import { open } from 'zerohop';
import type { SuiteArguments } from '../harness/arguments.mjs';
import { makeTemporaryFolder } from '../harness/cleanup.mjs';
import { casesOf, ratiosOf } from '../harness/comparison.mjs';
import { clearProgress } from '../harness/progress.mjs';
import { summarize } from '../harness/statistics.mjs';
import { runSuite, type SuiteFigures } from '../harness/suite.mjs';
import { startRedis, startZerohop } from './servers.mjs';
import { fastestOf, formatRows, measureRows, REDIS_WAYS, RESP_WAYS, ROWS, type Samples } from './table.mjs';
import { openIoredis, openNodeRedis, placeOf, type RemoteStore } from './table-stores.mjs';

const MAX_BYTES = 2 ** 29;

const FULL = { rounds: 9, sampleMsMin: 60 };
const QUICK = { rounds: 2, sampleMsMin: 10 };

await runSuite('redis-table', measure);

async function measure({ quick }: SuiteArguments): Promise<SuiteFigures> {
  const cache = open({ maxBytes: MAX_BYTES });
  const stores = await openStores();
  const samples = await measureRows(ROWS, cache, stores, quick ? QUICK : FULL);
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
      await openNodeRedis('node-redis unix', placeOf(redis)),
      await openIoredis('ioredis unix', placeOf(redis)),
    );
  }
  const zerohop = placeOf(await startZerohop(options));
  stores.push(await openNodeRedis('node-redis resp', zerohop), await openIoredis('ioredis resp', zerohop));
  return stores;
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** The fastest way to the server against the fastest of the four to Redis; and this process against it. */
function comparisonsOf(samples: Samples) {
  const timeOf = (way: string, row: string) => summarize(samples.get(`${way}/${row}`) ?? [Infinity]).median;
  return ROWS.flatMap(({ name }) => {
    const redis = fastestOf(REDIS_WAYS, (way) => timeOf(way, name));
    const resp = fastestOf(RESP_WAYS, (way) => timeOf(way, name));
    return [['resp', resp], ...['any', 'hot', 'many', 'gather'].map((way) => [way, way])].map(([what, way]) => ({
      ratio: `${name}-${what}-vs-redis`,
      ours: `${way}/${name}`,
      rival: `${redis}/${name}`,
    }));
  });
}

function print(samples: Samples): void {
  console.log(`
What a Node program waits for a value. Redis by two clients and two kinds of sockets; zerohop over RESP by
both and a unix socket, and in the process. No network is crossed. Every answer was checked.
`);
  const remote = [...REDIS_WAYS, ...RESP_WAYS].map((way) => [way, way] as const);
  const local = [['any or many', 'any', 'many'] as const, ['hot', 'hot'] as const, ['gather', 'gather'] as const];
  console.log(formatRows(ROWS, samples, [...remote, ...local]));
}
