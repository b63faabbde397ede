// scaling-rates.mts — how many reads does L0 answer that holds a share of a catalogue? The engine, in the simulator.
//
// Reads by Zipf's law, of items that all take the same room, after so many that every item was asked for four times on
// average. A larger catalogue than these would take an hour: plan.mts goes on from here.

import { type Case, makeCase } from '../harness/report.mjs';
import { single } from '../harness/statistics.mjs';
import { play } from '../policy/simulator.mjs';
import { zipfStream } from '../workloads/zipf.mjs';
import { EXPONENTS, rateName, SHARES, SIMULATED } from './plan.mjs';

/** Reads of the whole catalogue, on average, before any are counted, and then. */
const WARMING = 4;
const COUNTED = 1;
/** Of a small catalogue there are more, so that chance evens out. */
const COUNTED_MIN = 1_000_000;
const SEED = 7;

/** @param vectorsMax  larger catalogues are left out */
export function hitRates(vectorsMax: number, progress: (text: string) => void): Case[] {
  return SIMULATED.filter((vectors) => vectors <= vectorsMax).flatMap((vectors) =>
    EXPONENTS.flatMap((exponent) => {
      progress(`${vectors} vectors, exponent ${exponent}: drawing reads`);
      const window = Math.max(vectors * COUNTED, COUNTED_MIN);
      const ids = zipfStream(vectors, window * (WARMING + 1), SEED, exponent);
      return SHARES.map((share) => {
        progress(`${vectors} vectors, exponent ${exponent}: L0 of ${share * 100} %`);
        const trace = { name: 'zipf', ids, unique: vectors };
        const { windows } = play('engine', trace, vectors * share, { window });
        return makeCase(rateName(vectors, exponent, share), 'ratio', single(windows.at(-1)! / window));
      });
    }),
  );
}
