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
import { type CacheStats, cacheStatsOf } from '../cache/stats.js';
import { upstreamsOf } from '../cache/upstreams.js';
import { ledgersOf } from '../model/attach.js';
import type { Ledger } from '../model/ledger.js';
import { type Server, serversOf } from '../resp/serve.js';
import type { Family } from './catalog.js';
import { Families } from './families.js';
import { KeyspaceCounts, type ModelRow, type Row } from './keyspaces.js';
import { printable } from './labels.js';

/** Lets the event loop go on. */
export const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Rows that become samples before the event loop goes on: some 20 samples each. */
const ROWS = 16;

/** The counts of a cache at a moment. */
export interface Reading {
  readonly stats: CacheStats;
  readonly startSeconds: number;
  readonly rows: readonly Row[];
  readonly models: readonly ModelRow[];
  /** Of this thread; one that closed since throws `ERR_CACHE_CLOSED`. */
  readonly servers: readonly Server[];
}

/** A cache whose metrics are collected. */
export class Source {
  /** The value of the label `cache`. */
  readonly name: string;
  readonly #cache: WeakRef<Cache>;
  readonly #counts: KeyspaceCounts;
  #startSeconds: number | undefined;

  /** @param withBuckets  whether its models have `buckets` */
  constructor(cache: Cache, name: string, limit: number, withBuckets = false) {
    this.name = printable(name);
    this.#cache = new WeakRef(cache);
    this.#counts = new KeyspaceCounts(this.name, limit, withBuckets);
  }

  /** Whether the cache is open. */
  get isOpen(): boolean {
    return this.#handle() >= 0;
  }

  /**
   * What the cache counts now. Undefined: it is closed, or was closed meanwhile. Its rows are read anew by the next
   * call, which must wait for this one.
   */
  async read(): Promise<Reading | undefined> {
    const { rows, models } = this.#counts;
    try {
      await this.#counts.read(
        () => this.#handle(),
        () => this.#ledgers(),
        pause,
      );
      const raw = native.stats(this.#handle());
      this.#startSeconds ??= Math.round(Date.now() - raw.ageUs / 1000) / 1000;
      const cache = this.#cache.deref()!; // its handle is open
      return { stats: cacheStatsOf(raw), startSeconds: this.#startSeconds, rows, models, servers: serversOf(cache) };
    } catch (error) {
      if (isError(error) && (error as { code?: unknown }).code === 'ERR_CACHE_CLOSED') return undefined;
      throw error;
    }
  }

  /** Nothing is put if the cache is closed meanwhile. */
  async putTo(families: Families): Promise<void> {
    const reading = await this.read();
    if (reading === undefined) return;
    families.putCache(this.name, reading.stats, reading.startSeconds);
    for (const [i, row] of reading.rows.entries()) {
      if (i % ROWS === 0) await pause();
      families.putKeyspace(row);
    }
    for (const [i, row] of reading.models.entries()) {
      if (i % ROWS === 0) await pause();
      families.putModel(row);
    }
    const cache = this.#cache.deref();
    if (cache === undefined) return;
    for (const server of serversOf(cache)) families.putServer(this.name, server);
    families.putUpstreams(this.name, upstreamsOf(cache));
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
