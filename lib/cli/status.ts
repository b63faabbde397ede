// status.ts: `zerohop status`, how a running server does.

import { Command } from 'commander';
import { durationOption } from '../base/options.js';
import { sleep } from '../base/time.js';
import type { RespClient } from '../resp/client.js';
import { onServer, type ServerGiven, withServer } from './connection.js';
import { colour, duration, grouped, print, printJson, printPairs, printTable, shown, size } from './print.js';

interface Given extends ServerGiven {
  watch?: boolean | string;
}

const WATCH = '2s';
const HOTTEST = 5;
const CLEAR = '\x1b[H\x1b[2J';

export function statusCommand(): Command {
  const command = new Command('status')
    .description('print hit rate, memory, evictions, the hottest databases and the clients of a running server')
    .option('--watch [interval]', `print it again and again, by default every ${WATCH}, until it is interrupted`);
  return withServer(command).action(run);
}

async function run(given: Given): Promise<void> {
  const { watch, json } = given;
  const interval = watch && durationOption('--watch', watch === true ? WATCH : watch, 100, 2 ** 31 - 1);
  await onServer(given, async (client) => {
    for (let before: Status | undefined; ; ) {
      const status = await statusOf(client);
      if (json) printJson(status);
      else show(status, before, Boolean(watch));
      if (!interval) return;
      before = status;
      await sleep(interval);
    }
  });
}

/** The counts of a database. */
interface Counted {
  readonly database: number;
  readonly entries: number;
  readonly hits: number;
  readonly misses: number;
}

/** What ZH.STATS tells (docs/RESP.md), as far as it is used here. */
interface Stats extends Omit<Counted, 'database'> {
  readonly maxBytes: number;
  readonly usedBytes: number;
  readonly expiredEntries: number;
  readonly refusedBy: Readonly<Record<string, number>>;
  readonly evictedBy: Readonly<Record<string, number>>;
  readonly databases: readonly Counted[];
  readonly evicting: boolean;
}

interface Status {
  readonly server: string;
  readonly uptimeSeconds: number;
  readonly clients: number;
  readonly commands: number;
  readonly hitRate: number | null;
  readonly cache: Stats;
}

async function statusOf(client: RespClient): Promise<Status> {
  const [stats, info] = await Promise.all([
    client.bytes('ZH.STATS'),
    client.bytes('INFO', 'server', 'clients', 'stats'),
  ]);
  const cache = JSON.parse(stats.toString()) as Stats;
  const fields = fieldsOf(info.toString());
  return {
    server: client.shown,
    uptimeSeconds: Number(fields['uptime_in_seconds']),
    clients: Number(fields['connected_clients']),
    commands: Number(fields['total_commands_processed']),
    hitRate: rateOf(cache),
    cache,
  };
}

/** `name:value` lines of INFO. */
function fieldsOf(info: string): Record<string, string> {
  return Object.fromEntries(
    info
      .split('\r\n')
      .filter((line) => line.includes(':'))
      .map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  );
}

/** Null: nothing was looked up yet. */
function rateOf({ hits, misses }: { hits: number; misses: number }): number | null {
  return hits + misses === 0 ? null : hits / (hits + misses);
}

function show(status: Status, before: Status | undefined, again: boolean): void {
  const { cache } = status;
  if (again && process.stdout.isTTY) process.stdout.write(CLEAR);
  printPairs([
    ['server', `${colour('bold', shown(status.server))}, up ${duration(status.uptimeSeconds * 1000)}`],
    [
      'hit rate',
      `${percent(status.hitRate)} of ${grouped(cache.hits + cache.misses)} lookups${lately(status, before)}`,
    ],
    ['entries', grouped(cache.entries)],
    ['memory', `${size(cache.usedBytes)} of ${size(cache.maxBytes)}${cache.evicting ? ', evicting' : ''}`],
    ['evicted', reasons(cache.evictedBy)],
    ['expired', grouped(cache.expiredEntries)],
    ['refused', reasons(cache.refusedBy)],
    ['clients', `${grouped(status.clients)}, ${grouped(status.commands)} commands`],
  ]);
  const hottest = cache.databases
    .filter(({ hits, misses, entries }) => hits + misses + entries > 0)
    .sort((a, b) => b.hits + b.misses - (a.hits + a.misses))
    .slice(0, HOTTEST);
  if (hottest.length > 0) {
    print('');
    const rows = hottest.map(
      (one) => [one.database, one.hits + one.misses, percent(rateOf(one)), one.entries] as const,
    );
    printTable(['database', 'lookups', 'hit rate', 'entries'], rows);
  }
  if (again && !process.stdout.isTTY) print('');
}

/** What changed since it was printed last. */
function lately(now: Status, before: Status | undefined): string {
  if (before === undefined) return '';
  const hits = now.cache.hits - before.cache.hits;
  const misses = now.cache.misses - before.cache.misses;
  return `; lately ${percent(rateOf({ hits, misses }))} of ${grouped(hits + misses)}`;
}

function percent(rate: number | null): string {
  return rate === null ? '–' : `${(rate * 100).toFixed(1)} %`;
}

function reasons(by: Readonly<Record<string, number>>): string {
  const some = Object.entries(by).filter(([, count]) => count > 0);
  const total = some.reduce((sum, [, count]) => sum + count, 0);
  if (total === 0) return '0';
  return `${grouped(total)} (${some.map(([reason, count]) => `${reason} ${grouped(count)}`).join(', ')})`;
}
