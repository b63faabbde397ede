// scaling-tables.mts — the tables of docs/SCALING.md, as lines of Markdown, from figures and assumptions alone.

import {
  type Assumptions,
  EXPONENTS,
  type Figures,
  hitRate,
  meanNs,
  mostOf,
  type Plan,
  planOf,
  readsOfNode,
  SHARES,
  VECTOR_BYTES,
} from './plan.mjs';

/** Where the raw figures lie. */
export const SCALING_FIGURES = 'bench/results/2026-11-30-scaling-node20.json';
export const REDIS_FIGURES = 'bench/results/2026-11-30-redis-table-node20.json';

/** Catalogues of the document, and the share of each that the answer puts into L0. */
const CATALOGUES: readonly (readonly [vectors: number, share: number])[] = [
  [10_000, 1],
  [1_000_000, 0.2],
  [10_000_000, 0.05],
  [100_000_000, 0.01],
];
const ANSWERED = { readsPerSecond: 20_000, processes: 4, exponent: 1 };
const RATES = [0, 0.5, 0.8, 0.9, 0.95, 0.99];
const READS = [20_000, 100_000, 500_000];

const [FLOATS, INTS] = VECTOR_BYTES as [number, number];

/** By the name that stands in the document's marks. */
export function scalingTables(figures: Figures, assumed: Assumptions): Readonly<Record<string, readonly string[]>> {
  const plan = (vectors: number, share: number, vectorBytes = FLOATS, readsPerSecond = ANSWERED.readsPerSecond) =>
    planOf(figures, assumed, { ...ANSWERED, vectors, share, vectorBytes, readsPerSecond });
  return {
    answer: answer(plan),
    assumptions: assumptions(figures, assumed),
    memory: memory(figures),
    rates: rates(figures),
    waits: waits(figures, assumed),
    servers: servers(plan),
    cost: cost(plan),
  };
}

type Planner = (vectors: number, share: number, vectorBytes?: number, readsPerSecond?: number) => Plan;

function answer(plan: Planner): string[] {
  return table(
    ['vectors', 'L0 of each process', 'it answers', 'a read waits', 'without L0', 'Redis servers, with replicas'],
    CATALOGUES.map(([vectors, share]) => {
      const { l0Bytes, hitRate: rate, meanNs: wait, withoutL0Ns, servers: count } = plan(vectors, share);
      const part = share === 1 ? 'all' : percentText(share);
      const waited = [percentText(rate), timeText(wait), timeText(withoutL0Ns)];
      return [countText(vectors), `${bytesText(l0Bytes)} (${part})`, ...waited, String(count)];
    }),
  );
}

function assumptions(figures: Figures, assumed: Assumptions): string[] {
  const { l0Bytes, redisBytes, hitNs, getNs, missByGet, missCpuNs, batchCpuNs } = figures;
  const { networkNs, nodeBytes, nodeFill, nodeBusy, replicas, memoryPrice, redisPrice } = assumed;
  const both = (bytes: ReadonlyMap<number, number>) => VECTOR_BYTES.map((one) => countText(bytes.get(one)!)).join(', ');
  return table(
    ['what', 'value', 'from'],
    [
      ['bytes in L0 of a vector of 4 096 bytes, of 1 024', both(l0Bytes), 'measured'],
      ['bytes in Redis of the same, with key, time to live and tables', both(redisBytes), 'measured, Redis 7.0'],
      ['a hit in L0', timeText(hitNs), 'measured: any of 10 000 keys'],
      ['a GET of 4 KiB, same machine', timeText(getNs), 'measured: one client'],
      ['a `load` that L0 cannot answer, in GETs', missByGet.toFixed(2), 'measured: one after another'],
      ['CPU of Redis for it', timeText(missCpuNs), 'measured'],
      ['CPU of Redis for a key of a batch of 100', timeText(batchCpuNs), 'measured'],
      ['what a network adds', timeText(networkNs), 'assumed: one zone, no TLS'],
      ['traffic', "Zipf's law", 'assumed: exponent 1, unless said'],
      ['memory of a Redis server', bytesText(nodeBytes), 'assumed'],
      ['share of it for data', percentText(nodeFill), 'assumed: the rest is for copies on write, buffers and growth'],
      ['share of its core that may be busy', percentText(nodeBusy), 'assumed'],
      ['replicas of each primary', String(replicas), 'assumed'],
      ['a GiB of memory of your processes, a month', `${memoryPrice} USD`, 'an example: put yours in'],
      ['a GiB of memory of a managed Redis, a month', `${redisPrice} USD`, 'an example: put yours in'],
    ],
  );
}

