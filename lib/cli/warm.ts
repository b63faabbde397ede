// warm.ts: `zerohop warm`, fills a running cache: from another server or a table; with all that is there, with a list of
// keys, or with what an access log says was asked for most.
//
// Values come and go in batches, one after the other: SCAN, GET and PTTL in one go, then SET in one go. What is stored
// in the cache already is newer, and stays.

import { readFileSync, statSync } from 'node:fs';
import { Command } from 'commander';
import { amountOption, durationOption, tagsOption } from '../base/options.js';
import { now, sleep } from '../base/time.js';
import type { Argument, RespClient } from '../resp/client.js';
import { RespError } from '../resp/error.js';
import { serverPlace } from '../resp/url.js';
import { STANDARD_INPUT } from './access-log.js';
import { type KeysGiven, keyOf, onServer, type ServerGiven, withKeys, withServer } from './connection.js';
import { misuse, NotThere } from './exit.js';
import { connectedTo, isServerUrl, otherPlace } from './other-server.js';
import { duration, grouped, printJson, printPairs, shown, size } from './print.js';
import { Progress, untilInterrupted } from './progress.js';
import { ServerSource, tableSource, type WarmBatch, type WarmEntry, type WarmSource } from './warm-sources.js';
import { noCounts, StateFile, type WarmCounts } from './warm-state.js';

interface Given extends ServerGiven, KeysGiven {
  keys?: string;
  null?: boolean;
  log?: string;
  match: string;
  prefix: string;
  raw?: boolean;
  ttl?: string;
  tag?: string[];
  overwrite?: boolean;
  evict?: boolean;
  rate?: string;
  state?: string;
  dryRun?: boolean;
}

const BATCH = 256;
/** With a limit of the rate: so many batches a second. */
const BATCHES_PER_SECOND = 10;

export function warmCommand(): Command {
  const command = new Command('warm')
    .description('fill a running cache from another server or an embedding table; what is stored already stays')
    .argument('<source>', 'a server as for --url, or the file of a table')
    .option('--keys <file>', 'only these keys, or ids of the table: one a line; -: standard input')
    .option('--null', 'the keys of --keys are ended by NUL, as zerohop keys --null prints them')
    .option('--log <file>', 'only the keys of an access log, those asked for most first')
    .option('--match <pattern>', 'only keys of the server that match, as SCAN takes it', '*')
    .option('--prefix <text>', 'what stands before the ids of a table in keys', '')
    .option('--raw', 'store rows of a table as they lie in the file, and not as float32')
    .option('--ttl <duration>', 'how long values may be served that have no end at the source')
    .option('--tag <tag...>', 'names by which zerohop purge --tag deletes them')
    .option('--overwrite', 'replace what is stored already')
    .option('--evict', 'go on when the cache is full')
    .option('--rate <number>', 'at most so many keys a second')
    .option('--state <file>', 'keep there how far it is; if it is stopped, the same command goes on there')
    .option('--dry-run', 'tell what would be stored, and store nothing');
  return withServer(withKeys(command)).action(run);
}

/** How a run ended. */
type End = 'complete' | 'full' | 'interrupted';

interface Outcome {
  readonly counts: WarmCounts;
  readonly end: End;
  /** Keys that earlier runs looked at. */
  readonly before: number;
  readonly seconds: number;
}

async function run(from: string, given: Given): Promise<void> {
  const options = optionsOf(given);
  const source = await sourceOf(from, given);
  try {
    await onServer(given, async (client) => {
      const state = given.state === undefined ? undefined : new StateFile(given.state, ofText(source, client, given));
      await untilInterrupted(async (signal) => {
        const outcome = await warmed(source, client, options, state, signal);
        tell(from, client, given, outcome);
      });
    });
  } finally {
    source.close();
  }
}

interface Options {
  readonly perSecond: number;
  readonly ttlMs: number | undefined;
  readonly tags: readonly string[];
  readonly overwrite: boolean;
  readonly evict: boolean;
  readonly dryRun: boolean;
}

function optionsOf(given: Given): Options {
  const ttlMs = given.ttl === undefined ? undefined : durationOption('--ttl', given.ttl);
  if (given.keys !== undefined && given.log !== undefined) throw misuse('--keys and --log cannot be given together');
  if (given.state !== undefined && [given.keys, given.log].includes(STANDARD_INPUT))
    throw misuse('--state: standard input cannot be read again from where it was');
  return {
    perSecond: given.rate === undefined ? Number.POSITIVE_INFINITY : amountOption('--rate', Number(given.rate), 0.01),
    ttlMs: ttlMs === Number.POSITIVE_INFINITY ? undefined : ttlMs,
    tags: given.tag === undefined ? [] : tagsOption('--tag', given.tag),
    overwrite: given.overwrite ?? false,
    evict: given.evict ?? false,
    dryRun: given.dryRun ?? false,
  };
}

