// redis-store.mts — embeddings in a Redis server, by ioredis over a unix socket.
//
// The socket is the shortest way there is to a Redis: no network is crossed, only the kernel.

import { Redis } from 'ioredis';
import { DIMENSIONS } from '../../workloads/embeddings.mjs';
import { ALL_RIGHT, asBytes, asFloats, type Probes, type RemoteStore } from './store.mjs';

export class RedisStore implements RemoteStore {
  readonly kind = 'remote';
  readonly name = 'redis';
  readonly #client: Redis;

  constructor(socket: string) {
    this.#client = new Redis({ path: socket });
  }

  async getMany(keys: readonly string[]): Promise<(Float32Array | undefined)[]> {
    const values = await this.#client.mgetBuffer([...keys]);
    return values.map((bytes) => (bytes === null ? undefined : asFloats(bytes)));
  }

  async setMany(keys: readonly string[], values: readonly Float32Array[]): Promise<void> {
    const pipeline = this.#client.pipeline();
    for (const [at, key] of keys.entries()) pipeline.set(key, asBytes(values[at] as Float32Array));
    for (const [error] of (await pipeline.exec()) ?? []) if (error) throw error;
  }

  async clear(): Promise<void> {
    await this.#client.flushall();
  }

  async readSingles({ keys, expected }: Probes): Promise<number> {
    const client = this.#client;
    for (let i = 0; i < keys.length; i++) {
      const bytes = await client.getBuffer(keys[i] as string);
      if (bytes === null || asFloats(bytes)[i % DIMENSIONS] !== expected[i]) return i;
    }
    return ALL_RIGHT;
  }

  async readBatches({ batches, expected }: Probes): Promise<number> {
    const client = this.#client;
    let i = 0;
    for (const batch of batches) {
      const values = await client.mgetBuffer(batch as string[]);
      for (let at = 0; at < batch.length; at++, i++) {
        const bytes = values[at];
        if (!bytes || asFloats(bytes)[i % DIMENSIONS] !== expected[i]) return i;
      }
    }
    return ALL_RIGHT;
  }

  close(): void {
    this.#client.disconnect();
  }
}
