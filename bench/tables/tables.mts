// tables.mts — what does a row of an embedding table cost, and a score computed where the row lies?
//
//   row-int-hot      a row by its integer id, one element read, of 1 000 ids in random order; against Map<number,
//   Float32Array> row-int-random   the same, of all 1 000 000
//   gather           1 000 random rows of 384 float32 side by side, of 200 000, against the C++ loop that only copies
//   dot              1 000 random rows scored against a query, against a C++ loop that reads the same rows once
//   topk             the best 10 of all 200 000, against a plain JavaScript loop over one Float32Array, and against
//                    hnswlib's brute-force index (npm: hnswlib-node), which is exact, too, and has one thread
//                    (zerohop-1: with one thread)
//
// The table is a file that is mapped (zerohop), or read into huge pages (zerohop-huge).  Map holds a Float32Array of its
// own for each id, as a program that loaded them would; the floors have their rows in huge pages.
// Before the clock starts every row is compared, and every score with a plain loop's.
// Not claimed: more threads, texts as ids, tables larger than memory.

import { createRequire } from 'node:module';
import path from 'node:path';
import { EmbeddingTable } from 'zerohop';
import { FloorTable } from '../cache/floor.mjs';
import type { SuiteArguments } from '../harness/arguments.mjs';
import { makeTemporaryFolder } from '../harness/cleanup.mjs';
import { type Comparison, casesOf, formatSamples, ratiosOf } from '../harness/comparison.mjs';
import { type Contender, measureInTurns } from '../harness/measure.mjs';
import { ownCopy } from '../harness/own-copy.mjs';
import { clearProgress, showProgress } from '../harness/progress.mjs';
import { runSuite, type SuiteFigures } from '../harness/suite.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';
import { random32, uniformStream } from '../workloads/random.mjs';
import { type RowSource, readEach } from './row-loop.mjs';

const LOOKED_UP = 1_000_000;
const LOOKUP_DIMENSIONS = 128;
const HOT = 1000;
const SCORED = 200_000;
const DIMENSIONS = 384;
const BATCH = 1000;
const BEST = 10;
const STREAM = 2 ** 20;

const FULL = { rounds: 25, sampleMsMin: 10, slowRounds: 7 };
const QUICK = { rounds: 7, sampleMsMin: 5, slowRounds: 3 };
type Extent = typeof FULL;

const COMPARISONS: readonly Comparison[] = [
  { ratio: 'row-int-hot', ours: 'zerohop/row-int-hot', rival: 'map/row-int-hot' },
  { ratio: 'row-int-random', ours: 'zerohop/row-int-random', rival: 'map/row-int-random' },
  { ratio: 'row-int-random-huge', ours: 'zerohop-huge/row-int-random', rival: 'map/row-int-random' },
  { ratio: 'gather-vs-floor', ours: 'zerohop/gather', rival: 'floor/gather' },
  { ratio: 'gather-huge-vs-floor', ours: 'zerohop-huge/gather', rival: 'floor/gather' },
  { ratio: 'dot-1000-vs-floor', ours: 'zerohop/dot', rival: 'floor/dot' },
  { ratio: 'topk-vs-js', ours: 'zerohop/topk', rival: 'javascript/topk' },
  { ratio: 'topk-one-thread-vs-hnswlib', ours: 'zerohop-1/topk', rival: 'hnswlib/topk' },
  { ratio: 'topk-vs-hnswlib', ours: 'zerohop/topk', rival: 'hnswlib/topk' },
];

/** Distinct ids in no order, as a catalogue has them: i times an odd number, modulo 2^30. */
const idOf = (row: number) => Math.imul(row + 1, 0x2c1b3c6d) & (2 ** 30 - 1);
/** Exact in a float32. */
const element = (row: number, i: number) => ((row * 31 + i * 7) % 8191) / 8192;

await runSuite('tables', measure);

