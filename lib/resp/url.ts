// url.ts: where a server is, as users write it, and as it may be shown: without the password.
//
//   redis://[[user]:password@]host[:port][/database]     rediss:// with TLS
//   unix:/path[?db=database]                             also redis+unix:///path, as `zerohop serve` prints it

import { RespError } from './error.js';
import { DEFAULT_PORT, KEYSPACES_MAX } from './options.js';

export interface ServerPlace {
  /** `''`: a unix socket. */
  readonly host: string;
  readonly port: number;
  /** Of a unix socket; else `''`. */
  readonly path: string;
  readonly tls: boolean;
  /** `''`: the user `default`. */
  readonly user: string;
  readonly password: string | undefined;
  readonly database: number;
  /** For messages. */
  readonly shown: string;
}

export const DEFAULT_URL = `redis://127.0.0.1:${DEFAULT_PORT}`;

const UNIX = /^(?:redis\+)?unix:(?:\/\/)?(\/[^?]*)(?:\?db=([^&]*))?$/;

/** Where Redis listens, if its URL does not say. */
export const REDIS_PORT = 6379;

/** @throws {RespError} `ERR_RESP_URL`. The message does not have the URL: it may hold a password. */
export function serverPlace(text: string, defaultPort = DEFAULT_PORT): ServerPlace {
  const unix = UNIX.exec(text);
  if (unix !== null) {
    const path = decoded(unix[1]!);
    const database = databaseOf(unix[2] ?? '');
    return { host: '', port: 0, path, tls: false, user: '', password: undefined, database, shown: `unix:${path}` };
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['redis:', 'rediss:'].includes(url.protocol) || url.hostname === '')
    throw unclear('redis://[[user]:password@]host[:port][/database], rediss://… or unix:/path');
  const port = url.port === '' ? defaultPort : Number(url.port);
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port,
    path: '',
    tls: url.protocol === 'rediss:',
    user: decoded(url.username),
    password: url.password === '' ? undefined : decoded(url.password),
    database: databaseOf(url.pathname.slice(1)),
    shown: `${url.protocol}//${url.hostname}:${port}`,
  };
}

function databaseOf(text: string): number {
  if (text === '') return 0;
  // A server may have fewer. It says so itself.
  const database = /^\d{1,4}$/.test(text) ? Number(text) : KEYSPACES_MAX;
  if (database >= KEYSPACES_MAX) throw unclear(`a database from 0 to ${KEYSPACES_MAX - 1}`);
  return database;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw unclear('% only in front of two hexadecimal digits');
  }
}

function unclear(expected: string): RespError {
  return new RespError('ERR_RESP_URL', `the server's URL: expected ${expected}`);
}
