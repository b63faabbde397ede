// batch.mts — what does a key cost in a batch of 1 000?
//
//   get-many-1000        300 000 resident vectors of 4 KiB, keys at random, one element of each read: getMany, against
//                        a loop of lru-cache's get and a loop of our own
//   gather-redis-1000    the rows copied into one array of the caller's, against MGET
//   gather-string-1000   the same out of 1 000 000 vectors (4 GB; --quick 300 000), against a C++ loop that copies the
//   gather-int-1000      same rows out of a plain table and fetches ahead: no keys, no index, nothing to check
//
// String keys are fresh: made for the batch, as they come out of a request, before the clock starts.  Integer keys come
// in the Uint32Array that the floor is given, too.  One element of every row is compared in the timed loops, all bytes
// of all rows after filling.
// Not claimed: other sizes of value or batch, more threads, keys that miss.

import { open } from 'zerohop';
import type { SuiteArguments } from '../harness/arguments.mjs';
import { type Comparison, casesOf, formatSamples, ratiosOf, type Samples } from '../harness/comparison.mjs';
import { type Contender, measureInTurns } from '../harness/measure.mjs';
import { ownCopy } from '../harness/own-copy.mjs';
import { clearProgress, showProgress } from '../harness/progress.mjs';
import { makeCase } from '../harness/report.mjs';
import { single } from '../harness/statistics.mjs';
import { runSuite, type SuiteFigures } from '../harness/suite.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';
import type { Store } from '../main/stores/store.mjs';
import { DIMENSIONS, EMBEDDING_BYTES, embeddingElement, fillEmbedding, isEmbedding } from '../workloads/embeddings.mjs';
import { uniformStream } from '../workloads/random.mjs';
import { type BatchProbes, type Gathers, type GetsMany, gatherMany, readMany, readOneByOne } from './batch-loops.mjs';
import { FloorTable } from './floor.mjs';
import { closeOutside, openOutside } from './outside.mjs';
import { ALL_RIGHT, type Gets } from './reading-loops.mjs';
import { CODEC, fillStore, openLru, openZerohop, userKey, userKeys, verifyStore, ZEROHOP_DUTIES } from './rivals.mjs';

const BATCH = 1000;
const RESIDENT = 300_000;
/** A quarter more than the values: no store is under pressure. */
const maxBytesFor = (rows: number) => 1.25 * rows * EMBEDDING_BYTES;

const FULL = { rounds: 15, sampleMsMin: 5, repeats: 10, rows: 1_000_000, outside: RESIDENT };
const QUICK = { rounds: 5, sampleMsMin: 5, repeats: 3, rows: 300_000, outside: 50_000 };
type Extent = typeof FULL;

/** More fresh keys than this would crowd the young heap, and be copied by its collections. */
const OPERATIONS_MAX = 64 * BATCH;
const STREAM = 2 ** 22;
/** One for all: arrays made for every sample would bring about collections of the whole heap. */
const EXPECTED = new Float64Array(OPERATIONS_MAX);

const COMPARISONS: readonly Comparison[] = [
  { ratio: 'get-many-1000-vs-lru-cache', ours: 'zerohop/get-many-1000', rival: 'lru-cache/get-many-1000' },
  { ratio: 'get-many-1000-vs-single', ours: 'zerohop/get-many-1000', rival: 'zerohop-single/get-many-1000' },
  { ratio: 'gather-1000-vs-redis-mget', ours: 'zerohop/gather-redis-1000', rival: 'redis/gather-redis-1000' },
  { ratio: 'gather-string-1000-vs-floor', ours: 'zerohop/gather-string-1000', rival: 'floor/gather-string-1000' },
  { ratio: 'gather-int-1000-vs-floor', ours: 'zerohop/gather-int-1000', rival: 'floor/gather-int-1000' },
];

await runSuite('batch', measure);

async function measure({ quick }: SuiteArguments): Promise<SuiteFigures> {
  const extent = quick ? QUICK : FULL;
  const out = new Float32Array(BATCH * DIMENSIONS).fill(0);
  const samples = new Map<string, number[]>();
  const race = async (contenders: Contender[]) => {
    const what = contenders[0]?.name.split('/')[1];
    const onRound = (round: number, rounds: number) => {
      showProgress(`batch: ${what}, round ${round + 1} of ${rounds}`);
    };
    globalThis.gc?.(); // what filling left is nobody's cost
    const more = await measureInTurns(contenders, { ...extent, onRound });
    for (const [name, values] of more) samples.set(name, values);
    clearProgress();
  };
  const { copied, missing } = await measureResident(extent, out, race);
  const prefetch = await measureGather(extent, out, race);
  print(samples, extent, copied, prefetch, missing);
  const cases = [...casesOf(samples, 'ns'), makeCase('zerohop/copied-hits', 'ratio', single(copied))];
  return { cases, ratios: ratiosOf(samples, COMPARISONS) };
}

