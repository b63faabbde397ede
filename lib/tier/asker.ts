// asker.ts: a server that is asked something now and then: a Sentinel, or a node of a cluster that is not a peer yet.
//
// Its connection is made for the first question, and given up at the first failure.

import { clearTimeout, setTimeout } from '../base/time.js';
import type { RedisClient } from './redis.js';

export class Asker {
  readonly #make: (connectTimeoutMs: number) => RedisClient | Promise<RedisClient>;
  readonly #timeoutMs: number;
  #client: RedisClient | undefined;
  #connected: Promise<unknown> | undefined;

  /** @param timeoutMs  of a question, with connecting */
  constructor(make: (connectTimeoutMs: number) => RedisClient | Promise<RedisClient>, timeoutMs: number) {
    this.#make = make;
    this.#timeoutMs = timeoutMs;
  }

  /** The reply, with texts as strings. Rejects with why there is none. */
  async ask(command: readonly string[]): Promise<unknown> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const { ask, option } = { ask: command.join(' '), option: 'upstream.connectTimeout' };
      timer = setTimeout(
        () => reject(new Error(`no answer to ${ask} within ${this.#timeoutMs} ms: see ${option}`)),
        this.#timeoutMs,
      );
    });
    try {
      return await Promise.race([this.#asked(command), late]);
    } catch (error) {
      this.close();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  close(): void {
    const client = this.#client;
    this.#client = undefined;
    this.#connected = undefined;
    try {
      client?.destroy();
    } catch {} // it was not open
  }

  async #asked(command: readonly string[]): Promise<unknown> {
    this.#connected ??= this.#connect();
    await this.#connected;
    if (this.#client === undefined) throw new Error('the connection was given up');
    return this.#client.sendCommand(command, {});
  }

  async #connect(): Promise<void> {
    const client = await this.#make(this.#timeoutMs);
    this.#client = client;
    const fail = () => {
      if (client === this.#client) this.close();
    };
    client.on('error', fail);
    client.on('end', fail);
    client.unref();
    await client.connect();
  }
}
