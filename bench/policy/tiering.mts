// tiering.mts — the published case: 5 million items, of which 5 % take 80 % of the lookups, and a cache of 1 million.
// That is Zipf's law with exponent 1, where the million most wanted items take 0.90 of the lookups.

import { type Case, makeCase } from '../harness/report.mjs';
import { single } from '../harness/statistics.mjs';
import { zipfIds } from './draws.mjs';
import { play } from './simulator.mjs';

const ITEMS = 5_000_000;
const FITTING = 1_000_000;
const WARM_UP = 20_000_000;
const COUNTED = 5_000_000;
const QUICK_SHARE = 10;

export function tieringHitRates(quick: boolean, cases: Case[]): Record<string, number> {
  const scale = quick ? QUICK_SHARE : 1;
  const window = COUNTED / scale;
  const ids = zipfIds(ITEMS / scale, (WARM_UP + COUNTED) / scale, 7);
  const rateOf = (policy: string) => {
    const trace = { name: 'tiering', ids, unique: ITEMS / scale };
    const { windows } = play(policy, trace, FITTING / scale, { window });
    const rate = windows[windows.length - 1]! / window;
    cases.push(makeCase(`tiering/${policy}`, 'ratio', single(rate)));
    return rate;
  };
  return {
    'tiering-hit-rate': rateOf('learned'),
    'tiering-hit-rate-lru': rateOf('lru'),
    'tiering-hit-rate-s3fifo': rateOf('s3fifo'),
    'tiering-hit-rate-wtinylfu': rateOf('wtinylfu'),
  };
}
