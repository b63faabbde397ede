// gc-case.mts — one store full of vectors, in a process of its own: the same work through it, then collections of the
// whole heap, timed.  Prints its figures as one line of JSON, among the lines of --trace-gc.
//
// The work: gets by Zipf, one element read and checked; every tenth operation sets a resident key again, to a fresh
// array, as a model would give it.  What the array is to the store is the store's affair: Map keeps it, zerohop copies
// it. Keys are made for the operation: the program itself keeps none.

import { writeSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { helperCpuMs } from '../harness/helper-cpu.mjs';
import { DIMENSIONS, EMBEDDING_BYTES, embeddingElement, makeEmbedding } from '../workloads/embeddings.mjs';
import { zipfStream } from '../workloads/zipf.mjs';
import { fillStore, openZerohop, userKey, userKeys } from './rivals.mjs';

export interface GcCaseOptions {
  readonly store: 'zerohop' | 'map';
  readonly entries: number;
  readonly operations: number;
  readonly collections: number;
}

export interface GcCaseFigures {
  /** Of the work, in ms since the process began. */
  readonly fromMs: number;
  readonly toMs: number;
  /** Of all threads, and of all but the first. */
  readonly cpuMs: number;
  readonly helperCpuMs: number;
  /** Each a collection of the whole heap with everything resident. */
  readonly majorMs: number[];
  /** The key of a wrong answer. */
  readonly wrong?: string;
}

/** Nothing of the collections that are asked for may fall into the work's time. */
const APART_MS = 300;
const SET_EVERY = 10;

const options = JSON.parse(process.argv[2] ?? '{}') as GcCaseOptions;
const stream = zipfStream(options.entries, options.operations, 1);
const store = options.store === 'map' ? new Map<string, Float32Array>() : openZerohop(maxBytes()).vectors;
fillStore(options.store, store, userKeys(options.entries), true);
let wrong = work(store); // once untimed: compiles what there is to compile
await settle();
const cpuBefore = process.cpuUsage();
const helpersBefore = helperCpuMs();
const fromMs = performance.now();
wrong ??= work(store);
const toMs = performance.now();
const cpu = process.cpuUsage(cpuBefore);
const helpersMs = helperCpuMs() - helpersBefore;
await settle();
const figures: GcCaseFigures = {
  fromMs: fromMs - APART_MS / 2,
  toMs: toMs + APART_MS / 2,
  cpuMs: (cpu.user + cpu.system) / 1000,
  helperCpuMs: helpersMs,
  majorMs: Array.from({ length: options.collections }, timeCollection),
  ...(wrong !== undefined && { wrong }),
};
writeSync(1, `\n${JSON.stringify(figures)}\n`);

/** A quarter more than the values. */
function maxBytes(): number {
  return 1.25 * options.entries * EMBEDDING_BYTES;
}

interface Store {
  get(key: string): ArrayLike<number> | undefined;
  set(key: string, value: Float32Array): unknown;
}

/** Returns the key of a wrong answer. */
function work(target: Store): string | undefined {
  for (const [i, id] of stream.entries()) {
    const key = userKey(id);
    if (i % SET_EVERY === 0) target.set(key, makeEmbedding(id));
    else if (target.get(key)?.[id % DIMENSIONS] !== embeddingElement(id, id % DIMENSIONS)) return key;
  }
  return undefined;
}

async function settle(): Promise<void> {
  await pause(APART_MS);
  globalThis.gc?.();
  await pause(APART_MS);
}

function timeCollection(): number {
  const startedMs = performance.now();
  globalThis.gc?.();
  return performance.now() - startedMs;
}
