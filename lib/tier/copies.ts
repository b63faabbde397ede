// copies.ts: copies of values that came from Redis and that L0 did not take, for whoever asked.
//
// A buffer for each copy would cost several times the copy: V8 makes it, fills it with zeros, and collects it. So copies
// lie side by side in slabs. A copy keeps its slab, as a view of L0 keeps its segment. A slab belongs to one keyspace, so
// `.buffer` shows no other keyspace's values. It cannot be transferred to another thread: that would take it from all.

import { markAsUntransferable } from 'node:worker_threads';

const SLAB_BYTES = 32 * 1024; // freed ones are used again before the kernel is asked for pages
const OWN_BUFFER_ABOVE = SLAB_BYTES / 4; // larger values would leave much of a slab unused
const ALIGNMENT = 16;

export class Copies {
  #slab = new ArrayBuffer(0);
  #used = 0;

  /** The same bytes, aligned for elements of any type. */
  of(bytes: Uint8Array): Uint8Array {
    const { length } = bytes;
    const copy = length > OWN_BUFFER_ABOVE ? new Uint8Array(length) : this.#room(length);
    copy.set(bytes);
    return copy;
  }

  #room(length: number): Uint8Array {
    // One that was detached after all has no bytes.
    if (this.#slab.byteLength - this.#used < length) {
      this.#slab = new ArrayBuffer(SLAB_BYTES);
      this.#used = 0;
      markAsUntransferable(this.#slab);
    }
    const room = new Uint8Array(this.#slab, this.#used, length);
    this.#used += Math.ceil(length / ALIGNMENT) * ALIGNMENT;
    return room;
  }
}