/** Times them against each other, and keeps the samples. */
type Race = (contenders: Contender[]) => Promise<void>;

async function measureResident(extent: Extent, out: Float32Array, race: Race) {
  const keys = userKeys(RESIDENT);
  const { cache, vectors } = openZerohop(maxBytesFor(RESIDENT));
  fillStore('zerohop', vectors, keys, false);

  const outside = await openOutside(['redis'], keys.slice(0, extent.outside));
  const stream = uniformStream(extent.outside, STREAM, 1);
  await race([
    gatherContender('zerohop/gather-redis-1000', vectors, { stream, batchOf: freshKeys, out, repeats: extent.repeats }),
    ...outside.stores.map((store) => mgetContender('redis/gather-redis-1000', store, stream)),
  ]);
  await closeOutside(outside);

  const lru = openLru(maxBytesFor(RESIDENT));
  fillStore('lru-cache', lru, keys, true);
  const anyone = uniformStream(RESIDENT, STREAM, 2);
  const before = cache.stats();
  await race([
    manyContender('zerohop/get-many-1000', vectors, anyone, extent),
    oneByOneContender('zerohop-single/get-many-1000', vectors, anyone, extent),
    oneByOneContender('lru-cache/get-many-1000', lru, anyone, extent),
  ]);
  const after = cache.stats();
  verifyStore('zerohop', vectors, keys, 'after the timed reads');
  cache.close();
  return { copied: (after.copiedHits - before.copiedHits) / (after.hits - before.hits), missing: outside.missing };
}

async function measureGather(extent: Extent, out: Float32Array, race: Race): Promise<string> {
  const { rows, repeats } = extent;
  const stream = uniformStream(rows, STREAM, 3);
  const floor = new FloorTable(rows);
  floor.tune(rows, BATCH, out);
  const byNumber = { stream, batchOf: integers, out, repeats };
  {
    const { cache, vectors } = openZerohop(maxBytesFor(rows));
    fillRows(vectors, freshKeys, rows, out);
    await race([
      gatherContender('zerohop/gather-string-1000', vectors, { stream, batchOf: freshKeys, out, repeats }),
      gatherContender('floor/gather-string-1000', floor, byNumber),
    ]);
    cache.close();
  }
  {
    const cache = open({ maxBytes: maxBytesFor(rows) });
    const vectors = cache.keyspace('rows', { codec: CODEC, keys: 'integer', ...ZEROHOP_DUTIES });
    fillRows(vectors, integers, rows, out);
    await race([
      gatherContender('zerohop/gather-int-1000', vectors, byNumber),
      gatherContender('floor/gather-int-1000', floor, byNumber),
    ]);
    cache.close();
  }
  floor.drop();
  return floor.prefetch;
}

/** Vectors by strings or by integers: `keysOf` gives those that it has. */
interface AnyVectors {
  set(key: never, vector: Float32Array): boolean;
  gather(keys: never, out: Float32Array): { hits: number };
}

/** Sets every row, then gathers all of them and compares every byte. */
function fillRows(
  store: AnyVectors,
  keysOf: (ids: Uint32Array) => readonly string[] | Uint32Array,
  rows: number,
  out: Float32Array,
): void {
  const scratch = new Float32Array(DIMENSIONS);
  forEachBatch(rows, 'filling', (ids) => {
    for (const [at, key] of keysOf(ids).entries()) store.set(key as never, fillEmbedding(scratch, ids[at] as number));
  });
  forEachBatch(rows, 'checking', (ids) => {
    const { hits } = store.gather(keysOf(ids) as never, out);
    for (const [at, id] of ids.entries()) {
      const row = out.subarray(at * DIMENSIONS, (at + 1) * DIMENSIONS);
      if (hits !== ids.length || !isEmbedding(row, id, scratch)) throw wrong('zerohop', id, 'after filling');
    }
  });
}

