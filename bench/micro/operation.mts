// operation.mts — operations of the public interface, timed by tinybench in rounds.
//
//   round 0     A B C        each: a short run of tinybench, with a warm-up, whose median counts
//   round 1     B C A        the order turns
//   …
//
// One long run a task drifts with the machine, and so would favour whoever happened to run while it was quiet. tinybench
// times every call of its function with a clock that costs as much as a get, so that function is a step: a loop of
// `calls` calls, compiled for its operation alone (harness/own-copy.mts).

import { Bench } from 'tinybench';
import { ownCopy } from '../harness/own-copy.mjs';
import { summarize } from '../harness/statistics.mjs';

export interface Operation {
  /** What the table calls it. */
  readonly name: string;
  /** The public method that it calls: `Keyspace.get`. */
  readonly method: string;
  /** Calls of a step. */
  readonly calls: number;
  /** What one call does: so many keys, rows, inputs. Times are by item. */
  readonly items: number;
  /** Before anything is timed. Throws WrongAnswer. */
  check(): void | Promise<void>;
  /** Untimed, before each step. */
  prepare?(): void;
  /** Call `i` of a step; `calls` of them. */
  run(i: number): unknown;
  /** Each call is awaited. */
  readonly awaited?: true;
}

/** The operations of a room, over caches and files that they share. */
export interface Room {
  readonly operations: readonly Operation[];
  close(): void;
}

export interface Rounds {
  readonly rounds: number;
  /** Of one operation in one round. */
  readonly timeMs: number;
  onRound(round: number, rounds: number): void;
}

/** Calls of a step, for operations of some tens of ns to some µs. */
export const CALLS = 100;

/** For each operation, by name: nanoseconds an item, one figure a round. */
export async function timeInRounds(
  operations: readonly Operation[],
  { rounds, timeMs, onRound }: Rounds,
): Promise<Map<string, number[]>> {
  const steps = operations.map((operation) => ({ operation, step: stepOf(operation) }));
  const samples = new Map(operations.map(({ name }): [string, number[]] => [name, []]));
  for (let round = 0; round < rounds; round++) {
    onRound(round, rounds);
    for (let turn = 0; turn < steps.length; turn++) {
      const { operation, step } = steps[(round + turn) % steps.length]!;
      samples.get(operation.name)!.push(await timeOnce(operation, step, timeMs));
    }
  }
  return samples;
}

type Step = () => unknown;

async function timeOnce({ name, calls, items, prepare }: Operation, step: Step, timeMs: number): Promise<number> {
  const bench = new Bench({
    time: timeMs,
    iterations: 8,
    warmupTime: timeMs / 3,
    warmupIterations: 2,
    subtractTimerOverhead: true,
    throws: true,
  });
  bench.add(name, step, prepare === undefined ? {} : { beforeEach: () => prepare() });
  await bench.run();
  const { result } = bench.tasks[0]!;
  if (result.state !== 'completed') throw new Error(`${name}: tinybench ended with "${result.state}"`);
  return (1e6 * result.latency.p50) / (calls * items);
}

function stepOf({ name, calls, run, awaited }: Operation): Step {
  if (awaited) {
    const loop = ownCopy(callAwaited, name);
    return () => loop(run, calls);
  }
  const loop = ownCopy(callInTurn, name);
  return () => loop(run, calls);
}

function callInTurn(run: (i: number) => unknown, calls: number): unknown {
  let last: unknown;
  for (let i = 0; i < calls; i++) last = run(i);
  return last;
}

async function callAwaited(run: (i: number) => unknown, calls: number): Promise<unknown> {
  let last: unknown;
  for (let i = 0; i < calls; i++) last = await run(i);
  return last;
}

/** Half of the rounds are no further from their median than this share of it: the median absolute deviation. */
export function marginOf(samples: readonly number[]): number {
  const { median } = summarize(samples);
  return summarize(samples.map((ns) => Math.abs(ns - median))).median / median;
}
