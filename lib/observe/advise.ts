// advise.ts: which models are worth caching, in how much memory and for how long: from what was asked for.
//
//   break-even hit rate = what a lookup takes / what a run takes
//
// Each input pays the lookup, and each hit saves the run. Hit rates at other sizes and ttls come from a sample of the
// inputs (model/traffic.ts).

import { amountOption, optionsObject } from '../base/options.js';
import { distanceOf, SAMPLE_RATE, type TrafficSample, TTLS_MS } from '../model/traffic.js';
import { type LedgerSource, modelsOf, sumOf } from './ledgers.js';
import { type Range, shareBetween } from './ranges.js';

export interface AdviseOptions {
  /** How much of the best hit rate to reach, 0 to 1. Default 0.95. */
  reach?: number;
}

/** What a cache of this size would have answered, if it kept what was asked for last. */
export interface SizeAdvice {
  entries: number;
  /** Null: the size of results is not known. */
  bytes: number | null;
  hitRate: number;
}

/** What a cache with this ttl would have answered, if it had room for everything. */
export interface TtlAdvice {
  ttlMs: number;
  hitRate: number;
}

export interface ModelAdvice {
  model: string;
  version: string;
  /** Inputs that were asked for, and the share of them that hits answered. */
  asked: number;
  hitRate: number;
  /** ms of an input's run, and of a lookup. Null: none was measured. */
  runMs: number | null;
  lookupMs: number | null;
  /** From this hit rate on the cache saves time. Null: it is not known. */
  breakEven: number | null;
  /** Mean wait in ms, with the lookup before each run, and without a cache. */
  latencyMs: { cached: number; uncached: number } | null;
  /** Whether a cache pays: `null`, it cannot be told yet. */
  worthCaching: boolean | null;
  /** The best hit rate that the inputs allow: the share that comes again, at 95 % confidence. */
  repeats: Range;
  sizes: SizeAdvice[];
  ttls: TtlAdvice[];
  /** The least that reaches the share `reach` of the best hit rate. Null: there is too little to go by. */
  recommended: { size: SizeAdvice; ttlMs: number | null } | null;
  /** Inputs of the sample; one in 64 is in it. */
  sampled: number;
}

/** An entry beside its value: header and cost 32, fingerprint 32, its place in the index and padding some 32. */
const ENTRY_BYTES = 96;

/** Fewer inputs of the sample say nothing. */
const SAMPLED_MIN = 100;

/**
 * The hit rate from which on a cache saves time: `hitMs / missMs`. Each request pays a lookup of `hitMs`; each hit saves
 * `missMs`. A hit of 1 ms and a miss of 100 ms: 0.01.
 *
 * @throws {TypeError | RangeError} one of them is not a number of ms, or `missMs` is 0.
 */
export function breakEvenHitRate(hitMs: number, missMs: number): number {
  return amountOption('hitMs', hitMs) / amountOption('missMs', missMs, Number.MIN_VALUE);
}

/**
 * Mean latency: `hitRate x hitMs + (1 - hitRate) x missMs`, where `missMs` is all that a miss takes, its lookup included.
 * A hit of 1 ms and a miss of 100 ms: 50.5 ms at 0.5, 10.9 ms at 0.9.
 *
 * @throws {TypeError | RangeError} one of them is not such a number.
 */
export function meanLatencyMs(hitRate: number, hitMs: number, missMs: number): number {
  const share = amountOption('hitRate', hitRate, 0, 1);
  return share * amountOption('hitMs', hitMs) + (1 - share) * amountOption('missMs', missMs);
}

/**
 * What the traffic so far says of each model: whether a cache pays, and what size and ttl reach most of what it can
 * answer. It cannot tell how long a result stays right: that is yours to know.
 *
 * @param source as `report`.
 * @throws {TypeError | RangeError} an option is wrong, or `source` is none.
 * @example advise(cache).map(({ model, recommended }) => [model, recommended?.size.bytes])
 */
export function advise(source: LedgerSource, options: AdviseOptions = {}): ModelAdvice[] {
  const given = optionsObject('options', options, ['reach']);
  const reach = given['reach'] === undefined ? 0.95 : amountOption('options.reach', given['reach'], 0, 1);
  return modelsOf(source).map(({ model, version, periods, traffic }) => {
    const { hit, asked, coalesced, lookups, timed, timedMs } = sumOf(periods);
    const all = hit.count + asked.count + coalesced.count;
    const runMs = asked.measured === 0 ? null : asked.ms / asked.measured;
    const lookupMs = timed === 0 || lookups === 0 ? null : timedMs / timed;
    const breakEven = runMs === null || lookupMs === null ? null : Math.min(1, lookupMs / runMs);
    const hitRate = all === 0 ? 0 : hit.count / all;
    const repeats = shareBetween(traffic.asked - traffic.fresh, traffic.asked);
    const enough = traffic.asked >= SAMPLED_MIN;
    const sizes = enough ? sizesOf(traffic) : [];
    const ttls = enough ? TTLS_MS.map((ttlMs, i) => ({ ttlMs, hitRate: traffic.hitsByTtl[i]! / traffic.asked })) : [];
    return {
      model,
      version,
      asked: all,
      hitRate,
      runMs,
      lookupMs,
      breakEven,
      latencyMs:
        runMs === null || lookupMs === null
          ? null
          : { cached: meanLatencyMs(hitRate, lookupMs, lookupMs + runMs), uncached: runMs },
      worthCaching: enough ? isWorth(breakEven, repeats) : null,
      repeats,
      sizes,
      ttls,
      recommended: enough ? recommendationOf(sizes, ttls, reach) : null,
      sampled: traffic.asked,
    };
  });
}

/** Told only if both ends of the range say so. */
function isWorth(breakEven: number | null, [least, most]: Range): boolean | null {
  if (breakEven === null) return null;
  if (least > breakEven) return true;
  return most < breakEven ? false : null;
}

function sizesOf({ asked, distances, sized, bytes }: TrafficSample): SizeAdvice[] {
  const entryBytes = sized === 0 ? null : bytes / sized + ENTRY_BYTES;
  let hits = 0;
  return distances.map((count, step) => {
    hits += count;
    const entries = Math.ceil((distanceOf(step) + 1) / SAMPLE_RATE);
    return { entries, bytes: entryBytes === null ? null : Math.ceil(entries * entryBytes), hitRate: hits / asked };
  });
}

function recommendationOf(
  sizes: readonly SizeAdvice[],
  ttls: readonly TtlAdvice[],
  reach: number,
): ModelAdvice['recommended'] {
  const best = sizes.at(-1)!.hitRate;
  if (best === 0) return null;
  const size = sizes.find((one) => one.hitRate >= reach * best)!;
  return { size, ttlMs: ttls.find((one) => one.hitRate >= reach * best)?.ttlMs ?? null };
}
