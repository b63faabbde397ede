// draw-start.mts — a picture of the main job's reads, drawn from the raw figures of `npm start -- --json FILE`.
//
//   node dist-bench/bench/harness/draw-start.mjs FILE.json OUT.svg

import { readFileSync, writeFileSync } from 'node:fs';
import { drawBars, type Group } from './bars.mjs';
import type { Report } from './report.mjs';
import { formatNumber } from './table.mjs';

const STORES = ['zerohop', 'lru-cache', 'lmdb', 'redis'];
const KINDS: readonly [string, string][] = [
  ['single-get', 'one get'],
  ['batch-1000', 'a key in a batch of 1 000'],
];
const SCALE = { fromNs: 100, toNs: 1_000_000 };
const LEFT = 90;

const [input, output] = process.argv.slice(2);
if (input === undefined || output === undefined) {
  console.error('usage: draw-start.mjs FILE.json OUT.svg');
  process.exit(2);
}
const { cases, machine } = JSON.parse(readFileSync(input, 'utf8')) as Report;
const groups = KINDS.map(([kind, title]): Group => {
  const bars = STORES.flatMap((store) => {
    const ns = cases.find((one) => one.name === `${store}/${kind}`)?.median;
    if (ns === undefined) return []; // a store that was not there that day
    return [{ store, ours: store === 'zerohop', ns, figure: formatNumber(ns) }];
  });
  return { title: `${title}, ns: less is better, logarithmic scale`, bars };
});
writeFileSync(output, drawBars(groups, LEFT, SCALE, 'vectors of 1 024 float32, npm start', machine));
