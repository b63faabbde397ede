// zerohop-store.mts — embeddings in zerohop: a hit is a view of memory off the heap.

import { float32, open } from 'zerohop';
import { DIMENSIONS } from '../../workloads/embeddings.mjs';
import { ALL_RIGHT, type Floats, type LocalStore, type Probes } from './store.mjs';

export interface HitCounts {
  readonly hits: number;
  readonly copiedHits: number;
}

export class ZerohopStore implements LocalStore {
  readonly kind = 'local';
  readonly name = 'zerohop';
  readonly #cache;
  readonly #embeddings;

  constructor(maxBytes: number) {
    this.#cache = open({ maxBytes });
    this.#embeddings = this.#cache.keyspace('emb', { codec: float32(DIMENSIONS) });
  }

  get(key: string): Floats | undefined {
    return this.#embeddings.get(key);
  }

  getMany(keys: readonly string[]): (Floats | undefined)[] {
    return this.#embeddings.getMany(keys);
  }

  set(key: string, value: Float32Array): boolean {
    return this.#embeddings.set(key, value);
  }

  readSingles({ keys, expected }: Probes): number {
    const embeddings = this.#embeddings;
    for (let i = 0; i < keys.length; i++) {
      const value = embeddings.get(keys[i] as string);
      if (value === undefined || value[i % DIMENSIONS] !== expected[i]) return i;
    }
    return ALL_RIGHT;
  }

  readBatches({ batches, expected }: Probes): number {
    const embeddings = this.#embeddings;
    let i = 0;
    for (const batch of batches) {
      const values = embeddings.getMany(batch);
      for (let at = 0; at < batch.length; at++, i++) {
        const value = values[at];
        if (value === undefined || value[i % DIMENSIONS] !== expected[i]) return i;
      }
    }
    return ALL_RIGHT;
  }

  /** All hits so far, and those of them that were copies because their segment was not shown. */
  countHits(): HitCounts {
    const { hits, copiedHits } = this.#cache.stats();
    return { hits, copiedHits };
  }

  close(): void {
    this.#cache.close();
  }
}
