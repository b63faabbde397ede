// options.ts: what a server may be asked for, in types and checked.

import { statSync } from 'node:fs';
import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import type { ServerSettings } from '../addon/native-resp.js';
import { isUint8Array, memberOf } from '../base/kinds.js';
import {
  booleanOption,
  countOption,
  type Duration,
  type DurationText,
  durationOption,
  optionsObject,
  rangeError,
  type Size,
  type SizeText,
  sizeOption,
  textOption,
  typeError,
} from '../base/options.js';

/** What Redis itself calls the most databases that a client can select. */
const DATABASES = 16;

/** Keyspaces of a cache, the cache itself among them: as many databases has a server of all of them. */
export const KEYSPACES_MAX = 1024;

/** Redis listens on 6379; a server beside it takes the next one that is easy to remember. */
export const DEFAULT_PORT = 6380;

/** A machine may have no IPv6. */
const DEFAULT_HOSTS = ['127.0.0.1', '-::1'];
const THREADS_DEFAULT_MAX = 4;
const THREADS_MAX = 64;
const CLIENTS_MAX = 1_000_000;
const SECOND_MS = 1000;
const PATH_BYTES_MAX = 107; // of sockaddr_un, with its closing 0
const MODE_MAX = 0o777;
const OTHERS_WRITE = 0o002;
const STICKY = 0o1000;
const ADMIN_CLIENTS_MAX = 64; // persons and their scripts
const PASSWORD_BYTES_MAX = 512;
const BULK_BYTES_MIN = 2 ** 20;
const BULK_BYTES_MAX = 2 ** 39;

/** TLS beside the plain port. Key and certificate as `node:tls` takes them. */
export interface ServeTlsOptions {
  /** Default: one more than `port`. 0: any that is free. */
  port?: number | undefined;
  /** PEM text. */
  cert: string | Uint8Array;
  /** PEM text. Kept in memory, never logged. */
  key: string | Uint8Array;
  /** PEM text of the authorities that may sign clients' certificates. With it, a client must show one. */
  ca?: string | Uint8Array | undefined;
}

export interface ServeOptions<Text extends string = SizeText | DurationText> {
  /** TCP port. Default 6380. 0: any that is free. `false`: no TCP. */
  port?: number | false | undefined;
  /** Addresses to listen on. Default: loopback alone, `127.0.0.1` and `::1`. */
  host?: string | readonly string[] | undefined;
  /** A unix socket to listen on too. It is removed when the server closes. */
  path?: string | undefined;
  /** Who may connect to `path`, as a file mode. Default 0o600: this user. */
  pathMode?: number | undefined;
  tls?: ServeTlsOptions | undefined;
  /** Threads that serve. Default: one for each CPU that the process may use, 4 at most. */
  threads?: number | undefined;
  /**
   * Receive from, and send to, many clients in one call of the kernel, where it lets us. Default true. Where io_uring is
   * forbidden, as in many containers, each call is made alone, whatever this says.
   */
  ioUring?: boolean | undefined;
  /** What clients must say with AUTH. Without it everybody who can connect is let in. */
  password?: string | undefined;
  /** Users beside `default`, each as the rules of ACL SETUSER: `'reader on >secret ~cached:* +@read'`. */
  users?: readonly string[] | undefined;
  /** Refuse clients from other hosts while there is no password. Default true. */
  protectedMode?: boolean | undefined;
  /** The keyspace of a database: its name, or the keyspace itself. Default: 0 is the cache, n is the keyspace `db<n>`. */
  databases?: Readonly<Record<number, string | object>> | undefined;
  /** The most clients at a time. Default 10 000. */
  maxClients?: number | undefined;
  /** Clients that say nothing for so long are disconnected. Default Infinity: never. */
  idleTimeout?: Duration<Text> | undefined;
  /** The largest value a client may send. Default 512 MB. */
  maxBulkBytes?: Size<Text> | undefined;
}

/** What {@link Cache.admin} takes. */
export interface AdminOptions {
  /** The unix socket. Its folder must not be one to which everybody may write, unless it is sticky as `/tmp` is. */
  path: string;
  /** Who may connect, as a file mode. Default 0o600: this user. */
  pathMode?: number | undefined;
}

const OPTIONS = [
  'port',
  'host',
  'path',
  'pathMode',
  'tls',
  'threads',
  'ioUring',
  'password',
  'users',
  'protectedMode',
  'databases',
  'maxClients',
  'idleTimeout',
  'maxBulkBytes',
];
const TLS_OPTIONS = ['port', 'cert', 'key', 'ca'];

/** TLS options, checked. */
export interface CheckedTlsOptions {
  readonly port: number;
  readonly hosts: readonly string[];
  readonly cert: string;
  readonly key: string;
  readonly ca: string | undefined;
}

/** What a server is started with. */
export interface CheckedServeOptions {
  readonly settings: Omit<ServerSettings, 'databases'>;
  /** For each database a keyspace's name, or what is to be an open keyspace. None: every keyspace is a database. */
  readonly databases: readonly (string | object)[];
  readonly tls: CheckedTlsOptions | undefined;
}

