// plan.mts — the arithmetic of docs/SCALING.md: from a catalogue and its reads to memory, waits, servers and money.
//
// Nothing is measured here. What was measured comes in as `Figures`, read from the JSON files of bench/results; what is
// taken for granted comes in as `Assumptions`. The tables of the document are drawn with it (draw-scaling.mts), and a
// test draws them again.

import type { Report } from '../harness/report.mjs';

/** Parts of the catalogue that L0 may hold. */
export const SHARES = [0.01, 0.05, 0.1, 0.2];
/** Of Zipf's law. 1: 5 % of five million items take 80 % of the reads. */
export const EXPONENTS = [0.8, 1];
/** Catalogues that the simulator is asked about. */
export const SIMULATED = [10_000, 1_000_000];
/** float32(1024), and the same number of dimensions as int8. */
export const VECTOR_BYTES = [4096, 1024];

export const rateName = (vectors: number, exponent: number, share: number) => `rate/${vectors}/${exponent}/${share}`;

/** What was measured. Bytes by the bytes of a vector. */
export interface Figures {
  readonly l0Bytes: ReadonlyMap<number, number>;
  readonly redisBytes: ReadonlyMap<number, number>;
  /** By {@link rateName}. */
  readonly rates: ReadonlyMap<string, number>;
  readonly hitNs: number;
  /** Of a GET by the faster client, on one machine. */
  readonly getNs: number;
  /** How much longer a `load` takes that L0 cannot answer. */
  readonly missByGet: number;
  /** Redis's CPU for a `load`, alone and for each key of a batch of 100. */
  readonly missCpuNs: number;
  readonly batchCpuNs: number;
}

/** What is taken for granted. Put yours in. */
export interface Assumptions {
  /** What the network adds to each answer of Redis. */
  readonly networkNs: number;
  /** Memory of a Redis server, and the share of it that data may fill: the rest is for copies on write and growth. */
  readonly nodeBytes: number;
  readonly nodeFill: number;
  /** The share of its one core that may be busy. */
  readonly nodeBusy: number;
  /** Replicas beside each primary. */
  readonly replicas: number;
  /** Of a GiB and month: memory of the process, and memory of a Redis server, used or not. */
  readonly memoryPrice: number;
  readonly redisPrice: number;
}

export const ASSUMED: Assumptions = {
  networkNs: 200_000,
  nodeBytes: 32 * 2 ** 30,
  nodeFill: 0.6,
  nodeBusy: 0.5,
  replicas: 1,
  memoryPrice: 5,
  redisPrice: 12,
};

export interface Workload {
  readonly vectors: number;
  readonly vectorBytes: number;
  /** Of all processes together. */
  readonly readsPerSecond: number;
  readonly processes: number;
  /** The share of the catalogue that L0 of each process holds. */
  readonly share: number;
  readonly exponent: number;
}

export interface Plan {
  readonly l0Bytes: number;
  readonly redisBytes: number;
  readonly hitRate: number;
  /** Of a read, and of one without L0. */
  readonly meanNs: number;
  readonly withoutL0Ns: number;
  /** That L0 could not answer. */
  readonly redisReadsPerSecond: number;
  readonly primariesByMemory: number;
  readonly primariesByReads: number;
  readonly primaries: number;
  readonly servers: number;
  readonly l0Price: number;
  readonly redisPrice: number;
}

export function figuresOf(scaling: Report, redisTable: Report): Figures {
  const medianOf = ({ cases, suite }: Report, name: string) => {
    const found = cases.find((one) => one.name === name);
    if (found === undefined) throw new Error(`${suite}: there is no ${name}`);
    return found.median;
  };
  const ofBytes = (tier: string) =>
    new Map(VECTOR_BYTES.map((bytes) => [bytes, medianOf(scaling, `bytes/${tier}/${bytes}`)]));
  const rates = SIMULATED.flatMap((vectors) =>
    EXPONENTS.flatMap((exponent) => SHARES.map((share) => rateName(vectors, exponent, share))),
  );
  return {
    l0Bytes: ofBytes('l0'),
    redisBytes: ofBytes('redis'),
    rates: new Map(rates.map((name) => [name, medianOf(scaling, name)])),
    hitNs: medianOf(redisTable, 'any/embedding-4k'),
    getNs: medianOf(redisTable, 'ioredis unix/embedding-4k'),
    missByGet: scaling.ratios['miss-vs-get']!,
    missCpuNs: medianOf(scaling, 'miss-cpu'),
    batchCpuNs: medianOf(scaling, 'batch-cpu'),
  };
}