async function measure({ quick }: SuiteArguments): Promise<SuiteFigures> {
  const extent = quick ? QUICK : FULL;
  const folder = makeTemporaryFolder();
  const rows = await measureRows(folder, extent);
  const { samples: scores, missing } = await measureScores(folder, extent);
  clearProgress();
  const samples = new Map([...rows, ...scores]);
  console.log(`\n${formatSamples(samples, 'ns', COMPARISONS)}${missing}`);
  return { cases: casesOf(samples, 'ns'), ratios: ratiosOf(samples, COMPARISONS) };
}

async function measureRows(folder: string, { rounds, sampleMsMin }: Extent): Promise<Map<string, number[]>> {
  showProgress('tables: writing a million rows');
  const file = path.join(folder, 'rows.safetensors');
  const ids = Int32Array.from({ length: LOOKED_UP }, (_, row) => idOf(row));
  const vectors = new Float32Array(LOOKED_UP * LOOKUP_DIMENSIONS);
  for (let row = 0, at = 0; row < LOOKED_UP; ++row)
    for (let i = 0; i < LOOKUP_DIMENSIONS; ++i) vectors[at++] = element(row, i);
  await EmbeddingTable.write(file, { ids, vectors, dimensions: LOOKUP_DIMENSIONS });
  const table = await EmbeddingTable.open(file);
  const huge = await EmbeddingTable.open(file, { pages: 'huge' });
  const map = new Map<number, Float32Array>();
  for (let row = 0; row < LOOKED_UP; ++row)
    map.set(ids[row]!, vectors.slice(row * LOOKUP_DIMENSIONS, (row + 1) * LOOKUP_DIMENSIONS));
  for (let row = 0; row < LOOKED_UP; ++row) {
    const seen = table.row(ids[row]!) as Float32Array;
    for (let i = 0; i < LOOKUP_DIMENSIONS; ++i)
      if (seen[i] !== element(row, i)) throw WrongAnswer.from('zerohop', `${ids[row]}`, 'after writing');
  }
  globalThis.gc?.(); // what filling left is nobody's cost
  const asMap: RowSource = { row: (id) => map.get(id) };
  const contenders = (what: string, stream: Uint32Array) => [
    rowContender(`zerohop/${what}`, table, stream, ids),
    rowContender(`zerohop-huge/${what}`, huge, stream, ids),
    rowContender(`map/${what}`, asMap, stream, ids),
  ];
  const onRound = (round: number, all: number) => showProgress(`tables: rows, round ${round + 1} of ${all}`);
  const hot = await measureInTurns(contenders('row-int-hot', uniformStream(HOT, STREAM, 1)), {
    rounds,
    sampleMsMin,
    onRound,
  });
  const random = await measureInTurns(contenders('row-int-random', uniformStream(LOOKED_UP, STREAM, 2)), {
    rounds,
    sampleMsMin,
    onRound,
  });
  table.close();
  huge.close();
  return new Map([...hot, ...random]);
}

function rowContender(name: string, source: RowSource, stream: Uint32Array, ids: Int32Array): Contender {
  // Each its own code: what one contender's rows are must not slow another's loop.
  const read = ownCopy(readEach, name);
  const wanted = new Int32Array(STREAM);
  const expected = new Float64Array(STREAM);
  let count = 0;
  return {
    name,
    operationsMin: 1000,
    operationsMax: STREAM,
    operationsStep: 1000,
    prepare(operations, round) {
      count = operations;
      for (let i = 0; i < count; ++i) {
        const row = stream[(round * 7919 + i) % STREAM]!;
        wanted[i] = ids[row]!;
        expected[i] = element(row, i % LOOKUP_DIMENSIONS);
      }
    },
    run() {
      const at = read(source, wanted, expected, count, LOOKUP_DIMENSIONS);
      if (at >= 0) throw WrongAnswer.from(name, `${wanted[at]}`, 'timed');
    },
  };
}