/** @throws {TypeError | RangeError} an option is of the wrong type, unknown, or out of range. */
export function serveOptions(value: unknown): CheckedServeOptions {
  const given = optionsObject('options', value, OPTIONS);
  const port = given['port'] === false ? 0 : portOption('options.port', given['port'] ?? DEFAULT_PORT);
  const hosts = hostsOption(given['host'] ?? 'localhost');
  const path = given['path'] === undefined ? '' : pathOption(given['path']);
  if (given['port'] === false && path === '' && given['tls'] === undefined)
    throw rangeError('options.port', 'a port, or a path or tls to listen on instead', false);
  const idleMs = durationOption('options.idleTimeout', given['idleTimeout'] ?? Number.POSITIVE_INFINITY, SECOND_MS);
  return {
    settings: {
      tcp: given['port'] !== false,
      port,
      hosts,
      path,
      pathMode: countOption('options.pathMode', given['pathMode'] ?? 0o600, 0, MODE_MAX),
      threads: countOption('options.threads', given['threads'] ?? defaultThreads(), 1, THREADS_MAX),
      ioUring: booleanOption('options.ioUring', given['ioUring'] ?? true),
      password: given['password'] === undefined ? '' : secretOption('options.password', given['password']),
      users: usersOption(given['users']),
      protectedMode: booleanOption('options.protectedMode', given['protectedMode'] ?? true),
      maxClients: countOption('options.maxClients', given['maxClients'] ?? 10_000, 1, CLIENTS_MAX),
      idleSeconds: idleMs === Number.POSITIVE_INFINITY ? 0 : Math.ceil(idleMs / SECOND_MS),
      bulkBytes: sizeOption('options.maxBulkBytes', given['maxBulkBytes'] ?? '512MB', BULK_BYTES_MIN, BULK_BYTES_MAX),
    },
    databases: databasesOption(given['databases']),
    tls: given['tls'] === undefined ? undefined : tlsOption(given['tls'], hosts, given['port'] === false ? 0 : port),
  };
}

/** @throws {TypeError | RangeError} an option is wrong; or everybody may write to the folder, and replace the socket. */
export function adminOptions(value: unknown): CheckedServeOptions {
  const { path, pathMode } = optionsObject('options', value, ['path', 'pathMode']);
  const socket = pathOption(path);
  const { mode = 0 } = statSync(dirname(socket), { throwIfNoEntry: false }) ?? {};
  if ((mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0)
    throw rangeError('options.path', 'a path in a folder to which not everybody may write', path);
  const given = { port: false, path: socket, threads: 1, ioUring: false, maxClients: ADMIN_CLIENTS_MAX };
  return { ...serveOptions(pathMode === undefined ? given : { ...given, pathMode }), databases: [] };
}

/** What the control group allows, where there is one. */
function defaultThreads(): number {
  return Math.min(availableParallelism(), THREADS_DEFAULT_MAX);
}

function portOption(name: string, value: unknown): number {
  return countOption(name, value, 0, 65_535);
}

function hostsOption(value: unknown): string[] {
  const hosts = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(hosts)) throw typeError('options.host', 'an address, or an array of addresses', value);
  if (hosts.length === 0) throw rangeError('options.host.length', 'at least 1 address', hosts.length);
  return hosts.flatMap((host, i) => {
    const text = textOption(`options.host[${i}]`, host, 255, 1);
    if (text === 'localhost') return DEFAULT_HOSTS;
    if (isIP(text) === 0) throw rangeError(`options.host[${i}]`, "an IPv4 or IPv6 address, or 'localhost'", host);
    return [text];
  });
}

function pathOption(value: unknown): string {
  const path = textOption('options.path', value, PATH_BYTES_MAX, 1);
  if (path.includes('\0')) throw rangeError('options.path', 'a path without NUL', value);
  return path;
}

/** What is wrong with a secret is said without it. @internal */
export function secretOption(name: string, value: unknown): string {
  if (typeof value !== 'string') throw typeError(name, 'a string', value);
  const bytes = Buffer.byteLength(value);
  if (bytes < 1 || bytes > PASSWORD_BYTES_MAX) throw rangeError(name, `1 to ${PASSWORD_BYTES_MAX} bytes`, bytes);
  return value;
}

function usersOption(value: unknown): string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw typeError('options.users', 'an array of strings', value);
  return value.map((rules, i) => secretOption(`options.users[${i}]`, rules));
}

function databasesOption(value: unknown): (string | object)[] {
  const databases: (string | object)[] = Array.from({ length: DATABASES }, (_, i) => (i === 0 ? '' : `db${i}`));
  if (value === undefined) return databases;
  if (typeof value !== 'object' || value === null) throw typeError('options.databases', 'an object', value);
  for (const name of Object.keys(value)) {
    const number = countOption('options.databases', Number(name), 0, DATABASES - 1);
    const keyspace = memberOf(value, name);
    const isObject = typeof keyspace === 'object' && keyspace !== null;
    databases[number] = isObject ? keyspace : textOption(`options.databases.${name}`, keyspace);
  }
  return databases;
}

function tlsOption(value: unknown, hosts: readonly string[], port: number): CheckedTlsOptions {
  const given = optionsObject('options.tls', value, TLS_OPTIONS);
  const wanted = given['port'] ?? (port === 0 ? 0 : port + 1);
  return {
    port: portOption('options.tls.port', wanted),
    hosts,
    cert: pemOption('options.tls.cert', given['cert']),
    key: pemOption('options.tls.key', given['key']),
    ca: given['ca'] === undefined ? undefined : pemOption('options.tls.ca', given['ca']),
  };
}

function pemOption(name: string, value: unknown): string {
  const text = isUint8Array(value) ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString() : value;
  // Whatever it is instead, it may be a secret: it is not shown.
  if (typeof text !== 'string') throw typeError(name, 'PEM text, as a string or bytes', undefined);
  if (!text.includes('-----BEGIN ')) throw rangeError(name, "PEM text with a '-----BEGIN' line", text.length);
  return text;
}
