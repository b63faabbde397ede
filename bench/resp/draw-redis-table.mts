// draw-redis-table.mts — the README's table and picture, from the raw figures of `npm run bench -- redis-table --json FILE`.
//
//   node dist-bench/bench/resp/draw-redis-table.mjs FILE.json README.md OUT.svg
//
// The table stands between two marks of the README, and is written anew.  A server's figure is that of its
// fastest way: by one of two clients, over TCP or a unix socket.

import { readFileSync, writeFileSync } from 'node:fs';
import { type Bar, drawBars, type Group } from '../harness/bars.mjs';
import type { Report } from '../harness/report.mjs';
import { fastestOf, formatTime, REDIS_WAYS, RESP_WAYS, ROWS } from './table.mjs';
import { TIERED } from './tiered.mjs';

const BEGIN = '<!-- redis-table: begin -->';
const END = '<!-- redis-table: end -->';

/** Rows that the picture shows, and their titles. */
const DRAWN: Readonly<Record<string, string>> = {
  'embedding-4k': 'an embedding of 4 KiB: less is better, logarithmic scale',
  'embedding-4k-x1000': '1 000 of them',
  'shard-32m': 'a weight shard of 32 MB',
};
const SCALE = { fromNs: 10, toNs: 1e9 };
const LEFT = 190;

const [input, readme, output] = process.argv.slice(2);
if (input === undefined || readme === undefined || output === undefined) {
  console.error('usage: draw-redis-table.mjs FILE.json README.md OUT.svg');
  process.exit(2);
}
const { cases, machine } = JSON.parse(readFileSync(input, 'utf8')) as Report;
const timeOf = (way: string, row: string) => cases.find(({ name }) => name === `${way}/${row}`)?.median;

const text = readFileSync(readme, 'utf8');
const begin = text.indexOf(BEGIN);
const end = text.indexOf(END);
if (begin < 0 || end < begin) throw new Error(`${readme}: ${BEGIN} and ${END} are not there`);
writeFileSync(readme, `${text.slice(0, begin + BEGIN.length)}\n${table().join('\n')}\n${text.slice(end)}`);
writeFileSync(output, picture());

function fastest(ways: readonly string[], row: string): number | undefined {
  return timeOf(
    fastestOf(ways, (way) => timeOf(way, row) ?? Infinity),
    row,
  );
}

function table(): string[] {
  const cell = (ns: number | undefined) => (ns === undefined ? '' : formatTime(ns));
  return [
    '| one read of | Redis, same machine | zerohop over RESP | in process | keys read lately |',
    '|---|---|---|---|---|',
    ...[...ROWS, TIERED].map(({ name, label }) => {
      const local = timeOf('any', name) ?? timeOf('many', name) ?? timeOf('tiered', name);
      const cells = [fastest(REDIS_WAYS, name), fastest(RESP_WAYS, name), local, timeOf('hot', name)].map(cell);
      return `| ${[label, ...cells].join(' | ')} |`;
    }),
  ];
}

function picture(): string {
  const bar = (store: string, ours: boolean, ns: number | undefined): Bar[] =>
    ns === undefined ? [] : [{ store, ours, ns, figure: formatTime(ns) }];
  const groups = Object.entries(DRAWN).map(
    ([name, title]): Group => ({
      title,
      bars: [
        ...bar('Redis, same machine', false, fastest(REDIS_WAYS, name)),
        ...bar('zerohop over RESP', true, fastest(RESP_WAYS, name)),
        ...bar('zerohop in process', true, timeOf('any', name) ?? timeOf('many', name)),
      ],
    }),
  );
  return drawBars(groups, LEFT, SCALE, 'npm run bench -- redis-table', machine);
}
