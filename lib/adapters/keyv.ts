// keyv.ts: a storage adapter for keyv, over a keyspace of the caller: the package's entry `zerohop/keyv`. It is for
// keyv 5, and for keyv 6 by its bridge for adapters of 5. The types here describe only what is used of keyv. Nothing of
// it is imported.
//
// keyv 5 tells a store its namespace, but not whether it writes the namespace before its keys, and not which Keyv
// calls.
//
//   key from keyv              key in the keyspace
//   web:user:1                 web:user:1                  keyv wrote the namespace before it
//   user:1                     web<NUL>user:1              with useKeyPrefix: false the store must do that
//
// A key that begins with the namespace is never changed, so the two forms cannot meet. keyv 6 tells the store no
// namespace. It writes the namespace itself, with two colons.

import '../addon/native.js'; // first: its error says that it was bundled

import { CacheError } from '../base/errors.js';
import { isBranded } from '../base/kinds.js';
import { DURATION_MS_MAX, typeError } from '../base/options.js';
import type { Keyspace } from '../cache/keyspace.js';

/**
 * The methods that keyv calls. A ttl is in ms. keyv makes its other methods of these. Deleting many keys is not among
 * them, because each version of keyv wants another answer.
 *
 * Methods reject with the errors of the keyspace, which keyv emits as `error`. If several namespaces have one store,
 * and nobody can tell whose call it is, they reject with a CacheError `ERR_CACHE_OPTIONS`.
 */
class Store {
  /** keyv 5 iterates only over stores with a known dialect. It accepts this one. */
  readonly opts = { dialect: 'redis', url: 'zerohop' };
  /** keyv 5 sets it. It must not exist before, or keyv 6 would leave namespaces to the store. */
  declare namespace?: string | undefined;
  /** Namespaces that this store was given before the last one. */
  readonly #others = new Set<string | undefined>();
  readonly #keyspace: Keyspace<unknown, unknown, unknown>;

  /** @internal */
  constructor(keyspace: Keyspace<unknown, unknown, unknown>) {
    this.#keyspace = keyspace;
  }

  // biome-ignore lint/suspicious/noExplicitAny: keyv says which type its values have
  async get(key: string): Promise<any> {
    return this.#keyspace.get(this.#stored(key));
  }

  // biome-ignore lint/suspicious/noExplicitAny: as above
  async getMany(keys: string[]): Promise<any[]> {
    return this.#keyspace.getMany(keys.map((key) => this.#stored(key)));
  }

  /**
   * Stores the value for `ttl` ms, or without `ttl` as long as the keyspace says. False: the cache refused it. If
   * the time has passed already, it deletes the key.
   */
  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    const stored = this.#stored(key);
    if (ttl === undefined || ttl === 0) return this.#keyspace.set(stored, withoutEnd(value)); // 0 means no ttl in keyv
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

  /** Forgets the keys of `namespace`, by one pass over the keyspace. Without a namespace, clears the keyspace. */
  async clear(): Promise<void> {
    this.#assertOwn();
    if (!this.namespace) return this.#keyspace.clear();
    for (const [, stored] of this.#keysOf(this.namespace)) this.#keyspace.delete(stored);
  }

  /**
   * The keys of a namespace, as keyv gave them, and their values. keyv 5 takes this function when a Keyv is made, and
   * calls it with the store's namespace. By then that may be the namespace of another Keyv.
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

  /** The store emits nothing, because failures reject. Each Keyv calls this once, before it sets its namespace. */
  on(event: string, _listener: (...values: never[]) => void): this {
    if (event === 'error' && Object.hasOwn(this, 'namespace')) this.#others.add(this.namespace);
    return this;
  }

  /** The key in the keyspace. */
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

  /** The keys of a namespace: as keyv gave them, and in the keyspace. */
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
 * keyv 5 without serialization gives `{ value, expires: undefined }` if there is no end. JSON has no undefined, so the
 * member is left out.
 */
function withoutEnd(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('expires' in value) || value.expires !== undefined) return value;
  const { expires: _, ...rest } = value;
  return rest;
}

export type KeyvStore = Store;

/**
 * A store for keyv. Its entries are those of the keyspace, and are evicted as any others. The caller closes the cache.
 *
 * Give each Keyv a store of its own. Several stores may share a keyspace. keyv 5 does not tell a store which Keyv
 * calls, so with two namespaces on one store `clear` and the iterator are refused. Namespaces of one keyspace must
 * differ before the first colon: the keys of `a:b` are also keys of `a`.
 *
 * @param keyspace with the codec `utf8`; or with `json` if keyv does not serialize.
 * @throws {TypeError} `keyspace` is not a keyspace.
 * @example const keyv = new Keyv({ store: keyvStore(cache.keyspace('sessions', { codec: utf8 })), namespace: 'web' })
 */
export function keyvStore<In, Out, Own>(
  keyspace: Keyspace<In, Out, Own> & (string extends In ? unknown : never), // keyv's values are texts
): KeyvStore {
  if (!isBranded(keyspace, 'Keyspace')) throw typeError('keyspace', 'a keyspace, as cache.keyspace() gives', keyspace);
  return new Store(keyspace as unknown as Keyspace<unknown, unknown, unknown>);
}
