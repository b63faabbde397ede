// asker.ts: a server that is asked something now and then: a Sentinel, or a node of a cluster that is not a peer yet.
//
// Its connection is made for the first question, and given up at the first failure.

import { clearTimeout, setTimeout } from '../base/time.js';
import { destroy, type RedisClient } from './redis.js';

export class Asker {
  readonly #make: (connectTimeoutMs: number) => RedisClient | Promise<RedisClient>;
  readonly #timeoutMs: number;
  #client: RedisClient | undefined;
  #connected: Promise<unknown> | undefined;
  #closed = 0; // how often
  readonly #waiting = new Set<(reason: Error) => void>();

  /** @param timeoutMs  of a question, with connecting */
  constructor(make: (connectTimeoutMs: number) => RedisClient | Promise<RedisClient>, timeoutMs: number) {
    this.#make = make;
    this.#timeoutMs = timeoutMs;
  }

  /** The reply, with texts as strings. Rejects with why there is none. */
  async ask(command: readonly string[]): Promise<unknown> {
    const closed = this.#closed;
    let timer: NodeJS.Timeout | undefined;
    let end!: (reason: Error) => void;
    const late = new Promise<never>((_, reject) => {
      end = reject;
      this.#waiting.add(end);
      const { ask, option } = { ask: command.join(' '), option: 'upstream.connectTimeout' };
      timer = setTimeout(
        () => reject(new Error(`no answer to ${ask} within ${this.#timeoutMs} ms: see ${option}`)),
        this.#timeoutMs,
      );
    });
    try {
      return await Promise.race([this.#asked(command), late]);
    } catch (error) {
      if (closed === this.#closed) this.close();
      throw error;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(end);
    }
  }

  /** Who waits for a reply is told that there is none. */
  close(reason = new Error('the connection was given up')): void {
    const client = this.#client;
    this.#closed++;
    this.#client = undefined;
    this.#connected = undefined;
    destroy(client);
    for (const end of this.#waiting) end(reason);
  }

  async #asked(command: readonly string[]): Promise<unknown> {
    this.#connected ??= this.#connect();
    await this.#connected;
    if (this.#client === undefined) throw new Error('the connection was given up');
    return this.#client.sendCommand(command, {});
  }

  async #connect(): Promise<void> {
    const closed = this.#closed;
    const client = await this.#make(this.#timeoutMs);
    if (closed !== this.#closed) {
      destroy(client);
      throw new Error('the connection was given up');
    }
    this.#client = client;
    const fail = (error?: Error) => {
      if (client === this.#client) this.close(error);
    };
    client.on('error', fail);
    client.on('end', fail);
    client.unref();
    await client.connect();
  }
}
