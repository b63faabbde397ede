// keyspace.ts: a keyspace with Redis, and perhaps a loader, behind it. tier.ts does the work.

import { native } from '../addon/native.js';
import { type Duration, type DurationText, durationOption, optionsObject, typeError } from '../base/options.js';
import { OpenKeyspace } from '../cache/cache.js';
import { elementCount } from '../cache/codecs.js';
import type { Key, Keys } from '../cache/keys.js';
import { type CheckedSetOptions, type SetOptions, setOptions } from '../cache/options.js';
import type { KeyspaceStats } from '../cache/stats.js';
import { Copies } from './copies.js';
import { promiseOfMany, promiseOfOne, type Stored } from './flights.js';
import { type UpstreamStats, upstreamStatsOf } from './stats.js';
import type { Tier } from './tier.js';

/** Counts of a keyspace and of what lies behind it. */
export interface TieredKeyspaceStats extends KeyspaceStats {
  upstream: UpstreamStats;
}

/**
 * A keyspace with Redis behind it, and perhaps a loader. {@link load} asks all of them; `get`, `getMany` and `gather`
 * look into L0 only, and never wait.
 *
 * When another client changes a key in Redis, L0 forgets it. `set`, `delete` and `touch` tell Redis too. `clear` empties
 * L0 only. There are no tags: Redis has none.
 */
export class TieredKeyspace<In, Out, Own, K extends Key = string | Uint8Array> extends OpenKeyspace<In, Out, Own, K> {
  #tier!: Tier;
  readonly #copies = new Copies();

  /** @internal */
  attach(tier: Tier): void {
    this.#tier = tier;
  }

  /**
   * The value under `key`: from L0, which needs no network; or from Redis; or from the loader. `undefined` if none of
   * them has one. What is found is stored in L0, and what the loader made in Redis too, unless it has another value by
   * then. Whoever asks for a key that is being looked for joins in.
   *
   * Rejects with the loader's error; with a CacheError `ERR_UPSTREAM_LOADER` (it took too long, or gave not one value
   * for each key), `ERR_CACHE_VALUE` (Redis has something that is no value of the codec) or `ERR_CACHE_CLOSED`. That
   * Redis does not answer is no error: the loader is asked.
   *
   * Cost: a hit in L0 is a `get`. Loads of one turn share one MGET.
   */
  async load(key: K): Promise<Out | undefined> {
    const known = this.get(key);
    if (known !== undefined) return known;
    return this.#valueOf(key, await promiseOfOne((waiter) => this.#tier.load(key, waiter)));
  }

