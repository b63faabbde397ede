// server-link.ts: the link to a single server, which may be the one that a Sentinel names.

import { Link, type LinkOptions, type LinkState } from './link.js';
import { Peer } from './peer.js';
import type { Argument, RedisPlace, Reply } from './redis.js';
import { Script } from './script.js';

/** How many keys there are, and how many of them expire, in each database. */
const KEYSPACE = new Script('return redis.call("INFO","keyspace")');

export class ServerLink extends Link {
  readonly shown: string;
  readonly keyPrefix: string;
  readonly #place: RedisPlace;
  readonly #peer: Peer;

  /** @param find  makes the place, for this link alone */
  constructor(find: () => RedisPlace, options: LinkOptions) {
    super();
    const place = find();
    this.#place = place;
    this.shown = place.shown;
    this.keyPrefix = place.keyPrefix;
    this.#peer = new Peer(place, options, this.counts, this);
  }

  get state(): LinkState {
    return this.#peer.state;
  }

  get isStarting(): boolean {
    return this.#peer.isStarting;
  }

  ready(): Promise<void> {
    return this.#peer.ready();
  }

  isUpFor(_at: Argument): boolean {
    return this.isUp;
  }

  groups<T>(all: readonly T[], _keyOf: (one: T) => Argument): readonly (readonly T[])[] {
    return [all];
  }

  call(_at: Argument, ...commands: (readonly Argument[])[]): Promise<Reply> {
    return this.#peer.call(commands);
  }

  override async lasts(): Promise<boolean> {
    const told = String(await this.run(KEYSPACE, [], []));
    return told.startsWith('# Keyspace') && !/expires=[1-9]/.test(told);
  }

  override close(): void {
    super.close();
    this.#place.close?.();
  }

  protected *peers(): Iterable<Peer> {
    yield this.#peer;
  }
}
