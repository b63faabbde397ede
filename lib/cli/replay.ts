// replay.ts: `zerohop replay`, what if: which hit rate a cache of another size, policy or ttl would have had, by an
// access log, and what that would have saved.

import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { Command, Option } from 'commander';
import { amountOption, durationOption, sizeOption } from '../base/options.js';
import { misuse } from './exit.js';
import { duration, grouped, print, printJson, printPairs, printTable, shown, size } from './print.js';
import { Progress } from './progress.js';
import { OVERHEAD_BYTES, type Played, POLICIES, played, type ReplayPolicy } from './replay-play.js';
import type { Trace } from './replay-trace.js';

interface Given {
  size?: string[];
  policy: ReplayPolicy[];
  ttl?: string;
  bytes?: string;
  cost?: string;
  memory: string;
  instance?: string;
  price?: string;
  prices?: string;
  json?: boolean;
}

const DEFAULT_POLICIES: readonly ReplayPolicy[] = ['zerohop', 'lru', 'lfu', 'fifo'];
/** Of the bytes of all that was asked for. */
const DEFAULT_SIZES = [0.01, 0.03, 0.1, 0.3, 1];
const SIZE_MIN = 2 ** 20;
const SIZE_MAX = 2 ** 39;
const HOUR_MS = 3_600_000;

export function replayCommand(): Command {
  return new Command('replay')
    .description(
      'tell which hit rate a cache of another size, policy or ttl would have had, and what it would have saved',
    )
    .argument('<file...>', 'access logs, in their order; docs/CLI.md has their form. "-": standard input')
    .option('--size <size...>', 'of the cache, such as 512MB 2GB; default: shares of all that was asked for')
    .addOption(
      new Option('--policy <name...>', 'what is played: zerohop is the engine itself')
        .choices(POLICIES)
        .default(DEFAULT_POLICIES, DEFAULT_POLICIES.join(' ')),
    )
    .option('--ttl <duration>', 'how long values may be served; default: as the log says')
    .option('--bytes <size>', 'of values whose size the log does not know; default: as the others on average')
    .option('--cost <duration>', 'of computing a value of which the log does not know it, such as 40ms')
    .option('--memory <size>', 'for playing: a larger cache is played with a sample of the keys', defaultMemory())
    .option('--instance <name>', 'the machine that values are computed on, as the price table names it')
    .option('--price <usd>', 'what an hour of computing costs, in US dollars, in place of --instance')
    .option('--prices <file>', 'a price table as JSON, in place of the list prices of zerohop')
    .option('--json', 'print JSON')
    .action(run);
}

/** A quarter of the machine's, 256 MB at most. */
function defaultMemory(): string {
  return `${Math.max(16, Math.min(256, Math.floor(totalmem() / 2 ** 22)))}MB`;
}

interface Row {
  readonly bytes: number;
  readonly policy: ReplayPolicy;
  /** Undefined: the cache is too small to be played. */
  readonly played: Played | undefined;
}

async function run(files: string[], given: Given): Promise<void> {
  const ttlMs = given.ttl === undefined ? undefined : durationOption('--ttl', given.ttl);
  const memoryBytes = sizeOption('--memory', given.memory, SIZE_MIN, SIZE_MAX);
  const sizes = given.size?.map((text) => sizeOption('--size', text, SIZE_MIN, SIZE_MAX));
  const usdPerHour = await priceOf(given);
  const progress = new Progress();
  const { readTrace } = await import('./replay-trace.js');
  const defaults = {
    valueBytes: given.bytes === undefined ? undefined : sizeOption('--bytes', given.bytes, 0, SIZE_MAX),
    costMs: given.cost === undefined ? undefined : durationOption('--cost', given.cost, 0, HOUR_MS * 24),
  };
  const trace = await readTrace(files, defaults, (requests) =>
    progress.tell(() => `${grouped(requests)} requests read`),
  );
  if (trace.timesMs === undefined && (ttlMs !== undefined || trace.ttlsMs.some((ttl) => ttl >= 0)))
    throw misuse('a ttl needs the time of every request, which the log does not say');
  const rows: Row[] = [];
  const policies = [...new Set(given.policy)];
  for (const bytes of sizes ?? defaultSizes(trace))
    for (const policy of policies) {
      const label = `${size(bytes)}, ${policy}`;
      const tell = (requests: number) => progress.tell(() => `${label}: ${grouped(requests)} requests`);
      rows.push({ bytes, policy, played: await played(trace, { policy, bytes, memoryBytes, ttlMs }, tell) });
    }
  progress.clear();
  if (given.json) printJson(asJson(trace, rows, usdPerHour));
  else show(trace, rows, usdPerHour);
}

/** Of an hour of computing, in US dollars; undefined: not said. */
async function priceOf({ instance, price, prices }: Given): Promise<number | undefined> {
  if (instance !== undefined && price !== undefined)
    throw misuse('--instance and --price: expected one of them, received both');
  if (price !== undefined) return amountOption('--price', price.trim() === '' ? Number.NaN : Number(price));
  if (instance === undefined) return undefined;
  const { GPU_PRICES, priceTables } = await import('../observe/prices.js');
  const table = prices === undefined ? GPU_PRICES : (JSON.parse(readFileSync(prices, 'utf8')) as object);
  const known = priceTables('--prices', table).flatMap(({ instances }) => [...instances]);
  const found = known.findLast(([name]) => name === instance)?.[1];
  if (found !== undefined) return found.usdPerHour / found.gpus;
  throw misuse(`--instance: expected one of ${known.map(([name]) => name).join(', ')}, received "${instance}"`);
}