interface BruteforceSearch {
  initIndex(elements: number): void;
  addPoint(point: number[], label: number): void;
  searchKnn(query: number[], count: number): { distances: number[]; neighbors: number[] };
}

async function measureScores(folder: string, extent: Extent) {
  showProgress('tables: writing 200 000 rows');
  const file = path.join(folder, 'scores.safetensors');
  const next = random32(5);
  const fill = (out: Float32Array) => {
    for (let i = 0; i < out.length; ++i) out[i] = next() / 2 ** 31 - 1;
    return out;
  };
  const vectors = fill(new Float32Array(SCORED * DIMENSIONS));
  const ids = Int32Array.from({ length: SCORED }, (_, row) => idOf(row));
  await EmbeddingTable.write(file, { ids, vectors, dimensions: DIMENSIONS });
  const table = await EmbeddingTable.open(file);
  const huge = await EmbeddingTable.open(file, { pages: 'huge' });
  const floor = new FloorTable(SCORED, {
    bytes: 4 * DIMENSIONS,
    fill: (out, row) => {
      out.set(vectors.subarray(row * DIMENSIONS, (row + 1) * DIMENSIONS));
      return out;
    },
  });
  const query = fill(new Float32Array(DIMENSIONS));
  const out = new Float32Array(BATCH * DIMENSIONS);
  const scores = new Float32Array(BATCH);
  const stream = uniformStream(SCORED, STREAM, 3);
  verifyScores(table, vectors, ids, query, stream.subarray(0, BATCH), out);

  const samples = new Map<string, number[]>();
  const race = async (contenders: Contender[], rounds: number) => {
    globalThis.gc?.();
    const onRound = (round: number, all: number) =>
      showProgress(`tables: ${contenders[0]!.name}, round ${round + 1} of ${all}`);
    const more = await measureInTurns(contenders, { rounds, sampleMsMin: extent.sampleMsMin, onRound });
    for (const [name, values] of more) samples.set(name, values);
  };
  floor.tune(SCORED, BATCH, out);
  await race(
    [
      batchContender('zerohop/gather', stream, ids, (wanted) => table.gather(wanted, out).hits),
      batchContender('zerohop-huge/gather', stream, ids, (wanted) => huge.gather(wanted, out).hits),
      batchContender('floor/gather', stream, undefined, (wanted) => floor.gather(wanted as Uint32Array, out).hits),
    ],
    extent.rounds,
  );
  floor.tune(SCORED, BATCH);
  let sink = 0;
  await race(
    [
      batchContender('zerohop/dot', stream, ids, (wanted) => table.dot(query, wanted, scores).length),
      batchContender('floor/dot', stream, undefined, (wanted) => {
        sink += floor.stream(wanted as Uint32Array);
        return BATCH;
      }),
    ],
    extent.rounds,
  );
  floor.drop();
  if (Number.isNaN(sink)) throw new WrongAnswer('no rows were read');
  const index = hnswlib(vectors);
  const listedQuery = [...query];
  const best = bestInJavaScript(vectors, query).map((row) => ids[row]!);
  const contenders = [
    topContender('zerohop/topk', best, () => table.topK(query, BEST).map(({ id }) => id as number)),
    topContender('zerohop-1/topk', best, () => table.topK(query, BEST, { threads: 1 }).map(({ id }) => id as number)),
    topContender('javascript/topk', best, () => bestInJavaScript(vectors, query).map((row) => ids[row]!)),
  ];
  if (index !== undefined)
    contenders.push(
      topContender('hnswlib/topk', best, () => index.searchKnn(listedQuery, BEST).neighbors.map((row) => ids[row]!)),
    );
  await race(contenders, extent.slowRounds);
  table.close();
  huge.close();
  const missing = index === undefined ? '\n\nhnswlib-node is not built here: npm rebuild hnswlib-node' : '';
  return { samples, missing };
}

