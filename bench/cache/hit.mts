// hit.mts — what does a hit cost, beside the stores that people use?
//
// 300 000 resident vectors of 4 KiB. Keys as they come out of a request, a new string for each get, sliced from a text
// (workloads/requests.mts) while the clock runs:
//
//   fresh-key      the headline: Zipf .99, one element read
//   chained-get    the same, but which key comes next depends on the value that was read
//
// Keys that the program holds: V8 knows their hashes, and lru-cache and Map hold the very same strings:
//
//   zipf-get       as fresh-key
//   hot-get        1 000 hot keys among them, all equally likely
//   random-get     uniformly random, one element read; random-read: the whole vector, a dot product
//   zipf-get-out   zipf-get against what lies outside the process: lmdb, Redis on a unix socket
//
// All stores hold every key that is asked for, so nothing but hits is timed.  Values are compared byte for byte after
// filling and after timing, and one element (or the product) of every answer in the timed loops.
// Not claimed: other sizes of value, more threads, keys that miss.

import type { SuiteArguments } from '../harness/arguments.mjs';
import { type Comparison, casesOf, formatSamples, ratiosOf, type Samples } from '../harness/comparison.mjs';
import { type Contender, type MeasureOptions, measureInTurns } from '../harness/measure.mjs';
import { ownCopy } from '../harness/own-copy.mjs';
import { showProgress } from '../harness/progress.mjs';
import { makeCase } from '../harness/report.mjs';
import { single } from '../harness/statistics.mjs';
import { runSuite, type SuiteFigures } from '../harness/suite.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';
import type { Store } from '../main/stores/store.mjs';
import { DIMENSIONS, EMBEDDING_BYTES, embeddingElement, makeEmbedding } from '../workloads/embeddings.mjs';
import { uniformStream } from '../workloads/random.mjs';
import { type RequestText, writeRequests } from '../workloads/requests.mjs';
import { zipfStream } from '../workloads/zipf.mjs';
import { closeOutside, openOutside } from './outside.mjs';
import {
  ALL_RIGHT,
  dotProduct,
  type Gets,
  type Probes,
  type ReadingLoop,
  readOneElement,
  readOneElementByFreshKey,
  readOneElementChained,
  readWhole,
} from './reading-loops.mjs';
import { fillStore, openLru, openZerohop, userKey, userKeys, type Vectors, verifyStore } from './rivals.mjs';

const RESIDENT = 300_000;
/** A quarter more than the values: neither store is under pressure. */
const MAX_BYTES = 1.25 * RESIDENT * EMBEDDING_BYTES;
const HOT = 1000;

const FULL = { rounds: 15, sampleMsMin: 60, outside: RESIDENT };
const QUICK = { rounds: 5, sampleMsMin: 25, outside: 50_000 }; // lmdb and Redis take long to fill

type Extent = typeof FULL;

/** What a vector is multiplied with; any fixed numbers. */
const WEIGHTS = makeEmbedding(RESIDENT);

/** Ids drawn in advance; every round takes another part, the same for all rivals. */
const STREAM = 2 ** 22;
const OPERATIONS_MAX = 2 ** 20;
/** One for all: buffers made for every sample would bring about collections of the whole heap. */
const EXPECTED = new Float64Array(OPERATIONS_MAX);
/** A remote get takes tens of microseconds. */
const REMOTE_OPERATIONS_MIN = 100;
const OUTSIDE_OPERATIONS_MAX = 2 ** 17;

const NO_REQUESTS: RequestText = { text: '', starts: new Uint32Array() };

const COMPARISONS: readonly Comparison[] = [
  { ratio: 'fresh-key-vs-lru-cache', ours: 'zerohop/fresh-key', rival: 'lru-cache/fresh-key' },
  { ratio: 'fresh-key-vs-map', ours: 'zerohop/fresh-key', rival: 'map/fresh-key' },
  { ratio: 'chained-get-vs-lru-cache', ours: 'zerohop/chained-get', rival: 'lru-cache/chained-get' },
  { ratio: 'chained-get-vs-map', ours: 'zerohop/chained-get', rival: 'map/chained-get' },
  { ratio: 'zipf-get-vs-lru-cache', ours: 'zerohop/zipf-get', rival: 'lru-cache/zipf-get' },
  { ratio: 'hot-get-vs-lru-cache', ours: 'zerohop/hot-get', rival: 'lru-cache/hot-get' },
  { ratio: 'hot-get-vs-map', ours: 'zerohop/hot-get', rival: 'map/hot-get' },
  { ratio: 'random-get-vs-lru-cache', ours: 'zerohop/random-get', rival: 'lru-cache/random-get' },
  { ratio: 'random-read-vs-lru-cache', ours: 'zerohop/random-read', rival: 'lru-cache/random-read' },
  { ratio: 'zipf-get-vs-lmdb', ours: 'zerohop/zipf-get-out', rival: 'lmdb/zipf-get-out' },
  { ratio: 'zipf-get-vs-redis', ours: 'zerohop/zipf-get-out', rival: 'redis/zipf-get-out' },
];

