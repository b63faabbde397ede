// lmdb-store.mts — embeddings in an lmdb file, the off-heap store in process that people know.
//
// It evicts nothing, so it is given no budget: its hit ratio is the best anyone can have on the trace.
// Nothing waits for the disk (noSync): the page cache is the store here, as it is for a cache.
// Timed reads use getBinaryFast, its fastest: the bytes are good until the next read.  A caller who wants
// to hold a batch has to copy them; that is left out, in lmdb's favour.

import { open, type RootDatabase } from 'lmdb';
import { DIMENSIONS } from '../../workloads/embeddings.mjs';
import { ALL_RIGHT, asBytes, asFloats, type LocalStore, type Probes } from './store.mjs';

export class LmdbStore implements LocalStore {
  readonly kind = 'local';
  readonly name = 'lmdb';
  readonly #database: RootDatabase<Buffer, string>;

  constructor(folder: string) {
    this.#database = open({ path: folder, encoding: 'binary', noSync: true, overlappingSync: false });
  }

  get(key: string): Float32Array | undefined {
    const bytes = this.#database.getBinaryFast(key);
    return bytes && asFloats(bytes);
  }

  getMany(keys: readonly string[]): (Float32Array | undefined)[] {
    return keys.map((key) => {
      const bytes = this.#database.getBinary(key);
      return bytes && asFloats(bytes);
    });
  }

  set(key: string, value: Float32Array): boolean {
    this.#database.putSync(key, asBytes(value));
    return true;
  }

  readSingles({ keys, expected }: Probes): number {
    const database = this.#database;
    for (let i = 0; i < keys.length; i++) {
      const bytes = database.getBinaryFast(keys[i] as string);
      if (bytes === undefined || asFloats(bytes)[i % DIMENSIONS] !== expected[i]) return i;
    }
    return ALL_RIGHT;
  }

  readBatches({ batches, expected }: Probes): number {
    const database = this.#database;
    let i = 0;
    for (const batch of batches) {
      for (let at = 0; at < batch.length; at++, i++) {
        const bytes = database.getBinaryFast(batch[at] as string);
        if (bytes === undefined || asFloats(bytes)[i % DIMENSIONS] !== expected[i]) return i;
      }
    }
    return ALL_RIGHT;
  }

  async close(): Promise<void> {
    await this.#database.close();
  }
}
