// targets.ts: the Redis that a user names: a single server, a cluster, or the primary that Sentinels name. Checks it, and
// makes links to it.

import { countOption, isWellFormed, optionsObject, secretTypeError, textOption, typeError } from '../base/options.js';
import { ClusterLink } from './cluster-link.js';
import type { Link, LinkOptions } from './link.js';
import {
  type Address,
  type AddressMap,
  clusterOfClient,
  clusterOfUrls,
  optionsOfPlace,
  placeOfClient,
  placeOfText,
  placeOfUrl,
  prefixOf,
  shownOf,
} from './places.js';
import { isClient, kindOf, nodeRedis, optionsOf, type SocketOptions, type UpstreamClient } from './redis.js';
import { type SentinelParts, sentinelPlace } from './sentinel.js';
import { ServerLink } from './server-link.js';

/** The primary of a group of servers that Redis Sentinels watch. */
export interface SentinelOptions {
  /** What the Sentinels call it, such as `mymaster`. */
  name: string;
  /**
   * URLs of the Sentinels: best of all of them. Their port is 26379 if the URL says none. A user and a password there
   * are those of that Sentinel. With `rediss://` in the first one, the primary is connected to with TLS too.
   */
  nodes: readonly string[];
  /** Those of the primary, and of its replicas. */
  username?: string | undefined;
  password?: string | undefined;
  /** Default 0. */
  database?: number | undefined;
}

/** Where Redis is: one of these. */
export interface UpstreamPlace {
  /** A single server: `redis://[[user]:password@]host[:port][/database]`, `rediss://…`: TLS, `unix:/path`. Port 6379. */
  url?: string | undefined;
  /**
   * A client of node-redis (`redis` 6), of `createClient`, `createCluster` or `createSentinel`. It is not used itself:
   * its options are, for connections of the cache's own.
   */
  client?: UpstreamClient | undefined;
  /** URLs of some nodes of a cluster: the others are found. User, password and TLS of the first one are those of all. */
  cluster?: readonly string[] | undefined;
  sentinel?: SentinelOptions | undefined;
}

/** A Redis that was named and checked. */
export interface Target {
  /** Two targets are the same if these are. */
  readonly key: unknown;
  link(options: LinkOptions): Link;
}

export const PLACE_OPTIONS = ['url', 'client', 'cluster', 'sentinel'] as const;

const SENTINEL_PORT = 26_379;
const NAME_BYTES_MAX = 1024;
const SECRET_BYTES_MAX = 65_536; // a token may be long
const DATABASES_MAX = 10_000;

/** @throws {TypeError} it names none. @throws {CacheError} `ERR_CACHE_PEER`. */
export function targetOf(name: string, given: string | UpstreamClient): Target {
  if (typeof given !== 'string') return targetOfClient(name, given);
  const place = placeOfUrl(name, given);
  return { key: given, link: (options) => new ServerLink(() => place, options) };
}

/** The one that `given` names; undefined: none. @throws {TypeError} more than one, or another thing. */
export function givenTarget(name: string, given: Record<string, unknown>): Target | undefined {
  const named = PLACE_OPTIONS.filter((option) => given[option] !== undefined);
  if (named.length > 1) throw typeError(name, `one of ${PLACE_OPTIONS.join(', ')}, not ${named.join(' and ')}`, given);
  const { url, client, cluster, sentinel } = given;
  if (url !== undefined) {
    if (typeof url !== 'string') throw secretTypeError(`${name}.url`, 'a string', url);
    return targetOf(name, url);
  }
  if (client !== undefined) {
    if (!isClient(client)) throw secretTypeError(`${name}.client`, 'a client of node-redis', client);
    return targetOf(name, client);
  }
  if (cluster !== undefined) {
    const urls = urlsOption(`${name}.cluster`, cluster);
    const place = clusterOfUrls(`${name}.cluster`, urls);
    return { key: JSON.stringify({ cluster: urls }), link: (options) => new ClusterLink(place, options) };
  }
  if (sentinel === undefined) return undefined;
  const parts = sentinelOption(`${name}.sentinel`, sentinel);
  return { key: JSON.stringify({ sentinel }), link: linkOfSentinels(parts) };
}

function targetOfClient(name: string, client: UpstreamClient): Target {
  switch (kindOf(client)) {
    case 'cluster': {
      const place = clusterOfClient(name, client);
      return { key: client, link: (options) => new ClusterLink(place, options) };
    }
    case 'sentinel':
      return { key: client, link: linkOfSentinels(partsOfClient(client)) };
    default: {
      const place = placeOfClient(client);
      return { key: client, link: (options) => new ServerLink(() => place, options) };
    }
  }
}

const linkOfSentinels = (parts: SentinelParts) => (options: LinkOptions) =>
  new ServerLink(() => sentinelPlace(parts, options.connectTimeoutMs), options);

function urlsOption(name: string, value: unknown): readonly string[] {
  const isList = Array.isArray(value) && value.length > 0 && value.every((url) => typeof url === 'string');
  if (!isList) throw secretTypeError(name, "a list of URLs such as ['redis://10.0.0.1:7000']", value);
  return value;
}

function secretOption(name: string, value: unknown): string {
  const fits = typeof value === 'string' && Buffer.byteLength(value) <= SECRET_BYTES_MAX && isWellFormed(value);
  if (!fits) throw secretTypeError(name, `a string of at most ${SECRET_BYTES_MAX} bytes of well-formed Unicode`, value);
  return value;
}

function sentinelOption(name: string, value: unknown): SentinelParts {
  if (typeof value === 'string') throw secretTypeError(name, 'an object', value); // a URL
  const given = optionsObject(name, value, ['name', 'nodes', 'username', 'password', 'database']);
  const called = textOption(`${name}.name`, given['name'], NAME_BYTES_MAX);
  const places = urlsOption(`${name}.nodes`, given['nodes']).map((url, i) =>
    placeOfText(`${name}.nodes[${i}]`, url, SENTINEL_PORT),
  );
  const text = (option: 'username' | 'password') =>
    given[option] === undefined ? {} : { [option]: secretOption(`${name}.${option}`, given[option]) };
  const database =
    given['database'] === undefined ? 0 : countOption(`${name}.database`, given['database'], 0, DATABASES_MAX);
  nodeRedis();
  const { tls, shown } = places[0]!;
  return {
    shown: `${shown} (Sentinel of ${called})`,
    keyPrefix: '',
    name: called,
    sentinels: places.map(optionsOfPlace),
    primary: { socket: tls ? { tls } : {}, database, ...text('username'), ...text('password') },
    map: undefined,
  };
}

function partsOfClient(client: UpstreamClient): SentinelParts {
  const options = optionsOf(client) as {
    name: string;
    sentinelRootNodes: Address[];
    nodeClientOptions?: { socket?: SocketOptions };
    sentinelClientOptions?: { socket?: SocketOptions };
    nodeAddressMap?: AddressMap;
    keyPrefix?: unknown;
  };
  const { name, sentinelRootNodes, nodeClientOptions, sentinelClientOptions, nodeAddressMap, keyPrefix } = options;
  nodeRedis();
  return {
    shown: `${shownOf(sentinelRootNodes[0], SENTINEL_PORT)} (Sentinel of ${name})`,
    keyPrefix: prefixOf(keyPrefix),
    name,
    sentinels: sentinelRootNodes.map(({ host, port }) => ({
      ...sentinelClientOptions,
      socket: { ...sentinelClientOptions?.socket, host, port },
    })),
    primary: nodeClientOptions ?? {},
    map: nodeAddressMap,
  };
}