await runSuite('hit', measure);

async function measure({ quick }: SuiteArguments): Promise<SuiteFigures> {
  const extent = quick ? QUICK : FULL;
  const keys = userKeys(RESIDENT);
  const { cache, vectors } = openZerohop(MAX_BYTES);
  fillStore('zerohop', vectors, keys, false);
  // First what lies outside, while the heap is small: what its clients leave is collected in it.
  const outside = await measureOutside(vectors, keys, extent);
  const before = cache.stats();
  const inside = await measureInside(vectors, keys, extent);
  const after = cache.stats();
  verifyStore('zerohop', vectors, keys, 'after the timed reads');
  const copied = (after.copiedHits - before.copiedHits) / (after.hits - before.hits);
  const samples: Samples = new Map([...inside, ...outside.samples]);
  print(samples, extent, copied, outside.missing);
  const cases = [...casesOf(samples, 'ns'), makeCase('zerohop/copied-hits', 'ratio', single(copied))];
  return { cases, ratios: ratiosOf(samples, COMPARISONS) };
}

async function measureInside(vectors: Vectors, keys: readonly string[], extent: Extent): Promise<Samples> {
  const lru = openLru(MAX_BYTES);
  const map = new Map<string, Float32Array>();
  fillStore('lru-cache', lru, keys, true);
  fillStore('map', map, keys, true);
  const stores: Readonly<Record<string, Gets>> = { zerohop: vectors, 'lru-cache': lru, map };
  globalThis.gc?.(); // what filling left is nobody's cost
  const samples = new Map<string, number[]>();
  for (const workload of workloads(keys)) {
    const contenders = workload.stores.map((name) => insideContender(name, stores[name] as Gets, workload));
    const more = await measureInTurns(contenders, optionsFor(workload.name, extent));
    for (const [name, values] of more) samples.set(name, values);
  }
  verifyStore('lru-cache', lru, keys, 'after the timed reads');
  return samples;
}

async function measureOutside(vectors: Vectors, keys: readonly string[], extent: Extent) {
  const outside = await openOutside(['lmdb', 'redis'], keys.slice(0, extent.outside));
  const contenders = outsideContenders(vectors, outside.stores, keys, extent.outside);
  const samples = await measureInTurns(contenders, optionsFor('zipf-get-out', extent));
  await closeOutside(outside);
  return { samples, missing: outside.missing };
}

function optionsFor(what: string, extent: Extent): MeasureOptions {
  const onRound = (round: number, rounds: number) => showProgress(`hit: ${what}, round ${round + 1} of ${rounds}`);
  return { ...extent, onRound };
}

interface Workload {
  readonly name: string;
  readonly stores: readonly string[];
  readonly loop: ReadingLoop;
  readonly keys: readonly string[];
  readonly stream: Uint32Array;
  /** The keys of the stream as text, for loops that slice them. */
  readonly requests?: RequestText;
  /** The right answer to a request for `id`. */
  readonly expect: (id: number) => number;
}

function workloads(keys: readonly string[]): Workload[] {
  const famous = zipfStream(RESIDENT, STREAM, 1);
  const anyone = uniformStream(RESIDENT, STREAM, 2);
  // Spread over all of the memory.
  const hotIds = uniformStream(RESIDENT, HOT, 3);
  const hot = uniformStream(HOT, STREAM, 4).map((at) => hotIds[at] as number);
  const both = ['zerohop', 'lru-cache'];
  const all = [...both, 'map'];
  showProgress('hit: writing requests');
  const sliced = { stores: all, keys, stream: famous, requests: writeRequests(famous, userKey), expect: elementOf };
  const products = Float64Array.from({ length: RESIDENT }, (_, id) => dotProduct(makeEmbedding(id), WEIGHTS));
  const whole = (id: number) => products[id] as number;
  return [
    { name: 'fresh-key', loop: readOneElementByFreshKey, ...sliced },
    { name: 'chained-get', loop: readOneElementChained, ...sliced },
    { name: 'zipf-get', stores: both, loop: readOneElement, keys, stream: famous, expect: elementOf },
    { name: 'hot-get', stores: all, loop: readOneElement, keys, stream: hot, expect: elementOf },
    { name: 'random-get', stores: both, loop: readOneElement, keys, stream: anyone, expect: elementOf },
    { name: 'random-read', stores: both, loop: readWhole, keys, stream: anyone, expect: whole },
  ];
}

