// redis.ts: what is used of node-redis, and how its clients are made.
//
// A link makes a client for each connection, and drops it when the connection fails: node-redis neither reconnects by
// itself nor queues commands meanwhile. Its own client-side cache stays off. What Redis says of changed keys comes by
// the event `invalidate`, in the turn in which its bytes are read.

import { CacheError } from '../base/errors.js';
import { memberOf } from '../base/kinds.js';
import { typeError } from '../base/options.js';
import { REDIS_PORT, serverPlace } from '../resp/url.js';

/** A Buffer. Users of these types need not have those of Node, which know the name. */
export type Octets = typeof globalThis extends { Buffer: { isBuffer(value: unknown): value is infer Of } }
  ? Of
  : Uint8Array;
export type Argument = string | Octets;
export type Reply = Octets | string | number | bigint | null | Error | Reply[];

/** What is used of a client of node-redis. Every `createClient()` of `redis` 6 is one. */
export interface UpstreamClient {
  // biome-ignore lint/suspicious/noExplicitAny: node-redis declares types of its own here, which depend on its options
  duplicate(overrides?: any): any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  sendCommand(args: any, options?: any): Promise<any>;
}

/** A client of ours, for one connection. @internal */
export interface RedisClient {
  connect(): Promise<unknown>;
  destroy(): void;
  unref(): void;
  sendCommand(args: readonly Argument[], options: unknown): Promise<Reply>;
  on(event: string, listener: (argument: never) => void): unknown;
}

/** Where Redis is, and how a client of it is made. @internal */
export interface RedisPlace {
  /** For messages: without a password. */
  readonly shown: string;
  /** What the user's client puts before each key. */
  readonly keyPrefix: string;
  make(connectTimeoutMs: number): RedisClient | Promise<RedisClient>;
  readonly probe: Probe;
}

/** A question that a server answers at once. @internal */
export interface Probe {
  readonly command: readonly string[];
  /** Why the server that answered so is not the one that was meant; undefined: it is. */
  fault(reply: unknown): string | undefined;
}

/** The most commands that wait for their turn or their reply in a client. More are refused. */
const COMMANDS_MAX = 100_000;

const RESP_BLOB_STRING = 36; // `$`, as node-redis numbers it

/** Replies hold bytes, not text. */
export const AS_BYTES: { readonly typeMapping: Readonly<Record<number, unknown>> } = {
  typeMapping: { [RESP_BLOB_STRING]: Buffer },
};

/** What every client of ours has in its own way, whatever the user's has. */
const OURS = {
  RESP: 3,
  emitInvalidate: true,
  clientSideCache: undefined,
  disableOfflineQueue: true,
  commandsQueueMaxLength: COMMANDS_MAX,
  pingInterval: 0,
  maintNotifications: 'disabled',
  commandOptions: undefined,
};

const socketOptions = (of: object | undefined, connectTimeout: number) => ({
  ...of,
  connectTimeout,
  socketTimeout: undefined,
  reconnectStrategy: false,
});

/** Of a single server. */
const HELLO: Probe = {
  command: ['HELLO'],
  fault: (reply) =>
    (reply as { mode?: unknown } | undefined)?.mode === 'cluster' ? 'it is one node of a cluster' : undefined,
};

/** @throws {TypeError} it is neither a URL nor a client. @throws {CacheError} `ERR_CACHE_PEER`. */
export function placeOf(name: string, given: unknown): RedisPlace {
  if (typeof given === 'string') return placeOfUrl(name, given);
  if (isClient(given)) return placeOfClient(given);
  throw typeError(name, "a URL such as 'redis://127.0.0.1:6379', or a client of node-redis", given);
}

export function isClient(value: unknown): value is UpstreamClient {
  if (typeof value !== 'object' || value === null) return false;
  return ['duplicate', 'sendCommand', 'connect'].every((method) => typeof memberOf(value, method) === 'function');
}

function placeOfUrl(name: string, url: string): RedisPlace {
  let shown: string;
  let at: object;
  try {
    const place = serverPlace(url, REDIS_PORT);
    shown = place.shown;
    const { host, port, path, tls, user, password, database } = place;
    at = {
      socket: path === '' ? { host, port, ...(tls && { tls }) } : { path },
      database,
      ...(user !== '' && { username: user }),
      ...(password !== undefined && { password }),
    };
  } catch (error) {
    throw Object.assign(new TypeError(`${name}: ${(error as Error).message}`), { code: 'ERR_INVALID_ARG_VALUE' });
  }
  const { createClient } = nodeRedis();
  return {
    shown,
    keyPrefix: '',
    probe: HELLO,
    make: (connectTimeout) =>
      createClient({ ...at, ...OURS, socket: socketOptions((at as { socket: object }).socket, connectTimeout) }),
  };
}

function placeOfClient(client: UpstreamClient): RedisPlace {
  const options = (client as { options?: { socket?: object & { host?: string; port?: number }; keyPrefix?: unknown } })
    .options;
  const { host = 'localhost', port = REDIS_PORT } = options?.socket ?? {};
  return {
    shown: `redis://${host}:${port}`,
    keyPrefix: options?.keyPrefix === undefined ? '' : String(options.keyPrefix),
    probe: HELLO,
    make: (connectTimeout) =>
      client.duplicate({ ...OURS, keyPrefix: undefined, socket: socketOptions(options?.socket, connectTimeout) }),
  };
}

function nodeRedis(): { createClient(options: object): RedisClient } {
  try {
    return require('redis') as { createClient(options: object): RedisClient };
  } catch (cause) {
    throw new CacheError(
      'ERR_CACHE_PEER',
      'upstream: a URL needs the package redis: npm install redis, or pass a client',
      {
        cause,
      },
    );
  }
}
