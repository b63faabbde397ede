// steady-reader.mts — reads a cache for some time, as fast as it can, and says how often it did; the same code in a
// worker and in a process of its own.

import { open } from 'zerohop';
import { DIMENSIONS, EMBEDDING_BYTES } from '../workloads/embeddings.mjs';
import { uniformStream } from '../workloads/random.mjs';
import { fillVersion, isSomeVersion } from '../workloads/versioned-embeddings.mjs';
import { zipfStream } from '../workloads/zipf.mjs';
import { CODEC, userKey, userKeys, type Vectors, ZEROHOP_DUTIES } from './rivals.mjs';

export interface ReaderOptions {
  readonly entries: number;
  readonly seed: number;
}

export interface ReadingFigures {
  readonly gets: number;
  readonly misses: number;
  readonly elapsedMs: number;
  /** The key of a wrong answer. */
  readonly wrong?: string;
}

const CACHE = 'workers';
const GETS_PER_LOOK_AT_THE_CLOCK = 256;
const STREAM = 2 ** 20;

/** The cache of this process, whichever thread asks. Without a near cache: every get is one into the shared memory. */
export function openShared(entries: number): Vectors {
  // Twice the values: what is set again does not push anything out during a run.
  const cache = open({ name: CACHE, maxBytes: 2 * entries * EMBEDDING_BYTES });
  return cache.keyspace('vectors', { codec: CODEC, near: false, ...ZEROHOP_DUTIES });
}

export function fillShared(vectors: Vectors, entries: number): void {
  const scratch = new Float32Array(DIMENSIONS);
  for (let id = 0; id < entries; id++) vectors.set(userKey(id), fillVersion(scratch, id, 0));
}

export class SteadyReader {
  readonly #vectors: Vectors;
  readonly #keys: string[];
  readonly #stream: Uint32Array;
  #at = 0;

  constructor(vectors: Vectors, { entries, seed }: ReaderOptions) {
    this.#vectors = vectors;
    this.#keys = userKeys(entries);
    this.#stream = zipfStream(entries, STREAM, seed);
  }

  /** @param meanwhile  called now and then with the ms since the start */
  readFor(ms: number, meanwhile?: (elapsedMs: number) => void): ReadingFigures {
    let gets = 0;
    let misses = 0;
    const startedMs = performance.now();
    for (;;) {
      const elapsedMs = performance.now() - startedMs;
      if (elapsedMs >= ms) return { gets, misses, elapsedMs };
      meanwhile?.(elapsedMs);
      for (let i = 0; i < GETS_PER_LOOK_AT_THE_CLOCK; i++) {
        const id = this.#stream[this.#at++ % STREAM] as number;
        const key = this.#keys[id] as string;
        const value = this.#vectors.get(key);
        gets++;
        if (value === undefined) misses++;
        else if (!isSomeVersion(value, id)) return { gets, misses, elapsedMs, wrong: key };
      }
    }
  }
}

/** Sets keys that are there, at a steady rate. */
export class SteadyWriter {
  readonly #vectors: Vectors;
  readonly #ids: Uint32Array;
  readonly #scratch = new Float32Array(DIMENSIONS);
  #sets = 0;

  constructor(vectors: Vectors, { entries, seed }: ReaderOptions) {
    this.#vectors = vectors;
    this.#ids = uniformStream(entries, STREAM, seed);
  }

  /** As many sets as are due `elapsedMs` after the start, less the `done` ones. Returns how many are done then. */
  catchUp(done: number, elapsedMs: number, setsPerSecond: number): number {
    const due = Math.floor((elapsedMs / 1000) * setsPerSecond);
    for (let set = done; set < due; set++) {
      const id = this.#ids[this.#sets++ % STREAM] as number;
      this.#vectors.set(userKey(id), fillVersion(this.#scratch, id, this.#sets));
    }
    return Math.max(done, due);
  }
}