/** The element that the reading loops look at. */
function elementOf(id: number): number {
  return embeddingElement(id, id % DIMENSIONS);
}

function insideContender(name: string, store: Gets, workload: Workload): Contender {
  const { keys, stream, requests = NO_REQUESTS, expect } = workload;
  const loop = ownCopy(workload.loop, `${name}-${workload.name}`);
  let probes: Probes = { keys, ...requests, ids: new Uint32Array(), expected: EXPECTED, weights: WEIGHTS };
  return {
    name: `${name}/${workload.name}`,
    operationsMin: 10_000,
    operationsMax: OPERATIONS_MAX,
    operationsStep: 1,
    prepare(operations, round) {
      const start = startOf(stream, operations, round);
      const ids = stream.subarray(start, start + operations);
      for (let i = 0; i < operations; i++) EXPECTED[i] = expect(ids[i] as number);
      probes = { ...probes, ids, starts: requests.starts.subarray(start, start + operations + 1) };
    },
    run() {
      const first = loop(store, probes);
      if (first !== ALL_RIGHT) throw wrong(name, keys[probes.ids[first] as number], workload.name);
    },
  };
}

/** The same requests, written out as the stores of the main job read them. */
function outsideContenders(
  vectors: Gets,
  stores: readonly Store[],
  keys: readonly string[],
  resident: number,
): Contender[] {
  const stream = zipfStream(resident, STREAM, 5);
  const what = 'zipf-get-out';
  const ours = insideContender('zerohop', vectors, {
    name: what,
    stores: [],
    loop: readOneElement,
    keys,
    stream,
    expect: elementOf,
  });
  const rivals = stores.map((store): Contender => {
    let asked: string[] = [];
    const expected = EXPECTED;
    const check = (at: number) => {
      if (at !== ALL_RIGHT) throw wrong(store.name, asked[at], what);
    };
    return {
      name: `${store.name}/${what}`,
      operationsMin: REMOTE_OPERATIONS_MIN,
      operationsMax: OUTSIDE_OPERATIONS_MAX,
      operationsStep: 1,
      prepare(operations, round) {
        const start = startOf(stream, operations, round);
        const ids = stream.subarray(start, start + operations);
        asked = Array.from(ids, (id) => keys[id] as string);
        for (const [i, id] of ids.entries()) expected[i] = embeddingElement(id, i % DIMENSIONS); // as those stores read
      },
      run() {
        const first = store.readSingles({ keys: asked, batches: [], expected });
        return typeof first === 'number' ? check(first) : first.then(check);
      },
    };
  });
  return [ours, ...rivals];
}

/** Of the part of the stream that a round takes. */
function startOf(stream: Uint32Array, length: number, round: number): number {
  return (round * OPERATIONS_MAX) % (stream.length - length + 1);
}

function wrong(store: string, key: string | undefined, what: string): WrongAnswer {
  return WrongAnswer.from(store, key ?? '?', `timed ${what}`);
}

function print(samples: Samples, extent: Extent, copied: number, missing: readonly string[]): void {
  const count = (value: number) => value.toLocaleString('en');
  console.log(`
Hits on ${count(RESIDENT)} resident vectors of ${DIMENSIONS} float32 (4 KiB); ns a get, median of ${extent.rounds} rounds; Node ${process.versions.node}

Keys as they come out of a request, each a new string, sliced while the clock runs:
  fresh-key     the headline: Zipf .99, one element read
  chained-get   the same, but which key comes next depends on the value that was read
Keys that the program holds, hashed already; lru-cache and Map hold the very same strings:
  zipf-get      as fresh-key; hot-get: ${count(HOT)} keys; random-get: uniformly random; random-read: the whole vector
  zipf-get-out  of ${count(extent.outside)} keys, against stores outside the process; zerohop still holds all
`);
  console.log(formatSamples(samples, 'ns', COMPARISONS));
  console.log(`
zerohop and lru-cache: the same bound of ${count(Math.round(MAX_BYTES / 2 ** 20))} MiB. ${(100 * copied).toFixed(2)} % of zerohop's timed hits were copies.`);
  for (const reason of missing) console.log(reason);
}
