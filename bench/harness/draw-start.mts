// draw-start.mts — the README's picture, drawn from the raw figures of `npm start -- --json FILE`.
//
//   node dist-bench/bench/harness/draw-start.mjs FILE.json OUT.svg
//
// One bar a store and kind of read, on a logarithmic scale: the stores differ by factors of hundreds. The lengths and
// the labels come from the file alone. Colours follow the reader's light or dark scheme.

import { readFileSync, writeFileSync } from 'node:fs';
import type { Report } from './report.mjs';
import { formatNumber } from './table.mjs';

const STORES = ['zerohop', 'lru-cache', 'lmdb', 'redis'];
const KINDS: readonly [string, string][] = [
  ['single-get', 'one get'],
  ['batch-1000', 'a key in a batch of 1 000'],
];
const SCALE_FROM_NS = 100;
const SCALE_TO_NS = 1_000_000;
const LEFT = 90;
const BAR_WIDTH_MAX = 480;
const ROW = 22;
const GROUP_HEAD = 30;

const [input, output] = process.argv.slice(2);
if (input === undefined || output === undefined) {
  console.error('usage: draw-start.mjs FILE.json OUT.svg');
  process.exit(2);
}
writeFileSync(output, draw(JSON.parse(readFileSync(input, 'utf8')) as Report));

function draw({ cases, machine }: Report): string {
  const parts: string[] = [];
  let y = 24;
  for (const [kind, title] of KINDS) {
    parts.push(text(LEFT, y, 'title', `${title}, ns: less is better, logarithmic scale`));
    y += 8;
    for (const store of STORES) {
      const ns = cases.find((one) => one.name === `${store}/${kind}`)?.median;
      if (ns === undefined) continue; // a store that was not there that day
      parts.push(bar(y, store, ns));
      y += ROW;
    }
    y += GROUP_HEAD;
  }
  const foot = `vectors of 1 024 float32; ${machine.cpu}, ${machine.cores} cores, Node ${machine.node}; medians, npm start`;
  parts.push(text(LEFT, y - 8, 'foot', foot));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 680 ${y}" role="img" aria-label="Time of a read, by store">
<style>
text { font: 13px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600 } .foot { font-size: 11px; fill: #57606a }
.bar { fill: #8c959f } .ours { fill: #0969da }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .foot { fill: #9198a1 } .bar { fill: #656c76 } .ours { fill: #4493f8 } }
</style>
${parts.join('\n')}
</svg>
`;
}

function bar(y: number, store: string, ns: number): string {
  const share = Math.log(ns / SCALE_FROM_NS) / Math.log(SCALE_TO_NS / SCALE_FROM_NS);
  const width = Math.max(2, Math.round(share * BAR_WIDTH_MAX));
  const kind = store === 'zerohop' ? 'bar ours' : 'bar';
  return [
    `<text x="${LEFT - 8}" y="${y + 14}" text-anchor="end">${store}</text>`,
    `<rect class="${kind}" x="${LEFT}" y="${y + 2}" width="${width}" height="${ROW - 6}" rx="2"/>`,
    text(LEFT + width + 6, y + 14, 'figure', formatNumber(ns)),
  ].join('');
}

function text(x: number, y: number, kind: string, words: string): string {
  return `<text class="${kind}" x="${x}" y="${y}">${words}</text>`;
}
