// savings.ts: what a cache of results saves, in GPU time, GPUs, money and waiting. It only computes and measures
// nothing, so its answer is as good as the hit rate that it is given.
//
//   requests -> hits x GPU time a call -> GPU-hours avoided -> money, less what the lookups themselves cost

import { amountOption, type Duration, durationOption, optionsObject, rangeError, textOption } from '../base/options.js';

/** The input of the estimate. Numbers are finite, and from 0 to 2^53 - 1 unless something else is said. */
export interface SavingsOptions {
  /** Inferences asked for in one `period`. */
  requests: number;
  /** Default `'1d'`. */
  period?: Duration | undefined;
  /** The share of requests that are answered from the cache: 0 to 1. */
  hitRate: number;
  /**
   * GPU time of one inference, in ms: how long it keeps a GPU from other work. In batches, 1 000 / inferences a second.
   */
  gpuMs: number;
  /** What one hour of one GPU costs. There is no default: prices differ tenfold. */
  gpuHourPrice: number;
  /** The currency of the prices. It is only named, never converted. Default `'USD'`. */
  currency?: string | undefined;
  /** The share of its paid time in which a GPU computes: 0.001 to 1. Default 1, which saves least. */
  utilization?: number | undefined;
  /** CPU time of one lookup, in µs: the fingerprint, the get, and after a miss the set. Default 0. */
  lookupUs?: number | undefined;
  /** What one hour of one processor costs. Default `gpuHourPrice`, as if a GPU waited for it. */
  cpuHourPrice?: number | undefined;
  /** How long a caller waits for an inference, in ms, without the network. Default `gpuMs`, as if it ran alone. */
  callMs?: number | undefined;
  /** The round trip to the model, in ms, which a hit saves. Default 0. */
  networkMs?: number | undefined;
}

/** What {@link estimateSavings} gives. Nothing is rounded. */
export interface Savings {
  currency: string;
  requestsPerDay: number;
  hitsPerDay: number;
  /** GPU time a day that hits save, and that misses still take. */
  gpuSecondsAvoided: number;
  gpuSecondsNeeded: number;
  /** GPUs without the cache and with it, and their difference. A fraction of a GPU is shared with other work. */
  gpusBefore: number;
  gpusAfter: number;
  gpusFreed: number;
  /** How many GPUs fewer are needed if none is shared. */
  wholeGpusFreed: number;
  /** What the lookups of a day cost; already subtracted below. */
  lookupCostPerDay: number;
  /** Money saved, of 30 days and of 365. Below 0, the lookups cost more than they save. */
  savedPerDay: number;
  savedPerMonth: number;
  savedPerYear: number;
  /** Mean wait of a caller, in ms. */
  latencyMsBefore: number;
  latencyMsAfter: number;
}

const OPTIONS = [
  'requests',
  'period',
  'hitRate',
  'gpuMs',
  'gpuHourPrice',
  'currency',
  'utilization',
  'lookupUs',
  'cpuHourPrice',
  'callMs',
  'networkMs',
] as const;

const DAY_MS = 86_400_000;
const DAY_SECONDS = 86_400;
const HOUR_SECONDS = 3600;
const MONTH_DAYS = 30;
const YEAR_DAYS = 365;
const UTILIZATION_MIN = 0.001; // it is a divisor
const WHOLE_WITHIN = 1e-9; // relative: a number so near a whole one is taken for it, because of rounding