function memory({ l0Bytes, redisBytes }: Figures): string[] {
  const bytes = (vectors: number, of: ReadonlyMap<number, number>, size: number) => bytesText(vectors * of.get(size)!);
  return table(
    ['vectors', '4 KiB: values alone', 'in L0', 'in Redis', '1 KiB: values alone', 'in L0', 'in Redis'],
    CATALOGUES.map(([vectors]) => [
      countText(vectors),
      ...[FLOATS, INTS].flatMap((size) => [
        bytesText(vectors * size),
        bytes(vectors, l0Bytes, size),
        bytes(vectors, redisBytes, size),
      ]),
    ]),
  );
}

function rates(figures: Figures): string[] {
  return table(
    ['exponent', 'vectors', ...SHARES.map((share) => `L0 of ${percentText(share)}`), 'at most, with 20 %'],
    EXPONENTS.toSorted((a, b) => b - a).flatMap((exponent) =>
      CATALOGUES.map(([vectors]) => [
        String(exponent),
        countText(vectors),
        ...SHARES.map((share) => hitRate(figures, vectors, exponent, share).toFixed(2)),
        mostOf(vectors, exponent, 0.2).toFixed(2),
      ]),
    ),
  );
}

function waits(figures: Figures, assumed: Assumptions): string[] {
  const near = { ...assumed, networkNs: 0 };
  const { single, batch } = readsOfNode(figures, assumed);
  return table(
    [
      'hit rate',
      'a read waits, Redis on the same machine',
      'over a network',
      'reads of Redis for 1 000 reads',
      'reads a second that one Redis carries, one by one',
      'in batches of 100',
    ],
    RATES.map((rate) => {
      const carried = (ofNode: number) => countText(ofNode / (1 - rate));
      const [here, far] = [near, assumed].map((one) => timeText(meanNs(figures, one, rate)));
      return [
        rate === 0 ? '0 (L0 is empty)' : rate.toFixed(2),
        here!,
        far!,
        countText(1000 * (1 - rate)),
        carried(single),
        carried(batch),
      ];
    }),
  );
}

function servers(plan: Planner): string[] {
  return table(
    ['vectors', 'of', 'L0', 'by memory', ...READS.map((reads) => `by reads, ${countText(reads)} a second`)],
    CATALOGUES.flatMap(([vectors, share]) =>
      [FLOATS, INTS].map((size) => [
        countText(vectors),
        size === FLOATS ? '4 KiB' : '1 KiB',
        share === 1 ? 'all' : percentText(share),
        String(plan(vectors, share, size).primariesByMemory),
        ...READS.map((reads) => String(plan(vectors, share, size, reads).primariesByReads)),
      ]),
    ),
  );
}

function cost(plan: Planner): string[] {
  return table(
    ['vectors', 'L0', 'L0 of 4 processes, 4 KiB', 'Redis, 4 KiB', 'L0 of 4 processes, 1 KiB', 'Redis, 1 KiB'],
    CATALOGUES.map(([vectors, share]) => [
      countText(vectors),
      share === 1 ? 'all' : percentText(share),
      ...[FLOATS, INTS].flatMap((size) => {
        const { l0Price, redisPrice } = plan(vectors, share, size);
        return [countText(l0Price), countText(redisPrice)];
      }),
    ]),
  );
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [
    `| ${header.join(' | ')} |`,
    `|${'---|'.repeat(header.length)}`,
    ...rows.map((cells) => `| ${cells.join(' | ')} |`),
  ];
}

/** Three digits and the unit: `4.10 GB`. Powers of ten, as disks and clouds count. */
export function bytesText(bytes: number): string {
  const units = ['bytes', 'KB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  for (; Math.abs(value) >= 999.5 && unit < units.length - 1; ++unit) value /= 1000;
  return `${threeDigits(value)} ${units[unit]}`;
}

/** Three digits: `338 ns`, `59.5 µs`. */
export function timeText(ns: number): string {
  const units = ['ns', 'µs', 'ms', 's'];
  let value = ns;
  let unit = 0;
  for (; Math.abs(value) >= 999.5 && unit < units.length - 1; ++unit) value /= 1000;
  return `${threeDigits(value)} ${units[unit]}`;
}

export const percentText = (share: number): string => `${Number((share * 100).toPrecision(2))} %`;

/** A count of three digits, thousands apart: `12 300`. Money is one. */
export function countText(count: number): string {
  const rounded = Math.abs(count) < 1000 ? Math.round(count) : Number(count.toPrecision(3));
  return String(rounded).replace(/\B(?=(\d{3})+$)/g, ' ');
}

const threeDigits = (value: number): string =>
  value >= 99.95 ? String(Math.round(value)) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2);
