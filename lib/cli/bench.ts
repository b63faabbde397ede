// bench.ts: `zerohop bench`, what a program on this machine waits for a value: in a Redis that the user names, in
// `zerohop serve`, and in its own process.
//
// Redis and the server are asked through the same client, ours, over the same kind of socket. What is stored in Redis
// has keys of its own that end by themselves, and is deleted at the end.

import { randomBytes } from 'node:crypto';
import { Command } from 'commander';
import { countOption } from '../base/options.js';
import type { RespClient } from '../resp/client.js';
import { summarize } from './bench-measure.js';
import type { RemoteStore, Row, Samples } from './bench-rows.js';
import type { ServerGiven } from './connection.js';
import { misuse } from './exit.js';
import { connectedTo, otherPlace } from './other-server.js';
import { print, printJson, printTable, shown, width, wrapped } from './print.js';
import { Progress, untilInterrupted } from './progress.js';

interface Given {
  against: string;
  bytes: string;
  keys: string;
  quick?: boolean;
  timeout: string;
  tlsCa?: string;
  json?: boolean;
}

const FULL = { rounds: 9, sampleMsMin: 60 };
const QUICK = { rounds: 3, sampleMsMin: 10 };
const FLOAT_BYTES = 4;
/** What is stored in Redis ends after so many seconds, whatever happens to us. */
const ENDS_AFTER_S = 900;
const BATCH = 1000;

export function benchCommand(): Command {
  return new Command('bench')
    .description(
      'tell what a program on this machine waits for a value: in a Redis, in zerohop serve, in its own process',
    )
    .requiredOption('--against <url>', 'the Redis, redis://[[user]:password@]host:port/db or unix:/path')
    .option('--bytes <number>', 'of a value: a multiple of 4', '4096')
    .option('--keys <number>', 'how many values are stored', '10000')
    .option('--quick', 'in some seconds, and less exactly')
    .option('--timeout <duration>', 'how long to wait for an answer', '5s')
    .option('--tls-ca <path>', 'for rediss://: PEM file of who may have signed the certificate of the server')
    .option('--json', 'print JSON')
    .action(run);
}

async function run(given: Given): Promise<void> {
  const bytes = countOption('--bytes', Number(given.bytes), FLOAT_BYTES, 2 ** 26);
  const keys = countOption('--keys', Number(given.keys), 1, 10_000_000);
  if (bytes % FLOAT_BYTES !== 0) throw misuse('--bytes: expected a multiple of 4');
  const rows = rowsOf(bytes, keys);
  const redis = await connectedTo(given.against, given as ServerGiven);
  try {
    const { version, name } = await versionOf(redis);
    await untilInterrupted(async (signal) => {
      const samples = await measured(rows, redis, given, signal);
      const at = `${name} ${version} at ${redis.shown}`;
      if (given.json) printJson(asJson(rows, samples, at));
      else await show(rows, samples, at, isElsewhere(given.against));
    });
  } finally {
    redis.close();
  }
}

function rowsOf(bytes: number, keys: number): Row[] {
  const values = { bytes, keys };
  return [
    { name: 'one', label: `a value of ${sizeText(bytes)}`, ...values, batch: 1 },
    { name: 'pipelined-100', label: '100 of them, pipelined', ...values, batch: 100, by: 'pipeline' },
    { name: 'mget-1000', label: '1 000 of them, one MGET', ...values, batch: 1000, by: 'mget' },
  ];
}

const sizeText = (bytes: number) => (bytes % 1024 === 0 ? `${bytes / 1024} KiB` : `${bytes} bytes`);

/** Others speak the protocol too, and say so. */
async function versionOf(client: RespClient): Promise<{ name: string; version: string }> {
  const info = (await client.bytes('INFO', 'server')).toString();
  const field = (name: string) => new RegExp(`^${name}:(.+?)\r?$`, 'm').exec(info)?.[1];
  const valkey = field('valkey_version');
  if (valkey !== undefined) return { name: 'Valkey', version: valkey };
  return { name: 'Redis', version: field('redis_version') ?? 'of unknown version' };
}

