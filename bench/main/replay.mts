// replay.mts — a trace served through one store: look up, and on a miss make the embedding and set it.
//
// Every value that comes back is compared with the generator, all 4 KiB of it.  That costs the same for
// every store and leaves no garbage, so what a store does to the collector can still be told apart.
// A miss makes a fresh array, as a model would: whether it then lives on the heap is up to the store.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { GcMeter } from '../harness/gc-meter.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';
import { DIMENSIONS, isEmbedding, makeEmbedding } from '../workloads/embeddings.mjs';
import type { LocalStore, RemoteStore, Store } from './stores/store.mjs';

/** A server goes back to its event loop between requests; finalizers and deferred work run there. */
const REQUESTS_PER_TURN = 256;
/** Requests that travel to a remote store together. */
export const REMOTE_WINDOW = 100;

export interface ReplayResult {
  readonly requests: number;
  readonly hits: number;
  readonly refusedSets: number;
  readonly wallMs: number;
  readonly gcPausesMs: number;
  readonly gcPauses: number;
  readonly cpuMs: number;
}

interface Outcome {
  readonly hits: number;
  readonly refusedSets: number;
}

export type OnProgress = (done: number, all: number) => void;

export function keyOf(id: number): string {
  return `item:${id}`;
}

/** @throws {WrongAnswer} a value that is not what was set. */
export async function replay(store: Store, requests: Uint32Array, onProgress: OnProgress): Promise<ReplayResult> {
  const meter = GcMeter.start();
  const startedMs = performance.now();
  const outcome =
    store.kind === 'local'
      ? await replayOneByOne(store, requests, onProgress)
      : await replayInWindows(store, requests, onProgress);
  const wallMs = performance.now() - startedMs;
  const cost = await meter.stop();
  const { pausesMs: gcPausesMs, pauses: gcPauses, cpuMs } = cost;
  return { requests: requests.length, ...outcome, wallMs, gcPausesMs, gcPauses, cpuMs };
}

async function replayOneByOne(store: LocalStore, requests: Uint32Array, onProgress: OnProgress): Promise<Outcome> {
  const scratch = new Float32Array(DIMENSIONS);
  let hits = 0;
  let refusedSets = 0;
  for (let i = 0; i < requests.length; i++) {
    const id = requests[i] as number;
    const value = store.get(keyOf(id));
    if (value !== undefined) {
      if (!isEmbedding(value, id, scratch)) throw WrongAnswer.from(store.name, keyOf(id), 'replay');
      hits++;
    } else if (!store.set(keyOf(id), makeEmbedding(id))) {
      refusedSets++;
    }
    if ((i + 1) % REQUESTS_PER_TURN === 0) {
      onProgress(i + 1, requests.length);
      await nextTurn();
    }
  }
  return { hits, refusedSets };
}

/**
 * The same through a store that is a round trip away. Requests go in windows: one batch of lookups, then
 * one of sets. A key that is missing and comes again within its window counts as a hit the second time, as
 * it would have been had the requests gone one by one.
 */
async function replayInWindows(store: RemoteStore, requests: Uint32Array, onProgress: OnProgress): Promise<Outcome> {
  const scratch = new Float32Array(DIMENSIONS);
  let hits = 0;
  for (let start = 0; start < requests.length; start += REMOTE_WINDOW) {
    const window = requests.subarray(start, start + REMOTE_WINDOW);
    const ids = [...new Set(window)];
    const found = await store.getMany(ids.map(keyOf));
    const missing = new Map<number, Float32Array>();
    for (const [at, id] of ids.entries()) {
      const value = found[at];
      if (value === undefined) missing.set(id, makeEmbedding(id));
      else if (!isEmbedding(value, id, scratch)) throw WrongAnswer.from(store.name, keyOf(id), 'replay');
    }
    if (missing.size > 0) await store.setMany([...missing.keys()].map(keyOf), [...missing.values()]);
    hits += window.length - missing.size;
    onProgress(start + window.length, requests.length);
  }
  return { hits, refusedSets: 0 };
}
