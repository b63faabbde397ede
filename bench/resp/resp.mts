// resp.mts — what does a request cost over a socket, against Redis and memcached?
//
//   get-64-p1 …     requests a second: GET or SET, of 64 or 4 096 bytes, 1 or 32 in a pipeline, 50 clients
//   cpu-get-64-p1 … user and system time of the server's process, by the request, in the same runs
//   mget-…          requests a second: MGET of 100 values of 4 KiB, of 1 000 of 64 bytes
//   p99-vs-redis    the 99th percentile of GET at 70 % of the highest rate that Redis reached in this run
//   in-process-…    a hot get in the process that serves, while its server runs flat out, against none running
//
// Each server is a process of its own, on a unix socket, with as many keys as the others, and at most as much memory.
// It is measured after so much was written that all of that memory was used once, as in a server that has run for a
// while. The same load generator asks all of them, in turns, and compares every answer. It shares the cores with the
// server, so requests a second say less than the server's CPU by the request. Redis runs with one thread and with
// --io-threads 2; each of its figures is of the better of the two.
// Not claimed: more than two cores, a network, values that do not fit.

import type { SuiteArguments } from '../harness/arguments.mjs';
import { makeTemporaryFolder } from '../harness/cleanup.mjs';
import { clearProgress, showProgress } from '../harness/progress.mjs';
import { medianRatio, summarize } from '../harness/statistics.mjs';
import { runSuite, type SuiteFigures } from '../harness/suite.mjs';
import { ask, fill, type Load } from './load.mjs';
import { Samples } from './samples.mjs';
import { type Server, startMemcached, startRedis, startZerohop } from './servers.mjs';
import { inProcessUnderLoad } from './under-load.mjs';

const THREADS = 2;
const CLIENTS = 50;
const KEYS = 50_000;
const MAX_BYTES = 2 ** 28;
const SHARE_OF_HIGHEST = 0.7;

const FULL = { rounds: 7, seconds: 2 };
const QUICK = { rounds: 2, seconds: 0.5 };

interface Workload {
  readonly name: string;
  readonly load: Omit<Load, 'seconds'>;
  /** Whether the CPU by the request is a figure, too. */
  readonly cpu?: boolean;
}

const base = { keys: KEYS, clients: CLIENTS };
const CASES: readonly Workload[] = [
  { name: 'get-64-p1', load: { ...base, command: 'get', bytes: 64 }, cpu: true },
  { name: 'set-64-p1', load: { ...base, command: 'set', bytes: 64 }, cpu: true },
  { name: 'get-64-p32', load: { ...base, command: 'get', bytes: 64, pipeline: 32 }, cpu: true },
  { name: 'set-64-p32', load: { ...base, command: 'set', bytes: 64, pipeline: 32 }, cpu: true },
  { name: 'mget-1000x64', load: { ...base, clients: 8, command: 'mget', bytes: 64, batch: 1000 } },
  { name: 'get-4k-p1', load: { ...base, command: 'get', bytes: 4096 } },
  { name: 'mget-100x4k', load: { ...base, clients: 8, command: 'mget', bytes: 4096, batch: 100 } },
  // Last: sets at random make zerohop evict some keys before all of the memory is live.
  { name: 'set-4k-p1', load: { ...base, command: 'set', bytes: 4096 } },
];

await runSuite('resp', measure);

