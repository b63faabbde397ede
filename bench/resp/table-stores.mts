// table-stores.mts — who is asked over a socket: Redis and zerohop's server, each through a client of Redis.
//
// Both clients give Buffers, which a user of vectors must still make floats of: where the bytes do not lie at a multiple
// of four, that is a copy.  It is not counted here.

import { Redis } from 'ioredis';
import { createClient, RESP_TYPES } from 'redis';
import type { RemoteStore } from '#cli/bench-rows';
import type { Server } from './servers.mjs';

export type { RemoteStore };

/** Where a server listens: a path, or a port of this machine. */
export type Place = { path: string } | { port: number };

/** Of a server's unix socket. */
export function placeOf({ address }: Server): { path: string } {
  return { path: address.slice('unix:'.length) };
}

export async function openNodeRedis(name: string, place: Place): Promise<RemoteStore> {
  const socket = 'path' in place ? { path: place.path, tls: false as const } : { host: '127.0.0.1', port: place.port };
  const client = createClient({ socket }).withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
  await client.connect();
  return {
    name,
    get: (key) => client.get(key) as Promise<Buffer | null>,
    mget: (keys) => client.mGet(keys) as Promise<(Buffer | null)[]>,
    set: (key, value) => client.set(key, value),
    close: () => client.destroy(),
  };
}

export async function openIoredis(name: string, place: Place): Promise<RemoteStore> {
  const client = 'path' in place ? new Redis({ path: place.path }) : new Redis({ host: '127.0.0.1', port: place.port });
  await client.ping();
  return {
    name,
    get: (key) => client.getBuffer(key),
    mget: (keys) => client.mgetBuffer(keys),
    set: (key, value) => client.set(key, value),
    close: () => client.disconnect(),
  };
}