/**
 * What a cache of inference results saves. All figures are for a day:
 *
 * - requests = `requests` x 1 day / `period`; hits = requests x `hitRate`
 * - GPU seconds avoided = hits x `gpuMs` / 1 000; needed = (requests - hits) x `gpuMs` / 1 000
 * - GPUs = GPU seconds / 86 400 / `utilization`, before, after, and freed; whole ones, each of before and after rounded
 *   up
 * - cost of lookups = requests x `lookupUs` / 1 000 000 / 3 600 x `cpuHourPrice`
 * - saved = GPU seconds avoided / 3 600 / `utilization` x `gpuHourPrice` - cost of lookups; a month has 30 days, a year
 *   365
 * - mean latency before = `networkMs` + `callMs`; after = `lookupUs` / 1 000 + (1 - `hitRate`) x before
 *
 * Money is computed from GPU time, as for a fleet that grows and shrinks with its load. Whoever pays for whole GPUs
 * saves `wholeGpusFreed` x 24 x `gpuHourPrice` a day, less the lookups. Not counted are the memory of the cache, and
 * calls that join a computation.
 *
 * @throws {TypeError} an option is missing, of the wrong type, or unknown.
 * @throws {RangeError} an option is out of its range, or not a number.
 * @example estimateSavings({ requests: 1e6, hitRate: 0.4, gpuMs: 10, gpuHourPrice: 0.9 }).savedPerDay // 1
 */
export function estimateSavings(options: SavingsOptions): Savings {
  const { hitRate, gpuMs, gpuHourPrice, currency, utilization, lookupUs, cpuHourPrice, ...given } = checked(options);
  const hits = given.requestsPerDay * hitRate;
  const gpuSecondsAvoided = (hits * gpuMs) / 1000;
  const gpuSecondsNeeded = ((given.requestsPerDay - hits) * gpuMs) / 1000;
  const gpus = (seconds: number) => seconds / DAY_SECONDS / utilization;
  const gpusBefore = gpus(gpuSecondsAvoided + gpuSecondsNeeded);
  const gpusAfter = gpus(gpuSecondsNeeded);
  const lookupCostPerDay = ((given.requestsPerDay * lookupUs) / 1e6 / HOUR_SECONDS) * cpuHourPrice;
  const savedPerDay = (gpuSecondsAvoided / HOUR_SECONDS / utilization) * gpuHourPrice - lookupCostPerDay;
  const latencyMsBefore = given.networkMs + given.callMs;
  return {
    currency,
    requestsPerDay: given.requestsPerDay,
    hitsPerDay: hits,
    gpuSecondsAvoided,
    gpuSecondsNeeded,
    gpusBefore,
    gpusAfter,
    gpusFreed: gpus(gpuSecondsAvoided),
    wholeGpusFreed: wholeGpus(gpusBefore) - wholeGpus(gpusAfter),
    lookupCostPerDay,
    savedPerDay,
    savedPerMonth: savedPerDay * MONTH_DAYS,
    savedPerYear: savedPerDay * YEAR_DAYS,
    latencyMsBefore,
    latencyMsAfter: lookupUs / 1000 + (1 - hitRate) * latencyMsBefore,
  };
}

function wholeGpus(gpus: number): number {
  const nearest = Math.round(gpus);
  return Math.abs(gpus - nearest) <= WHOLE_WITHIN * nearest ? nearest : Math.ceil(gpus);
}

/** Each option is read once. */
function checked(options: SavingsOptions) {
  const given = optionsObject('options', options, OPTIONS);
  const amount = (name: string, value: unknown, most?: number) => amountOption(`options.${name}`, value, 0, most);
  const gpuMs = amount('gpuMs', given['gpuMs']);
  const gpuHourPrice = amount('gpuHourPrice', given['gpuHourPrice']);
  return {
    requestsPerDay: (amount('requests', given['requests']) * DAY_MS) / periodMs(given['period'] ?? DAY_MS),
    hitRate: amount('hitRate', given['hitRate'], 1),
    gpuMs,
    gpuHourPrice,
    currency: textOption('options.currency', given['currency'] ?? 'USD', 16, 1),
    utilization: amountOption('options.utilization', given['utilization'] ?? 1, UTILIZATION_MIN, 1),
    lookupUs: amount('lookupUs', given['lookupUs'] ?? 0),
    cpuHourPrice: amount('cpuHourPrice', given['cpuHourPrice'] ?? gpuHourPrice),
    callMs: amount('callMs', given['callMs'] ?? gpuMs),
    networkMs: amount('networkMs', given['networkMs'] ?? 0),
  };
}

function periodMs(period: unknown): number {
  const ms = durationOption('options.period', period);
  if (ms === Number.POSITIVE_INFINITY) throw rangeError('options.period', 'a duration that ends', period);
  return ms;
}