/**
 * The share of reads that the most wanted items take, of so many. No cache that does not know the future answers more.
 * Beyond the first thousand, the sum is an integral: right to six digits.
 */
export function mostOf(vectors: number, exponent: number, share: number): number {
  return zipfSum(vectors * share, exponent) / zipfSum(vectors, exponent);
}

const EXACT = 1000;

function zipfSum(ranks: number, exponent: number): number {
  let sum = 0;
  for (let rank = 1; rank <= Math.min(ranks, EXACT); ++rank) sum += rank ** -exponent;
  if (ranks <= EXACT) return sum;
  const upTo = (rank: number) => (exponent === 1 ? Math.log(rank) : rank ** (1 - exponent) / (1 - exponent));
  return sum + upTo(ranks + 0.5) - upTo(EXACT + 0.5);
}

/**
 * Of a catalogue that was simulated: what was found. Of others: what the most wanted items take, times the part of it
 * that the engine reached with the nearest catalogue that was simulated.
 */
export function hitRate({ rates }: Figures, vectors: number, exponent: number, share: number): number {
  if (share >= 1) return 1;
  const nearest = SIMULATED.reduce((best, one) => (distance(one, vectors) < distance(best, vectors) ? one : best));
  const simulated = SHARES.reduce((best, one) => (distance(one, share) < distance(best, share) ? one : best));
  const reached = rates.get(rateName(nearest, exponent, simulated));
  if (reached === undefined) throw new RangeError(`exponent: expected one of ${EXPONENTS.join(', ')}`);
  return mostOf(vectors, exponent, share) * (reached / mostOf(nearest, exponent, simulated));
}

const distance = (a: number, b: number) => Math.abs(Math.log(a / b));

export function missNs({ getNs, missByGet }: Figures, { networkNs }: Assumptions): number {
  return getNs * missByGet + networkNs;
}

export function meanNs(figures: Figures, assumed: Assumptions, rate: number): number {
  return rate * figures.hitNs + (1 - rate) * missNs(figures, assumed);
}

/** How many reads a second one Redis answers that come one by one, or in batches of 100. */
export function readsOfNode({ missCpuNs, batchCpuNs }: Figures, { nodeBusy }: Assumptions) {
  return { single: (nodeBusy * 1e9) / missCpuNs, batch: (nodeBusy * 1e9) / batchCpuNs };
}

export function planOf(figures: Figures, assumed: Assumptions, workload: Workload): Plan {
  const { vectors, vectorBytes, readsPerSecond, processes, share, exponent } = workload;
  const l0 = figures.l0Bytes.get(vectorBytes);
  const redis = figures.redisBytes.get(vectorBytes);
  if (l0 === undefined || redis === undefined)
    throw new RangeError(`vectorBytes: expected one of ${VECTOR_BYTES.join(', ')}`);
  const rate = hitRate(figures, vectors, exponent, share);
  const redisBytes = vectors * redis;
  const redisReadsPerSecond = readsPerSecond * (1 - rate);
  const primariesByMemory = Math.ceil(redisBytes / (assumed.nodeBytes * assumed.nodeFill));
  const primariesByReads = Math.ceil(redisReadsPerSecond / readsOfNode(figures, assumed).single);
  const primaries = Math.max(primariesByMemory, primariesByReads);
  const l0Bytes = Math.min(share, 1) * vectors * l0;
  const servers = primaries * (1 + assumed.replicas);
  // What is paid for is the memory of the servers. A small catalogue takes a small server.
  const served = Math.min(assumed.nodeBytes * primaries, Math.max(redisBytes / assumed.nodeFill, 2 ** 30));
  return {
    l0Bytes,
    redisBytes,
    hitRate: rate,
    meanNs: meanNs(figures, assumed, rate),
    withoutL0Ns: figures.getNs + assumed.networkNs,
    redisReadsPerSecond,
    primariesByMemory,
    primariesByReads,
    primaries,
    servers,
    l0Price: ((processes * l0Bytes) / 2 ** 30) * assumed.memoryPrice,
    redisPrice: (served / 2 ** 30) * (1 + assumed.replicas) * assumed.redisPrice,
  };
}
