// bench-measure.ts: rivals timed in turns, and what is told of a handful of times. `zerohop bench` and the benchmarks of
// the repository share it.
//
//   calibrate   A B C        how many operations make a sample long enough to be trusted
//   round 0     A B C        each sample: prepare (untimed), run (timed)
//   round 1     B C A        the order turns, so nobody always runs behind the same neighbour
//   …
//
// A machine that slows down for a second slows all rivals, not the one that happened to be running.
// tinybench is not used for this: it finishes one task before it begins the next, and it times every
// call, where ours last 20 ns and its clock about as long.

/** One thing to be timed. `prepare` and `run` are called in turns. */
export interface Contender {
  readonly name: string;
  /** No sample has fewer operations than this. */
  readonly operationsMin: number;
  readonly operationsMax: number;
  /** Operations come in multiples of this (the batch size). */
  readonly operationsStep: number;
  /** A sample is so many pairs of prepare and run, their times added (1): for what can be prepared in small amounts only. */
  readonly repeats?: number;
  /** Untimed. Contenders get the same `round`, so they can all take the same part of a workload. */
  prepare(operations: number, round: number): void;
  /**
   * Timed. Does what was prepared. Throws when an answer is wrong.
   *
   * @returns a number: the nanoseconds that count, from a run that times parts of itself.
   */
  run(): void | number | Promise<void>;
}

export interface MeasureOptions {
  readonly rounds: number;
  /** Shorter samples would measure the clock and the interrupts. */
  readonly sampleMsMin: number;
  onRound?(round: number, rounds: number): void;
}

/** For each contender, by name: nanoseconds per operation, one figure a round. */
export async function measureInTurns(
  contenders: readonly Contender[],
  options: MeasureOptions,
): Promise<Map<string, number[]>> {
  const operations = new Map<string, number>();
  for (const contender of contenders) {
    operations.set(contender.name, await calibrate(contender, options.sampleMsMin));
  }
  const samples = new Map<string, number[]>(contenders.map((contender) => [contender.name, []]));
  for (let round = 0; round < options.rounds; round++) {
    options.onRound?.(round, options.rounds);
    for (let turn = 0; turn < contenders.length; turn++) {
      const contender = contenders[(round + turn) % contenders.length]!;
      const count = operations.get(contender.name)!;
      samples.get(contender.name)?.push((await timeSample(contender, count, round)) / count);
    }
  }
  return samples;
}

/** Doubles the sample until it lasts long enough; this warms the code up as well. */
async function calibrate(contender: Contender, sampleMsMin: number): Promise<number> {
  const { operationsMax, operationsStep } = contender;
  let operations = roundUp(contender.operationsMin, operationsStep);
  for (let round = 0; ; round++) {
    const elapsedNs = await timeSample(contender, operations, round);
    if (elapsedNs >= sampleMsMin * 1e6 || operations * 2 > operationsMax) return operations;
    operations *= 2;
  }
}

/** Nanoseconds for `operations`; the mean of the repeats, if there are any. */
async function timeSample(contender: Contender, operations: number, round: number): Promise<number> {
  const repeats = contender.repeats ?? 1;
  let elapsedNs = 0;
  for (let repeat = 0; repeat < repeats; repeat++) {
    contender.prepare(operations, round * repeats + repeat);
    elapsedNs += await timeRun(contender);
  }
  return elapsedNs / repeats;
}

async function timeRun(contender: Contender): Promise<number> {
  const startedNs = process.hrtime.bigint();
  const pending = contender.run();
  if (typeof pending === 'number') return pending;
  // Only a contender that is asynchronous by nature pays for a turn of the event loop.
  if (pending !== undefined) await pending;
  return Number(process.hrtime.bigint() - startedNs);
}

function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}

// ---- What is told of times
//
// No mean and no standard deviation: a timing is never too short, only too long (an interrupt, a collection, a neighbour
// on the machine), so order statistics say more than moments do.

export interface Summary {
  readonly median: number;
  readonly p5: number;
  readonly p95: number;
}

export function summarize(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b);
  return { median: percentile(sorted, 50), p5: percentile(sorted, 5), p95: percentile(sorted, 95) };
}

/**
 * The median of the quotients, round by round. Rivals that ran in the same round met the same
 * machine; dividing within the round takes its moods out of the ratio.
 */
export function medianRatio(numerators: readonly number[], denominators: readonly number[]): number {
  const rounds = Math.min(numerators.length, denominators.length);
  const ratios = Array.from({ length: rounds }, (_, round) => {
    return numerators[round]! / denominators[round]!;
  });
  return summarize(ratios).median;
}

/** Linear between the two nearest ranks. `sorted` is ascending and not empty. */
function percentile(sorted: readonly number[], percent: number): number {
  if (sorted.length === 0) throw new RangeError('percentile of no samples');
  const rank = (percent / 100) * (sorted.length - 1);
  const below = sorted[Math.floor(rank)]!;
  const above = sorted[Math.ceil(rank)]!;
  return below + (above - below) * (rank - Math.floor(rank));
}

// ---- Answers

/** The end of a run: a store answered something that was never stored under the key. */
export class WrongAnswer extends Error {
  override readonly name = 'WrongAnswer';

  static from(store: string, key: string, occasion: string): WrongAnswer {
    return new WrongAnswer(`WRONG ANSWER from ${store} for key "${key}" (${occasion}). No figure of this run counts.`);
  }
}
