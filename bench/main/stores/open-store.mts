// open-store.mts — a store by its name.
//
// Each module is loaded when it is asked for: a machine without a prebuilt lmdb still runs the others,
// and a process that measures one store does not carry the code of four.

import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Store, StoreName } from './store.mjs';

export interface Surroundings {
  readonly maxBytes: number;
  /** A temporary folder; each store makes its own inside. */
  readonly folder: string;
  /** Where a Redis server listens, if there is one. */
  readonly redisSocket?: string;
}

export async function openStore(name: StoreName, where: Surroundings): Promise<Store> {
  switch (name) {
    case 'zerohop': {
      const { ZerohopStore } = await import('./zerohop-store.mjs');
      return new ZerohopStore(where.maxBytes);
    }
    case 'lru-cache': {
      const { LruCacheStore } = await import('./lru-cache-store.mjs');
      return new LruCacheStore(where.maxBytes);
    }
    case 'lmdb': {
      const { LmdbStore } = await import('./lmdb-store.mjs');
      const folder = path.join(where.folder, 'lmdb');
      mkdirSync(folder, { recursive: true });
      return new LmdbStore(folder);
    }
    case 'redis': {
      const { RedisStore } = await import('./redis-store.mjs');
      if (where.redisSocket === undefined) throw new Error('no Redis server is running');
      return new RedisStore(where.redisSocket);
    }
  }
}
