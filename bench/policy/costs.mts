// costs.mts — does a cache that knows what answers cost save more? Objects of the traces are given costs over two
// decades and sizes from 64 B to 64 KiB, both drawn evenly in their logarithms.

import { type Case, makeCase } from '../harness/report.mjs';
import { summarize } from '../harness/statistics.mjs';
import { randomFrom } from './draws.mjs';
import { meanOf, play, type Trace } from './simulator.mjs';

const SEED = 20_26;
const SHARE = 0.1; // of the objects
/** So that the largest entries are small beside a segment, and there are dozens of those. */
const BYTES_LEAST = 48 * 2 ** 20;
const MEAN_BYTES = (65_536 - 64) / Math.log(65_536 / 64);

/** The share of cost that is saved: ours in parts of what our policy saves that knows neither, and of what GDSF saves. */
export function savedCosts(traces: readonly Trace[], cases: Case[]): Record<string, number> {
  const shares = new Map<string, number[]>();
  for (const trace of traces) {
    const bytesMax = Math.round(trace.unique * SHARE * MEAN_BYTES);
    if (bytesMax < BYTES_LEAST) continue;
    const options = { bytesMax, ...annotate(trace.unique) };
    const total = trace.ids.reduce((sum, id) => sum + options.costs[id]!, 0);
    for (const policy of ['engine', 'engine-blind', 'gdsf']) {
      const { savedCost } = play(policy, trace, Math.round(trace.unique * SHARE), options);
      shares.set(policy, [...(shares.get(policy) ?? []), savedCost / total]);
    }
  }
  for (const [policy, of] of shares) cases.push(makeCase(`${policy}/saved-cost`, 'ratio', summarize(of)));
  const mean = (policy: string) => meanOf(shares.get(policy) ?? []);
  if (!shares.has('engine')) return {};
  return {
    'saved-cost-vs-blind': mean('engine') / mean('engine-blind'),
    'saved-cost-vs-gdsf': mean('engine') / mean('gdsf'),
  };
}

function annotate(unique: number): { costs: Float32Array; sizes: Uint32Array } {
  const random = randomFrom(SEED);
  const costs = Float32Array.from({ length: unique }, () => 100 ** random());
  const sizes = Uint32Array.from({ length: unique }, () => Math.round(64 * 1024 ** random()));
  return { costs, sizes };
}
