// behind.ts: what lies behind the results of a model: a store that other processes share, such as Redis.
//
//   an input that misses here ──► sought behind ──► found: it is stored here too, and not run
//                                               └► not found: this process runs it, and gives its result to all
//
// This room knows no such store. Another room (lib/tier) adds an option to models, and makes a Behind of it.

import type { Cache } from '../cache/cache.js';
import type { Codec } from '../cache/codecs.js';
import type { Fingerprint } from '../fingerprint/fingerprint.js';

/** A result that was found behind. */
export interface Found {
  /** What the codec gave, over memory of its own. */
  readonly result: unknown;
  /** How long it may be served, in ms. */
  readonly leftMs: number;
}

/** One result that is looked for behind; then, if it is not there, the right to give it. */
export interface Search {
  /** Never rejects but when the cache is closed. Undefined: it is to be run here. */
  readonly found: Promise<Found | undefined>;
  /** False: the result was changed or deleted elsewhere since. What is run now is not stored, and nobody joins it. */
  readonly isCurrent: boolean;
  /**
   * Stores a result here, and behind unless there is one by then, or in place of the stale one.
   *
   * @returns whether it is stored here
   */
  give(stored: ArrayBufferView, ttlMs: number, cost: number): boolean;
  /** There will be no result: others need not wait for it. Does nothing after `give`. */
  end(): void;
}

/** What lies behind one model, by the fingerprints of its inputs. @internal */
export interface Behind {
  /** Looks for a result that somebody waits for. What was looked for under this key before is not stored any more. */
  seek(key: Fingerprint): Search;
  /** Looks for a result that is not run if it is not there. */
  peek(key: Fingerprint): Promise<Found | undefined>;
  /**
   * Has one of all processes compute a stale result anew. Never rejects.
   *
   * @returns the right to give it; or for how many ms another process has that right, at most.
   */
  renew(key: Fingerprint): Promise<Search | number>;
  /** Stores a result here and behind, in place of another. Returns whether it is stored here. */
  write(key: Fingerprint, stored: ArrayBufferView, ttlMs: number, cost: number): boolean;
  /** Forgets a result here and behind. Returns whether it was here. */
  delete(key: Fingerprint): boolean;
  /** Counts, for `stats` of the model. */
  stats(): object;
}

/** A model as it is opened. @internal */
export interface ModelFacts {
  readonly cache: Cache;
  /** Of its keyspace, in native code. */
  readonly nativeName: string;
  readonly name: string;
  /** '' is public. */
  readonly scope: string;
  readonly codec: Codec<unknown, unknown, unknown>;
  /** How long a result may be stored at most, in ms. */
  readonly ttlMs: number;
}

/** A room that adds an option to models. */
export interface ModelRoom {
  readonly option: string;
  /** Checks what the user gave. Undefined: nothing lies behind the model. */
  prepare(value: unknown): ((facts: ModelFacts) => Behind) | undefined;
}

const rooms: ModelRoom[] = [];

export function addModelRoom(room: ModelRoom): void {
  rooms.push(room);
}

export function modelRoomOptions(): string[] {
  return rooms.map(({ option }) => option);
}

/** What makes that which lies behind a model with these options; undefined: nothing does. */
export function behindOf(given: Record<string, unknown>): ((facts: ModelFacts) => Behind) | undefined {
  for (const room of rooms) {
    const make = room.prepare(given[room.option]);
    if (make !== undefined) return make;
  }
  return undefined;
}
