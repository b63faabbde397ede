// draw-ranges.mts — the README's table of ratios, from the recorded runs (ranges.mts).
//
//   node dist-bench/bench/harness/draw-ranges.mjs README.md
//
// The table stands between two marks of the README, and is written anew.

import { readFileSync, writeFileSync } from 'node:fs';
import { repositoryRoot } from './machine.mjs';
import { RECORDED, rangesTable } from './ranges.mjs';
import type { Report } from './report.mjs';

const BEGIN = '<!-- ranges: begin -->';
const END = '<!-- ranges: end -->';

const [readme] = process.argv.slice(2);
if (readme === undefined) {
  console.error('usage: draw-ranges.mjs README.md');
  process.exit(2);
}
const reports = RECORDED.map((file) => {
  return JSON.parse(readFileSync(new URL(`bench/results/${file}`, repositoryRoot), 'utf8')) as Report;
});
const text = readFileSync(readme, 'utf8');
const begin = text.indexOf(BEGIN);
const end = text.indexOf(END);
if (begin < 0 || end < begin) throw new Error(`${readme}: ${BEGIN} and ${END} are not there`);
const table = rangesTable(reports).join('\n');
writeFileSync(readme, `${text.slice(0, begin + BEGIN.length)}\n${table}\n${text.slice(end)}`);