async function measure({ quick }: SuiteArguments): Promise<SuiteFigures> {
  const { rounds, seconds } = quick ? QUICK : FULL;
  const samples = new Samples();
  const ours = await startZerohop({ folder: makeTemporaryFolder(), threads: THREADS, maxBytes: MAX_BYTES });
  const one = { folder: makeTemporaryFolder(), threads: 1, maxBytes: MAX_BYTES };
  const single = await startZerohop(one);
  const redis = await startRedis(one);
  const redisIo = await startRedis({ ...one, threads: THREADS });
  const memcached = await startMemcached(one);
  const rivals = [redis, redisIo].filter((server) => server !== undefined);
  if (rivals.length === 0) console.log('Redis is not here; on Debian: apt-get install redis-tools (which holds it)');
  for (const [place, { name, load, cpu = false }] of CASES.entries()) {
    const servers = [ours, ...rivals];
    // What was filled with other values is filled anew; sets fill, too.
    if (CASES[place - 1]?.load.bytes !== load.bytes) for (const server of servers) await fill(server, load, MAX_BYTES);
    for (let round = 0; round < rounds; round++) {
      showProgress(`resp: ${name}, round ${round + 1} of ${rounds}`);
      for (const server of inTurn(servers, round))
        samples.add(server, name, await ask(server, { ...load, seconds }), cpu);
    }
  }
  if (memcached !== undefined) {
    const load = { ...base, command: 'get', bytes: 64 } as const;
    for (const server of [single, memcached]) await fill(server, load, MAX_BYTES);
    for (let round = 0; round < rounds; round++) {
      showProgress(`resp: one thread each, round ${round + 1} of ${rounds}`);
      for (const server of inTurn([single, memcached], round))
        samples.add(server, 'get-64-p1-one-thread', await ask(server, { ...load, seconds }), true);
    }
  }
  if (rivals.length > 0) {
    const highest = Math.max(...rivals.map(({ name }) => median(samples.of(`${name}/get-64-p1`))));
    const load = { ...base, command: 'get', bytes: 64, rate: Math.round(highest * SHARE_OF_HIGHEST) } as const;
    for (const server of [ours, ...rivals]) await fill(server, load);
    for (let round = 0; round < rounds; round++) {
      showProgress(`resp: at ${load.rate} requests a second, round ${round + 1} of ${rounds}`);
      for (const server of inTurn([ours, ...rivals], round)) {
        const { p99Us } = await ask(server, { ...load, seconds });
        samples.put(`${server.name}/p99`, p99Us * 1000, 'ns');
      }
    }
  }
  showProgress('resp: gets in the process that serves');
  const { alone, busy } = await inProcessUnderLoad({ rounds, ms: quick ? 200 : 500 });
  for (const ns of alone) samples.put('zerohop/in-process-alone', ns, 'ns');
  for (const ns of busy) samples.put('zerohop/in-process-under-load', ns, 'ns');
  clearProgress();
  const ratios = ratiosOf(samples, rivals);
  console.log(samples.table());
  console.log();
  for (const [name, value] of Object.entries(ratios)) console.log(`${name.padEnd(28)}${value.toFixed(2)}`);
  return { cases: samples.cases(), ratios };
}

function ratiosOf(samples: Samples, rivals: readonly Server[]): Record<string, number> {
  const ratios: Record<string, number> = {};
  const against = (ratio: string, what: string, better: 'lower' | 'higher') => {
    const lists = rivals.map(({ name }) => samples.of(`${name}/${what}`)).filter((list) => list.length > 0);
    if (lists.length === 0) return;
    const rank = (list: readonly number[]) => (better === 'lower' ? median(list) : -median(list));
    const [best] = lists.sort((a, b) => rank(a) - rank(b));
    ratios[ratio] = medianRatio(samples.of(`zerohop/${what}`), best as readonly number[]);
  };
  for (const { name, cpu } of CASES) {
    if (cpu) against(`cpu-${name}`, `cpu-${name}`, 'lower');
    against(name, name, 'higher');
  }
  against('p99-vs-redis', 'p99', 'lower');
  const memcached = samples.of('memcached/get-64-p1-one-thread');
  if (memcached.length > 0)
    ratios['get-64-p1-vs-memcached'] = medianRatio(samples.of('zerohop/get-64-p1-one-thread'), memcached);
  ratios['in-process-under-load'] = medianRatio(
    samples.of('zerohop/in-process-under-load'),
    samples.of('zerohop/in-process-alone'),
  );
  return ratios;
}

function inTurn<T>(list: readonly T[], round: number): T[] {
  return list.map((_, i) => list[(round + i) % list.length] as T);
}

function median(samples: readonly number[]): number {
  return summarize(samples).median;
}
