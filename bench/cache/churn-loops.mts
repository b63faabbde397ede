// churn-loops.mts — the two loops of the churn suite: sets timed in groups, and gets timed one by one.
//
// Of every value that comes back three elements are compared: the id, the number of the set that wrote it (an older one
// would be a stale answer), and the id again at the very end.  Each loop is compiled for its store alone
// (harness/own-copy.mts), and may use its arguments and the globals only.

import type { ChurnTrace } from '../workloads/churn.mjs';
import type { ChurnStore, Value } from './churn-stores.mjs';

/** Where a store is in the trace, and what has happened to it. */
export interface Churn {
  readonly trace: ChurnTrace;
  /** By id: the number of the set that wrote it last, or -1. */
  readonly latest: Int32Array;
  readonly value: Value;
  group: number;
  sets: number;
  refused: number;
  gets: number;
  hits: number;
  /** The id of a wrong answer, or -1. */
  wrong: number;
}

export function newChurn(trace: ChurnTrace, dimensions: number): Churn {
  return {
    trace,
    latest: new Int32Array(trace.ids).fill(-1),
    value: new Float32Array(dimensions).fill(1),
    group: 0,
    sets: 0,
    refused: 0,
    gets: 0,
    hits: 0,
    wrong: -1,
  };
}

/** Plays `groups` groups; returns the nanoseconds of their sets. Keys are made before the clock starts. */
export function timeSets(store: ChurnStore, churn: Churn, groups: number): number {
  const { trace, latest, value } = churn;
  const keys: string[] = [];
  let timedNs = 0;
  for (const last = churn.group + groups; churn.group < last; churn.group++) {
    const sets = trace.setsOf(churn.group);
    for (let i = 0; i < sets.length; i++) keys[i] = `user:${sets[i]}`;
    const first = churn.sets;
    const startedNs = process.hrtime.bigint();
    for (let i = 0; i < sets.length; i++) {
      value[0] = value[1023] = sets[i]!;
      value[1] = first + i;
      if (!store.set(keys[i]!, value, first + i)) churn.refused++;
    }
    timedNs += Number(process.hrtime.bigint() - startedNs);
    for (let i = 0; i < sets.length; i++) latest[sets[i]!] = first + i;
    churn.sets += sets.length;
    for (const id of trace.getsOf(churn.group)) {
      churn.gets++;
      const found = store.get(`user:${id}`, latest[id]!);
      if (found === undefined) continue;
      churn.hits++;
      if (found[0] !== id || found[1] !== latest[id] || found[1023] !== id) churn.wrong = id;
    }
  }
  return timedNs;
}

/** Plays groups until `out` is full of the nanoseconds of single hits, the reading of the clock included. */
export function timeGets(store: ChurnStore, churn: Churn, out: Float64Array): void {
  const { trace, latest, value } = churn;
  for (let at = 0; at < out.length; churn.group++) {
    for (const id of trace.setsOf(churn.group)) {
      value[0] = value[1023] = id;
      value[1] = latest[id] = churn.sets;
      if (!store.set(`user:${id}`, value, churn.sets++)) churn.refused++;
    }
    for (const id of trace.getsOf(churn.group)) {
      const key = `user:${id}`;
      churn.gets++;
      const startedNs = process.hrtime.bigint();
      const found = store.get(key, latest[id]!);
      const element = found === undefined ? 0 : found[1];
      const endedNs = process.hrtime.bigint();
      if (found === undefined) continue;
      churn.hits++;
      if (at < out.length) out[at++] = Number(endedNs - startedNs);
      if (found[0] !== id || element !== latest[id] || found[1023] !== id) churn.wrong = id;
    }
  }
}
