// table.mts — the rows of the comparison with Redis, and the table of their times. lib/cli/bench-rows.ts times them.

import type { Cache } from 'zerohop';
import { type Extent, measureRows as measureEach, type RemoteStore, type Row, type Samples } from '#cli/bench-rows';
import { showProgress } from '../harness/progress.mjs';
import { summarize } from '../harness/statistics.mjs';
import { formatNumber, formatTable } from '../harness/table.mjs';

export type { Extent, Row, Samples };

const EMBEDDING = { bytes: 4096, keys: 10_000 };
export const ROWS: readonly Row[] = [
  { name: 'embedding-4k', label: 'embedding, 4 KiB', ...EMBEDDING, batch: 1 },
  {
    name: 'embedding-4k-x100-one-by-one',
    label: '100 of them, one by one',
    ...EMBEDDING,
    batch: 100,
    by: 'one-by-one',
  },
  { name: 'embedding-4k-x100', label: '100 of them, pipelined', ...EMBEDDING, batch: 100, by: 'pipeline' },
  { name: 'embedding-4k-x1000', label: '1 000 of them, one MGET', ...EMBEDDING, batch: 1000, by: 'mget' },
  { name: 'output-1k', label: 'model output, 1 KiB', bytes: 1024, keys: 10_000, batch: 1 },
  { name: 'features-8k', label: 'feature vector, 8 KiB', bytes: 8192, keys: 10_000, batch: 1 },
  { name: 'tokenizer-5m', label: 'tokenizer, 5 MB', bytes: 5_000_000, keys: 4, batch: 1 },
  { name: 'shard-32m', label: 'weight shard, 32 MB', bytes: 32_000_000, keys: 1, batch: 1 },
];

/** In the suite `redis-table`: the ways to Redis, and to zerohop's server. */
export const REDIS_WAYS: readonly string[] = ['node-redis tcp', 'ioredis tcp', 'node-redis unix', 'ioredis unix'];
export const RESP_WAYS: readonly string[] = ['node-redis resp', 'ioredis resp'];

/** The way with the lowest median. */
export function fastestOf(ways: readonly string[], timeOf: (way: string) => number): string {
  return ways.reduce((best, way) => (timeOf(way) < timeOf(best) ? way : best));
}

/** As that of lib/cli/bench-rows.ts, and tells how far it is. */
export async function measureRows(
  rows: readonly Row[],
  cache: Cache,
  stores: readonly RemoteStore[],
  extent: Extent,
): Promise<Samples> {
  return await measureEach(rows, cache, stores, extent, showProgress);
}

/**
 * Medians, with their units.
 *
 * @param columns  the title of each, and the stores whose figures it shows: of each row, the first that has one
 */
export function formatRows(
  rows: readonly Row[],
  samples: Samples,
  columns: readonly (readonly [title: string, ...stores: string[]])[],
): string {
  const cell = (stores: readonly string[], row: Row) => {
    const values = stores.map((store) => samples.get(`${store}/${row.name}`)).find((one) => one !== undefined);
    return values === undefined ? '-' : formatTime(summarize(values).median);
  };
  return formatTable(
    ['', ...columns.map(([title]) => title)],
    rows.map((row) => [row.label, ...columns.map(([, ...stores]) => cell(stores, row))]),
  );
}

/** `361 ns`, `53.0 µs`, `6.97 ms` */
export function formatTime(ns: number): string {
  if (ns < 1e3) return `${formatNumber(ns)} ns`;
  return ns < 1e6 ? `${formatNumber(ns / 1e3)} µs` : `${formatNumber(ns / 1e6)} ms`;
}
