// write-queue.ts: writes that Redis is told of later (`writes: 'behind'`): for each key the last one.
//
// It holds `limit` keys at most. A process that ends at once loses those, and what is on its way. While Redis does not
// answer they stay here; what does not fit any more is refused.

import { setImmediate } from '../base/time.js';
import type { Key } from '../cache/keys.js';
import type { Argument } from './redis.js';

export interface QueuedWrite {
  readonly id: string;
  readonly key: Key;
  readonly at: Argument;
  /** As Redis shall have it. */
  readonly bytes: Buffer;
  readonly ttlMs: number;
}

export interface WriteSender {
  canSend(): boolean;
  /** Rejects if it failed; who sends it has counted that. */
  send(write: QueuedWrite): Promise<void>;
}

/** Writes that are sent in one turn of the event loop. */
const TURN_MAX = 256;

export class WriteQueue {
  readonly #limit: number;
  readonly #sender: WriteSender;
  readonly #writes = new Map<string, QueuedWrite>();
  readonly #waiting: (() => void)[] = [];
  #sending = 0;
  #isDraining = false;

  constructor(limit: number, sender: WriteSender) {
    this.#limit = limit;
    this.#sender = sender;
  }

  get length(): number {
    return this.#writes.size;
  }

  /** False: there is no room. Then nothing waits for this key any more. */
  add(write: QueuedWrite): boolean {
    this.#writes.delete(write.id); // the last write of a key is the last in the queue
    if (this.#writes.size >= this.#limit) return false;
    this.#writes.set(write.id, write);
    this.drain();
    return true;
  }

  get(id: string): Buffer | undefined {
    return this.#writes.get(id)?.bytes;
  }

  delete(id: string): void {
    this.#writes.delete(id);
  }

  /** Ends when nothing waits and nothing is on its way, or when Redis cannot be told. */
  flushed(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  drain(): void {
    if (this.#isDraining || this.#writes.size === 0) return;
    this.#isDraining = true;
    setImmediate(() => {
      this.#isDraining = false;
      let sent = 0;
      for (const write of this.#writes.values()) {
        if (sent++ === TURN_MAX || !this.#sender.canSend()) break;
        this.#writes.delete(write.id);
        this.#sending++;
        void this.#sender
          .send(write)
          .catch(() => {})
          .finally(() => {
            this.#sending--;
            this.drain();
            this.#tell();
          });
      }
      if (this.#sender.canSend()) this.drain();
      this.#tell();
    });
  }

  #isIdle(): boolean {
    return this.#sending === 0 && (this.#writes.size === 0 || !this.#sender.canSend());
  }

  #tell(): void {
    if (this.#isIdle()) for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
