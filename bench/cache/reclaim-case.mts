// reclaim-case.mts — one case of the reclaim suite, in a process of its own; prints its figures as one line of JSON.
//
// The loop: a set of a new key, then two gets of keys from about the last cacheful, all equally likely. That is as hard
// as it gets: every segment is in use all the time, and none is worth more than another. The last 100 views are kept,
// so that whenever V8 collects, about half of a 256 MiB cache is in use. Each hit is checked in two places.
//
// `plain` is the same loop, on the same heap, without a cache: it copies the same bytes into one fixed buffer of the
// cache's size, and makes views of the same places.

import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { type Cache, float32, type Keyspace, open, type ReadonlyFloat32Array } from 'zerohop';
import { GcMeter } from '../harness/gc-meter.mjs';

type Vectors = Keyspace<Float32Array | ReadonlyFloat32Array, ReadonlyFloat32Array, Float32Array<ArrayBuffer>>;

export interface CaseOptions {
  readonly sets: number;
  readonly heapMiB: number;
  readonly plain: boolean;
  /** Sets between two turns of the event loop; 0: none. */
  readonly yieldEvery: number;
  readonly parkedWorker: boolean;
  readonly idle: boolean;
}

export interface CaseFigures {
  readonly tried: number;
  readonly refused: number;
  readonly hits: number;
  readonly copiedHits: number;
  readonly exposures: number;
  readonly youngCollections: number;
  readonly forcedCollections: number;
  readonly gcPauses: number;
  readonly gcPausesMs: number;
  readonly cpuMs: number;
  readonly wallMs: number;
  readonly rssMiB: number;
  /** Case `idle` only: seconds until an idle process had given all of a cleared cache's memory back. */
  readonly idleSeconds: number;
}

const DIMENSIONS = 1024;
const VECTOR_BYTES = DIMENSIONS * 4;
const CACHE_BYTES = 256 * 2 ** 20;
const RESIDENT = Math.floor(CACHE_BYTES / VECTOR_BYTES);
const HELD_VIEWS = 100;
const CODEC = float32(DIMENSIONS);

const options = JSON.parse(process.argv[2] ?? '{}') as CaseOptions;
const heap = ballast(options.heapMiB);
// Twice as many keys as fit: what is set was evicted long ago.
const keys = Array.from({ length: RESIDENT * 2 }, (_, i) => `item:${i}`);
const figures = options.idle ? await idle() : await churn();
process.stdout.write(`${JSON.stringify(figures)}\n`);
if (heap.length < 0) console.log(heap); // keeps the ballast alive until here
process.exit(0); // the parked worker would never let go

/** Live objects of a typical shape: small, linked, a few pointers each. */
function ballast(mebibytes: number): unknown[] {
  const objects: unknown[] = [];
  while (process.memoryUsage().heapUsed < mebibytes * 2 ** 20) {
    for (let i = 0; i < 100_000; ++i) objects.push({ i, pair: { i, list: [i, i + 1] }, name: `k${i}` });
  }
  return objects;
}

interface Store {
  set(i: number, value: Float32Array): boolean;
  get(i: number): ReadonlyFloat32Array | undefined;
}

function plainStore(): Store {
  const buffer = new ArrayBuffer(CACHE_BYTES);
  const all = new Float32Array(buffer);
  return {
    set(i, value) {
      all.set(value, (i % RESIDENT) * DIMENSIONS);
      return true;
    },
    get: (i) => new Float32Array(buffer, (i % RESIDENT) * VECTOR_BYTES, DIMENSIONS),
  };
}

function cacheStore(vectors: Vectors): Store {
  return {
    set: (i, value) => vectors.set(keys[i % keys.length] as string, value),
    get: (i) => vectors.get(keys[i % keys.length] as string),
  };
}

