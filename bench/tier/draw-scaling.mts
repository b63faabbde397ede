// draw-scaling.mts — the tables of docs/SCALING.md, from the raw figures of `npm run bench -- scaling --json FILE`.
//
//   node dist-bench/bench/tier/draw-scaling.mjs docs/SCALING.md
//
// Each table stands between two marks of the document, and is written anew.

import { readFileSync, writeFileSync } from 'node:fs';
import { repositoryRoot } from '../harness/machine.mjs';
import type { Report } from '../harness/report.mjs';
import { ASSUMED, figuresOf } from './plan.mjs';
import { REDIS_FIGURES, SCALING_FIGURES, scalingTables } from './scaling-tables.mjs';

const [document] = process.argv.slice(2);
if (document === undefined) {
  console.error('usage: draw-scaling.mjs docs/SCALING.md');
  process.exit(2);
}
const read = (file: string) => JSON.parse(readFileSync(new URL(file, repositoryRoot), 'utf8')) as Report;
const tables = scalingTables(figuresOf(read(SCALING_FIGURES), read(REDIS_FIGURES)), ASSUMED);
let text = readFileSync(document, 'utf8');
for (const [name, lines] of Object.entries(tables)) {
  const [begin, end] = [`<!-- scaling ${name}: begin -->\n`, `<!-- scaling ${name}: end -->`];
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${document}: ${begin.trim()} and ${end} are not there`);
  text = `${text.slice(0, from + begin.length)}${lines.join('\n')}\n${text.slice(to)}`;
}
writeFileSync(document, text);
