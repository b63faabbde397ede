// peer.ts: one server, to which one connection is kept.
//
//   idle ──► connecting ──► up ──► down ──► connecting …          closed
//
// This is the circuit breaker: while a peer is down nothing is sent to it, and one attempt at a time is made to connect,
// with growing random pauses.

import { clearTimeout, setTimeout } from '../base/time.js';
import { Connection, type ConnectionCounts, type ConnectionOptions, LinkError } from './connection.js';
import type { Argument, Octets, RedisPlace, Reply } from './redis.js';

/** The pauses between attempts to connect: doubled each time, of which a random half to all is waited. */
const PAUSE_MIN_MS = 50;
const PAUSE_MAX_MS = 5_000;

/** How long to wait after so many failures. */
export const pauseMs = (failures: number): number =>
  Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** Math.min(failures, 10)) * (0.5 + Math.random() / 2);

export type PeerState = 'idle' | 'connecting' | 'up' | 'down' | 'closed';

/** Who keeps a peer. */
export interface PeerOwner {
  /** What is to be tracked: the prefixes of keys. None begins with another. */
  prefixes(): Octets[];
  /** It is about to be up: it was connected before, or an attempt failed. Nothing was read over this connection yet. */
  again(of: Peer): void;
  up(of: Peer): void;
  /** @param wasUp  false: an attempt to connect failed */
  lost(of: Peer, reason: string, wasUp: boolean): void;
  /** This key may have changed; null: every key of this server. */
  changed(key: Octets | null): void;
}

export class Peer {
  readonly #place: RedisPlace;
  readonly #options: ConnectionOptions;
  readonly #counts: ConnectionCounts;
  readonly #owner: PeerOwner;
  #state: PeerState = 'idle';
  #connection: Connection | undefined;
  #first: Promise<void> | undefined; // the first attempt to connect
  #attempts = 0;
  #failures = 0; // attempts in a row
  #retry: NodeJS.Timeout | undefined;

  constructor(place: RedisPlace, options: ConnectionOptions, counts: ConnectionCounts, owner: PeerOwner) {
    this.#place = place;
    this.#options = options;
    this.#counts = counts;
    this.#owner = owner;
  }

  get shown(): string {
    return this.#place.shown;
  }

  get state(): PeerState {
    return this.#state;
  }

  get isUp(): boolean {
    return this.#state === 'up';
  }

  /** Whether the first attempt to connect has not ended. */
  get isStarting(): boolean {
    return this.#attempts === 0 && this.#state !== 'closed';
  }

  /** Ends when the first attempt to connect has succeeded or failed. */
  ready(): Promise<void> {
    this.#first ??= this.#connect();
    return this.#first;
  }

  /** Tracks `prefix` too. Returns whether what was tracked before may have changed unheard. */
  track(prefix: Octets): boolean {
    return this.#connection?.track(prefix) ?? false;
  }

  /** As {@link Connection.call}. */
  call(commands: readonly (readonly Argument[])[], timeoutMs?: number): Promise<Reply> {
    if (this.#connection === undefined || !this.isUp)
      return Promise.reject(new LinkError('down', `${this.shown} is not connected`));
    return this.#connection.call(commands, timeoutMs);
  }

  /** Nobody is told. */
  close(): void {
    this.#state = 'closed';
    clearTimeout(this.#retry);
    this.#connection?.end();
    this.#connection = undefined;
  }

  /** The server is not what it was: the connection is given up for another one. */
  reconnect(reason: string): void {
    if (!this.isUp) return;
    this.#connection!.end();
    this.#lost(reason);
  }

  async #connect(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'connecting';
    const connection = new Connection(this.#place, this.#options, this.#counts, {
      prefixes: () => this.#owner.prefixes(),
      up: () => this.#up(),
      lost: (of, reason) => {
        if (of === this.#connection) this.#lost(reason);
      },
      changed: (key) => this.#owner.changed(key),
    });
    this.#connection = connection;
    await connection.open();
  }

  #up(): void {
    // At the start L0 holds nothing but writes that wait for this moment.
    if (this.#attempts++ > 0) this.#owner.again(this);
    this.#failures = 0;
    this.#state = 'up';
    this.#owner.up(this);
  }

  #lost(reason: string): void {
    const wasUp = this.isUp;
    if (wasUp) this.#counts.outages++;
    else this.#attempts++;
    this.#connection = undefined;
    this.#state = 'down';
    this.#retry = setTimeout(() => void this.#connect(), pauseMs(this.#failures++)).unref();
    this.#owner.lost(this, reason, wasUp);
  }
}
