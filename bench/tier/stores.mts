// stores.mts — who is asked for an item: plain node-redis, node-redis's own cache, bentocache, zerohop.
//
// All of them read the same keys and bytes of one Redis over a unix socket.
//
// bentocache's driver asks for text, which 4 KiB of floats are not. So its connection is given a `get` that asks for
// bytes, and its serializer passes them on: nothing is parsed, and nothing is copied for L1. A user has it no faster.
// Its bus is on, which it needs to hear of writes. layered-loader is not here: it needs Node 22.

import { BentoCache, bentostore } from 'bentocache';
import { memoryDriver } from 'bentocache/drivers/memory';
import { redisBusDriver, redisDriver } from 'bentocache/drivers/redis';
import { Redis } from 'ioredis';
import { BasicClientSideCache, createClient, RESP_TYPES } from 'redis';
import { float32, open, type ReadonlyView } from 'zerohop';
import { DIMENSIONS, keyOf, PREFIX } from './catalogue.mjs';

/** Bytes of a value, or its floats. */
export type Answer = Uint8Array | ReadonlyView<Float32Array> | null | undefined;

export interface TierStore {
  read(id: number): Promise<Answer>;
  /** Many at once: to fill L0. */
  readAll(ids: Uint32Array): Promise<unknown>;
  /** Commands sent to Redis until now. */
  commands(): number;
}

export interface StoreOptions {
  readonly socket: string;
  /** Items that the process may hold. */
  readonly entries: number;
}

export const openStore: Readonly<Record<string, (options: StoreOptions) => Promise<TierStore>>> = {
  'node-redis': openNodeRedis,
  'node-redis-csc': openNodeRedisCache,
  bentocache: openBentocache,
  zerohop: async (options) => openZerohop(options),
};

const asBytes = { [RESP_TYPES.BLOB_STRING]: Buffer };

/** A client that gives Buffers. */
export async function connectNodeRedis(path: string) {
  const client = createClient({ socket: { path, tls: false as const } }).withTypeMapping(asBytes);
  await client.connect();
  return client;
}

async function openNodeRedis({ socket }: StoreOptions): Promise<TierStore> {
  const client = await connectNodeRedis(socket);
  let commands = 0;
  const read = (id: number) => {
    commands++;
    return client.get(keyOf(id));
  };
  return { read, readAll: eachOf(read), commands: () => commands };
}

async function openNodeRedisCache({ socket, entries }: StoreOptions): Promise<TierStore> {
  const cache = new BasicClientSideCache({ ttl: 0, maxEntries: entries, evictPolicy: 'LRU' });
  // The mapping is an option of the client, because readers with another mapping go past the cache.
  const client = createClient({
    RESP: 3,
    socket: { path: socket, tls: false as const },
    clientSideCache: cache,
    commandOptions: { typeMapping: asBytes },
  });
  await client.connect();
  const read = (id: number) => client.get(keyOf(id));
  // One by one: of values that came together, each hit would copy all that came with it.
  return { read, readAll: eachOf(read, 1), commands: () => cache.stats().missCount };
}

class CountingRedis extends Redis {
  commands = 0;

  override get(key: never): never {
    this.commands++;
    return this.getBuffer(key) as never;
  }
}

async function openBentocache({ socket, entries }: StoreOptions): Promise<TierStore> {
  const connection = new CountingRedis({ path: socket });
  await connection.ping();
  const cache = new BentoCache({
    default: 'items',
    prefix: PREFIX,
    ttl: null,
    serializer: {
      serialize: (entry) => entry,
      deserialize: (value) => (Buffer.isBuffer(value) ? { value, createdAt: 0, logicalExpiration: Infinity } : value),
    },
    stores: {
      items: bentostore()
        .useL1Layer(memoryDriver({ maxItems: entries, serialize: false }))
        .useL2Layer(redisDriver({ connection }))
        .useBus(redisBusDriver({ connection: { path: socket } })),
    },
  });
  const read = (id: number) => cache.get({ key: String(id) }) as Promise<Answer>;
  return { read, readAll: eachOf(read), commands: () => connection.commands };
}

/** The cache and its keyspace besides, to see what L0 holds. */
export function openZerohop({ socket, entries }: StoreOptions) {
  // `maxEntries` is the limit. A late reply is not what is measured, so on a busy machine there is none.
  const maxBytes = Math.max(32 * 2 ** 20, Math.ceil(entries * DIMENSIONS * 4 * 1.15));
  const cache = open({ maxBytes, maxEntries: entries, upstream: { url: `unix:${socket}`, timeout: '30s' } });
  const items = cache.keyspace('items', { codec: float32(DIMENSIONS), upstream: { prefix: PREFIX } });
  return {
    cache,
    items,
    read: (id: number) => items.load(String(id)),
    readAll: (ids: Uint32Array) => items.loadMany(Array.from(ids, String)),
    commands: () => items.stats().upstream.commands,
  };
}

/** At most so many at a time, as MGETs of zerohop are. */
const TOGETHER = 1000;

function eachOf(read: (id: number) => Promise<Answer>, together = TOGETHER): TierStore['readAll'] {
  return async (ids) => {
    for (let from = 0; from < ids.length; from += together)
      await Promise.all(Array.from(ids.subarray(from, from + together), (id) => read(id)));
  };
}
