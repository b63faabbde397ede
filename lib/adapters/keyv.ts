// keyv.ts: a storage adapter for keyv, over a keyspace of the caller's: the package's entry `zerohop/keyv`. keyv 5, and 6
// by its bridge for the adapters of 5. keyv is described here by what is used of it, and nothing of it is imported.

import { Keyspace } from '../keyspace.js';
import { DURATION_MS_MAX, typeError } from '../options.js';

/**
 * What keyv calls. Keys come with their namespace before them; ttl in ms. What is not here keyv makes of what is: deleting
 * many is answered otherwise by each of its versions.
 *
 * Methods reject as those of the keyspace throw, which keyv emits as `error`.
 */
class Store {
  /** keyv 5 iterates over the stores that it knows by dialect, and is content with this. */
  readonly opts = { dialect: 'redis', url: 'zerohop' };
  /** Set by keyv 5. It must not be there before: keyv 6 would leave it to the store to tell namespaces apart. */
  declare namespace?: string | undefined;
  readonly #keyspace: Keyspace<unknown, unknown, unknown>;

  /** @internal */
  constructor(keyspace: Keyspace<unknown, unknown, unknown>) {
    this.#keyspace = keyspace;
  }

  // biome-ignore lint/suspicious/noExplicitAny: keyv says of what type its values are
  async get(key: string): Promise<any> {
    return this.#keyspace.get(key);
  }

  // biome-ignore lint/suspicious/noExplicitAny: as above
  async getMany(keys: string[]): Promise<any[]> {
    return this.#keyspace.getMany(keys);
  }

  /**
   * Stores the value for `ttl` ms, or as long as the keyspace says if there is none; false if the cache refused it. A time
   * that has passed already deletes.
   */
  async set(key: string, value: unknown, ttl?: number): Promise<boolean> {
    if (ttl === undefined || ttl === 0) return this.#keyspace.set(key, value); // keyv takes 0 for none
    if (ttl < 1) {
      this.#keyspace.delete(key);
      return true;
    }
    return this.#keyspace.set(key, value, { ttl: ttl > DURATION_MS_MAX ? Infinity : ttl });
  }

  async delete(key: string): Promise<boolean> {
    return this.#keyspace.delete(key);
  }

  async has(key: string): Promise<boolean> {
    return this.#keyspace.has(key);
  }

  /** Forgets the keys of `namespace`, one pass over the keyspace; all of them, at once, if there is none. */
  async clear(): Promise<void> {
    if (!this.namespace) return this.#keyspace.clear();
    for (const key of this.#keysOf(this.namespace)) this.#keyspace.delete(key);
  }

  /** Keys and values of a namespace, the keys with it. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  async *iterator(namespace?: string): AsyncGenerator<[string, any], void> {
    for (const key of this.#keysOf(namespace)) {
      const value = this.#keyspace.peek(key);
      if (value !== undefined) yield [key, value];
    }
  }

  /** There is nothing to tell: what fails rejects. */
  on(_event: string, _listener: (...values: never[]) => void): this {
    return this;
  }

  *#keysOf(namespace: string | undefined): Generator<string> {
    const prefix = namespace ? `${namespace}:` : ''; // keyv 6 writes two colons
    for (const key of this.#keyspace.keys()) if (typeof key === 'string' && key.startsWith(prefix)) yield key;
  }
}

export type KeyvStore = Store;

/**
 * A store for keyv. Its entries are those of the keyspace, evicted like any others; closing the cache is the caller's.
 *
 * Give each Keyv a store of its own: keyv 5 tells a store its namespace, and `clear` clears that. Namespaces of one keyspace
 * differ by what stands before the first colon: `a` and `a:b` are one within the other.
 *
 * @param keyspace with the codec `utf8`, or `json` where keyv is not to serialize.
 * @throws {TypeError} `keyspace` is no keyspace.
 * @example const keyv = new Keyv({ store: keyvStore(cache.keyspace('sessions', { codec: utf8 })), namespace: 'web' })
 */
export function keyvStore<In, Out, Own>(
  keyspace: Keyspace<In, Out, Own> & (string extends In ? unknown : never), // keyv's values are texts
): KeyvStore {
  if (!(keyspace instanceof Keyspace)) throw typeError('keyspace', 'a keyspace, as cache.keyspace() gives', keyspace);
  return new Store(keyspace as unknown as Keyspace<unknown, unknown, unknown>);
}
