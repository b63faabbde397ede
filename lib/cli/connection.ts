// connection.ts: commands that talk to a running server: which one, and as whom.
//
// A keyspace is named by the URL's database, or by --keyspace, which is looked up in what ZH.STATS tells.
//
// The server is that of --url, else of the environment variable ZEROHOP_URL, else the one on this machine's port 6380.
// A password is in the URL, or in ZEROHOP_PASSWORD, and is never printed.

import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { durationOption } from '../base/options.js';
import { RespClient } from '../resp/client.js';
import { RespError } from '../resp/error.js';
import { DEFAULT_URL, serverPlace } from '../resp/url.js';
import { misuse } from './exit.js';
import { selectKeyspace } from './keyspaces.js';

const TIMEOUT = '5s';

export interface ServerGiven {
  url?: string;
  timeout: string;
  tlsCa?: string;
  tlsCert?: string;
  tlsKey?: string;
  json?: boolean;
  /** Of commands with {@link withKeyspace}. */
  keyspace?: string;
}

/** Adds the options of every command that talks to a server. `json`: what --json means, if it is more than output. */
export function withServer(command: Command, { timeout = TIMEOUT, json = 'print JSON' } = {}): Command {
  return command
    .option('--url <url>', `the server, redis://[[user]:password@]host:port/db or unix:/path (default: ${DEFAULT_URL})`)
    .option('--timeout <duration>', 'how long to wait for an answer', timeout)
    .option('--tls-ca <path>', 'for rediss://: PEM file of who may have signed the certificate of the server')
    .option('--tls-cert <path>', 'PEM file of a certificate to show the server')
    .option('--tls-key <path>', 'PEM file of its key')
    .option('--json', json);
}

/** Connects, has `use` talk to the server, and ends the connection. */
export async function onServer(given: ServerGiven, use: (client: RespClient) => Promise<void>): Promise<void> {
  const client = await connected(given);
  try {
    if (given.keyspace !== undefined) await selectKeyspace(client, given.keyspace);
    await use(client);
  } catch (error) {
    throw explained(error, client);
  } finally {
    client.close();
  }
}

export async function connected(given: ServerGiven): Promise<RespClient> {
  const place = serverPlace(given.url ?? process.env['ZEROHOP_URL'] ?? DEFAULT_URL);
  const password = place.password ?? (process.env['ZEROHOP_PASSWORD'] || undefined);
  return await RespClient.connect(
    { ...place, password },
    { timeoutMs: durationOption('--timeout', given.timeout, 1, 2 ** 31 - 1), tls: tlsOf(given) },
  );
}

function tlsOf({ tlsCa, tlsCert, tlsKey }: ServerGiven): { ca?: string; cert?: string; key?: string } {
  return {
    ...(tlsCa !== undefined && { ca: readFileSync(tlsCa, 'utf8') }),
    ...(tlsCert !== undefined && { cert: readFileSync(tlsCert, 'utf8') }),
    ...(tlsKey !== undefined && { key: readFileSync(tlsKey, 'utf8') }),
  };
}

/** What to do about errors that a server gives to those who did not know it better. */
function explained(error: unknown, { shown }: RespClient): unknown {
  if (!(error instanceof RespError)) return error;
  const { message, reply, code } = error;
  const hint =
    reply === 'NOAUTH'
      ? 'say the password in ZEROHOP_PASSWORD, or in the URL'
      : /unknown command .?ZH\./i.test(message)
        ? `${shown} is no zerohop server, or an older one`
        : undefined;
  return hint === undefined ? error : new RespError(code, `${message}; ${hint}`, { cause: error });
}

/** For commands about keys: adds the option that names a keyspace. */
export function withKeyspace(command: Command): Command {
  return command.option('--keyspace <name>', "the keyspace's name, in place of the database of the URL");
}

/** How keys are written on the command line; adds the options for it. */
export function withKeys(command: Command): Command {
  return withKeyspace(command)
    .option('--key-hex', 'keys are bytes, written as hexadecimal digits')
    .option('--key-integer', 'keys are integers, as code in the process uses them');
}

export interface KeysGiven {
  keyHex?: boolean;
  keyInteger?: boolean;
}

/** The bytes of a key. */
export function keyOf(text: string, { keyHex, keyInteger }: KeysGiven): Uint8Array {
  if (keyHex && keyInteger) throw misuse('--key-hex and --key-integer cannot be given together');
  if (keyHex) return bytesOfHex('key', text);
  if (!keyInteger) return Buffer.from(text);
  if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(Number(text)))
    throw misuse(`key: expected a safe integer, received ${JSON.stringify(text)}`);
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(text));
  return bytes;
}

export function bytesOfHex(name: string, text: string): Buffer {
  const digits = text.replace(/\s+/g, '');
  if (digits.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(digits))
    throw misuse(`${name}: expected pairs of hexadecimal digits`);
  return Buffer.from(digits, 'hex');
}
