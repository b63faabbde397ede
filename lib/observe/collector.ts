// collector.ts: collects the metrics of caches, a slice at a time: however many keyspaces there are, the event loop
// never waits for more than a slice.
//
// A collector keeps no cache open. A cache that is closed, or collected, leaves it by itself.

import { native } from '../addon/native.js';
import { isError } from '../base/kinds.js';
import { rangeError } from '../base/options.js';
import { setImmediate } from '../base/time.js';
import type { Cache } from '../cache/cache.js';
import { handleOf } from '../cache/keyspace.js';
import { cacheStatsOf } from '../cache/stats.js';
import { ledgersOf } from '../model/attach.js';
import type { Ledger } from '../model/ledger.js';
import { serversOf } from '../resp/serve.js';
import type { Family } from './catalog.js';
import { Families } from './families.js';
import { KeyspaceCounts } from './keyspaces.js';
import { printable } from './labels.js';

/** Lets the event loop go on. */
export const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Rows that become samples before the event loop goes on: some 20 samples each. */
const ROWS = 16;

/** A cache whose metrics are collected. */
export class Source {
  /** The value of the label `cache`. */
  readonly name: string;
  readonly #cache: WeakRef<Cache>;
  readonly #counts: KeyspaceCounts;
  #startSeconds: number | undefined;

  constructor(cache: Cache, name: string, limit: number) {
    this.name = printable(name);
    this.#cache = new WeakRef(cache);
    this.#counts = new KeyspaceCounts(this.name, limit);
  }

  /** Whether the cache is open. */
  get isOpen(): boolean {
    return this.#handle() >= 0;
  }

  /** Nothing is put if the cache is closed meanwhile. */
  async putTo(families: Families): Promise<void> {
    const counts = this.#counts;
    try {
      await counts.read(
        () => this.#handle(),
        () => this.#ledgers(),
        pause,
      );
      const raw = native.stats(this.#handle());
      this.#startSeconds ??= Math.round(Date.now() - raw.ageUs / 1000) / 1000;
      families.putCache(this.name, cacheStatsOf(raw), this.#startSeconds);
    } catch (error) {
      if (isError(error) && (error as { code?: unknown }).code === 'ERR_CACHE_CLOSED') return;
      throw error;
    }
    for (const [i, row] of counts.rows.entries()) {
      if (i % ROWS === 0) await pause();
      families.putKeyspace(row);
    }
    for (const [i, row] of counts.models.entries()) {
      if (i % ROWS === 0) await pause();
      families.putModel(row);
    }
    const cache = this.#cache.deref();
    if (cache === undefined) return;
    for (const server of serversOf(cache)) families.putServer(this.name, server);
  }

  #ledgers(): Iterable<Ledger> {
    const cache = this.#cache.deref();
    return cache === undefined ? [] : ledgersOf(cache);
  }

  #handle(): number {
    const cache = this.#cache.deref();
    return cache === undefined ? -1 : handleOf(cache)!;
  }
}

export class Collector {
  readonly #sources = new Set<Source>();
  #running: Promise<Family[]> | undefined;

  /** @throws {RangeError} another cache has this name. */
  add(cache: Cache, name: string, limit: number): Source {
    for (const source of this.#sources) if (!source.isOpen) this.#sources.delete(source);
    const source = new Source(cache, name, limit);
    for (const other of this.#sources)
      if (other.name === source.name)
        throw rangeError('options.name', 'a name that no other cache of the register has', name);
    this.#sources.add(source);
    return source;
  }

  remove(source: Source): void {
    this.#sources.delete(source);
  }

  get isEmpty(): boolean {
    return this.#sources.size === 0;
  }

  /** The metrics of all caches. Who asks while they are collected gets the same. */
  collect(): Promise<Family[]> {
    this.#running ??= this.#collect().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #collect(): Promise<Family[]> {
    const families = new Families();
    for (const source of [...this.#sources]) {
      if (source.isOpen) await source.putTo(families);
      else this.#sources.delete(source);
    }
    return families.list();
  }
}
