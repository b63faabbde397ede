// gc-trace.mts — what garbage collection cost the JavaScript thread, from the lines that node --trace-gc prints.
//
//   [pid:0x…]   10746 ms: Mark-Compact 37.2 (97.0) -> 21.6 (89.7) MB, …, 8.15 / 0.00 ms  (+ 12.2 ms in 61 steps …) …
//               when                                                     pause              marking between pauses
//
// PerformanceObserver('gc') tells the pauses only.  Marking in small steps between them can cost as much again.
// The form of these lines has been the same for ten years; a run that finds none of them fails.

export interface GcCosts {
  readonly collections: number;
  readonly pausesMs: number;
  readonly stepsMs: number;
}

const LINE =
  /(\d+) ms: (?:Scavenge|Mark-Compact|Minor Mark-Sweep)\b.*?([\d.]+) \/ [\d.]+ ms\s+(?:\(\+ ([\d.]+) ms in)?/;

/** Of the collections that ended between the two times, in ms since the process began. */
export function sumGcTrace(output: string, fromMs: number, toMs: number): GcCosts {
  let collections = 0;
  let pausesMs = 0;
  let stepsMs = 0;
  let lines = 0;
  for (const line of output.split('\n')) {
    const found = LINE.exec(line);
    if (found === null) continue;
    lines++;
    const [, at, pause, steps] = found;
    if (Number(at) < fromMs || Number(at) > toMs) continue;
    collections++;
    pausesMs += Number(pause);
    stepsMs += Number(steps ?? 0);
  }
  if (lines === 0) throw new Error('--trace-gc printed nothing that looks like a collection');
  return { collections, pausesMs, stepsMs };
}
