// floor.mts — the C++ loops under `gather` and `dot` (bench/native/floor.cc): a table of rows, and the fastest way here
// to copy random ones of it, or to read them once.

import { createRequire } from 'node:module';
import { repositoryRoot } from '../harness/machine.mjs';
import { showProgress } from '../harness/progress.mjs';
import { summarize } from '../harness/statistics.mjs';
import { EMBEDDING_BYTES, fillEmbedding } from '../workloads/embeddings.mjs';
import { uniformStream } from '../workloads/random.mjs';

interface FloorAddon {
  createTable(rows: number, rowBytes: number): void;
  writeRow(row: number, bytes: Float32Array): void;
  gatherRows(rows: Uint32Array, out: Float32Array, ahead: number, lines: number): void;
  streamRows(rows: Uint32Array, ahead: number, lines: number): number;
  dropTable(): void;
}

/** Fetch `lines` cache lines of the row that comes `ahead` rows later. */
interface Prefetch {
  readonly ahead: number;
  readonly lines: number;
}

const NO_PREFETCH: Prefetch = { ahead: 0, lines: 0 };
const CANDIDATES: readonly Prefetch[] = [
  NO_PREFETCH,
  ...[1, 2, 3, 4, 6, 8, 16].flatMap((ahead) => [2, 4, 8, 16, 32, 64].map((lines) => ({ ahead, lines }))),
];

const addon = createRequire(import.meta.url)(
  new URL('build/Release/zerohop_floor.node', repositoryRoot).pathname,
) as FloorAddon;

export interface FloorRows {
  readonly bytes: number;
  fill(out: Float32Array, row: number): Float32Array;
}

const EMBEDDINGS: FloorRows = { bytes: EMBEDDING_BYTES, fill: fillEmbedding };

/** Row `id` is the embedding of `id`, if nothing else is said. One at a time. */
export class FloorTable {
  #prefetch = NO_PREFETCH;

  constructor(rows: number, { bytes, fill } = EMBEDDINGS) {
    addon.createTable(rows, bytes);
    const scratch = new Float32Array(bytes / 4);
    for (let row = 0; row < rows; row++) {
      if (row % 10_000 === 0) showProgress(`filling the plain table: ${Math.round((100 * row) / rows)} %`);
      addon.writeRow(row, fill(scratch, row));
    }
  }

  /** What {@link tune} found best. */
  get prefetch(): string {
    const { ahead, lines } = this.#prefetch;
    return lines === 0 ? 'no software prefetch' : `prefetching ${lines} lines of the row ${ahead} rows ahead`;
  }

  /**
   * Finds the fastest way to copy batches of `batch` out of `rows` rows, or without `out` to read them: a few trials of
   * all, many of the best.
   */
  tune(rows: number, batch: number, out?: Float32Array): void {
    const stream = uniformStream(rows, 2 ** 18, 77);
    const rank = (candidates: readonly Prefetch[], trials: number): Prefetch[] => {
      const times = candidates.map((): number[] => []);
      for (let trial = 0, from = 0; trial < trials; trial++) {
        for (const [at, { ahead, lines }] of candidates.entries()) {
          const wanted = stream.subarray(from, from + batch);
          from = (from + batch) % (stream.length - batch);
          const startedNs = process.hrtime.bigint();
          if (out === undefined) addon.streamRows(wanted, ahead, lines);
          else addon.gatherRows(wanted, out, ahead, lines);
          times[at]?.push(Number(process.hrtime.bigint() - startedNs));
        }
      }
      const medianOf = (candidate: Prefetch) => summarize(times[candidates.indexOf(candidate)] as number[]).median;
      return candidates.toSorted((a, b) => medianOf(a) - medianOf(b));
    };
    this.#prefetch = rank(rank(CANDIDATES, 9).slice(0, 6), 40)[0] as Prefetch;
  }

  gather(rows: Uint32Array, out: Float32Array): { readonly hits: number } {
    addon.gatherRows(rows, out, this.#prefetch.ahead, this.#prefetch.lines);
    return { hits: rows.length };
  }

  /** Reads every byte of the rows once. */
  stream(rows: Uint32Array): number {
    return addon.streamRows(rows, this.#prefetch.ahead, this.#prefetch.lines);
  }

  drop(): void {
    addon.dropTable();
  }
}
