// keyv.ts: a storage adapter for keyv, over a keyspace of the caller's: the package's entry `zerohop/keyv`. keyv 5,
// and 6 by its bridge for the adapters of 5. keyv is described here by what is used of it, and nothing of it is
// imported.
//
// keyv 5 tells a store its namespace, and nothing more: not whether it writes that before its keys, and not which
// Keyv calls.
//
//   key as keyv gives it       as it lies in the keyspace
//   web:user:1                 web:user:1                  keyv wrote the namespace before it
//   user:1                     web<NUL>user:1              useKeyPrefix: false leaves that to the store
//
// What begins with the namespace is never changed, so the two cannot meet. keyv 6 tells a store of ours no namespace,
// and writes its own, with two colons.

import '../addon/native.js'; // first: in a bundle it says so

import { CacheError } from '../base/errors.js';
import { isBranded } from '../base/kinds.js';
import { DURATION_MS_MAX, typeError } from '../base/options.js';
import type { Keyspace } from '../cache/keyspace.js';

/**
 * What keyv calls; ttl in ms. What is not here keyv makes of what is: deleting many is answered otherwise by each of
 * its versions.
 *
 * Methods reject as those of the keyspace throw, which keyv emits as `error`; and with a CacheError
 * `ERR_CACHE_OPTIONS` where several namespaces have one store, and it cannot be told whose call it is.
 */
class Store {
  /** keyv 5 iterates over the stores that it knows by dialect, and is content with this. */
  readonly opts = { dialect: 'redis', url: 'zerohop' };
  /** Set by keyv 5. It must not be there before: keyv 6 would leave it to the store to tell namespaces apart. */
  declare namespace?: string | undefined;
  /** Namespaces that a Keyv before the last one gave this store. */
  readonly #others = new Set<string | undefined>();
  readonly #keyspace: Keyspace<unknown, unknown, unknown>;

  /** @internal */
  constructor(keyspace: Keyspace<unknown, unknown, unknown>) {
    this.#keyspace = keyspace;
  }

  // biome-ignore lint/suspicious/noExplicitAny: keyv says of what type its values are
  async get(key: string): Promise<any> {
    return this.#keyspace.get(this.#stored(key));
  }

  // biome-ignore lint/suspicious/noExplicitAny: as above
  async getMany(keys: string[]): Promise<any[]> {
    return this.#keyspace.getMany(keys.map((key) => this.#stored(key)));
  }

  /**
   * Stores the value for `ttl` ms, or as long as the keyspace says if there is none; false if the cache refused it. A
   * time that has passed already deletes.
   */
  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    const stored = this.#stored(key);
    if (ttl === undefined || ttl === 0) return this.#keyspace.set(stored, withoutEnd(value)); // keyv takes 0 for none
    if (ttl < 1) {
      this.#keyspace.delete(stored);
      return true;
    }
    return this.#keyspace.set(stored, value, { ttl: ttl > DURATION_MS_MAX ? Infinity : ttl });
  }

  async delete(key: string): Promise<boolean> {
    return this.#keyspace.delete(this.#stored(key));
  }

  async has(key: string): Promise<boolean> {
    return this.#keyspace.has(this.#stored(key));
  }

  /** Forgets the keys of `namespace`, one pass over the keyspace; all of them, at once, if there is none. */
  async clear(): Promise<void> {
    this.#assertOwn();
    if (!this.namespace) return this.#keyspace.clear();
    for (const [, stored] of this.#keysOf(this.namespace)) this.#keyspace.delete(stored);
  }

  /**
   * Keys, as keyv gave them, and values of a namespace. keyv 5 takes this function when a Keyv is made, and calls it
   * with the store's namespace, which by then may be that of another Keyv.
   */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  get iterator(): (namespace?: string) => AsyncGenerator<[string, any], void> {
    const { namespace: taker } = this;
    return (namespace) => {
      if (namespace !== taker) this.#assertOwn();
      return this.#entriesOf(namespace);
    };
  }

  async *#entriesOf(namespace: string | undefined): AsyncGenerator<[string, unknown], void> {
    for (const [key, stored] of this.#keysOf(namespace)) {
      const value = this.#keyspace.peek(stored);
      if (value !== undefined) yield [key, value];
    }
  }

  /** There is nothing to tell: what fails rejects. Each Keyv calls this once, before it says its namespace. */
  on(event: string, _listener: (...values: never[]) => void): this {
    if (event === 'error' && Object.hasOwn(this, 'namespace')) this.#others.add(this.namespace);
    return this;
  }

  /** The key as it lies in the keyspace. */
  #stored(key: string): string {
    const { namespace } = this;
    if (!namespace || key.startsWith(`${namespace}:`)) return key;
    for (const other of this.#others) if (other && key.startsWith(`${other}:`)) return key;
    this.#assertOwn();
    return `${namespace}\0${key}`;
  }

  #assertOwn(): void {
    for (const other of this.#others) {
      if (other === this.namespace) continue;
      const names = [...new Set([...this.#others, this.namespace])].map((name) => JSON.stringify(name) ?? 'none');
      throw new CacheError(
        'ERR_CACHE_OPTIONS',
        `the namespaces ${names.join(' and ')} have one store, which cannot tell whose this call is: ` +
          'give each Keyv a store of its own, keyvStore(keyspace); they may share the keyspace',
      );
    }
  }

  /** Keys of a namespace, as keyv gave them and as they lie in the keyspace. */
  *#keysOf(namespace: string | undefined): Generator<[key: string, stored: string]> {
    for (const stored of this.#keyspace.keys()) {
      if (typeof stored !== 'string') continue;
      if (!namespace || stored.startsWith(`${namespace}:`))
        yield [stored, stored]; // keyv 6 writes two colons
      else if (stored.startsWith(`${namespace}\0`)) yield [stored.slice(namespace.length + 1), stored];
    }
  }
}

/**
 * keyv 5 that serializes nothing gives `{ value, expires: undefined }` where there is no end: JSON has no undefined.
 */
function withoutEnd(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('expires' in value) || value.expires !== undefined) return value;
  const { expires: _, ...rest } = value;
  return rest;
}

export type KeyvStore = Store;

/**
 * A store for keyv. Its entries are those of the keyspace, evicted like any others; closing the cache is the caller's.
 *
 * Give each Keyv a store of its own; they may share a keyspace. keyv 5 does not tell a store which Keyv calls: with
 * two namespaces on one store `clear` and the iterator are refused. Namespaces of one keyspace differ by what stands
 * before the first colon: `a` and `a:b` are one within the other.
 *
 * @param keyspace with the codec `utf8`, or `json` where keyv is not to serialize.
 * @throws {TypeError} `keyspace` is no keyspace.
 * @example const keyv = new Keyv({ store: keyvStore(cache.keyspace('sessions', { codec: utf8 })), namespace: 'web' })
 */
export function keyvStore<In, Out, Own>(
  keyspace: Keyspace<In, Out, Own> & (string extends In ? unknown : never), // keyv's values are texts
): KeyvStore {
  if (!isBranded(keyspace, 'Keyspace')) throw typeError('keyspace', 'a keyspace, as cache.keyspace() gives', keyspace);
  return new Store(keyspace as unknown as Keyspace<unknown, unknown, unknown>);
}
