// workloads.ts: five workloads that a cache of results serves. Each figure says where it is from.
//
// A published figure was measured, or is a price, and was written down with its circumstances. Everything else is
// marked as an assumption: claims of vendors without a measurement, and bounds and round numbers of our own.
//
//   GPU time   1 000 / inferences a second of one GPU, at the batch size that is named
//   call time  of one such batch
//
// [DLE]  NVIDIA DeepLearningExamples: README of BERT for TensorFlow (2020), of ResNet-50 v1.5 and of DLRM for PyTorch
//        (2021, 2020), tables of inference performance

import type { Checked } from '../base/options.js';
import type { SavingsOptions } from './savings.js';

export interface WorkloadSource {
  readonly basis: 'published' | 'assumption';
  /** Who published it, where and when; or what is assumed, and why. */
  readonly source: string;
}

/** The options of `estimateSavings` that differ between workloads. */
export type WorkloadFigures = Checked<
  Pick<SavingsOptions, 'requests' | 'hitRate' | 'gpuMs' | 'callMs' | 'gpuHourPrice' | 'lookupUs'>
>;

export interface Workload {
  /** The GPU of which times and price are. */
  readonly gpu: string;
  /** For `estimateSavings`: spread it, and put your own figures after it. */
  readonly terms: Readonly<WorkloadFigures>;
  /** Where each of them is from. */
  readonly sources: Readonly<Record<keyof WorkloadFigures, WorkloadSource>>;
}

const published = (source: string): WorkloadSource => Object.freeze({ basis: 'published', source });
const assumption = (source: string): WorkloadSource => Object.freeze({ basis: 'assumption', source });

function workload(gpu: string, terms: WorkloadFigures, sources: Workload['sources']): Workload {
  return Object.freeze({ gpu, terms: Object.freeze(terms), sources: Object.freeze(sources) });
}

const YEAR_DAYS = 365;
const CANDIDATES = 1500; // scored for one request

const T4 = { gpu: 'NVIDIA T4', price: 0.526 };
const V100 = { gpu: 'NVIDIA V100', price: 3.06 };
const T4_PRICE = published('Amazon EC2 on demand, g4dn.xlarge with one T4, Linux, us-east-1, 2024');
const V100_PRICE = published('Amazon EC2 on demand, p3.2xlarge with one V100, Linux, us-east-1, 2024');

const LOOKUP_US = 10;
const LOOKUP = assumption(
  'Generous: a get takes below 1 µs (bench/results/2026-11-21-engine.md), the fingerprint of the input comes on top',
);
const CLAIM = assumption(
  'Cachee, "ML Inference Caching", April 2026: "approximately 40 %" of calls are redundant; a vendor\'s claim, without a measurement',
);

/** What five kinds of inference typically are like. Frozen. */
export const WORKLOADS: Readonly<
  Record<'embeddings' | 'classification' | 'recommendation' | 'fraud' | 'semanticSearch', Workload>
> = Object.freeze({
  /** Passages of 384 tokens, embedded when they are indexed and when they are indexed again. */
  embeddings: workload(
    T4.gpu,
    {
      requests: 10e6,
      hitRate: 0.4,
      gpuMs: 1000 / 106.78,
      callMs: 74.98,
      gpuHourPrice: T4.price,
      lookupUs: LOOKUP_US,
    },
    {
      requests: assumption('A round number'),
      hitRate: CLAIM,
      gpuMs: published('[DLE] BERT base, 384 tokens, FP16, T4, batch 8: 106.78 sentences/s'),
      callMs: published('[DLE] the same table: median latency of the batch'),
      gpuHourPrice: T4_PRICE,
      lookupUs: LOOKUP,
    },
  ),
  /** Pictures that users share. */
  classification: workload(
    T4.gpu,
    {
      requests: 1e9,
      hitRate: 0.4,
      gpuMs: 1000 / 1050,
      callMs: 15.8,
      gpuHourPrice: T4.price,
      lookupUs: LOOKUP_US,
    },
    {
      requests: published(
        'Facebook Engineering, "Rosetta", September 2018: more than a billion images and frames daily',
      ),
      hitRate: CLAIM,
      gpuMs: published('[DLE] ResNet-50 v1.5, mixed precision, T4, batch 16: 1 050 images/s'),
      callMs: published('[DLE] the same table: mean latency of the batch'),
      gpuHourPrice: T4_PRICE,
      lookupUs: LOOKUP,
    },
  ),
  /** 1 500 candidates ranked for each request. */
  recommendation: workload(
    V100.gpu,
    {
      requests: 5e9,
      hitRate: 0.52,
      gpuMs: (1000 * CANDIDATES) / 1.488e6,
      callMs: 2.73,
      gpuHourPrice: V100.price,
      lookupUs: LOOKUP_US,
    },
    {
      requests: published(
        'Twitter Engineering, "Twitter\'s Recommendation Algorithm", March 2023: 5 billion runs a day, 1 500 candidates each',
      ),
      hitRate: published(
        'Zhou et al., "ERCache", arXiv 2410.06497, 2024: of consecutive inferences for a user, 52 % follow within one minute, 76 % within ten',
      ),
      gpuMs: published('[DLE] DLRM, FP16, V100, batch 4 096: 1.488 million samples/s, 1 500 of them a request'),
      callMs: published('[DLE] the same table: median latency of the batch'),
      gpuHourPrice: V100_PRICE,
      lookupUs: LOOKUP,
    },
  ),
  /** Card payments, scored before they are approved. */
  fraud: workload(
    T4.gpu,
    {
      requests: 8e9 / YEAR_DAYS,
      hitRate: 0.05,
      gpuMs: 2,
      callMs: 2,
      gpuHourPrice: T4.price,
      lookupUs: LOOKUP_US,
    },
    {
      requests: published('NVIDIA on American Express, October 2020: more than 8 billion transactions a year'),
      hitRate: assumption('No measurement was found; amount and time differ, so only what is tried again repeats'),
      gpuMs: assumption(
        'NVIDIA on American Express, October 2020: an answer is required within 2 ms; all of it counted as GPU time',
      ),
      callMs: assumption('As gpuMs'),
      gpuHourPrice: T4_PRICE,
      lookupUs: LOOKUP,
    },
  ),
  /** Queries of 128 tokens at most, embedded to be searched for. */
  semanticSearch: workload(
    T4.gpu,
    {
      requests: 1e9 / YEAR_DAYS,
      hitRate: 0.33,
      gpuMs: 1000 / 289.52,
      callMs: 27.77,
      gpuHourPrice: T4.price,
      lookupUs: LOOKUP_US,
    },
    {
      requests: published('DuckDuckGo (The Guardian, January 2014): more than a billion queries in 2013'),
      hitRate: published(
        'Teevan et al., "History Repeats Itself: Repeat Queries in Yahoo\'s Logs", SIGIR 2006: 33 % of queries repeat one of the same user',
      ),
      gpuMs: published('[DLE] BERT base, 128 tokens, FP16, T4, batch 8: 289.52 sentences/s'),
      callMs: published('[DLE] the same table: median latency of the batch'),
      gpuHourPrice: T4_PRICE,
      lookupUs: LOOKUP,
    },
  ),
});