// ---- Sources

async function sourceOf(from: string, given: Given): Promise<WarmSource> {
  const list = await listOf(given);
  if (!isServerUrl(from)) {
    const form = { keyOf: (id: number | string) => keyOf(`${given.prefix}${id}`, given), raw: given.raw ?? false };
    return await tableSource(from, form, list && { ...list, list: list.keys.map(textOf) });
  }
  if (given.raw || given.prefix !== '') throw misuse('--raw and --prefix are for tables');
  const client = await connectedTo(from, given);
  try {
    const keys = list?.keys.map((key) => (typeof key === 'string' ? keyOf(key, given) : key));
    const database = String(otherPlace(from).database);
    return await ServerSource.of(client, database, given.match, list && { ...list, list: keys! });
  } catch (error) {
    client.close();
    throw error;
  }
}

type Keys = { readonly keys: readonly (string | Buffer)[]; readonly identity: string };

async function listOf(given: Given): Promise<Keys | undefined> {
  const file = given.keys ?? given.log;
  if (file === undefined) return undefined;
  const facts = file === STANDARD_INPUT ? undefined : statSync(file);
  const identity = facts === undefined ? '' : `${file} ${facts.size} ${facts.mtimeMs}`;
  return { keys: given.keys === undefined ? await hottestIn(file) : keysIn(file, given), identity };
}

function keysIn(file: string, given: Given): (string | Buffer)[] {
  const bytes = readFileSync(file === STANDARD_INPUT ? 0 : file);
  if (!given.null)
    return bytes
      .toString()
      .split(/\r?\n/)
      .filter((line) => line !== '');
  const keys: Buffer[] = [];
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf(0, from);
    const to = end < 0 ? bytes.length : end;
    if (to > from) keys.push(bytes.subarray(from, to));
    from = to + 1;
  }
  return keys;
}

/** The keys of an access log, those asked for most first; of two, the one asked for first. */
async function hottestIn(file: string): Promise<(string | Buffer)[]> {
  const { readAccessLog } = await import('./access-log.js');
  const counts = new Map<string, { key: string | Buffer; count: number }>();
  await readAccessLog(file, ({ key }) => {
    const id = typeof key === 'string' ? `t${key}` : `b${key.toString('latin1')}`;
    const known = counts.get(id);
    if (known === undefined) counts.set(id, { key, count: 1 });
    else known.count++;
  });
  return [...counts.values()].sort((a, b) => b.count - a.count).map(({ key }) => key);
}

const textOf = (key: string | Buffer) => (typeof key === 'string' ? key : key.toString());

/** From where to where, and what of it: a state is good for that alone. */
function ofText(source: WarmSource, client: RespClient, { url, keyspace, prefix, raw }: Given): string {
  const database = keyspace ?? serverPlace(url ?? process.env['ZEROHOP_URL'] ?? 'redis://localhost').database;
  return JSON.stringify([source.identity, `${client.shown}/${database}`, prefix, raw ?? false]);
}

// ---- The work

async function warmed(
  source: WarmSource,
  client: RespClient,
  options: Options,
  state: StateFile | undefined,
  signal: AbortSignal,
): Promise<Outcome> {
  const { perSecond, dryRun, evict } = options;
  const known = dryRun ? undefined : state?.read();
  const counts = known?.counts ?? noCounts();
  const before = counts.keys;
  const startedMs = now();
  const ended = (end: End): Outcome => ({ counts, end, before, seconds: (now() - startedMs) / 1000 });
  const fullness = dryRun || evict ? undefined : new Fullness(client);
  const progress = new Progress();
  const count = Math.max(1, Math.min(BATCH, Math.ceil(perSecond / BATCHES_PER_SECOND)));
  let saved: { place: string; counts: WarmCounts } | undefined;
  try {
    if (await fullness?.isFull()) return ended('full');
    for await (const batch of source.batches(known?.place, { count, sizesOnly: dryRun })) {
      await store(client, batch, options, counts);
      if (batch.place !== undefined && !dryRun) {
        saved = { place: batch.place, counts: { ...counts } };
        state?.write(saved.place, saved.counts, false);
      }
      progress.tell(() => progressText(counts, source.total));
      if (await fullness?.isFull()) return ended('full');
      await sleep(startedMs + ((counts.keys - before) / perSecond) * 1000 - now(), signal);
      if (signal.aborted) return ended('interrupted');
    }
    saved = undefined;
    if (!dryRun) state?.remove();
    return ended('complete');
  } finally {
    progress.clear();
    if (saved !== undefined) state?.write(saved.place, saved.counts, true);
  }
}

