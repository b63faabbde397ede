// explain.ts: `zerohop explain`, why a key is kept, or was evicted.

import { Command } from 'commander';
import { type KeysGiven, keyOf, onServer, type ServerGiven, withKeys, withServer } from './connection.js';
import { NotThere } from './exit.js';
import { duration, jsonOf, printJson, printPairs, shown, size } from './print.js';

/** How the policy judges an entry; docs/EVICTION.md. Null is infinity. */
interface Judgement {
  readonly frequency: number;
  readonly gap: number | null;
  readonly idle: number;
  readonly worth: number;
  readonly threshold: number;
}

interface Entry extends Judgement {
  readonly size: number;
  readonly ageMs: number;
  /** Null: it does not end. */
  readonly ttlMs: number | null;
  readonly cost: number;
}

interface Eviction extends Judgement {
  readonly reason: 'capacity' | 'maxEntries' | 'worth';
}

/** What ZH.EXPLAIN tells (docs/RESP.md). */
export interface Explained {
  readonly entry: Entry | null;
  readonly lastEviction: Eviction | null;
  readonly evicting: boolean;
}

const REASONS = {
  capacity: 'evicted, since room was needed and it was worth no more than the threshold',
  maxEntries: 'evicted, since there were more than maxEntries and it was worth least of some',
  worth: 'not stored, since it was worth less than what would have gone for it',
};

export function explainCommand(): Command {
  const command = new Command('explain')
    .description('tell why a key is kept, or was evicted; does not count as a request for it')
    .argument('<key>');
  return withServer(withKeys(command)).action(run);
}

async function run(key: string, given: ServerGiven & KeysGiven): Promise<void> {
  const bytes = keyOf(key, given);
  await onServer(given, async (client) => {
    const explained = explainedFrom(await client.bytes('ZH.EXPLAIN', bytes));
    if (given.json) printJson({ key: jsonOf(bytes), ...explained });
    else printPairs([['key', shown(bytes)], ...linesOf(explained)]);
    if (explained.entry === null) throw new NotThere('');
  });
}

export function explainedFrom(reply: Buffer): Explained {
  return JSON.parse(reply.toString()) as Explained;
}

function linesOf({ entry, lastEviction, evicting }: Explained): [string, string][] {
  if (entry === null && lastEviction === null)
    return [['state', 'nothing is stored, and no eviction of it is remembered: it expired, was deleted, or never was']];
  if (entry === null) return [['state', REASONS[lastEviction!.reason]], ...judged(lastEviction!)];
  const ends = entry.ttlMs === null ? 'does not end' : `ends in ${duration(entry.ttlMs)}`;
  return [
    ['state', evicting ? verdict(entry) : 'kept: there is room for all'],
    ['value', `${size(entry.size)}, stored ${duration(entry.ageMs)} ago, ${ends}`],
    ['cost', entry.cost === 0 ? 'not told' : `${entry.cost} ms to compute it again`],
    ...judged(entry),
    ...(lastEviction === null ? [] : [['before', REASONS[lastEviction.reason]] as [string, string]]),
  ];
}

function verdict({ worth, threshold }: Judgement): string {
  return worth > threshold
    ? 'kept: it is worth more than the threshold'
    : 'goes when its segment is emptied: it is worth no more than the threshold';
}

/** Times are in capacities: as many requests as the cache holds entries. */
function judged({ frequency, gap, idle, worth, threshold }: Judgement): [string, string][] {
  const between = gap === null ? 'long apart' : gap === 0 ? '' : `at most ${capacities(gap)} apart`;
  return [
    ['requests', `${frequency} or more lately${between === '' ? '' : `, the last two ${between}`}`],
    ['idle', `for ${capacities(idle)}`],
    ['worth', `${worth.toPrecision(3)}; threshold ${threshold.toPrecision(3)}`],
  ];
}

function capacities(count: number): string {
  return `${Number(count.toPrecision(3))} ${count === 1 ? 'capacity' : 'capacities'}`;
}
