// status.ts: `zerohop status`, how a running server does.

import { Command } from 'commander';
import { durationOption } from '../base/options.js';
import { sleep } from '../base/time.js';
import type { UpstreamState } from '../cache/upstreams.js';
import type { LedgerSnapshot } from '../report.js';
import type { RespClient } from '../resp/client.js';
import { onServer, type ServerGiven, withServer } from './connection.js';
import { type Database, nameOf } from './keyspaces.js';
import { type PricesGiven, withPrices } from './prices.js';
import {
  colour,
  cut,
  duration,
  grouped,
  print,
  printJson,
  printPairs,
  printTable,
  shown,
  size,
  width,
} from './print.js';
import { modelRows, type Saved, savedOf, savedText } from './saved.js';

interface Given extends ServerGiven, PricesGiven {
  watch?: boolean | string;
}

const WATCH = '2s';
const HOTTEST = 5;
const CLEAR = '\x1b[H\x1b[2J';
const NAME_COLUMNS_MIN = 12;
/** What stands beside the name in the first columns of a table. */
const OTHER_COLUMNS = 28;

export function statusCommand(): Command {
  const command = new Command('status')
    .description('print hit rate, memory, evictions, savings, and what is asked for most, of a running server')
    .option('--watch [interval]', `print it again and again, by default every ${WATCH}, until it is interrupted`);
  return withServer(withPrices(command)).action(run);
}

async function run(given: Given): Promise<void> {
  const { watch, json } = given;
  const interval = watch && durationOption('--watch', watch === true ? WATCH : watch, 100, 2 ** 31 - 1);
  await onServer(given, async (client) => {
    for (let before: Status | undefined; ; ) {
      const status = await statusOf(client, given);
      if (json) printJson(jsonOfStatus(status));
      else await show(status, { before, again: Boolean(watch), given });
      if (!interval) return;
      before = status;
      await sleep(interval);
    }
  });
}

/** What ZH.STATS tells (docs/RESP.md), as far as it is used here. */
interface Stats {
  readonly entries: number;
  readonly hits: number;
  readonly misses: number;
  readonly maxBytes: number;
  readonly usedBytes: number;
  readonly expiredEntries: number;
  readonly refusedBy: Readonly<Record<string, number>>;
  readonly evictedBy: Readonly<Record<string, number>>;
  readonly databases: readonly (Database & { readonly evictedEntries: number })[];
  readonly evicting: boolean;
  /** Of the models of the thread that serves. */
  readonly ledger?: LedgerSnapshot;
  /** What stands behind the cache. */
  readonly upstreams?: readonly Omit<UpstreamState, 'buckets' | 'counts'>[];
}

interface Status {
  readonly server: string;
  readonly uptimeSeconds: number;
  readonly clients: number;
  readonly commands: number;
  readonly hitRate: number | null;
  readonly saved: Saved | undefined;
  readonly cache: Stats;
}

async function statusOf(client: RespClient, given: Given): Promise<Status> {
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
    saved: await savedOf(cache.ledger, cache.databases, given),
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

/** The ledger is in `saved`, with what it is worth. */
function jsonOfStatus({ cache, saved, ...status }: Status): object {
  const { ledger: _, ...rest } = cache;
  return { ...status, saved: saved ?? null, cache: rest };
}

interface Showing {
  readonly before: Status | undefined;
  /** It is printed again and again. */
  readonly again: boolean;
  readonly given: Given;
}

async function show(status: Status, { before, again, given }: Showing): Promise<void> {
  const { cache, saved } = status;
  const savings = await savedText(saved, given);
  const models = saved === undefined ? [] : await modelRows(saved, HOTTEST);
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
    ['saved', savings],
    ...(cache.upstreams ?? []).map((one) => ['upstream', upstreamText(one)] as const),
    ['clients', `${grouped(status.clients)}, ${grouped(status.commands)} commands`],
  ]);
  const columns = Math.max(NAME_COLUMNS_MIN, width() - OTHER_COLUMNS);
  const hottest = cache.databases
    .filter(({ hits, misses, entries }) => hits + misses + entries > 0)
    .sort((a, b) => b.hits + b.misses - (a.hits + a.misses))
    .slice(0, HOTTEST)
    .map((one) => {
      const name = cut(shown(`${one.database} ${nameOf(one)}`).trimEnd(), columns);
      return [name, one.hits + one.misses, percent(rateOf(one)), one.entries, one.evictedEntries] as const;
    });
  tableOf(['database', 'lookups', 'hit rate', 'entries', 'evicted'], hottest);
  tableOf(
    ['model', 'hits', 'saved', 'worth'],
    models.map(([name, ...rest]) => [cut(name, columns), ...rest] as const),
  );
  if (again && !process.stdout.isTTY) print('');
}

function tableOf(head: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  if (rows.length === 0) return;
  print('');
  printTable(head, rows);
}

/** What changed since it was printed last. */
function lately(now: Status, before: Status | undefined): string {
  if (before === undefined) return '';
  const hits = now.cache.hits - before.cache.hits;
  const misses = now.cache.misses - before.cache.misses;
  return `; lately ${percent(rateOf({ hits, misses }))} of ${grouped(hits + misses)}`;
}

function upstreamText({ name, healthy, state, requests, errors }: Omit<UpstreamState, 'buckets'>): string {
  const how = shown(state);
  const counts = `${grouped(requests)} requests, ${grouped(errors)} errors`;
  return `${shown(name)}: ${healthy ? how : colour('red', how)}; ${counts}`;
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
