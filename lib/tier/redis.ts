// redis.ts: what is used of node-redis.
//
// A connection has a client of its own, which is dropped when it fails: node-redis neither reconnects by itself nor
// queues commands meanwhile. Its own client-side cache stays off. What Redis says of changed keys comes by the event
// `invalidate`, in the turn in which its bytes are read.

import { CacheError } from '../base/errors.js';
import { memberOf } from '../base/kinds.js';

/** A Buffer. Users of these types need not have those of Node, which know the name. */
export type Octets = typeof globalThis extends { Buffer: { isBuffer(value: unknown): value is infer Of } }
  ? Of
  : Uint8Array;
export type Argument = string | Octets;
export type Reply = Octets | string | number | bigint | null | Error | Reply[];

/** What is used of a client of node-redis 6: of `createClient`, `createCluster` or `createSentinel`. */
export interface UpstreamClient {
  // biome-ignore lint/suspicious/noExplicitAny: node-redis declares types of its own here, which depend on its options
  duplicate(overrides?: any): any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  sendCommand(...args: any[]): Promise<any>;
}

/** A client of ours, for one connection. */
export interface RedisClient {
  connect(): Promise<unknown>;
  destroy(): void;
  unref(): void;
  sendCommand(args: readonly Argument[], options: unknown): Promise<Reply>;
  on(event: string, listener: (argument: never) => void): unknown;
}

/** One server, and how a client of it is made. */
export interface RedisPlace {
  /** For messages: without a password. */
  readonly shown: string;
  /** What the user's client puts before each key. */
  readonly keyPrefix: string;
  make(connectTimeoutMs: number): RedisClient | Promise<RedisClient>;
  readonly probe: Probe;
  /** Looks whether another server is in its place by now, and why; undefined: it is not. Never rejects. */
  moved?(): Promise<string | undefined>;
  /** Ends what `make` and `moved` keep. */
  close?(): void;
}

/** A question that a server answers at once. */
export interface Probe {
  readonly command: readonly string[];
  /** Why the server that answered so is not the one that was meant; undefined: it is. */
  fault(reply: unknown): string | undefined;
}

/** The most commands that wait for their turn or their reply in a client. More are refused. */
const COMMANDS_MAX = 100_000;

const RESP_BLOB_STRING = 36; // `$`, as node-redis numbers it

/** Replies hold bytes, not text. The client makes no timer for each command: every call has a deadline of ours. */
export const AS_BYTES: {
  readonly typeMapping: Readonly<Record<number, unknown>>;
  readonly timeout: undefined;
} = {
  typeMapping: { [RESP_BLOB_STRING]: Buffer },
  timeout: undefined,
};

/** The socket of a client, as node-redis has it. */
export type SocketOptions = object & { host?: string; port?: number; tls?: boolean };

/** The options of a client of ours, in place of a user's. */
export function ourOptions(socket: object | undefined, connectTimeout: number) {
  return {
    RESP: 3,
    emitInvalidate: true,
    clientSideCache: undefined,
    disableOfflineQueue: true,
    commandsQueueMaxLength: COMMANDS_MAX,
    pingInterval: 0,
    maintNotifications: 'disabled',
    commandOptions: undefined,
    keyPrefix: undefined,
    socket: { ...socket, connectTimeout, socketTimeout: undefined, reconnectStrategy: false },
  };
}

/** A client with a user's options and ours. @throws {CacheError} `ERR_CACHE_PEER`. */
export function newClient(options: object, socket: object | undefined, connectTimeoutMs: number): RedisClient {
  return nodeRedis().createClient({ ...options, ...ourOptions(socket, connectTimeoutMs) });
}

export function destroy(client: RedisClient | undefined): void {
  try {
    client?.destroy();
  } catch {} // it was not open
}

export function nodeRedis(): { createClient(options: object): RedisClient } {
  try {
    return require('redis') as { createClient(options: object): RedisClient };
  } catch (cause) {
    throw new CacheError(
      'ERR_CACHE_PEER',
      'upstream: a URL needs the package redis: npm install redis, or pass a client',
      { cause },
    );
  }
}

const has = (value: object, method: string) => typeof memberOf(value, method) === 'function';

export function isClient(value: unknown): value is UpstreamClient {
  if (typeof value !== 'object' || value === null) return false;
  return ['duplicate', 'sendCommand', 'connect'].every((method) => has(value, method));
}

/** What made this client. */
export function kindOf(client: UpstreamClient): 'client' | 'cluster' | 'sentinel' {
  if (has(client, 'getMasterNode')) return 'sentinel';
  return has(client, 'nodeClient') ? 'cluster' : 'client';
}

/** The options that a client of `createCluster` or `createSentinel` was made with. It shows them to `duplicate` alone. */
export function optionsOf(client: UpstreamClient): Record<string, unknown> {
  let options: unknown;
  function Taker(given: unknown): void {
    options = given;
  }
  const taker = Object.create(client, { constructor: { value: Taker } }) as UpstreamClient;
  // `duplicate` makes one of the constructor of its own prototype.
  Object.create(taker).duplicate();
  return options as Record<string, unknown>;
}
