// link.ts: what the tiers of one cache and thread see of Redis: a single server (server-link.ts), or a cluster
// (cluster-link.ts). It sends their commands, and tells them what changed.
//
// Whenever a connection ends, and before one that was made again is used, the tiers forget what they hold: nobody told
// of changes meanwhile.

import { channel } from 'node:diagnostics_channel';
import { now } from '../base/time.js';
import { ConnectionCounts, type ConnectionOptions, LinkError, startsWith } from './connection.js';
import type { Peer, PeerOwner, PeerState } from './peer.js';
import type { Argument, Octets, Reply } from './redis.js';
import type { Script } from './script.js';

export { LinkError, type LinkFailure } from './connection.js';

/** Who is told of changes. */
export interface Tracker {
  /** The keys it holds begin with this. */
  readonly prefix: Octets;
  /** A key may have changed. Without the prefix. */
  changed(key: Octets): void;
  /** Every key may have changed. */
  forgetAll(): void;
  /**
   * The keys for which `isGone` says so may have changed. They are forgotten bit by bit, and nothing is stored that was
   * read until now. Ends when that is done. Never rejects.
   *
   * @param isGone  is given a key with the prefix
   */
  forgetSome(isGone: (at: Argument) => boolean): Promise<void>;
  /** A server is up, or is no more. */
  turned(up: boolean): void;
}

export type LinkOptions = ConnectionOptions;

/** The message of `diagnostics_channel.channel('zerohop:degraded')`. */
export interface DegradedEvent {
  /** True: Redis does not answer, and loads go to their loaders. False: it answers again. */
  degraded: boolean;
  /** Where it is, without a password. */
  upstream: string;
  reason: string;
}

const degraded = channel('zerohop:degraded');

/** A network that comes and goes is not told of each time. */
const WARNING_EVERY_MS = 60_000;

export type LinkState = PeerState;

export abstract class Link implements PeerOwner {
  readonly counts = new ConnectionCounts();
  readonly #trackers = new Set<Tracker>();
  #isDegraded = false; // and who listens was told
  #warnedAt = Number.NEGATIVE_INFINITY;
  /** What was sent of which nobody waits for the reply. */
  readonly #aside = new Set<Promise<unknown>>();

  /** For messages: without a password. */
  abstract readonly shown: string;
  /** What the user's client puts before each key. */
  abstract readonly keyPrefix: string;
  /** `up`: every server is. */
  abstract readonly state: LinkState;
  /** Whether the first attempt to connect is still under way, so that waiting for it is worth while. */
  abstract readonly isStarting: boolean;

  get isUp(): boolean {
    return this.state === 'up';
  }

  /** Ends when the first attempt to connect has succeeded or failed. */
  abstract ready(): Promise<void>;

  /** Whether the server that has this key can be asked. */
  abstract isUpFor(at: Argument): boolean;

  /** In groups of which one command may name all keys. */
  abstract groups<T>(all: readonly T[], keyOf: (one: T) => Argument): readonly (readonly T[])[];

  /**
   * Sends commands about keys of one group, one behind the other, and gives the reply to the last one.
   *
   * @param at  one of those keys
   * @throws {LinkError} there is none in time.
   */
  abstract call(at: Argument, ...commands: (readonly Argument[])[]): Promise<Reply>;

  /**
   * Runs a script on keys of one group.
   *
   * @throws {LinkError} there is no reply in time, or the script fails.
   */
  async run(script: Script, keys: readonly Argument[], args: readonly Argument[]): Promise<Reply> {
    const rest = [`${keys.length}`, ...keys, ...args];
    try {
      return await this.call(keys[0]!, ['EVALSHA', script.sha, ...rest]);
    } catch (error) {
      if (!(error instanceof LinkError && error.message.startsWith('NOSCRIPT'))) throw error;
      // Redis was told to forget its scripts. What was sent since then comes before the script.
      try {
        return await this.call(keys[0]!, ['EVAL', script.text, ...rest]);
      } finally {
        for (const at of keys) this.changed(bytesOf(at));
      }
    }
  }