/** Bytes of all that was asked for, as entries of the engine. */
function allBytes({ valueBytes, keyBytes, share }: Trace): number {
  let bytes = 0;
  for (let id = 0; id < valueBytes.length; ++id) bytes += valueBytes[id]! + keyBytes[id]! + OVERHEAD_BYTES;
  return bytes / share;
}

function defaultSizes(trace: Trace): number[] {
  const all = allBytes(trace);
  const sizes = DEFAULT_SIZES.map((share) => Math.max(SIZE_MIN, rounded((all * share) / SIZE_MIN) * SIZE_MIN));
  return [...new Set(sizes)];
}

/** To two digits. */
const rounded = (number: number) => (number < 1 ? 1 : Math.round(Number(number.toPrecision(2))));

function asJson(trace: Trace, rows: readonly Row[], usdPerHour: number | undefined): unknown {
  const { requests, ids, share, sized, costed } = trace;
  return {
    log: {
      requests: requests.length,
      keys: ids,
      share,
      bytes: Math.round(allBytes(trace)),
      spanMs: spanOf(trace) ?? null,
      costMs: costOf(trace),
      sizesKnown: sized / requests.length,
      costsKnown: costed / requests.length,
    },
    usdPerHour: usdPerHour ?? null,
    results: rows.map(({ bytes, policy, played: of }) => ({
      bytes,
      policy,
      hitRate: of?.hitRate ?? null,
      savedMs: of === undefined ? null : of.savedMs,
      savedUsd: of === undefined || usdPerHour === undefined ? null : (of.savedMs / HOUR_MS) * usdPerHour,
      playedRequests: of?.played ?? 0,
      tooLarge: of?.tooLarge ?? 0,
    })),
  };
}

/** From the first to the last request, in ms. */
function spanOf({ timesMs }: Trace): number | undefined {
  if (timesMs === undefined) return undefined;
  let [first, last] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const time of timesMs) {
    if (time < first) first = time;
    if (time > last) last = time;
  }
  return last - first;
}

/** What computing every request would have taken, in ms. */
function costOf({ requests, costsMs, share }: Trace): number {
  let ms = 0;
  for (const id of requests) ms += costsMs[id]!;
  return ms / share;
}

function show(trace: Trace, rows: readonly Row[], usdPerHour: number | undefined): void {
  const { requests, ids, share, sized, costed } = trace;
  const span = spanOf(trace);
  const costMs = costOf(trace);
  const known = (count: number) => (count === requests.length ? '' : `; known of ${percent(count / requests.length)}`);
  const sampled = share === 1 ? '' : `, ${percent(share)} of all keys`;
  printPairs([
    [
      'log',
      `${grouped(requests.length)} requests of ${grouped(ids)} keys${sampled}${span === undefined ? '' : ` in ${duration(span)}`}`,
    ],
    ['size', `${size(allBytes(trace))} if all were kept${known(sized)}`],
    ['cost', costMs === 0 ? 'not told' : `${seconds(costMs)} to compute every request${known(costed)}`],
  ]);
  print('');
  const money = usdPerHour === undefined ? [] : ['USD'];
  const head = ['size', 'policy', 'hit rate', ...(costMs === 0 ? [] : ['saved', ...money])];
  printTable(
    head,
    rows.map(({ bytes, policy, played: of }) => {
      if (of === undefined) return [size(bytes), policy, '–', ...head.slice(3).map(() => '–')];
      const usd = usdPerHour === undefined ? [] : [((of.savedMs / HOUR_MS) * usdPerHour).toFixed(4)];
      return [size(bytes), policy, percent(of.hitRate), ...(costMs === 0 ? [] : [seconds(of.savedMs), ...usd])];
    }),
  );
  for (const note of notesOn(trace, rows)) print(shown(note));
}

/** What a reader must know of these figures. */
function notesOn({ requests }: Trace, rows: readonly Row[]): string[] {
  const notes: string[] = [];
  if (rows.some(({ played: of }) => of === undefined))
    notes.push('–: zerohop has no cache so small; a log of more keys would tell.');
  const least = Math.min(requests.length, ...rows.flatMap(({ played: of }) => of?.played ?? []));
  if (least < requests.length)
    notes.push(
      `The largest was played with ${grouped(least)} requests, those of a sample of the keys; --memory allows more.`,
    );
  if (rows.some(({ played: of }) => (of?.tooLarge ?? 0) > 0))
    notes.push(
      'Some values are larger than half of a cache that was played: they count as misses. --memory allows more.',
    );
  return notes.length === 0 ? [] : ['', ...notes];
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

function seconds(ms: number): string {
  return ms < 10_000 ? `${(ms / 1000).toFixed(3)} s` : `${grouped(Math.round(ms / 1000))} s`;
}
