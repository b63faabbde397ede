// shifts.mts — does the policy follow when the workload changes?
//
// Requests by Zipf (exponent 1) over 100 000 items, room for 10 000. Four shifts, each on a trace of its own: every
// item's rank is drawn anew (drift); a scan of a million keys that come once; a burst of new items that take half of
// the requests for a while; a loop over twice as many keys as fit, in between. Hit rates over windows of half a
// capacity, of the engine and of the learned policy entry by entry; of LRU, S3-FIFO and W-TinyLFU; and of Belady's, who
// knows the future.
//
// Ratio `recovery-…`: requests in capacities from the end of the shift until the hit rate of a window is again 0.95 of
// what it was before it. Where all is new, that takes Belady's a while, too (`recovery-…-belady`): each item must be
// asked for once. Option: --svg FILE, the picture for the documentation.

import { writeFileSync } from 'node:fs';
import type { SuiteArguments } from '../harness/arguments.mjs';
import { type Case, makeCase } from '../harness/report.mjs';
import { single } from '../harness/statistics.mjs';
import { runSuite, type SuiteFigures } from '../harness/suite.mjs';
import { permutation } from '../workloads/random.mjs';
import { zipfIds } from './draws.mjs';
import { drawShifts, type Panel } from './shifts-picture.mjs';
import { meanOf, play } from './simulator.mjs';

const ITEMS = 100_000;
const CAPACITY = 10_000;
const WINDOW = CAPACITY / 2;
const BEFORE = 40 * CAPACITY;
const AFTER = 20 * CAPACITY;
const POLICIES = ['engine', 'learned', 's3fifo', 'wtinylfu', 'lru', 'belady'];
const IN_RATIOS = new Map([
  ['engine', '-engine'],
  ['learned', ''],
  ['s3fifo', '-s3fifo'],
  ['belady', '-belady'],
]);
/** Not in the picture: the engine's line covers it. */
const UNDRAWN = 'learned';
/** Windows before the shift that say what the hit rate was. */
const SETTLED = 20;
const RECOVERED = 0.95;

interface Shift {
  readonly name: string;
  readonly ids: Uint32Array;
  readonly unique: number;
  /** Requests at which it begins and ends. */
  readonly begins: number;
  readonly ends: number;
}

await runSuite('shifts', measure, [], ['svg']);

async function measure({ values }: SuiteArguments): Promise<SuiteFigures> {
  const cases: Case[] = [];
  const ratios: Record<string, number> = {};
  const panels: Panel[] = [];
  for (const shift of [drift(), scan(), burst(), loop()]) {
    const lines = POLICIES.map((policy) => {
      const trace = { name: shift.name, ids: shift.ids, unique: shift.unique };
      const { windows } = play(policy, trace, CAPACITY, { window: WINDOW });
      return { policy, rates: Array.from(windows, (hits) => hits / WINDOW) };
    });
    for (const { policy, rates } of lines) {
      const recovery = recoveryOf(rates, shift);
      cases.push(makeCase(`${shift.name}/${policy}/recovery-in-capacities`, 'ratio', single(recovery)));
      cases.push(
        makeCase(`${shift.name}/${policy}/hit-rate`, 'ratio', single(meanOf(rates.slice(settledFrom(shift))))),
      );
      const suffix = IN_RATIOS.get(policy);
      if (suffix !== undefined) ratios[`recovery-${shift.name}${suffix}`] = recovery;
      console.log(
        `${shift.name.padEnd(10)}${policy.padEnd(12)}hit rate ${meanOf(rates.slice(settledFrom(shift))).toFixed(3)}   recovered after ${recovery.toFixed(1)} capacities`,
      );
    }
    const drawn = lines.filter(({ policy }) => policy !== UNDRAWN);
    panels.push({ title: shift.name, begins: shift.begins / WINDOW, ends: shift.ends / WINDOW, lines: drawn });
  }
  const svg = values.get('svg');
  if (svg !== undefined) writeFileSync(svg, drawShifts(panels, WINDOW / CAPACITY));
  return { cases, ratios };
}

function settledFrom({ begins }: Shift): number {
  return begins / WINDOW - SETTLED;
}

function recoveryOf(rates: readonly number[], shift: Shift): number {
  const before = meanOf(rates.slice(settledFrom(shift), shift.begins / WINDOW));
  const end = shift.ends / WINDOW;
  const at = rates.slice(end).findIndex((rate) => rate >= before * RECOVERED);
  return at === -1 ? Number.POSITIVE_INFINITY : (at * WINDOW) / CAPACITY;
}

function drift(): Shift {
  const ids = zipfIds(ITEMS, BEFORE + AFTER, 1);
  const renamed = permutation(ITEMS, 2);
  for (let i = BEFORE; i < ids.length; i++) ids[i] = renamed[ids[i]!]!;
  return { name: 'drift', ids, unique: ITEMS, begins: BEFORE, ends: BEFORE };
}

/** Requests that are put between those by Zipf. */
function between(name: string, unique: number, length: number, idOf: (i: number, own: number) => number): Shift {
  const own = zipfIds(ITEMS, BEFORE + length + AFTER, 3);
  for (let i = 0; i < length; i++) own[BEFORE + i] = idOf(i, own[BEFORE + i]!);
  return { name, ids: own, unique, begins: BEFORE, ends: BEFORE + length };
}

function scan(): Shift {
  const length = 1_000_000;
  return between('scan', ITEMS + length, length, (i) => ITEMS + i);
}

function burst(): Shift {
  const items = CAPACITY / 10;
  const hot = zipfIds(items, 5 * CAPACITY, 4);
  return between('burst', ITEMS + items, 5 * CAPACITY, (i, own) => (i % 2 === 0 ? own : ITEMS + hot[i]!));
}

function loop(): Shift {
  const keys = 2 * CAPACITY;
  return between('loop', ITEMS + keys, 10 * keys, (i) => ITEMS + (i % keys));
}
