// bars.mts — a picture of times: one bar a store, in groups, on a logarithmic scale: stores differ by factors of
// thousands. Colours follow the reader's light or dark scheme.

import type { Machine } from './machine.mjs';

export interface Bar {
  readonly store: string;
  /** Whether it is zerohop. */
  readonly ours: boolean;
  readonly ns: number;
  /** The time, for people. */
  readonly figure: string;
}

export interface Group {
  readonly title: string;
  readonly bars: readonly Bar[];
}

/** The shortest bar, and the longest. */
export interface Scale {
  readonly fromNs: number;
  readonly toNs: number;
}

const BAR_WIDTH_MAX = 480;
const ROW = 22;
const GROUP_HEAD = 30;
const WIDTH = 680;

/**
 * @param left  where bars begin, in units of the picture: the names stand before it
 * @param foot  what was measured; the machine is added
 */
export function drawBars(groups: readonly Group[], left: number, scale: Scale, foot: string, machine: Machine): string {
  const parts: string[] = [];
  let y = 24;
  for (const { title, bars } of groups) {
    parts.push(text(left, y, 'title', title));
    y += 8;
    for (const one of bars) {
      parts.push(bar(left, y, one, scale));
      y += ROW;
    }
    y += GROUP_HEAD;
  }
  const where = `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}`;
  parts.push(text(left, y - 8, 'foot', `${foot}; ${where}; medians`));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" role="img" aria-label="Time of a read, by store">
<style>
text { font: 13px system-ui, sans-serif; fill: #24292f } .title { font-weight: 600 } .foot { font-size: 11px; fill: #57606a }
.bar { fill: #8c959f } .ours { fill: #0969da }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .foot { fill: #9198a1 } .bar { fill: #656c76 } .ours { fill: #4493f8 } }
</style>
${parts.join('\n')}
</svg>
`;
}

function bar(left: number, y: number, { store, ours, ns, figure }: Bar, { fromNs, toNs }: Scale): string {
  const share = Math.log(ns / fromNs) / Math.log(toNs / fromNs);
  const width = Math.max(2, Math.round(share * Math.min(BAR_WIDTH_MAX, WIDTH - left - 80)));
  return [
    `<text x="${left - 8}" y="${y + 14}" text-anchor="end">${store}</text>`,
    `<rect class="${ours ? 'bar ours' : 'bar'}" x="${left}" y="${y + 2}" width="${width}" height="${ROW - 6}" rx="2"/>`,
    text(left + width + 6, y + 14, 'figure', figure),
  ].join('');
}

function text(x: number, y: number, kind: string, words: string): string {
  return `<text class="${kind}" x="${x}" y="${y}">${words}</text>`;
}
