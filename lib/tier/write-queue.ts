// write-queue.ts: writes that Redis is told of later (`writes: 'behind'`): for each key the last one.
//
// It holds `limit` keys at most. A process that ends at once loses those, and what is on its way. While the server of a
// key does not answer, its write is put aside, so that others are not passed over again and again. What does not fit any
// more is refused.

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
  /** Whether more may be on their way. */
  hasRoom(): boolean;
  /** Whether the server of this key answers. */
  canSend(at: Argument): boolean;
  /** Rejects if it failed; who sends it has counted that. */
  send(write: QueuedWrite): Promise<void>;
}

/** Writes that are sent in one turn of the event loop. */
const TURN_MAX = 256;

export class WriteQueue {
  readonly #limit: number;
  readonly #sender: WriteSender;
  readonly #writes = new Map<string, QueuedWrite>();
  readonly #aside = new Map<string, QueuedWrite>();
  readonly #sent = new Map<string, QueuedWrite>();
  readonly #waiting: (() => void)[] = [];
  #sending = 0;
  #isDraining = false;

  constructor(limit: number, sender: WriteSender) {
    this.#limit = limit;
    this.#sender = sender;
  }

  get length(): number {
    return this.#writes.size + this.#aside.size;
  }

  /** False: there is no room. Then nothing waits for this key any more. */
  add(write: QueuedWrite): boolean {
    this.delete(write.id); // the last write of a key is the last in the queue
    if (this.length >= this.#limit) return false;
    this.#writes.set(write.id, write);
    this.drain();
    return true;
  }

  /** What Redis has not confirmed of this key. */
  get(id: string): Buffer | undefined {
    return (this.#writes.get(id) ?? this.#aside.get(id) ?? this.#sent.get(id))?.bytes;
  }

  delete(id: string): void {
    for (const writes of [this.#writes, this.#aside, this.#sent]) writes.delete(id);
  }

  /** Gives a write another time to live. False: none waits for this key. */
  expire(id: string, ttlMs: number): boolean {
    const writes = [this.#writes, this.#aside].find((all) => all.has(id));
    writes?.set(id, { ...writes.get(id)!, ttlMs });
    return writes !== undefined;
  }

  /** A server answers again. */
  resume(): void {
    for (const [id, write] of this.#aside) this.#writes.set(id, write);
    this.#aside.clear();
    this.drain();
  }

  /** Ends when nothing is on its way, and nothing waits for a server that answers. */
  flushed(): Promise<void> {
    if (this.#isIdle()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Sends what waits, beginning in the next turn. */
  drain(): void {
    if (this.#isDraining || this.#writes.size === 0) return;
    this.#isDraining = true;
    setImmediate(() => {
      this.#isDraining = false;
      let left = TURN_MAX;
      for (const [id, write] of this.#writes) {
        if (left-- === 0 || !this.#sender.hasRoom()) break;
        this.#writes.delete(id);
        if (this.#sender.canSend(write.at)) this.#send(write);
        else this.#aside.set(id, write);
      }
      if (this.#sender.hasRoom()) this.drain(); // else when there is a reply
      this.#tell();
    });
  }

  #send(write: QueuedWrite): void {
    this.#sending++;
    this.#sent.set(write.id, write);
    void this.#sender
      .send(write)
      .catch(() => {})
      .finally(() => {
        this.#sending--;
        if (this.#sent.get(write.id) === write) this.#sent.delete(write.id);
        this.drain();
        this.#tell();
      });
  }

  /** Nothing is on its way, or waits for any server. */
  get isEmpty(): boolean {
    return this.#isIdle() && this.#aside.size === 0;
  }

  #isIdle(): boolean {
    return this.#sending === 0 && this.#writes.size === 0;
  }

  #tell(): void {
    if (this.#isIdle()) for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
