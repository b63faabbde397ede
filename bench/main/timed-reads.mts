// timed-reads.mts — reading keys that every store holds, timed in turns.
//
//   hot set   the ids asked for most in the trace; every one is resident, so nothing but hits is timed
//   stream    the trace's own requests for those ids, in its own order: the skew is the real one
//   keys      as they come out of a request: new strings for every sample, whose hash nobody has computed
//             (workloads/requests.mts). Beside them single gets by prebuilt keys: the strings that the stores were
//             filled with, as of a program that keeps its keys
//
// One element of each value is read and compared inside the timed loop, the same one for all stores: an
// answer nobody touches could be a promise to fetch it.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Contender, measureInTurns } from '../harness/measure.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';
import { DIMENSIONS, embeddingElement, isEmbedding, makeEmbedding } from '../workloads/embeddings.mjs';
import { sliceKeys, writeRequests } from '../workloads/requests.mjs';
import { keyOf, REMOTE_WINDOW } from './replay.mjs';
import { ALL_RIGHT, type Probes, type Store } from './stores/store.mjs';

export interface Reads {
  readonly name: 'single-get' | 'prebuilt-get' | 'batch-100' | 'batch-1000';
  readonly batch: number;
  /** The keys are those that the stores were filled with. */
  readonly prebuilt?: true;
}

export const READS: readonly Reads[] = [
  { name: 'single-get', batch: 1 },
  { name: 'prebuilt-get', batch: 1, prebuilt: true },
  { name: 'batch-100', batch: 100 },
  { name: 'batch-1000', batch: 1000 },
];

/** Enough for a sample of some ms in process; more would let the fresh keys crowd the young heap. */
const LOCAL_OPERATIONS_MAX = 64_000;
/** A remote get takes tens of microseconds: this many last some ms. */
const REMOTE_OPERATIONS_MIN = 100;

export interface HotStream {
  readonly ids: Uint32Array;
  /** By id: the strings that the stores are filled with. */
  readonly keys: ReadonlyMap<number, string>;
  readonly requests: Uint32Array;
}

export function pickHotStream(requests: Uint32Array, idCount: number, hotCount: number): HotStream {
  const asked = new Uint32Array(idCount);
  for (const id of requests) asked[id] = (asked[id] as number) + 1;
  const byFame = Uint32Array.from(asked.keys()).sort((a, b) => (asked[b] as number) - (asked[a] as number));
  const ids = byFame.slice(0, hotCount);
  const keys = new Map(Array.from(ids, (id) => [id, keyOf(id)]));
  return { ids, keys, requests: requests.filter((id) => keys.has(id)) };
}

/** @throws {WrongAnswer} right after filling, a store does not give back what it was given. */
export async function fill(store: Store, { ids, keys: keyById }: HotStream): Promise<void> {
  if (store.kind === 'remote') await store.clear(); // its server has been through the replay
  for (let start = 0; start < ids.length; start += REMOTE_WINDOW) {
    const window = [...ids.subarray(start, start + REMOTE_WINDOW)];
    const keys = window.map((id) => keyById.get(id) as string);
    const values = window.map(makeEmbedding);
    if (store.kind === 'remote') await store.setMany(keys, values);
    else for (const [at, key] of keys.entries()) store.set(key, values[at] as Float32Array);
  }
  await verify(store, ids, 'after filling');
}

/** Compares every byte of every value. A key that is gone fails too: only hits may be timed. */
export async function verify(store: Store, ids: Uint32Array, occasion: string): Promise<void> {
  const scratch = new Float32Array(DIMENSIONS);
  for (let start = 0; start < ids.length; start += REMOTE_WINDOW) {
    const window = [...ids.subarray(start, start + REMOTE_WINDOW)];
    const keys = window.map(keyOf);
    const values = await store.getMany(keys);
    for (const [at, id] of window.entries()) {
      const one = store.kind === 'local' ? store.get(keyOf(id)) : values[at];
      for (const value of [values[at], one]) {
        if (value === undefined || !isEmbedding(value, id, scratch)) {
          throw WrongAnswer.from(store.name, keyOf(id), `${occasion}: ${value ? 'other bytes' : 'no value'}`);
        }
      }
    }
    await nextTurn();
  }
}

export function contenderName(store: Store, reads: Reads): string {
  return `${store.name}/${reads.name}`;
}

/** Nanoseconds per key, a figure a round, by {@link contenderName}. */
export function timeReads(
  stores: readonly Store[],
  hot: HotStream,
  options: Parameters<typeof measureInTurns>[1],
): Promise<Map<string, number[]>> {
  const contenders = READS.flatMap((reads) => stores.map((store) => makeContender(store, reads, hot)));
  return measureInTurns(contenders, options);
}

function makeContender(store: Store, reads: Reads, hot: HotStream): Contender {
  let probes: Probes = { keys: [], batches: [], expected: new Float32Array() };
  const check = (at: number): void => {
    if (at !== ALL_RIGHT) throw WrongAnswer.from(store.name, probes.keys[at] ?? '?', `timed ${reads.name}`);
  };
  return {
    name: contenderName(store, reads),
    operationsMin: store.kind === 'remote' ? REMOTE_OPERATIONS_MIN : 1000,
    operationsMax: LOCAL_OPERATIONS_MAX,
    operationsStep: reads.batch,
    prepare(operations, round) {
      probes = makeProbes(hot, operations, round, reads);
    },
    run() {
      const first = reads.batch === 1 ? store.readSingles(probes) : store.readBatches(probes);
      return typeof first === 'number' ? check(first) : first.then(check);
    },
  };
}

function makeProbes(hot: HotStream, operations: number, round: number, { batch, prebuilt }: Reads): Probes {
  const { requests } = hot;
  const start = round * LOCAL_OPERATIONS_MAX; // another part of the stream each round, the same for all
  const ids = Uint32Array.from({ length: operations }, (_, i) => requests[(start + i) % requests.length] as number);
  const expected = Float32Array.from(ids, (id, i) => embeddingElement(id, i % DIMENSIONS));
  const keys = prebuilt ? Array.from(ids, (id) => hot.keys.get(id) as string) : sliceKeys(writeRequests(ids, keyOf));
  const batches: string[][] = [];
  if (batch > 1) for (let at = 0; at < operations; at += batch) batches.push(keys.slice(at, at + batch));
  return { keys, batches, expected };
}
