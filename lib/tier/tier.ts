// tier.ts: what lies behind one keyspace: Redis, and behind that a loader.
//
//   load ──► reading.ts: one MGET for the keys of a turn ──► found: promoted into L0, with what is left of its time
//                                                        └► missing: making.ts: one process of many asks its loader
//   set, delete, touch ──► writing.ts
//
// Coherence. L0 holds a value only if Redis will tell this process when it changes. The link (link.ts) gives replies and
// pushes in Redis's own order. Still a push may be handled between the reply of a read and the storing of it, because
// whoever waits for a reply goes on a moment later. So each flight has a fence: a push about its key, a flush, a lost
// connection or a write of our own closes it. A value that comes through a closed fence is given to those who asked
// before, and is not stored; who asks afterwards has a flight of his own.

import { native } from '../addon/native.js';
import type { Key } from '../cache/keys.js';
import type { Flight, Waiter } from './flights.js';
import { idOfBytes } from './keys.js';
import { closed, L0, type TierParts } from './l0.js';
import type { Link, Tracker } from './link.js';
import { Making } from './making.js';
import { Reading } from './reading.js';
import type { Argument, Octets } from './redis.js';
import { Writing } from './writing.js';

export class Tier implements Tracker {
  readonly link: Link;
  readonly writing: Writing;
  readonly l0: L0;
  readonly reading: Reading;
  readonly making: Making;

  constructor(parts: TierParts) {
    this.link = parts.link;
    this.l0 = new L0(parts, this);
    this.reading = new Reading(
      this.l0,
      (missing) => this.#watch(missing, this.making.make(missing)),
      (stale) => this.#watch(stale, this.making.refresh(stale)),
    );
    this.making = new Making(this.l0, (flights) => this.reading.again(flights));
    this.writing = new Writing(this.l0, (id) => this.#readAnew(id));
    native.clear(parts.handle); // what is there was not tracked
    this.link.add(this);
  }

  get prefix(): Octets {
    return this.l0.prefix;
  }

  /** Redis is only read. */
  get isLocal(): boolean {
    return this.l0.parts.options.writes === 'local';
  }

  get counts(): L0['counts'] & { queued: number } {
    return { ...this.l0.counts, queued: this.writing.queued };
  }

  /** Nothing is being loaded, and no write is on its way or waits. */
  get isIdle(): boolean {
    return this.l0.flights.isEmpty && this.writing.isIdle;
  }

  /** Tells `waiter` what Redis or the loader has under `key`, or a write that Redis is yet to be told of. */
  load(key: Key, waiter: Waiter, place = 0): void {
    const id = this.l0.idOf(key);
    const queued = this.writing.waiting(id);
    if (queued !== undefined) {
      waiter.found(queued, place);
      return;
    }
    const known = this.l0.flights.get(id);
    if (known !== undefined) {
      known.wantAs(this.#own(id, key));
      known.join(waiter, place);
    } else if (this.l0.isClosed) waiter.failed(closed());
    else this.reading.look(id, this.#own(id, key), true).join(waiter, place);
  }

  changed(key: Octets): void {
    const id = idOfBytes(key);
    this.l0.lasting.changed(id);
    this.l0.flights.fence(id);
    const cost = this.making.changed(id);
    const own = this.l0.keyOf(id);
    if (own === undefined) return;
    this.l0.delete(own);
    // It may be another one's write besides: it is read to know.
    if (cost !== undefined) this.#readAnew(id, cost);
  }

  forgetAll(): void {
    this.making.forgetAll();
    this.l0.forgetAll();
  }

  forgetSome(isGone: (at: Argument) => boolean): Promise<void> {
    return this.l0.forgetSome(isGone);
  }

  turned(up: boolean): void {
    if (up) {
      this.l0.lasting.ask();
      this.writing.resume();
    } else this.making.wakeAll();
  }

  close(): void {
    if (this.l0.isClosed) return;
    this.l0.isClosed = true;
    this.link.remove(this);
    this.making.end(closed());
    this.l0.flights.failAll(closed());
  }

  /** The caller may change the bytes of a key. */
  #own(id: string, key: Key): Key {
    return typeof key === 'object' ? this.l0.keyOf(id)! : key;
  }

  #readAnew(id: string, cost = 0): void {
    // A value that Redis is yet to be told of is newer than its own, and nothing will tell us that it has changed.
    if (this.writing.waiting(id) !== undefined) return;
    this.reading.look(id, this.l0.keyOf(id)!, false, cost);
  }

  /** If this work on flights fails, they do: nobody joins or waits for them any more. */
  #watch(flights: readonly Flight[], work: Promise<void>): void {
    work.catch((error) => {
      for (const flight of flights) this.l0.flights.fail(flight, error);
    });
  }
}
