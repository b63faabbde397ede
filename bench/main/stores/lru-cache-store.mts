// lru-cache-store.mts — embeddings on the JavaScript heap, in the cache most people use there.
//
// Its budget covers the bytes of the values.  Their keys, list nodes and array objects come on top.
// It has no call for a batch: a loop of gets is what its users write.

import { LRUCache } from 'lru-cache';
import { DIMENSIONS } from '../../workloads/embeddings.mjs';
import { ALL_RIGHT, type LocalStore, type Probes } from './store.mjs';

export class LruCacheStore implements LocalStore {
  readonly kind = 'local';
  readonly name = 'lru-cache';
  readonly #cache: LRUCache<string, Float32Array>;

  constructor(maxBytes: number) {
    this.#cache = new LRUCache({ maxSize: maxBytes, sizeCalculation: (value) => value.byteLength });
  }

  get(key: string): Float32Array | undefined {
    return this.#cache.get(key);
  }

  getMany(keys: readonly string[]): (Float32Array | undefined)[] {
    return keys.map((key) => this.#cache.get(key));
  }

  set(key: string, value: Float32Array): boolean {
    this.#cache.set(key, value);
    return true;
  }

  readSingles({ keys, expected }: Probes): number {
    const cache = this.#cache;
    for (let i = 0; i < keys.length; i++) {
      const value = cache.get(keys[i] as string);
      if (value === undefined || value[i % DIMENSIONS] !== expected[i]) return i;
    }
    return ALL_RIGHT;
  }

  readBatches({ batches, expected }: Probes): number {
    const cache = this.#cache;
    let i = 0;
    for (const batch of batches) {
      for (let at = 0; at < batch.length; at++, i++) {
        const value = cache.get(batch[at] as string);
        if (value === undefined || value[i % DIMENSIONS] !== expected[i]) return i;
      }
    }
    return ALL_RIGHT;
  }

  close(): void {
    this.#cache.clear();
  }
}