async function churn(): Promise<CaseFigures> {
  const cache = options.plain ? undefined : open({ name: 'reclaim', maxBytes: CACHE_BYTES });
  const vectors = cache?.keyspace('vectors', { codec: CODEC });
  if (vectors && options.parkedWorker) await parkWorker(vectors);
  const store = vectors ? cacheStore(vectors) : plainStore();
  const meter = GcMeter.start();
  const begun = performance.now();
  const { refused, hits } = await loop(store);
  const wallMs = performance.now() - begun;
  const { cpuMs, pauses, pausesMs } = await meter.stop();
  return {
    ...countsOf(cache),
    tried: options.sets,
    refused,
    hits,
    gcPauses: pauses,
    gcPausesMs: pausesMs,
    cpuMs,
    wallMs,
    idleSeconds: 0,
  };
}

async function loop(store: Store): Promise<{ refused: number; hits: number }> {
  const value = new Float32Array(DIMENSIONS).fill(1);
  const held: (ReadonlyFloat32Array | undefined)[] = new Array(HELD_VIEWS);
  const random = generator(12345);
  let refused = 0;
  let hits = 0;
  for (let i = 0; i < options.sets; ++i) {
    value[0] = value[DIMENSIONS - 1] = i % keys.length;
    if (!store.set(i, value)) refused++;
    for (let read = 0; read < 2; ++read) {
      const at = i - random(Math.min(i + 1, RESIDENT));
      const view = store.get(at);
      if (view === undefined) continue;
      if (view[0] !== at % keys.length || view[DIMENSIONS - 1] !== view[0])
        throw new Error(`wrong value for item ${at}`);
      held[hits++ % HELD_VIEWS] = view;
    }
    if (options.yieldEvery > 0 && i % options.yieldEvery === 0) await nextTurn();
  }
  return { refused, hits };
}

/** Another thread that has looked at every segment, and now neither runs nor lets go. */
async function parkWorker(vectors: Vectors): Promise<void> {
  const value = new Float32Array(DIMENSIONS);
  for (let i = 0; i < RESIDENT; ++i) {
    value[0] = value[DIMENSIONS - 1] = i;
    vectors.set(keys[i] as string, value);
  }
  const worker = new Worker(new URL('./parked-worker.mjs', import.meta.url), {
    workerData: { keys: keys.slice(0, RESIDENT) },
  });
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
}

async function idle(): Promise<CaseFigures> {
  const cache = open({ maxBytes: CACHE_BYTES });
  const vectors = cache.keyspace('vectors', { codec: CODEC });
  const value = new Float32Array(DIMENSIONS);
  for (let i = 0; i < RESIDENT; ++i) vectors.set(keys[i] as string, value);
  let hits = 0;
  for (let round = 0; round < 3; ++round) {
    for (let i = 0; i < RESIDENT; ++i) hits += vectors.get(keys[i] as string) === undefined ? 0 : 1;
    await pause(50); // a server's loop turns, too
  }
  const begun = performance.now();
  const cpu = process.cpuUsage();
  cache.clear();
  while (cache.stats().bytes.resident > 0 && performance.now() - begun < 30_000) await pause(100);
  const wallMs = performance.now() - begun;
  const spent = process.cpuUsage(cpu);
  const left = cache.stats().bytes.resident;
  return {
    ...countsOf(cache),
    tried: RESIDENT,
    refused: 0,
    hits,
    gcPauses: 0,
    gcPausesMs: 0,
    cpuMs: (spent.user + spent.system) / 1000,
    wallMs,
    idleSeconds: left > 0 ? Number.POSITIVE_INFINITY : wallMs / 1000,
  };
}

function countsOf(cache: Cache | undefined) {
  const stats = cache?.stats();
  return {
    copiedHits: stats?.copiedHits ?? 0,
    exposures: stats?.exposures ?? 0,
    youngCollections: stats?.youngCollections ?? 0,
    forcedCollections: stats?.forcedCollections ?? 0,
    rssMiB: process.memoryUsage().rss / 2 ** 20,
  };
}

/** A linear congruential generator: the same sequence in every run, at the cost of a multiplication. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
}