function progressText({ keys, stored, storedBytes }: WarmCounts, total: number | undefined): string {
  const share = total === undefined || total === 0 ? '' : ` of ${grouped(Math.max(total, keys))}`;
  return `${grouped(keys)}${share} keys, ${grouped(stored)} stored, ${size(storedBytes)}`;
}

async function store(client: RespClient, batch: WarmBatch, options: Options, counts: WarmCounts): Promise<void> {
  const { entries, absent, readMs } = batch;
  const outcomes = await Promise.all(entries.map((entry) => storeOne(client, entry, readMs, options)));
  counts.keys += entries.length + absent;
  counts.absent += absent;
  for (const [i, outcome] of outcomes.entries()) {
    counts[outcome]++;
    const { value } = entries[i]!;
    if (outcome === 'stored') counts.storedBytes += typeof value === 'number' ? value : value.length;
  }
}

async function storeOne(
  client: RespClient,
  { key, value, ttlMs }: WarmEntry,
  readMs: number,
  { ttlMs: otherwise, tags, overwrite }: Options,
): Promise<'stored' | 'present' | 'absent' | 'refused'> {
  if (typeof value === 'number') {
    if (overwrite) return 'stored';
    return (await client.count('EXISTS', key)) === 1 ? 'present' : 'stored';
  }
  const left = ttlMs === undefined ? otherwise : Math.floor(ttlMs - (now() - readMs));
  if (left !== undefined && left <= 0) return 'absent';
  const words: Argument[] = left === undefined ? [] : ['PX', left];
  if (tags.length > 0) words.push('TAGS', tags.length, ...tags);
  if (!overwrite) words.push('NX');
  try {
    // Redis knows SET as well; what needs our own command says so.
    const reply = await client.call(tags.length > 0 ? 'ZH.SET' : 'SET', key, value, ...words);
    return reply === null ? 'present' : 'stored';
  } catch (error) {
    if (error instanceof RespError && (error.reply === 'OOM' || TOO_LARGE.test(error.message))) return 'refused';
    throw error;
  }
}

const TOO_LARGE = /larger than the cache can hold|exceeds maximum allowed size/;

/** Whether the cache evicts: then each value that is stored takes the place of another. */
class Fullness {
  readonly #client: RespClient;
  #known = true;

  constructor(client: RespClient) {
    this.#client = client;
  }

  async isFull(): Promise<boolean> {
    if (!this.#known) return false;
    try {
      const stats = JSON.parse((await this.#client.bytes('ZH.STATS')).toString()) as { evicting: boolean };
      return stats.evicting;
    } catch (error) {
      if (!(error instanceof RespError) || error.code !== 'ERR_RESP_REPLY') throw error;
      this.#known = false; // another server, or a user who may not ask
      return false;
    }
  }
}

// ---- What is told

function tell(from: string, client: RespClient, given: Given, { counts, end, before, seconds }: Outcome): void {
  const source = isServerUrl(from) ? otherPlace(from).shown : from;
  const dryRun = given.dryRun ?? false;
  if (given.json) printJson({ source, server: client.shown, ...counts, resumedAt: before, end, dryRun, seconds });
  else {
    printPairs([
      ['source', shown(source)],
      ['keys', `${grouped(counts.keys)}${before > 0 ? `, ${grouped(before)} of them before` : ''}`],
      [
        dryRun ? 'would store' : 'stored',
        `${grouped(counts.stored)}, ${size(counts.storedBytes)}${dryRun ? '' : `, in ${duration(seconds * 1000)}`}`,
      ],
      ...(counts.present > 0 ? [['stay', `${grouped(counts.present)} that were stored already`] as const] : []),
      ...(counts.absent > 0 ? [['absent', `${grouped(counts.absent)} without a value at the source`] as const] : []),
      ...(counts.refused > 0 ? [['refused', `${grouped(counts.refused)} for which there is no room`] as const] : []),
      ...(end === 'full' ? [['stopped', 'the cache is full; --evict goes on all the same'] as const] : []),
    ]);
  }
  if (end !== 'interrupted') return;
  const how = given.state === undefined ? '--state <file> would let it go on there' : 'the same command goes on there';
  throw new NotThere(given.json ? '' : `stopped before the end; ${how}`);
}
