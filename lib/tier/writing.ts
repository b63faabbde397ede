// writing.ts: stores what the user writes in L0 and in Redis.
//
// Redis does not tell us of our own writes. A write is stored in L0 at once and sent in the same turn, so what is read
// over the link later comes after it. If it fails, L0 forgets the key.

import { CacheError } from '../base/errors.js';
import type { Key } from '../cache/keys.js';
import { storeBytes } from '../cache/stored.js';
import type { Stored } from './flights.js';
import { px, wholeMs } from './forms.js';
import type { L0 } from './l0.js';
import { endLease } from './leases.js';
import type { Argument } from './redis.js';
import { WriteQueue } from './write-queue.js';

/** Bytes of writes that wait for their replies. What comes on top is refused. */
const WRITING_BYTES_MAX = 64 * 1024 * 1024;

export class Writing {
  readonly #l0: L0;
  readonly #look: (id: string) => void;
  readonly #queue: WriteQueue | undefined;
  #bytes = 0; // that wait for their replies
  #sending = 0; // how many these are

  /** @param look  reads a key anew */
  constructor(l0: L0, look: (id: string) => void) {
    this.#l0 = l0;
    this.#look = look;
    const { link, options } = l0.parts;
    if (options.writes === 'behind')
      this.#queue = new WriteQueue(options.queue, {
        hasRoom: () => this.#bytes < WRITING_BYTES_MAX,
        canSend: (at) => link.isUpFor(at),
        send: ({ id, key, at, bytes, ttlMs }) => {
          this.#begin(id);
          return this.#send(key, ['SET', at, bytes, ...px(ttlMs + this.#staleMs)], bytes.length);
        },
      });
  }

  /** How much longer than L0 Redis has a value. */
  get #staleMs(): number {
    return this.#l0.parts.options.staleMs;
  }

  get queued(): number {
    return this.#queue?.length ?? 0;
  }

  /** A value that Redis is yet to be told of. */
  waiting(id: string): Stored {
    const bytes = this.#queue?.get(id);
    return bytes && this.#l0.parts.form.fromRedis(bytes);
  }

  /**
   * Stores in L0 and in Redis. Returns whether L0 took it, and what ends when Redis has it.
   *
   * @param stored  as the codec has it. It is copied.
   */
  write(key: Key, stored: ArrayBufferView, ttlMs: number, cost: number): { kept: boolean; done: Promise<void> } {
    const { form, handle, link, options } = this.#l0.parts;
    const id = this.#l0.idOf(key);
    if (options.writes === 'local') {
      this.#l0.flights.fence(id, true);
      return { kept: storeBytes(handle, key, stored, ttlMs, cost), done: Promise.resolve() };
    }
    this.#begin(id);
    const bytes = form.toRedis(stored);
    const at = this.#l0.at(id);
    const isAlone = !link.isUpFor(at) && !link.isStarting && this.#queue === undefined;
    const kept = storeBytes(handle, key, stored, isAlone ? Math.min(ttlMs, options.aloneTtlMs) : ttlMs, cost);
    if (this.#queue !== undefined) {
      const own = typeof key === 'object' ? this.#l0.keyOf(id)! : key;
      if (this.#queue.add({ id, key: own, at, bytes, ttlMs })) return { kept, done: Promise.resolve() };
      this.#lost(key);
      return { kept: false, done: failedWrite(`the queue is full: see upstream.queue`) };
    }
    if (isAlone) {
      this.#l0.counts.lostWrites++;
      return { kept, done: failedWrite(`${link.shown} is not connected`) };
    }
    return { kept, done: this.#send(key, ['SET', at, bytes, ...px(ttlMs + this.#staleMs)], bytes.length) };
  }

  /** Forgets the key in L0 and in Redis. */
  remove(key: Key): { was: boolean; done: Promise<void> } {
    const id = this.#l0.idOf(key);
    this.#l0.flights.fence(id, true);
    const was = this.#l0.delete(key);
    if (this.#l0.parts.options.writes === 'local') return { was, done: Promise.resolve() };
    this.#queue?.delete(id);
    this.#begin(id);
    return { was, done: this.#send(key, ['DEL', this.#l0.at(id)], 0) };
  }

  /**
   * Gives the key a new time to live in Redis. What L0 has of it is read anew: another client may have changed the value
   * a moment before in the same turn of Redis, which then tells us of neither, because the last change was ours.
   */
  expire(key: Key, ttlMs: number): Promise<void> {
    if (this.#l0.parts.options.writes === 'local') return Promise.resolve();
    const id = this.#l0.idOf(key);
    this.#begin(id); // what is being read comes with the time that was left before
    if (this.#queue?.expire(id, ttlMs)) return Promise.resolve(); // it goes with the value
    const at = this.#l0.at(id);
    const command =
      ttlMs === Number.POSITIVE_INFINITY ? ['PERSIST', at] : ['PEXPIRE', at, wholeMs(ttlMs + this.#staleMs)];
    const sent = this.#send(key, command, 0);
    if (this.#l0.delete(key)) this.#look(id);
    return sent;
  }

  /** Ends when Redis has all writes that wait, or when they cannot be told. */
  async flushed(): Promise<void> {
    if (this.#queue === undefined) return;
    await this.#l0.inOrder(() => Promise.resolve());
    await this.#queue.flushed();
  }

  /** No write is on its way, and none waits for a server. */
  get isIdle(): boolean {
    return this.#sending === 0 && this.#queue?.isEmpty !== false;
  }

  /** A server is up that was not. */
  resume(): void {
    this.#queue?.resume();
  }

  /** Redis is about to have another value, of which it does not tell. */
  #begin(id: string): void {
    this.#l0.flights.fence(id, true);
    this.#l0.parts.link.wrote(this.#l0.bytesOf(id), this.#l0.tracker);
  }

  #lost(key: Key): void {
    this.#l0.counts.lostWrites++;
    this.#l0.delete(key);
  }

  /** Sends a write. If it fails, L0 forgets the key. */
  async #send(key: Key, command: readonly Argument[], bytes: number): Promise<void> {
    if (this.#bytes + bytes > WRITING_BYTES_MAX && this.#bytes > 0) {
      this.#lost(key);
      return failedWrite('too many writes wait for Redis');
    }
    this.#bytes += bytes;
    this.#sending++;
    try {
      await this.#l0.inOrder(() => {
        // Redis tells nobody that a missing key is deleted, and somebody may be making its value.
        if (command[0] === 'DEL' && this.#l0.parts.options.leaseMs > 0) endLease(this.#l0.parts.link, command[1]!);
        if (command[0] === 'PEXPIRE' || command.includes('PX')) this.#l0.lasting.changed(this.#l0.idOf(key));
        return this.#l0.parts.link.call(command[1]!, command);
      });
      this.#l0.counts.writes++;
    } catch (error) {
      this.#lost(key);
      throw new CacheError('ERR_UPSTREAM_WRITE', `a write may not be in Redis: ${(error as Error).message}`, {
        cause: error,
      });
    } finally {
      this.#bytes -= bytes;
      this.#sending--;
    }
  }
}

function failedWrite(reason: string): Promise<never> {
  const failed = Promise.reject(new CacheError('ERR_UPSTREAM_WRITE', `a write is not in Redis: ${reason}`));
  failed.catch(() => {}); // `set` does not look at it
  return failed;
}
