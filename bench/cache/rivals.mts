// rivals.mts — the stores in process that the suites compare, and how they are filled.
//
// Equal duties: zerohop and lru-cache have the same bound in bytes, and every entry a time to live that no run reaches.
// lru-cache is also told how many entries that is: it then keeps its lists in typed arrays, and is faster.
// Map has no duties at all: it is the floor of what JavaScript can do.

import { LRUCache } from 'lru-cache';
import { type Cache, float32, type Keyspace, open, type ReadonlyFloat32Array } from 'zerohop';
import { clearProgress, showProgress } from '../harness/progress.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';
import { DIMENSIONS, EMBEDDING_BYTES, fillEmbedding, isEmbedding, makeEmbedding } from '../workloads/embeddings.mjs';

export const TTL_MS = 60 * 60 * 1000;

/** What every keyspace of a suite is opened with. */
export const ZEROHOP_DUTIES = { ttl: TTL_MS };

export const CODEC = float32(DIMENSIONS);

export type Vectors = Keyspace<Float32Array | ReadonlyFloat32Array, ReadonlyFloat32Array, Float32Array<ArrayBuffer>>;
export type Lru = LRUCache<string, Float32Array>;

export function openZerohop(maxBytes: number, options: { near?: boolean } = {}): { cache: Cache; vectors: Vectors } {
  const cache = open({ maxBytes });
  return { cache, vectors: cache.keyspace('vectors', { codec: CODEC, ...ZEROHOP_DUTIES, ...options }) };
}

export function openLru(maxBytes: number): Lru {
  const max = Math.floor(maxBytes / EMBEDDING_BYTES);
  return new LRUCache({ max, maxSize: maxBytes, sizeCalculation: (value) => value.byteLength, ttl: TTL_MS });
}

export function userKey(id: number): string {
  return `user:${id}`;
}

/** The keys of ids 0 … count - 1, the same strings at every use. */
export function userKeys(count: number): string[] {
  return Array.from({ length: count }, (_, id) => userKey(id));
}

interface Fillable {
  get(key: string): ArrayLike<number> | undefined;
  set(key: string, value: Float32Array): unknown;
}

/**
 * Sets the embedding of every key's place in the list, then compares every byte of what the store gives back.
 *
 * @param keepsArrays  the store keeps the very array it is given, so each key needs its own
 * @throws {WrongAnswer} something is missing, or other than it was.
 */
export function fillStore(name: string, store: Fillable, keys: readonly string[], keepsArrays: boolean): void {
  const scratch = new Float32Array(DIMENSIONS);
  for (const [id, key] of keys.entries()) {
    if (id % 10_000 === 0) showProgress(`filling ${name}: ${Math.round((100 * id) / keys.length)} %`);
    store.set(key, keepsArrays ? makeEmbedding(id) : fillEmbedding(scratch, id));
  }
  verifyStore(name, store, keys, 'after filling');
}

export function verifyStore(name: string, store: Fillable, keys: readonly string[], occasion: string): void {
  const scratch = new Float32Array(DIMENSIONS);
  for (const [id, key] of keys.entries()) {
    if (id % 10_000 === 0) showProgress(`checking ${name} ${occasion}: ${Math.round((100 * id) / keys.length)} %`);
    const value = store.get(key);
    if (value === undefined || !isEmbedding(value, id, scratch)) {
      throw WrongAnswer.from(name, key, `${occasion}: ${value ? 'other bytes' : 'no value'}`);
    }
  }
  clearProgress();
}
