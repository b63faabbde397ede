// ranges.mts — the README's table of ratios: the lowest and the highest of the recorded runs, by kind of machine.
//
// A ratio that holds on one machine need not hold on another, so each kind has a column. What counts as one kind is what
// a report tells: the name of the processor, and its vector instructions where the report has them. Behind a range stands
// the Node of each run. The names of the files give the days, and each report the commit that it measured.
//
// The code has gone on since then. These rows are of an older state:
//   start, hit           keys are now slices, as a request brings them, and are made outside the clock
//   batch                gather fetches the lines of the tracker together, and copies rows by AVX2
//   fingerprint, model   a batch of short texts is named in native code

import type { Report } from './report.mjs';

/** Of bench/results, of 21 to 30 November 2026. A run that a later one replaces is taken off. */
export const RECORDED: readonly string[] = [
  '2026-11-21-engine-start-node20.json',
  '2026-11-21-engine-hit-node20.json',
  '2026-11-21-engine-hit-node24.json',
  '2026-11-21-engine-again-hit-node20.json',
  '2026-11-21-engine-batch-node20.json',
  '2026-11-21-engine-batch-node24.json',
  '2026-11-21-engine-churn-node20.json',
  '2026-11-21-engine-again-churn-node20.json',
  '2026-11-21-engine-memory-node20.json',
  '2026-11-21-engine-gc-node20.json',
  '2026-11-21-engine-workers-node20.json',
  '2026-11-21-engine-reclaim-node20.json',
  '2026-11-21-engine-reclaim-node22.json',
  '2026-11-21-engine-reclaim-node24.json',
  '2026-11-21-engine-reclaim-node26.json',
  '2026-11-21-policy-cost.json',
  '2026-11-22-fingerprint-node20.json',
  '2026-11-22-model-node20.json',
  '2026-11-22-tables-node20.json',
  '2026-11-30-resp-node20.json',
  '2026-11-30-resp-again-node20.json',
];

interface Row {
  readonly suite: string;
  readonly ratio: string;
  readonly label: string;
  /** The cases of which it is made, ours first: reports that are older than the ratio have these only. */
  readonly cases?: readonly [ours: string, theirs: string];
}

