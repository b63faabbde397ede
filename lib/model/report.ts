// report.ts: what a model counts, and what its cache saved, in GPU time and money.

import { amountOption, optionsObject, textOption } from '../base/options.js';
import type { Tally } from './ledger.js';

export interface ModelStats {
  /** Inputs that were asked for: hits, hits upstream, joined, missed and failed again. */
  asked: number;
  /** Inputs that were answered from the cache. */
  hits: number;
  /** Inputs that were answered from what lies behind (`upstream`), or that `run` found (`computed: false`). Those that are still looked for are not counted. */
  upstreamHits: number;
  /** Those of both that were served beyond their ttl (`staleWhileRevalidate`). */
  staleHits: number;
  /** Inputs whose result was being computed already, or that came twice in a batch. */
  joined: number;
  /** Inputs without a result, which nobody was computing. */
  missed: number;
  /** Inputs that were run, also those without a caller; and how many runs there were. */
  computed: number;
  runs: number;
  /** Runs that took longer than `timeout`. */
  timedOut: number;
  /** Inputs whose run failed. */
  failed: number;
  /** Inputs that were answered with a stale result because their run failed. */
  staleOnError: number;
  /** Inputs whose run had failed a moment ago (`negativeTtl`): they got its error, or a stale result. */
  failedAgain: number;
  /** Hits that were computed again and compared, and those of them that differed. */
  verified: number;
  mismatches: number;
  /** True: too many differed, and the cache is not used until `trust()`. */
  distrusted: boolean;
  /** ms that all runs took together. Runs side by side share the time that passes. */
  runMs: number;
  /** ms that the runs took which made what hits were answered with: what hits avoided. It only grows. */
  savedMs: number;
  /** ms of runs that renewed a stale result, and that compared a hit. They only grow. */
  refreshMs: number;
  verifyMs: number;
  /** Inputs that are kept for `promote` (`keepInputs`), and the bytes of their copies, roughly. */
  keptInputs: number;
  keptBytes: number;
}

/** Those of the counts that single callers change. @internal */
export type Counts = Pick<
  ModelStats,
  'hits' | 'upstreamHits' | 'staleHits' | 'joined' | 'missed' | 'failed' | 'staleOnError' | 'failedAgain'
>;

export interface ReportOptions {
  /** Of one GPU for an hour. */
  gpuHourPrice: number;
  /** Default `'USD'`. */
  currency?: string | undefined;
}

export interface ModelReport {
  /** Inputs that did not need a run: hits, also those upstream. */
  hits: number;
  /** Inputs that joined a run under way. Without a cache they would have been run too. */
  coalesced: number;
  computed: number;
  gpuSeconds: {
    /** Taken by runs, including those that compare hits. */
    used: number;
    /** What hits avoided, less `overhead`, runs without a caller, and hits that were found wrong. */
    saved: number;
    coalesced: number;
    /** The time of lookups and of storing results, partly estimated from a sample. */
    overhead: number;
  };
  money: { saved: number; coalesced: number; gpuHourPrice: number; currency: string };
}

/** ms that our own work took. Of single lookups, some are timed; the others take as long as those do on average. */
export function overheadMsOf({ lookups, timed, timedMs, overheadMs }: Tally): number {
  return overheadMs + (timed === 0 ? 0 : (timedMs / timed) * lookups);
}

export function reportOf(stats: ModelStats, tally: Tally, options: ReportOptions): ModelReport {
  const given = optionsObject('options', options, ['gpuHourPrice', 'currency']);
  const gpuHourPrice = amountOption('options.gpuHourPrice', given['gpuHourPrice']);
  const currency = given['currency'] === undefined ? 'USD' : textOption('options.currency', given['currency'], 16, 1);
  const { hit, rejected, refresh, verify, coalesced } = tally;
  const overhead = overheadMsOf(tally) / 1000;
  const saved = (hit.ms - rejected.ms - refresh.ms - verify.ms) / 1000 - overhead;
  const joined = coalesced.ms / 1000;
  const price = (seconds: number) => (seconds / 3600) * gpuHourPrice;
  return {
    hits: hit.count,
    coalesced: coalesced.count,
    computed: stats.computed,
    gpuSeconds: { used: stats.runMs / 1000, saved, coalesced: joined, overhead },
    money: { saved: price(saved), coalesced: price(joined), gpuHourPrice, currency },
  };
}
