// zipf.mts — requests in which few keys are asked for often, and many seldom.
//
//   P(rank r) = r^-exponent / sum over k of k^-exponent        r = 1 … ids
//
// Ranks are dealt to ids at random: neighbouring ids, which a fill puts into neighbouring memory, are not equally
// famous.  Drawn by Walker's alias method [W77, V91]: every id keeps its column of the histogram up to a threshold, and
// lends the rest to one other; a draw is two random numbers, whatever the skew.
//
// [W77] Walker, ACM TOMS 3(3), 1977   [V91] Vose, IEEE TSE 17(9), 1991

import { permutation, random32, scale } from './random.mjs';

/** The exponent of YCSB [Cooper et al., SoCC 2010]. */
export const ZIPF_EXPONENT = 0.99;

/** `length` ids below `ids`. The same arguments give the same stream. */
export function zipfStream(ids: number, length: number, seed: number, exponent = ZIPF_EXPONENT): Uint32Array {
  const { threshold, alias } = aliasTable(zipfWeights(ids, exponent));
  const idOfRank = permutation(ids, seed + 1);
  const next = random32(seed);
  return Uint32Array.from({ length }, () => {
    const column = scale(next(), ids);
    const rank = next() / 2 ** 32 < (threshold[column] as number) ? column : (alias[column] as number);
    return idOfRank[rank] as number;
  });
}

/** Probabilities by rank, the first the largest. */
export function zipfWeights(ids: number, exponent: number): Float64Array {
  const weights = Float64Array.from({ length: ids }, (_, rank) => (rank + 1) ** -exponent);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

function aliasTable(weights: Float64Array): { threshold: Float64Array; alias: Uint32Array } {
  const threshold = weights.map((weight) => weight * weights.length); // 1: exactly one column's worth
  const alias = Uint32Array.from(weights.keys());
  const poor: number[] = [];
  const rich: number[] = [];
  for (const [column, height] of threshold.entries()) (height < 1 ? poor : rich).push(column);
  while (poor.length > 0 && rich.length > 0) {
    const taker = poor.pop() as number;
    const giver = rich.pop() as number;
    alias[taker] = giver;
    threshold[giver] = (threshold[giver] as number) - (1 - (threshold[taker] as number));
    ((threshold[giver] as number) < 1 ? poor : rich).push(giver);
  }
  for (const column of [...poor, ...rich]) threshold[column] = 1; // off by rounding only
  return { threshold, alias };
}