/** In the order of the table. */
const ROWS: readonly Row[] = [
  { suite: 'start', ratio: 'single-get-vs-lru-cache', label: 'a recorded trace: one get ÷ lru-cache' },
  { suite: 'start', ratio: 'batch-100-vs-lru-cache', label: '… a key in a batch of 100' },
  { suite: 'start', ratio: 'batch-1000-vs-lru-cache', label: '… in a batch of 1 000' },
  {
    suite: 'hit',
    ratio: 'fresh-key-vs-lru-cache',
    label: '300 000 vectors by Zipf: one get by a new string ÷ lru-cache',
  },
  { suite: 'hit', ratio: 'chained-get-vs-lru-cache', label: '… each key depends on the value before it' },
  { suite: 'hit', ratio: 'zipf-get-vs-lru-cache', label: '… by strings that the program holds' },
  {
    suite: 'hit',
    ratio: 'random-get-vs-lru-cache',
    label: '… all equally likely',
    cases: ['zerohop/random-get', 'lru-cache/random-get'],
  },
  { suite: 'hit', ratio: 'hot-get-vs-lru-cache', label: '1 000 hot keys ÷ lru-cache' },
  { suite: 'hit', ratio: 'hot-get-vs-map', label: '… ÷ Map' },
  { suite: 'batch', ratio: 'get-many-1000-vs-lru-cache', label: '1 000 random keys at once ÷ lru-cache' },
  { suite: 'batch', ratio: 'gather-1000-vs-redis-mget', label: '… copied side by side ÷ `MGET` of Redis' },
  { suite: 'batch', ratio: 'gather-int-1000-vs-floor', label: '… by integers ÷ a C++ loop that only copies' },
  { suite: 'churn', ratio: 'set-vs-memcpy', label: 'a set that evicts ÷ copying the same bytes' },
  {
    suite: 'churn',
    ratio: 'get-p99-vs-lru-cache',
    label: '99th percentile of gets meanwhile ÷ lru-cache',
    cases: ['zerohop/get-p99', 'lru-cache/get-p99'],
  },
  {
    suite: 'churn',
    ratio: 'get-p99.9-vs-lru-cache',
    label: '… 99.9th percentile',
    cases: ['zerohop/get-p99.9', 'lru-cache/get-p99.9'],
  },
  { suite: 'gc', ratio: 'gc-cpu-vs-map', label: 'CPU of garbage collection ÷ a Map of arrays' },
  { suite: 'memory', ratio: 'bytes-vs-redis', label: 'memory of a small entry ÷ Redis' },
  {
    suite: 'workers',
    ratio: 'two-workers-vs-two-processes',
    label: 'reads of two workers ÷ two processes (more is better)',
  },
  {
    suite: 'reclaim',
    ratio: 'cpu-with-1gb-heap-vs-plain',
    label: 'sets and gets beside 1 GiB of heap ÷ copies and views',
  },
  { suite: 'fingerprint', ratio: 'batch-vs-node-crypto', label: 'SHA3-256 fingerprints of 1 000 texts ÷ node:crypto' },
  { suite: 'fingerprint', ratio: 'tensor-batch-vs-node-crypto', label: '… of 1 000 tensors of 4 KiB' },
  {
    suite: 'model',
    ratio: 'predict-text-hit-vs-lru-cache',
    label: 'a result that a model has for a text ÷ lru-cache by the text’s SHA3-256',
  },
  { suite: 'model', ratio: 'predict-many-vs-lru-cache', label: '… 1 000 at once, one in ten new' },
  { suite: 'tables', ratio: 'row-int-random', label: 'a random row of a mapped table ÷ Map' },
  { suite: 'tables', ratio: 'gather-vs-floor', label: '… 1 000 rows side by side ÷ a C++ loop that only copies' },
  { suite: 'policy-cost', ratio: 'ns-per-request-vs-lru', label: 'deciding what to keep ÷ a linked list (LRU)' },
  { suite: 'resp', ratio: 'cpu-get-64-p1', label: 'CPU of a server’s GET of 64 bytes ÷ Redis' },
  { suite: 'resp', ratio: 'cpu-get-64-p32', label: '… in a pipeline of 32' },
];

/** Lines of Markdown. */
export function rangesTable(reports: readonly Report[]): string[] {
  const kinds = [...new Set(reports.map(kindOf))].sort();
  const days = RECORDED.map((file) => file.slice(0, '2026-11-21'.length)).sort();
  const recorded = `recorded ${days[0]} to ${days.at(-1)} (Node of each run)`;
  const header = ['ours ÷ theirs', 'suite', ...kinds.map((kind) => `${kind}, ${recorded}`)];
  const rows = ROWS.map((row) => [
    row.label,
    `\`${row.suite}\``,
    ...kinds.map((kind) => rangeOf(reports.filter((report) => kindOf(report) === kind).flatMap(valueIn(row)))),
  ]);
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}

function kindOf({ machine: { cpu, vectors } }: Report): string {
  return vectors === undefined ? cpu : `${cpu} with ${vectors}`;
}

interface Value {
  readonly ratio: number;
  readonly node: number;
}

function valueIn({ suite, ratio, cases }: Row): (report: Report) => Value[] {
  return (report) => {
    if (report.suite !== suite) return [];
    const [ours, theirs] = (cases ?? []).map((name) => report.cases.find((one) => one.name === name)?.median);
    const value = report.ratios[ratio] ?? (ours !== undefined && theirs !== undefined ? ours / theirs : undefined);
    return value === undefined ? [] : [{ ratio: value, node: Number.parseInt(report.machine.node, 10) }];
  };
}

function rangeOf(values: readonly Value[]): string {
  if (values.length === 0) return 'not recorded yet';
  const ratios = values.map(({ ratio }) => ratio);
  const [low, high] = [Math.min(...ratios), Math.max(...ratios)].map(formatRatio);
  const nodes = values.map(({ node }) => node).sort((a, b) => a - b);
  return `${low === high ? low : `${low} to ${high}`} (${nodes.join(', ')})`;
}

/** Two digits that count, and no more than two behind the point for what is near 1. */
function formatRatio(value: number): string {
  return value < 0.1 ? value.toFixed(3) : value < 10 ? value.toFixed(2) : value.toFixed(1);
}
