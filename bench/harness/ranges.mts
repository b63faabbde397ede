// ranges.mts — the README's table of ratios: the lowest and the highest of the recorded runs, by kind of machine.
//
// A ratio that holds on one machine need not hold on another, so each kind has a column. What counts as one kind is what
// a report tells: the name of the processor, and its vector instructions where the report has them.

import type { Report } from './report.mjs';

/** Of bench/results: the runs whose code is still the code. A run that a later one replaces is taken off. */
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
}

/** In the order of the table. One that no run has is left out. */
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
  { suite: 'hit', ratio: 'random-get-vs-lru-cache', label: '… all equally likely' },
  { suite: 'hit', ratio: 'hot-get-vs-lru-cache', label: '1 000 hot keys ÷ lru-cache' },
  { suite: 'hit', ratio: 'hot-get-vs-map', label: '… ÷ Map' },
  { suite: 'batch', ratio: 'get-many-1000-vs-lru-cache', label: '1 000 random keys at once ÷ lru-cache' },
  { suite: 'batch', ratio: 'gather-1000-vs-redis-mget', label: '… copied side by side ÷ `MGET` of Redis' },
  { suite: 'batch', ratio: 'gather-int-1000-vs-floor', label: '… by integers ÷ a C++ loop that only copies' },
  { suite: 'churn', ratio: 'set-vs-memcpy', label: 'a set that evicts ÷ copying the same bytes' },
  { suite: 'churn', ratio: 'get-p99-vs-lru-cache', label: '99th percentile of gets meanwhile ÷ lru-cache' },
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
  { suite: 'fingerprint', ratio: 'batch-vs-node-crypto', label: 'naming 1 000 texts at once ÷ node:crypto’s hash' },
  { suite: 'fingerprint', ratio: 'tensor-batch-vs-node-crypto', label: '… 1 000 tensors of 4 KiB' },
  { suite: 'model', ratio: 'predict-text-hit-vs-lru-cache', label: 'a memoised text ÷ lru-cache under that hash' },
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
  const header = ['ours ÷ theirs', 'suite', ...kinds.map((kind) => `${kind}, ${nodesOf(reports, kind)}`)];
  const rows = ROWS.flatMap(({ suite, ratio, label }) => {
    const cells = kinds.map((kind) => {
      const runs = reports.filter((report) => report.suite === suite && kindOf(report) === kind);
      return rangeOf(runs.flatMap(({ ratios }) => ratios[ratio] ?? []));
    });
    return cells.every((cell) => cell === '') ? [] : [[label, `\`${suite}\``, ...cells]];
  });
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}

function kindOf({ machine: { cpu, vectors } }: Report): string {
  return vectors === undefined ? cpu : `${cpu} with ${vectors}`;
}

function nodesOf(reports: readonly Report[], kind: string): string {
  const majors = reports
    .filter((report) => kindOf(report) === kind)
    .map(({ machine }) => Number.parseInt(machine.node, 10));
  const [least, most] = [Math.min(...majors), Math.max(...majors)];
  return least === most ? `Node ${least}` : `Node ${least} to ${most}`;
}

function rangeOf(values: readonly number[]): string {
  if (values.length === 0) return '';
  const [low, high] = [Math.min(...values), Math.max(...values)].map(formatRatio);
  return low === high ? low! : `${low} to ${high}`;
}

/** Two digits that count, and no more than two behind the point for what is near 1. */
function formatRatio(value: number): string {
  return value < 0.1 ? value.toFixed(3) : value < 10 ? value.toFixed(2) : value.toFixed(1);
}
