// text.ts: writes metrics as text, for a scraper: Prometheus 0.0.4, or OpenMetrics 1.0.
//
// A scrape of a thousand keyspaces is a text of a megabyte, so it is written in pieces, and the event loop goes on in
// between. The pieces are never joined: a megabyte of fresh memory alone takes 5 ms where a page fault is slow.
// What is written of labels is kept: they are the same arrays at each scrape.

import { BOUNDS } from './bounds.js';
import type { Family, Metric, Sample, Times } from './catalog.js';
import { pause } from './collector.js';

export type Format = 'prometheus' | 'openmetrics';

export const CONTENT_TYPES: Record<Format, string> = {
  prometheus: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** Lines that are written before the event loop goes on. */
const LINES = 256;

/** Writes all of them. @returns the text, in pieces of whole lines. */
export async function piecesOf(families: readonly Family[], format: Format): Promise<Buffer[]> {
  const pieces: Buffer[] = [];
  let piece = '';
  let lines = 0;
  for (const { metric, samples } of families) {
    const { name, type, help } = metric;
    // In OpenMetrics a counter's family is called without the ending that its samples have.
    const family = format === 'openmetrics' && type === 'counter' ? name.replace(/_total$/, '') : name;
    piece += `# HELP ${family} ${escaped(help)}\n# TYPE ${family} ${type}\n`;
    for (const sample of samples) {
      piece += linesOf(metric, sample);
      lines += typeof sample.value === 'number' ? 1 : BOUNDS.length;
      if (lines < LINES) continue;
      pieces.push(Buffer.from(piece));
      piece = '';
      lines = 0;
      await pause();
    }
  }
  if (format === 'openmetrics') piece += '# EOF\n';
  pieces.push(Buffer.from(piece));
  return pieces;
}

function linesOf(metric: Metric, { labels, value }: Sample): string {
  const { name } = metric;
  const pairs = pairsOf(metric.labels, labels);
  if (typeof value === 'number') return `${name}{${pairs}} ${value}\n`;
  return histogramLines(name, pairs, value);
}

function histogramLines(name: string, pairs: string, { upTo, count, seconds }: Times): string {
  let lines = '';
  for (const [i, bound] of BOUNDS.entries()) lines += `${name}_bucket{${pairs},le="${bound}"} ${upTo[i]}\n`;
  lines += `${name}_bucket{${pairs},le="+Inf"} ${count}\n`;
  return `${lines}${name}_sum{${pairs}} ${seconds}\n${name}_count{${pairs}} ${count}\n`;
}

const written = new WeakMap<readonly string[], { names: readonly string[]; pairs: string }>();

function pairsOf(names: readonly string[], values: readonly string[]): string {
  const known = written.get(values);
  if (known?.names === names) return known.pairs;
  const pairs = values.map((value, i) => `${names[i]}="${quoted(value)}"`).join(',');
  written.set(values, { names, pairs });
  return pairs;
}

/** A help text. */
const escaped = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
/** A label's value. */
const quoted = (text: string) => escaped(text).replaceAll('"', '\\"');
