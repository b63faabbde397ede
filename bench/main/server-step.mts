// server-step.mts — the main job's third part: the same cache for other processes, beside Redis and beside this process.
//
// `zerohop serve` answers redis-cli, and then node-redis, in turns with a redis-server. Both listen on unix sockets.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { open } from 'zerohop';
import { findCommand } from '../harness/command.mjs';
import { casesOf, ratiosOf } from '../harness/comparison.mjs';
import { showProgress } from '../harness/progress.mjs';
import type { Case } from '../harness/report.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';
import { type Server, startRedis, startZerohop } from '../resp/servers.mjs';
import { formatRows, measureRows, ROWS } from '../resp/table.mjs';
import { openIoredis, openNodeRedis, placeOf } from '../resp/table-stores.mjs';

const MAX_BYTES = 2 ** 28;
const FULL = { rounds: 5, sampleMsMin: 30 };
const QUICK = { rounds: 2, sampleMsMin: 10 };
const NAMES = ['embedding-4k', 'embedding-4k-x100', 'embedding-4k-x1000', 'tokenizer-5m'];

/** What redis-cli is told, and what it must answer. */
const TALK: readonly (readonly [command: string, answer: string])[] = [
  ['SET greeting hello EX 3600', 'OK'],
  ['GET greeting', 'hello'],
  ['TTL greeting', '3600'],
];

export interface ServerStep {
  readonly text: string;
  readonly cases: Case[];
  readonly ratios: Record<string, number>;
}

export async function runServerStep(folder: string, quick: boolean): Promise<ServerStep> {
  showProgress('starting zerohop serve');
  const options = { folder, threads: 1, maxBytes: MAX_BYTES };
  const server = await startZerohop(options);
  const talk = await talkTo(server);
  const redis = await startRedis(options);
  const stores = [await openNodeRedis('resp', placeOf(server))];
  if (redis !== undefined) stores.push(await openNodeRedis('node-redis', placeOf(redis)));
  if (redis !== undefined) stores.push(await openIoredis('ioredis', placeOf(redis)));
  const cache = open({ maxBytes: MAX_BYTES });
  const rows = ROWS.filter(({ name }) => NAMES.includes(name));
  const samples = await measureRows(rows, cache, stores, quick ? QUICK : FULL);
  for (const store of stores) store.close();
  cache.close();
  const table = formatRows(rows, samples, [
    ['Redis, node-redis', 'node-redis'],
    ['Redis, ioredis', 'ioredis'],
    ['zerohop serve, node-redis', 'resp'],
    ['in this process', 'any', 'many'],
    ['hot keys', 'hot'],
  ]);
  const comparisons = rows.flatMap(({ name }) =>
    ['resp', 'any', 'many', 'hot'].map((way) => ({
      ratio: `${name}-${way}-vs-node-redis`,
      ours: `${way}/${name}`,
      rival: `node-redis/${name}`,
    })),
  );
  return {
    text: [
      'Server: what a Node program waits for a value. Servers listen on unix sockets; no network is crossed.',
      '',
      table,
      '',
      ...talk,
    ].join('\n'),
    cases: casesOf(samples, 'ns'),
    ratios: ratiosOf(samples, comparisons),
  };
}

async function talkTo(server: Server): Promise<string[]> {
  const command = findCommand(['redis-cli']);
  if (command === undefined) return ['no redis-cli here; on Debian: apt-get install redis-tools, then npm start'];
  const socket = server.address.slice('unix:'.length);
  const lines: string[] = ['zerohop serve answers redis-cli:'];
  for (const [words, expected] of TALK) {
    const { stdout } = await promisify(execFile)(command, ['-s', socket, ...words.split(' ')]);
    const answer = stdout.trim();
    if (answer !== expected) throw new WrongAnswer(`zerohop serve: ${words} gave ${answer}, not ${expected}`);
    lines.push(`  > ${words.padEnd(28)}${answer}`);
  }
  return lines;
}