  /** Whether no key has a time to live. False too if that is not known. @throws {LinkError} */
  async lasts(): Promise<boolean> {
    return false;
  }

  /** What is sent is not waited for, but before the link is closed with time to drain. Its failure is nobody's. */
  aside(sent: Promise<unknown>): void {
    const over = () => void this.#aside.delete(sent);
    sent.then(over, over);
    this.#aside.add(sent);
  }

  get isIdle(): boolean {
    return this.#aside.size === 0;
  }

  /** From now on `tracker` is told of changes. What it reads from now on is tracked. */
  add(tracker: Tracker): void {
    this.#trackers.add(tracker);
    let isAnew = false;
    for (const peer of this.peers()) isAnew = peer.track(tracker.prefix) || isAnew;
    if (isAnew) this.forgetAll();
  }

  remove(tracker: Tracker): void {
    this.#trackers.delete(tracker);
  }

  /** A key was written over this link, of which Redis does not tell. All trackers but `by` are told. */
  wrote(key: Octets, by: Tracker): void {
    this.#tell(key, by);
  }

  close(): void {
    for (const peer of this.peers()) peer.close();
    for (const tracker of this.#trackers) tracker.turned(false);
    this.#trackers.clear();
  }

  prefixes(): Octets[] {
    const kept: Octets[] = [];
    const all = Array.from(this.#trackers, ({ prefix }) => prefix).sort((a, b) => a.length - b.length);
    for (const prefix of all) if (!kept.some((shorter) => startsWith(prefix, shorter))) kept.push(prefix);
    return kept;
  }

  again(_peer: Peer): void {
    this.forgetAll();
  }

  up(_peer: Peer): void {
    this.serves();
  }

  lost(_peer: Peer, reason: string, wasUp: boolean): void {
    if (wasUp) {
      this.forgetAll();
      for (const tracker of this.#trackers) tracker.turned(false);
    }
    this.degrade(reason);
  }

  changed(key: Octets | null): void {
    if (key === null) this.forgetAll();
    else this.#tell(key);
  }

  protected abstract peers(): Iterable<Peer>;

  protected forgetAll(): void {
    for (const tracker of this.#trackers) tracker.forgetAll();
  }

  protected async forgetSome(isGone: (at: Argument) => boolean): Promise<void> {
    await Promise.all(Array.from(this.#trackers, (tracker) => tracker.forgetSome(isGone)));
  }

  /** Keys can be asked for that could not be before. */
  protected serves(): void {
    if (this.isUp && this.#isDegraded) {
      this.#isDegraded = false;
      this.#publish(false, 'it answers again');
    }
    for (const tracker of this.#trackers) tracker.turned(true);
  }

  /** Redis is not used, or not all of it. */
  protected degrade(reason: string): void {
    if (!this.#isDegraded) {
      this.#isDegraded = true;
      this.#publish(true, reason);
    }
    if (now() - this.#warnedAt < WARNING_EVERY_MS) return;
    this.#warnedAt = now();
    process.emitWarning(`${this.shown} is not used: ${reason}. Loads go to their loaders until it answers again`, {
      type: 'ZerohopWarning',
      code: 'ZEROHOP_DEGRADED',
    });
  }

  #tell(key: Octets, by?: Tracker): void {
    for (const tracker of this.#trackers)
      if (tracker !== by && startsWith(key, tracker.prefix)) tracker.changed(key.subarray(tracker.prefix.length));
  }

  #publish(isDegraded: boolean, reason: string): void {
    if (!degraded.hasSubscribers) return;
    degraded.publish({ degraded: isDegraded, upstream: this.shown, reason } satisfies DegradedEvent);
  }
}

export const bytesOf = (at: Argument): Octets => (typeof at === 'string' ? Buffer.from(at) : at);
