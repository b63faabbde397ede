// keyspace.ts: the keys of one kind of value: what writes. lookups.ts has what reads.

import { ABSENT, native, STORE_COST, STORE_TTL, wideRegisters } from '../addon/native.js';
import { brand } from '../base/kinds.js';
import {
  type Duration,
  type DurationText,
  durationOption,
  optionsObject,
  tagOption,
  typeError,
} from '../base/options.js';
import { KeyBatch } from './batch.js';
import type { Key, Keys } from './keys.js';
import { Lookups } from './lookups.js';
import { type CheckedSetOptions, type SetOptions, setOptions } from './options.js';
import { wasStored } from './stored.js';

/** @internal */
export { type BatchSeeker, handleOf, type Seeker } from './lookups.js';

/**
 * A part of a cache with its own keys, one codec and one scope. Made by {@link Cache.keyspace}.
 *
 * After the cache was closed, every method throws {@link CacheError} `ERR_CACHE_CLOSED`. Every method throws TypeError
 * for a key that is neither a string nor a Uint8Array, or that has a lone surrogate; and RangeError for a key of 0 or
 * more than 65 535 bytes. If keys are integers, it throws TypeError for a key that is not a number, and RangeError for
 * one that is not a safe integer. A method that gives values throws {@link CacheError} `ERR_CACHE_VALUE` for a value
 * that a client of a server stored and that the codec cannot read.
 */
export class Keyspace<In, Out, Own, K extends Key = string | Uint8Array> extends Lookups<In, Out, Own, K> {
  /**
   * Stores a copy of `value` under `key`. A `set` that returned is seen by every later `get` in every thread.
   *
   * @returns false if it was refused: views pin every segment, the system gave no memory, or `admission` refused the
   *   entry.
   *   Then the cache holds nothing under `key`, neither the new value nor an older one. Counted in `stats().refusals`.
   * @throws {TypeError}  `value` is not what the codec takes, or its buffer was detached; a bad option.
   * @throws {RangeError} `value` has other dimensions, or is larger than half of `maxBytes`; an option out of range.
   * Cost: one native call and one copy of the value; now and then an eviction. If another thread writes to a value in a
   *   SharedArrayBuffer meanwhile, it is stored as it was read, possibly torn.
   */
  set<Text extends string = DurationText>(key: K, value: In, options?: SetOptions<Text>): boolean {
    const { ttl, ttlJitter } = this.options;
    if (options !== undefined) return this.store(key, value, setOptions(options, ttl));
    const stored = this.codec.encode(value); // first: the caller's code may close the cache, or store something else
    wideRegisters[STORE_TTL] = (ttlJitter === 0 ? ttl : this.jittered(ttl)) * 1000;
    wideRegisters[STORE_COST] = 0;
    return wasStored(native.set(this.handle, key, stored));
  }

  /** `set` with options that were checked. @internal */
  store(key: K, value: In, { ttl, tags, cost }: CheckedSetOptions): boolean {
    const stored = this.codec.encode(value);
    wideRegisters[STORE_TTL] = this.jittered(ttl) * 1000;
    wideRegisters[STORE_COST] = cost;
    if (tags.length === 0) return wasStored(native.set(this.handle, key, stored));
    return wasStored(native.setTagged(this.handle, key, stored, tags));
  }

  /**
   * Stores many values: pairs of key and value, as in a Map.
   *
   * @returns how many were stored. The others were refused.
   * @throws as {@link set}, for the first pair that is wrong. Those before it are stored.
   */
  setMany<Text extends string = DurationText>(entries: Iterable<readonly [K, In]>, options?: SetOptions<Text>): number {
    if (typeof (entries as { [Symbol.iterator]?: unknown } | undefined)?.[Symbol.iterator] !== 'function')
      throw typeError('entries', 'an iterable of [key, value]', entries);
    native.check(this.handle, [], undefined, 0); // throws for a closed cache even if the list is empty
    const checked = setOptions(options, this.options.ttl);
    let stored = 0;
    for (const entry of entries) {
      if (!Array.isArray(entry)) throw typeError('entries', 'an iterable of [key, value]', entry);
      stored += this.store(entry[0], entry[1], checked) ? 1 : 0;
    }
    return stored;
  }

  /**
   * Counts a use of the entry, and starts its time to live anew.
   *
   * @param options.ttl  from now. Default: the keyspace's. If that has none, the entry's end stays as it is.
   * @returns whether `key` is stored.
   * Cost: as `has`. If an entry without an end gets one, as storing its value again.
   */
  touch<Text extends string = DurationText>(key: K, options?: { ttl?: Duration<Text> | undefined }): boolean {
    const given = optionsObject('options', options, ['ttl']);
    const asked = given['ttl'];
    const { ttl } = this.options;
    const lasts = asked !== undefined ? durationOption('options.ttl', asked) : ttl === Infinity ? Number.NaN : ttl;
    const answer = native.touch(this.handle, key, this.jittered(lasts) * 1000);
    return answer !== ABSENT && wasStored(answer);
  }

  /** Forgets `key`. Views of its value stay as they are. Returns whether it was stored. */
  delete(key: K): boolean {
    return native.delete(this.handle, key);
  }

  /**
   * Forgets many keys, and returns how many of them were stored.
   *
   * @throws {TypeError} `keys` is not an array, or one of them is not a key. Then nothing was forgotten.
   */
  deleteMany(keys: Keys<K>): number {
    const batch = new KeyBatch(keys);
    native.check(this.handle, batch.keys, batch.ends, batch.length);
    let deleted = 0;
    for (let i = 0; i < batch.length; ++i) deleted += this.delete(batch.at(i) as K) ? 1 : 0;
    batch.release();
    return deleted;
  }

  /**
   * Forgets every entry that was stored with `tag`, and returns how many.
   *
   * Cost: proportional to the entries that carry the tag.
   */
  deleteByTag(tag: string): number {
    return native.deleteByTag(this.handle, tagOption('tag', tag));
  }

  /**
   * Forgets every entry of this keyspace. Entries of other keyspaces, views and counters stay.
   *
   * Cost: it does not depend on the number of entries. Their memory is used again as segments are evicted, or comes
   * back
   *   within about a minute of upkeep.
   */
  clear(): void {
    native.clear(this.handle);
  }

  /** @internal */
  protected jittered(ttl: number): number {
    const { ttlJitter } = this.options;
    return ttlJitter === 0 ? ttl : ttl * (1 - ttlJitter * Math.random());
  }
}

brand(Keyspace.prototype, 'Keyspace');