  /** As {@link load}, for many keys, in their order. The first that fails rejects it. */
  async loadMany(keys: Keys<K>): Promise<(Out | undefined)[]> {
    const asked = Array.from(keys as ArrayLike<K>);
    const values = this.getMany(asked);
    const missing: number[] = [];
    for (let i = 0; i < values.length; ++i) if (values[i] === undefined) missing.push(i);
    if (missing.length === 0) return values;
    await this.#loadAt(asked, missing, (stored, i) => {
      values[i] = this.#valueOf(asked[i]!, stored);
    });
    return values;
  }

  /**
   * As {@link gather}, from all tiers. Rows that no tier has stay as they were.
   *
   * @param out must not be detached or used otherwise until the promise is fulfilled.
   */
  async gatherAsync(keys: Keys<K>, out: ArrayBufferView): Promise<{ hits: number; missing: number[] }> {
    const asked = Array.from(keys as ArrayLike<K>);
    const { missing } = this.gather(asked, out);
    if (missing.length === 0) return { hits: asked.length, missing };
    const { bytes } = this.codec.row!;
    const still: number[] = [];
    await this.#loadAt(asked, missing, (stored, i) => {
      if (stored?.length !== bytes) {
        still.push(i);
        return;
      }
      elementCount(out, 'out');
      new Uint8Array(out.buffer, out.byteOffset + i * bytes, bytes).set(stored);
    });
    still.sort((a, b) => a - b);
    return { hits: asked.length - still.length, missing: still };
  }

  /**
   * As {@link set}, and waits for Redis. With `writes: 'behind'` it waits for a place in the queue only.
   *
   * Rejects with a CacheError `ERR_UPSTREAM_WRITE`: Redis may not have the value. L0 has it no more; if Redis was not
   * connected, for `aloneTtl`.
   */
  async setAsync<Text extends string = DurationText>(key: K, value: In, options?: SetOptions<Text>): Promise<void> {
    await this.#write(key, value, setOptions(options, this.options.ttl)).done;
  }

  /** As {@link delete}, and waits for Redis. Rejects with a CacheError `ERR_UPSTREAM_WRITE`: Redis may still have it. */
  async deleteAsync(key: K): Promise<void> {
    native.check(this.handle, [key], undefined, 1);
    await this.#tier.writing.remove(key).done;
  }

  /** Waits until Redis has been told of all writes in the queue, or cannot be told. */
  async flushed(): Promise<void> {
    await this.#tier.writing.flushed();
  }

  /** Waits for the first connection to Redis, or its failure. Nobody needs to: loads do so themselves. */
  async ready(): Promise<void> {
    await this.#tier.link.ready();
  }

  override set<Text extends string = DurationText>(key: K, value: In, options?: SetOptions<Text>): boolean {
    return this.store(key, value, setOptions(options, this.options.ttl));
  }

  /** @internal */
  override store(key: K, value: In, options: CheckedSetOptions): boolean {
    const { kept, done } = this.#write(key, value, options);
    done.catch(() => {}); // counted; L0 has forgotten it
    return kept;
  }

  override delete(key: K): boolean {
    native.check(this.handle, [key], undefined, 1);
    const { was, done } = this.#tier.writing.remove(key);
    done.catch(() => {});
    return was;
  }

  override touch<Text extends string = DurationText>(key: K, options?: { ttl?: Duration<Text> | undefined }): boolean {
    const asked = optionsObject('options', options, ['ttl'])['ttl'];
    const ttlMs = asked === undefined ? this.options.ttl : durationOption('options.ttl', asked);
    if (asked === undefined && ttlMs === Number.POSITIVE_INFINITY) return super.touch(key);
    // Redis is not told, so L0 does not have the value for longer than before.
    if (this.#tier.isLocal) return super.touch(key, { ttl: Math.max(1, Math.min(ttlMs, this.#left(key))) });
    const touched = super.touch(key, options);
    this.#tier.writing.expire(key, ttlMs).catch(() => {});
    return touched;
  }

  /** Not here: Redis has no tags. @throws {TypeError} */
  override deleteByTag(tag: string): number {
    throw typeError('deleteByTag', 'a keyspace without upstream: Redis has no tags', tag);
  }

  override stats(): TieredKeyspaceStats {
    return { ...super.stats(), upstream: upstreamStatsOf(this.#tier) };
  }

  #write(key: K, value: In, { ttl, tags, cost }: CheckedSetOptions): { kept: boolean; done: Promise<void> } {
    if (tags.length > 0) throw typeError('options.tags', 'no tags, because Redis has none (upstream)', tags);
    const stored = this.codec.encode(value);
    native.check(this.handle, [key], undefined, 1);
    return this.#tier.writing.write(key, stored, this.jittered(ttl), cost);
  }

  #left(key: K): number {
    return this.entry(key)?.ttl ?? Number.POSITIVE_INFINITY;
  }

  /** Ends when the keys at these places are found. @param take  is given what is found, and the place */
  #loadAt(keys: readonly K[], places: readonly number[], take: (stored: Stored, place: number) => void): Promise<void> {
    return promiseOfMany(places.length, take, (waiter) => {
      for (const place of places) this.#tier.load(keys[place]!, waiter, place);
    });
  }

  /** L0's value, which needs no copy; or, if L0 did not take it, a view of a copy. The bytes are the client's. */
  #valueOf(key: K, stored: Stored): Out | undefined {
    return stored && (this.peek(key) ?? this.viewed(key, this.#copies.of(stored)));
  }
}
