// client.ts: a client for the needs of the command line: one connection, requests in a row, replies as bytes.
//
// Requests are sent as they are made, without waiting for the replies before them. A connection that failed stays
// failed: there is no second attempt, since a command line is better told than kept waiting.
//
// Limits: RESP2; no subscriptions.

import type { Socket } from 'node:net';
import { RespError, type RespErrorCode } from './error.js';
import { type Reply, ReplyParser } from './reply-parser.js';
import type { ServerPlace } from './url.js';

/** A text is sent as UTF-8. */
export type Argument = string | number | Uint8Array;

export interface ClientOptions {
  /** After so many ms without a byte from the server, though it owes a reply, the connection is given up. */
  readonly timeoutMs: number;
  /** PEM text, for `rediss://`: who may have signed the server's certificate, and what we show it. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
}

interface Waiting {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: RespError) => void;
}

export class RespClient {
  readonly #socket: Socket;
  readonly #place: ServerPlace;
  readonly #waiting: Waiting[] = [];
  #failure: RespError | undefined;

  /**
   * Connects, says the password, and selects the database.
   *
   * @throws {RespError} `ERR_RESP_CONNECT`, `ERR_RESP_TIMEOUT`, `ERR_RESP_CLOSED`; `ERR_RESP_REPLY`: the password is
   *   wrong, or the database is not for this user.
   */
  static async connect(place: ServerPlace, options: ClientOptions): Promise<RespClient> {
    const client = new RespClient(await socketTo(place, options), place, options.timeoutMs);
    try {
      await client.#reply(); // the connection itself
      const { user, password, database } = place;
      // Sent together; the first that fails is told.
      const first: Promise<Reply>[] = [];
      if (password !== undefined) first.push(client.call('AUTH', ...(user === '' ? [] : [user]), password));
      if (database !== 0) first.push(client.call('SELECT', database));
      await Promise.all(first);
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  private constructor(socket: Socket, place: ServerPlace, timeoutMs: number) {
    this.#socket = socket;
    this.#place = place;
    let connected = false;
    const fail = (code: RespErrorCode, message: string, cause?: unknown) =>
      this.#fail(new RespError(code, `${message} (${place.shown})`, { cause }));
    const parser = new ReplyParser((reply) => this.#answer(reply));
    socket
      .on(place.tls ? 'secureConnect' : 'connect', () => {
        connected = true;
        this.#answer(null);
      })
      .on('data', (chunk: Buffer) => {
        try {
          parser.push(chunk);
        } catch (error) {
          this.#fail(error as RespError);
        }
      })
      .on('error', (error: NodeJS.ErrnoException) => {
        if (connected) fail('ERR_RESP_CLOSED', `the connection broke: ${reasonOf(error)}`, error);
        else fail('ERR_RESP_CONNECT', `cannot connect: ${reasonOf(error)}`, error);
      })
      .on('close', () => fail('ERR_RESP_CLOSED', 'the server closed the connection'))
      .setTimeout(timeoutMs, () => {
        if (this.#waiting.length === 0) return;
        const what = connected ? 'is connected but does not answer' : 'takes no connection';
        fail('ERR_RESP_TIMEOUT', `the server ${what}: nothing came for ${timeoutMs / 1000} s`);
      });
  }

  /** Where the server is, without the password. */
  get shown(): string {
    return this.#place.shown;
  }

  /** Sends a command. @throws {RespError} the server answered with an error, or not at all. */
  async call(...args: readonly [string, ...Argument[]]): Promise<Reply> {
    const reply = await this.#send(args);
    if (reply instanceof RespError) throw reply;
    return reply;
  }

  /** As {@link call}, for a reply that is a string. @throws {RespError} also if it is none. */
  async bytes(...args: readonly [string, ...Argument[]]): Promise<Buffer> {
    const reply = await this.call(...args);
    if (Buffer.isBuffer(reply)) return reply;
    throw new RespError('ERR_RESP_PROTOCOL', `${args[0]} was answered with something else than a string`);
  }

  /** As {@link call}, for a reply that is a whole number. @throws {RespError} also if it is none. */
  async count(...args: readonly [string, ...Argument[]]): Promise<number> {
    const reply = await this.call(...args);
    if (typeof reply === 'number') return reply;
    throw new RespError('ERR_RESP_PROTOCOL', `${args[0]} was answered with something else than a number`);
  }

  /** Ends the connection. What waits for a reply is rejected. */
  close(): void {
    this.#fail(new RespError('ERR_RESP_CLOSED', 'the connection was closed'));
  }

  #send(args: readonly Argument[]): Promise<Reply> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#socket.cork();
    let text = `*${args.length}\r\n`; // up to the next bytes: each write costs more than a few letters
    for (const argument of args) {
      if (typeof argument !== 'object') {
        const word = String(argument);
        text += `$${Buffer.byteLength(word)}\r\n${word}\r\n`;
        continue;
      }
      this.#socket.write(`${text}$${argument.length}\r\n`);
      this.#socket.write(argument);
      text = '\r\n';
    }
    this.#socket.write(text);
    process.nextTick(() => this.#socket.uncork()); // with what else is sent meanwhile
    return this.#reply();
  }

  /** What comes next that nobody waits for yet. */
  #reply(): Promise<Reply> {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  #answer(reply: Reply): void {
    const first = this.#waiting.shift();
    if (first === undefined) this.#fail(new RespError('ERR_RESP_PROTOCOL', 'the server sent a reply to nothing'));
    else first.resolve(reply);
  }

  #fail(error: RespError): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
    this.#socket.destroy();
  }
}

/** A socket under way. Modules are loaded when they are needed: TLS is most of what a client's start costs. */
async function socketTo({ host, port, path, tls }: ServerPlace, { tls: pem }: ClientOptions): Promise<Socket> {
  const { connect, isIP } = await import('node:net');
  if (!tls) return connect(path === '' ? { host, port, noDelay: true } : { path });
  const secure = await import('node:tls');
  try {
    return secure.connect({ host, port, servername: isIP(host) === 0 ? host : '', ...pem });
  } catch (cause) {
    // A certificate or key of ours that is none.
    throw new RespError('ERR_RESP_CONNECT', `cannot use the certificate or key: ${(cause as Error).message}`, {
      cause,
    });
  }
}

const REASONS: Record<string, string> = {
  ECONNREFUSED: 'nobody listens there',
  ENOENT: 'there is no such socket',
  EACCES: 'this user may not',
  ENOTFOUND: 'the host is not known',
  EHOSTUNREACH: 'there is no way to the host',
  ECONNRESET: 'the server reset it',
};

function reasonOf(error: NodeJS.ErrnoException & { errors?: NodeJS.ErrnoException[] }): string {
  const one = error.errors?.[0] ?? error; // a name with several addresses
  return REASONS[one.code ?? ''] ?? one.message;
}