async function measured(rows: readonly Row[], redis: RespClient, given: Given, signal: AbortSignal): Promise<Samples> {
  const { measureRows } = await import('./bench-rows.js');
  const { open } = await import('../index.js');
  const { startOwnServer } = await import('./own-server.js');
  const progress = new Progress();
  const tell = (text: string) => {
    if (signal.aborted) throw new Error('stopped before the end');
    progress.tell(() => text);
  };
  const [{ bytes, keys }] = rows as [Row];
  // Twice as much as the values take, so that nothing is evicted.
  const maxBytes = Math.max(2 ** 26, 2 * keys * (bytes + 256));
  const prefix = `zerohop-bench:${randomBytes(8).toString('hex')}:`;
  const server = await startOwnServer(maxBytes, otherPlace(given.against).path !== '');
  const cache = open({ maxBytes });
  try {
    const own = await connectedTo(server.url, given as ServerGiven, '');
    const stores = [storeOf('redis', redis, prefix), storeOf('resp', own, prefix)];
    try {
      return await measureRows(rows, cache, stores, given.quick ? QUICK : FULL, tell);
    } finally {
      own.close();
    }
  } finally {
    progress.clear();
    cache.close();
    await server.stop();
    await forget(redis, rows, prefix);
  }
}

function storeOf(name: string, client: RespClient, prefix: string): RemoteStore {
  return {
    name,
    get: async (key) => (await client.call('GET', prefix + key)) as Buffer | null,
    mget: async (keys) => (await client.call('MGET', ...keys.map((key) => prefix + key))) as (Buffer | null)[],
    set: (key, value) => client.call('SET', prefix + key, value, 'EX', ENDS_AFTER_S),
    close: () => {},
  };
}

/** Deletes what was stored. If that fails, it ends by itself. */
async function forget(redis: RespClient, rows: readonly Row[], prefix: string): Promise<void> {
  const { keyOf } = await import('./bench-rows.js');
  const [row] = rows as [Row];
  try {
    for (let from = 0; from < row.keys; from += BATCH) {
      const count = Math.min(BATCH, row.keys - from);
      await redis.call('UNLINK', ...Array.from({ length: count }, (_, i) => prefix + keyOf(row, from + i)));
    }
  } catch {}
}

// ---- What is told

/** Ways in this process; of each row, those that it has. */
const COLUMNS = [
  ['Redis', 'redis'],
  ['zerohop serve', 'resp'],
  ['in process', 'any', 'many'],
  ['hot keys', 'hot'],
  ['gather', 'gather'],
] as const;

function asJson(rows: readonly Row[], samples: Samples, at: string): unknown {
  return {
    redis: at,
    unit: 'ns',
    rows: rows.map(({ name, bytes, keys, batch, by }) => ({
      ...{ name, bytes, keys, batch, by: by ?? 'one' },
      times: Object.fromEntries(
        ['redis', 'resp', 'any', 'many', 'hot', 'gather'].flatMap((way) => {
          const times = samples.get(`${way}/${name}`);
          return times === undefined ? [] : [[way, summarize(times)]];
        }),
      ),
    })),
  };
}

/** Whether it may be another machine. */
function isElsewhere(url: string): boolean {
  const { path, host } = otherPlace(url);
  return path === '' && !/^(127\.|::1$|localhost$)/.test(host);
}

async function show(rows: readonly Row[], samples: Samples, at: string, elsewhere: boolean): Promise<void> {
  const { cpus, availableParallelism } = await import('node:os');
  const about = [
    `What a program waits for a value: ${shown(at)}, and zerohop serve, each through the same client over the same kind of`,
    'socket; and zerohop in the process. Median, and from the 5th to the 95th percentile of the rounds. Every answer was',
    `checked. ${cpus()[0]?.model ?? 'An unknown processor'}, ${availableParallelism()} of its processors, Node ${process.versions.node}.`,
    ...(elsewhere ? ['Redis is reached over a network, and its times have that in them.'] : []),
  ];
  for (const line of wrapped(about.join(' '), Math.min(100, width()))) print(line);
  print('');
  printTable(
    ['', ...COLUMNS.map(([title]) => title)],
    rows.map(({ name, label }) => [
      label,
      ...COLUMNS.map(([, ...ways]) => {
        const times = ways.map((way) => samples.get(`${way}/${name}`)).find((one) => one !== undefined);
        return times === undefined ? '–' : timesText(times);
      }),
    ]),
  );
}

/** `52.1 µs (50.0–61.2)` */
function timesText(times: readonly number[]): string {
  const { median, p5, p95 } = summarize(times);
  const [unit, name] = median < 1e3 ? [1, 'ns'] : median < 1e6 ? [1e3, 'µs'] : [1e6, 'ms'];
  const digits = (ns: number) => Number((ns / unit).toPrecision(3));
  return `${digits(median)} ${name} (${digits(p5)}–${digits(p95)})`;
}