function forEachBatch(rows: number, what: string, visit: (ids: Uint32Array) => void): void {
  for (let from = 0; from < rows; from += BATCH) {
    showProgress(`${what} ${rows} rows: ${Math.round((100 * from) / rows)} %`);
    visit(Uint32Array.from({ length: BATCH }, (_, at) => from + at));
  }
}

interface Part<Batch> {
  readonly name: string;
  readonly stream: Uint32Array;
  /** The keys of a batch, from its ids. Untimed. */
  batchOf(ids: Uint32Array): Batch;
  readonly repeats: number;
  run(probes: BatchProbes<Batch>): number | Promise<number>;
  /** Which element of a row is compared; `i` is the row's place in the sample. */
  elementOf?(id: number, i: number): number;
}

/** A contender that is given batches of keys, and tells which answer was wrong. */
function contender<Batch>(part: Part<Batch>): Contender {
  const { name, stream, batchOf, repeats, elementOf = (id) => id } = part;
  let probes: BatchProbes<Batch> = { batches: [], ids: new Uint32Array(), expected: EXPECTED };
  const check = (at: number): void => {
    if (at !== ALL_RIGHT) throw wrong(name, probes.ids[at] as number, 'timed');
  };
  return {
    name,
    operationsMin: BATCH,
    operationsMax: OPERATIONS_MAX,
    operationsStep: BATCH,
    repeats,
    prepare(operations, round) {
      const start = (round * OPERATIONS_MAX) % (stream.length - operations + 1);
      const ids = stream.subarray(start, start + operations);
      const batches: Batch[] = [];
      for (let from = 0; from < operations; from += BATCH) batches.push(batchOf(ids.subarray(from, from + BATCH)));
      for (const [i, id] of ids.entries()) EXPECTED[i] = embeddingElement(id, elementOf(id, i) % DIMENSIONS);
      probes = { batches, ids, expected: EXPECTED };
    },
    run() {
      const first = part.run(probes);
      return typeof first === 'number' ? check(first) : first.then(check);
    },
  };
}

function manyContender(name: string, store: GetsMany, stream: Uint32Array, { repeats }: Extent): Contender {
  const loop = ownCopy(readMany, name);
  return contender({ name, stream, batchOf: freshKeys, repeats, run: (probes) => loop(store, probes) });
}

function oneByOneContender(name: string, store: Gets, stream: Uint32Array, { repeats }: Extent): Contender {
  const loop = ownCopy(readOneByOne, name);
  return contender({ name, stream, batchOf: freshKeys, repeats, run: (probes) => loop(store, probes) });
}

interface Gathering<Batch> {
  readonly stream: Uint32Array;
  batchOf(ids: Uint32Array): Batch;
  readonly out: Float32Array;
  readonly repeats: number;
}

function gatherContender<Batch extends ArrayLike<unknown>>(
  name: string,
  store: Gathers<Batch>,
  { stream, batchOf, out, repeats }: Gathering<Batch>,
): Contender {
  const loop = ownCopy(gatherMany<Batch>, name);
  return contender({ name, stream, batchOf, repeats, run: (probes) => loop(store, probes, out) });
}

function mgetContender(name: string, store: Store, stream: Uint32Array): Contender {
  return contender({
    name,
    stream,
    batchOf: freshKeys,
    repeats: 1,
    run: ({ batches, expected }) => store.readBatches({ keys: [], batches, expected }),
    elementOf: (_, i) => i,
  });
}

/** New strings, as they come out of a request. */
function freshKeys(ids: Uint32Array): string[] {
  return Array.from(ids, userKey);
}

function integers(ids: Uint32Array): Uint32Array {
  return ids;
}

function wrong(store: string, id: number, occasion: string): WrongAnswer {
  return WrongAnswer.from(store, String(id), occasion);
}

function print(samples: Samples, extent: Extent, copied: number, prefetch: string, missing: readonly string[]): void {
  const count = (value: number) => value.toLocaleString('en');
  console.log(`
Batches of ${count(BATCH)} random keys, vectors of ${DIMENSIONS} float32 (4 KiB); ns a key, median of ${extent.rounds} rounds; Node ${process.versions.node}
get-many: of ${count(RESIDENT)} vectors, one element read; gather: copied into one array, of ${count(extent.rows)} vectors (with Redis: ${count(extent.outside)})
`);
  console.log(formatSamples(samples, 'ns a key', COMPARISONS));
  console.log(`
floor: a C++ loop over a plain table, ${prefetch}. ${(100 * copied).toFixed(2)} % of zerohop's hits (get-many) were copies.`);
  for (const reason of missing) console.log(reason);
}
