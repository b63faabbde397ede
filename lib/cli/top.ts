// top.ts: `zerohop top`, the keys that are asked for most, live.
//
// The server keeps no list of them. So keys are scanned, and each is asked how often it was requested lately; of very
// many keys, a part, which the order of a scan makes a fair sample of.

import { Command } from 'commander';
import { countOption, durationOption } from '../base/options.js';
import { sleep } from '../base/time.js';
import type { RespClient } from '../resp/client.js';
import { onServer, type ServerGiven, withKeyspace, withServer } from './connection.js';
import { explainedFrom } from './explain.js';
import { scanned } from './keys.js';
import { cut, duration, grouped, jsonOf, print, printJson, printTable, shown, size, width } from './print.js';

interface Given extends ServerGiven {
  count: string;
  scan: string;
  interval: string;
  once?: boolean;
}

const CLEAR = '\x1b[H\x1b[2J';
const KEY_COLUMNS_MIN = 12;
/** What stands beside the key in a line. */
const OTHER_COLUMNS = 32;

export function topCommand(): Command {
  const command = new Command('top')
    .description('print the keys that are asked for most, again and again on a terminal, else once')
    .option('-n, --count <number>', 'how many keys', '10')
    .option('--scan <number>', 'how many keys to look at, at most', '20000')
    .option('--interval <duration>', 'how often', '2s')
    .option('--once', 'print it once, on a terminal too');
  return withServer(withKeyspace(command)).action(run);
}

async function run(given: Given): Promise<void> {
  const count = countOption('--count', Number(given.count), 1, 10_000);
  const most = countOption('--scan', Number(given.scan), 1, 2 ** 31);
  const interval = durationOption('--interval', given.interval, 100, 2 ** 31 - 1);
  const again = process.stdout.isTTY && !given.once;
  await onServer(given, async (client) => {
    do {
      const hottest = await hottestOf(client, count, most);
      if (again && !given.json) process.stdout.write(CLEAR);
      if (given.json)
        printJson({ ...hottest, keys: hottest.keys.map(({ key, ...one }) => ({ key: jsonOf(key), ...one })) });
      else show(hottest);
      if (again) await sleep(interval);
    } while (again);
  });
}

interface Hot {
  readonly key: Buffer;
  readonly frequency: number;
  readonly bytes: number;
  /** Null: it does not end. */
  readonly ttlMs: number | null;
}

interface Hottest {
  readonly looked: number;
  readonly entries: number;
  readonly keys: readonly Hot[];
}

async function hottestOf(client: RespClient, count: number, most: number): Promise<Hottest> {
  let looked = 0;
  let hottest: { key: Buffer; frequency: number }[] = [];
  for await (const keys of scanned(client, '*')) {
    const some = keys.slice(0, most - looked);
    looked += some.length;
    const frequencies = await Promise.all(some.map((key) => client.call('OBJECT', 'FREQ', key)));
    // Null: it went meanwhile.
    const found = some.map((key, i) => ({ key, frequency: Number(frequencies[i] ?? 0) }));
    hottest = [...hottest, ...found].sort((a, b) => b.frequency - a.frequency).slice(0, count);
    if (looked >= most) break;
  }
  // Other commands that tell of a value would count as requests for it.
  const facts = hottest.map(async ({ key, frequency }) => {
    const { entry } = explainedFrom(await client.bytes('ZH.EXPLAIN', key));
    return { key, frequency, bytes: entry?.size ?? 0, ttlMs: entry?.ttlMs ?? null };
  });
  return { looked, entries: await client.count('DBSIZE'), keys: await Promise.all(facts) };
}

function show({ looked, entries, keys }: Hottest): void {
  const columns = Math.max(KEY_COLUMNS_MIN, width() - OTHER_COLUMNS);
  const rows = keys.map(({ key, frequency, bytes, ttlMs }) => {
    return [frequency, cut(shown(key), columns), size(bytes), ttlMs === null ? '–' : duration(ttlMs)] as const;
  });
  printTable(['requests', 'key', 'size', 'ends in'], rows);
  if (looked < entries) print(`of ${grouped(looked)} keys of ${grouped(entries)}`);
}
