// places.ts: where Redis is, of what users write: a URL, or a client of node-redis whose options are used.

import { typeError } from '../base/options.js';
import { REDIS_PORT, type ServerPlace, serverPlace } from '../resp/url.js';
import {
  newClient,
  nodeRedis,
  optionsOf,
  ourOptions,
  type Probe,
  type RedisPlace,
  type SocketOptions,
  type UpstreamClient,
} from './redis.js';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** As node-redis has it: an address as the servers know it → one as it is reached from here. */
export type AddressMap = Readonly<Record<string, Address>> | ((address: string) => Address | undefined);

export const textOf = ({ host, port }: Address): string => `${host}:${port}`;

/** @param text  `host:port`; a host may have colons of its own, or be missing: then it is `otherwise` */
export function addressOf(text: string, otherwise: string): Address {
  const colon = text.lastIndexOf(':');
  const host = text.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  return { host: host === '' || host === '?' ? otherwise : host, port: Number(text.slice(colon + 1)) };
}

export function mapped(map: AddressMap | undefined, address: Address): Address {
  const found = typeof map === 'function' ? map(textOf(address)) : map?.[textOf(address)];
  return found ?? address;
}

/** A cluster. */
export interface ClusterPlace {
  readonly shown: string;
  readonly keyPrefix: string;
  /** Where to ask first, and the name of that host. */
  readonly seeds: readonly { readonly host: string; readonly place: RedisPlace }[];
  /** A node of it, as the others call it. */
  node(address: Address): RedisPlace;
}

/** A URL as users write it. @throws {TypeError} `ERR_INVALID_ARG_VALUE`. */
export function placeOfText(name: string, url: unknown, defaultPort = REDIS_PORT): ServerPlace {
  if (typeof url !== 'string') throw typeError(name, "a URL such as 'redis://127.0.0.1:6379'", url);
  try {
    return serverPlace(url, defaultPort);
  } catch (error) {
    throw Object.assign(new TypeError(`${name}: ${(error as Error).message}`), { code: 'ERR_INVALID_ARG_VALUE' });
  }
}

/** The options of a client for a server of that URL. */
export function optionsOfPlace({ host, port, path, tls, user, password, database }: ServerPlace) {
  return {
    socket: path === '' ? { host, port, ...(tls && { tls }) } : { path },
    database,
    ...(user !== '' && { username: user }),
    ...(password !== undefined && { password }),
  };
}

/** A single server. It says so in HELLO. */
const SINGLE: Probe = {
  command: ['HELLO'],
  fault: (reply) =>
    fieldOf(reply, 'mode') === 'cluster'
      ? "it is a node of a cluster: set upstream to { cluster: ['redis://…'] }, or to a client of createCluster"
      : undefined,
};

/** One that a Sentinel names. */
export const PRIMARY: Probe = {
  command: ['HELLO'],
  fault: (reply) => (fieldOf(reply, 'role') === 'replica' ? 'it is a replica, whatever the Sentinels say' : undefined),
};

/** A node that takes its cluster for broken, or that is cut off from most of it, does not know what the others do. */
const NODE: Probe = {
  command: ['CLUSTER', 'INFO'],
  fault: (reply) =>
    String(reply).includes('cluster_state:ok') ? undefined : 'it takes the cluster for down (cluster_state)',
};

const fieldOf = (reply: unknown, field: string): unknown => (reply as Record<string, unknown> | undefined)?.[field];

export function placeOfUrl(name: string, url: string): RedisPlace {
  const place = placeOfText(name, url);
  const options = optionsOfPlace(place);
  nodeRedis(); // an error now, not later
  return {
    shown: place.shown,
    keyPrefix: '',
    probe: SINGLE,
    make: (connectTimeout) => newClient(options, options.socket, connectTimeout),
  };
}

export function placeOfClient(client: UpstreamClient): RedisPlace {
  const options = (client as { options?: { socket?: SocketOptions & { path?: string }; keyPrefix?: unknown } }).options;
  const { socket, keyPrefix } = options ?? {};
  return {
    shown: socket?.path === undefined ? shownOf(socket, REDIS_PORT) : `unix:${socket.path}`,
    keyPrefix: prefixOf(keyPrefix),
    probe: SINGLE,
    make: (connectTimeout) => client.duplicate(ourOptions(socket, connectTimeout)),
  };
}

/** @throws {TypeError} `ERR_INVALID_ARG_VALUE`: a URL is none of a node of a cluster. */
export function clusterOfUrls(name: string, urls: readonly string[]): ClusterPlace {
  const places = urls.map((url, i) => nodeOfText(`${name}[${i}]`, url));
  const { socket, ...defaults } = optionsOfPlace(places[0]!);
  const { tls } = places[0]!;
  return clusterPlace({
    seeds: places.map((place) => ({ host: place.host, options: optionsOfPlace(place) })),
    defaults: { ...defaults, socket: tls ? { tls } : {} },
    keyPrefix: '',
    map: undefined,
  });
}

function nodeOfText(name: string, url: unknown): ServerPlace {
  const place = placeOfText(name, url);
  if (place.path === '' && place.database === 0) return place;
  const message = `${name}: expected a URL with a host and without a database, because a cluster has only 0`;
  throw Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' });
}

interface NodeOptions {
  url?: string;
  socket?: SocketOptions;
}

export function clusterOfClient(name: string, client: UpstreamClient): ClusterPlace {
  const { rootNodes, defaults, nodeAddressMap, keyPrefix } = optionsOf(client) as {
    rootNodes: NodeOptions[];
    defaults?: NodeOptions;
    nodeAddressMap?: AddressMap;
    keyPrefix?: unknown;
  };
  return clusterPlace({
    seeds: rootNodes.map((node) => {
      const { url, ...own } = node;
      const at = url === undefined ? { socket: {} } : optionsOfPlace(placeOfText(name, url));
      const socket: SocketOptions = { ...defaults?.socket, ...own.socket, ...at.socket };
      return { host: socket.host ?? 'localhost', options: { ...defaults, ...own, ...at, socket } };
    }),
    defaults: defaults ?? {},
    keyPrefix: prefixOf(keyPrefix),
    map: nodeAddressMap,
  });
}

function clusterPlace(of: {
  seeds: readonly { host: string; options: NodeOptions }[];
  defaults: NodeOptions;
  keyPrefix: string;
  map: AddressMap | undefined;
}): ClusterPlace {
  nodeRedis();
  const { keyPrefix } = of;
  const placeOf = (options: NodeOptions): RedisPlace => ({
    shown: shownOf(options.socket, REDIS_PORT),
    keyPrefix,
    probe: NODE,
    make: (connectTimeout) => newClient(options, options.socket, connectTimeout),
  });
  return {
    shown: `${shownOf(of.seeds[0]?.options.socket, REDIS_PORT)} (cluster)`,
    keyPrefix,
    seeds: of.seeds.map(({ host, options }) => ({ host, place: placeOf(options) })),
    node: (address) => placeOf({ ...of.defaults, socket: { ...of.defaults.socket, ...mapped(of.map, address) } }),
  };
}

export function shownOf(socket: SocketOptions | undefined, defaultPort: number): string {
  const { host = 'localhost', port = defaultPort, tls } = socket ?? {};
  return `${tls ? 'rediss' : 'redis'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

export const prefixOf = (keyPrefix: unknown): string => (keyPrefix === undefined ? '' : String(keyPrefix));
