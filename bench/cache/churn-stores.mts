// churn-stores.mts — what the churn suite sets values in: a cache, a rival, and a plain buffer.

import type { LRUCache } from 'lru-cache';
import { DIMENSIONS, EMBEDDING_BYTES } from '../workloads/embeddings.mjs';
import type { Vectors } from './rivals.mjs';

export type Value = Float32Array<ArrayBuffer>;

/** `number` is that of the set that wrote the value: what a store without keys finds it by. */
export interface ChurnStore {
  set(key: string, value: Value, number: number): boolean;
  get(key: string, number: number): ArrayLike<number> | undefined;
}

export function zerohopStore(vectors: Vectors): ChurnStore {
  return {
    set: (key, value) => vectors.set(key, value),
    get: (key) => vectors.get(key),
  };
}

/** It keeps the array it is given, so every set needs its own. */
export function lruStore(lru: LRUCache<string, Float32Array>): ChurnStore {
  return {
    set(key, value) {
      lru.set(key, value.slice());
      return true;
    },
    get: (key) => lru.get(key),
  };
}

/** The same bytes copied into one buffer, slot after slot: no keys, nothing to decide. */
export function memcpyStore(bytes: number): ChurnStore {
  const buffer = new ArrayBuffer(bytes);
  const all = new Float32Array(buffer).fill(0); // in memory before it is timed
  const slots = Math.floor(bytes / EMBEDDING_BYTES);
  let latest = -1;
  return {
    set(_, value, number) {
      latest = number;
      all.set(value, (number % slots) * DIMENSIONS);
      return true;
    },
    get(_, number) {
      if (number < 0 || latest - number >= slots) return undefined;
      return new Float32Array(buffer, (number % slots) * EMBEDDING_BYTES, DIMENSIONS);
    },
  };
}
