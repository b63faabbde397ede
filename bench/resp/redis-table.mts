// redis-table.mts — what does a Node program wait for a value: in Redis, in zerohop's server, in its own process?
//
//   redis        by node-redis and ioredis, each over TCP and over a unix socket
//   resp         `zerohop serve`, another process, by the same two over a unix socket
//   any, many    zerohop in this process: `get` of a key drawn at random, `getMany` of a batch
//   hot          the same, of keys that were asked for lately
//   gather       the same, rows side by side in an array of the caller's
//   tiered       `load` of a small cache with that Redis behind it (tiered.mts)
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
import { measureTiered, TIERED } from './tiered.mjs';

const MAX_BYTES = 2 ** 29;

const FULL = { rounds: 9, sampleMsMin: 60 };
const QUICK = { rounds: 2, sampleMsMin: 10 };

await runSuite('redis-table', measure);

async function measure({ quick }: SuiteArguments): Promise<SuiteFigures> {
  const cache = open({ maxBytes: MAX_BYTES });
  const { stores, socket } = await openStores();
  const extent = quick ? QUICK : FULL;
  const samples = await measureRows(ROWS, cache, stores, extent);
  if (socket !== undefined) {
    const ofRedis = stores.filter(({ name }) => REDIS_WAYS.includes(name));
    for (const [name, times] of await measureTiered(socket, ofRedis, extent)) samples.set(name, times);
  }
  clearProgress();
  for (const store of stores) store.close();
  cache.close();
  const ratios = ratiosOf(samples, comparisonsOf(samples));
  print(samples);
  return { cases: casesOf(samples, 'ns'), ratios };
}

/** Everybody who is asked; and where Redis listens, if it is here. */
async function openStores(): Promise<{ stores: RemoteStore[]; socket: string | undefined }> {
  const options = { folder: makeTemporaryFolder(), threads: 1, maxBytes: MAX_BYTES };
  const stores: RemoteStore[] = [];
  const port = await freePort();
  const redis = await startRedis({ ...options, port });
  let socket: string | undefined;
  if (redis === undefined) console.log('Redis is not here; on Debian: apt-get install redis-tools (which holds it)');
  else {
    socket = placeOf(redis).path;
    stores.push(await openNodeRedis('node-redis tcp', { port }), await openIoredis('ioredis tcp', { port }));
    stores.push(
      await openNodeRedis('node-redis unix', { path: socket }),
      await openIoredis('ioredis unix', { path: socket }),
    );
  }
  const zerohop = placeOf(await startZerohop(options));
  stores.push(await openNodeRedis('node-redis resp', zerohop), await openIoredis('ioredis resp', zerohop));
  return { stores, socket };
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
  return [...ROWS, TIERED].flatMap(({ name }) => {
    const redis = fastestOf(REDIS_WAYS, (way) => timeOf(way, name));
    const resp = fastestOf(RESP_WAYS, (way) => timeOf(way, name));
    return [['resp', resp], ...['any', 'hot', 'many', 'gather', 'tiered'].map((way) => [way, way])].map(
      ([what, way]) => ({
        ratio: `${name}-${what}-vs-redis`,
        ours: `${way}/${name}`,
        rival: `${redis}/${name}`,
      }),
    );
  });
}

function print(samples: Samples): void {
  console.log(`
What a Node program waits for a value. Redis by two clients and two kinds of sockets; zerohop over RESP by
both and a unix socket, and in the process. No network is crossed. Every answer was checked.
`);
  const remote = [...REDIS_WAYS, ...RESP_WAYS].map((way) => [way, way] as const);
  const local = [
    ['any or many', 'any', 'many', 'tiered'] as const,
    ['hot', 'hot'] as const,
    ['gather', 'gather'] as const,
  ];
  console.log(formatRows([...ROWS, TIERED], samples, [...remote, ...local]));
}