function verifyScores(
  table: EmbeddingTable,
  vectors: Float32Array,
  ids: Int32Array,
  query: Float32Array,
  rows: Uint32Array,
  out: Float32Array,
): void {
  const wanted = Int32Array.from(rows, (row) => ids[row]!);
  const scores = table.dot(query, wanted);
  table.gather(wanted, out);
  for (const [i, row] of rows.entries()) {
    let sum = 0;
    for (let d = 0; d < DIMENSIONS; ++d) {
      sum += query[d]! * vectors[row * DIMENSIONS + d]!;
      if (out[i * DIMENSIONS + d] !== vectors[row * DIMENSIONS + d])
        throw WrongAnswer.from('zerohop', `${wanted[i]}`, 'gather');
    }
    if (Math.abs(scores[i]! - sum) > 1e-3) throw WrongAnswer.from('zerohop', `${wanted[i]}`, 'dot');
  }
}

/** Batches of 1 000 rows; `ids`: what a row is called, if not by its number. */
function batchContender(
  name: string,
  stream: Uint32Array,
  ids: Int32Array | undefined,
  run: (wanted: Int32Array | Uint32Array) => number,
): Contender {
  let batches: (Int32Array | Uint32Array)[] = [];
  return {
    name,
    operationsMin: BATCH,
    operationsMax: 64 * BATCH,
    operationsStep: BATCH,
    prepare(operations, round) {
      batches = Array.from({ length: operations / BATCH }, (_, i) => {
        const from = ((round * 64 + i) * BATCH) % (STREAM - BATCH);
        const rows = stream.subarray(from, from + BATCH);
        return ids === undefined ? rows : Int32Array.from(rows, (row) => ids[row]!);
      });
    },
    run() {
      for (const batch of batches)
        if (run(batch) !== BATCH) throw new WrongAnswer(`${name}: not all rows of a batch were found`);
    },
  };
}

function topContender(name: string, best: readonly number[], run: () => readonly number[]): Contender {
  let count = 0;
  return {
    name,
    operationsMin: 1,
    operationsMax: 64,
    operationsStep: 1,
    prepare(operations) {
      count = operations;
    },
    run() {
      for (let i = 0; i < count; ++i) {
        const found = run();
        if (String(found) !== String(best)) throw new WrongAnswer(`${name}: ${found} are not the best, but ${best}`);
      }
    },
  };
}

/** The rows of the highest products, best first: what a program would write that has no library. */
function bestInJavaScript(vectors: Float32Array, query: Float32Array): number[] {
  const best: { row: number; score: number }[] = [];
  let worst = Number.NEGATIVE_INFINITY;
  for (let row = 0, at = 0; row < SCORED; ++row, at += DIMENSIONS) {
    let score = 0;
    for (let d = 0; d < DIMENSIONS; ++d) score += query[d]! * vectors[at + d]!;
    if (score <= worst && best.length === BEST) continue;
    best.push({ row, score });
    best.sort((a, b) => b.score - a.score);
    if (best.length > BEST) best.pop();
    worst = best.at(-1)!.score;
  }
  return best.map(({ row }) => row);
}

/** undefined where it was not built. */
function hnswlib(vectors: Float32Array): BruteforceSearch | undefined {
  let library: { BruteforceSearch: new (space: 'ip', dimensions: number) => BruteforceSearch };
  try {
    library = createRequire(import.meta.url)('hnswlib-node');
  } catch {
    return undefined;
  }
  const index = new library.BruteforceSearch('ip', DIMENSIONS);
  index.initIndex(SCORED);
  for (let row = 0; row < SCORED; ++row) {
    if (row % 10_000 === 0) showProgress(`tables: filling hnswlib, ${(100 * row) / SCORED} %`);
    index.addPoint(Array.from(vectors.subarray(row * DIMENSIONS, (row + 1) * DIMENSIONS)), row);
  }
  return index;
}
