// link.ts: the connection to Redis of one cache in one thread. It reads, writes, and hears which keys changed.
//
// All of it goes over one connection, so what Redis says comes in the order in which it happened: a value that is read
// before another client changes its key is answered before the push about that change. A tier needs no more than that
// (tier.ts). Redis does not tell us of our own writes (NOLOOP).
//
//   idle ──► connecting ──► up ──► down ──► connecting …          closed
//
// A connection that fails, does not answer a ping in time, or is late LATE_MAX times in a row is dropped: Redis cannot
// be trusted to tell of changes any more, so the tiers forget what they hold. That is the circuit breaker: while the
// link is down nothing is sent, and one attempt at a time is made to connect, with growing random pauses. Tiers forget
// once more when it is up again, before anything is read.
//
// Every call has a deadline. A reply that comes later is dropped. The socket does not keep the process alive; a call's
// deadline does.

import { channel } from 'node:diagnostics_channel';
import { clearInterval, clearTimeout, now, setImmediate, setInterval, setTimeout } from '../base/time.js';
import { type Argument, AS_BYTES, type Octets, type RedisClient, type RedisPlace, type Reply } from './redis.js';
import { Script } from './script.js';

/** Who is told of changes. */
export interface Tracker {
  /** The keys it holds begin with this. */
  readonly prefix: Octets;
  /** A key may have changed. Without the prefix. */
  changed(key: Octets): void;
  /** Every key may have changed. */
  forgetAll(): void;
  /** The link is up, or is no more. */
  turned(up: boolean): void;
}

export interface LinkOptions {
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly heartbeatMs: number;
}

/** Why a call had no reply. */
export type LinkFailure = 'late' | 'down' | 'refused';

export class LinkError extends Error {
  constructor(
    readonly failure: LinkFailure,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The message of `diagnostics_channel.channel('zerohop:degraded')`. */
export interface DegradedEvent {
  /** True: Redis does not answer, and loads go to their loaders. False: it answers again. */
  degraded: boolean;
  /** Where it is, without a password. */
  upstream: string;
  reason: string;
}

const degraded = channel('zerohop:degraded');

/** Replies in a row that miss their deadline until the connection is dropped. */
const LATE_MAX = 3;

/** The pauses between attempts to connect: doubled each time, of which a random half to all is waited. */
const PAUSE_MIN_MS = 50;
const PAUSE_MAX_MS = 5_000;

/** A network that comes and goes is not told of each time. */
const WARNING_EVERY_MS = 60_000;

export type LinkState = 'idle' | 'connecting' | 'up' | 'down' | 'closed';

export class Link {
  readonly #place: RedisPlace;
  readonly #options: LinkOptions;
  readonly #trackers = new Set<Tracker>();
  readonly counts = { commands: 0, late: 0, refused: 0, outages: 0, connects: 0, invalidations: 0, flushes: 0 };
  #state: LinkState = 'idle';
  #client: RedisClient | undefined;
  #tracked: Buffer[] = []; // the prefixes that this connection tracks
  #first: Promise<void> | undefined; // the first attempt to connect
  #failures = 0; // attempts in a row
  #late = 0; // replies in a row
  #heard = true; // something since the last heartbeat
  #isDegraded = false; // and who listens was told
  #warnedAt = Number.NEGATIVE_INFINITY;
  #retry: NodeJS.Timeout | undefined;
  #heart: NodeJS.Timeout | undefined;

  constructor(place: RedisPlace, options: LinkOptions) {
    this.#place = place;
    this.#options = options;
  }

  get state(): LinkState {
    return this.#state;
  }

  get shown(): string {
    return this.#place.shown;
  }

  get keyPrefix(): string {
    return this.#place.keyPrefix;
  }

  get isUp(): boolean {
    return this.#state === 'up';
  }

  /** Whether the first attempt to connect is still under way, so that waiting for it is worth while. */
  get isStarting(): boolean {
    return (this.#state === 'idle' || this.#state === 'connecting') && this.counts.connects + this.#failures === 0;
  }

  /** Ends when the first attempt to connect has succeeded or failed. */
  ready(): Promise<void> {
    this.#first ??= this.#connect();
    return this.#first;
  }

  /** From now on `tracker` is told of changes. What it reads from now on is tracked. */
  add(tracker: Tracker): void {
    this.#trackers.add(tracker);
    if (!this.isUp) return;
    const { prefix } = tracker;
    if (this.#tracked.some((tracked) => startsWith(prefix, tracked))) return;
    const clash = this.#tracked.some((tracked) => startsWith(tracked, prefix));
    if (!clash) {
      this.#tracked.push(prefix);
      this.#track(this.#client!, [prefix]);
      return;
    }
    // Redis refuses prefixes that overlap, so all of them are given anew.
    this.#tracked = cover(this.#trackers);
    this.#forget();
    this.#track(this.#client!, this.#tracked, true);
  }

  remove(tracker: Tracker): void {
    this.#trackers.delete(tracker);
  }

  /** A key was written over this link, of which Redis does not tell. All trackers but `by` are told. */
  wrote(key: Octets, by: Tracker): void {
    for (const tracker of this.#trackers)
      if (tracker !== by && startsWith(key, tracker.prefix)) tracker.changed(key.subarray(tracker.prefix.length));
  }

  /** Whether the server that has this key can be asked. */
  isUpFor(_at: Argument): boolean {
    return this.isUp;
  }

  /** In groups of which one command may name all keys. */
  groups<T>(all: readonly T[], _keyOf: (one: T) => Argument): readonly (readonly T[])[] {
    return [all];
  }

  /**
   * Sends commands about keys of one group, one behind the other, and gives the reply to the last one.
   *
   * @param _at  one of those keys
   * @throws {LinkError} there is none in time.
   */
  call(_at: Argument, ...commands: (readonly Argument[])[]): Promise<Reply> {
    const client = this.#client;
    if (client === undefined || this.#state !== 'up')
      return Promise.reject(new LinkError('down', `${this.shown} is not connected`));
    this.counts.commands += commands.length;
    const replies = commands.map((command) => client.sendCommand(command, AS_BYTES));
    for (const reply of replies) reply.catch(() => {}); // the last one's is told
    return this.#inTime(replies.at(-1)!, client, this.#options.timeoutMs);
  }

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
      return this.call(keys[0]!, ['EVAL', script.text, ...rest]); // Redis was told to forget its scripts
    }
  }

  close(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    clearTimeout(this.#retry);
    clearInterval(this.#heart);
    this.#client?.destroy();
    this.#client = undefined;
    for (const tracker of this.#trackers) tracker.turned(false);
    this.#trackers.clear();
  }

  async #connect(): Promise<void> {
    this.#state = 'connecting';
    const { connectTimeoutMs, heartbeatMs } = this.#options;
    let client: RedisClient | undefined;
    try {
      const made = this.#place.make(connectTimeoutMs);
      client = made;
      this.#client = made;
      const fail = (error?: Error) => this.#drop(made, `the connection ended: ${error?.message ?? 'by Redis'}`);
      made.on('error', fail);
      made.on('end', fail);
      made.on('invalidate', (key: Buffer | null) => this.#invalidated(made, key));
      made.unref();
      await this.#inTime(made.connect() as Promise<Reply>, made, connectTimeoutMs, 'connectTimeout');
      if (this.#client !== made) return;
      for (const { text } of Script.all) made.sendCommand(['SCRIPT', 'LOAD', text], AS_BYTES).catch(() => {});
      do {
        this.#tracked = cover(this.#trackers);
        await this.#track(made, this.#tracked, true);
        if (this.#client !== made) return;
        // Once more if a keyspace was opened meanwhile.
      } while (cover(this.#trackers).some((prefix) => !this.#tracked.some((known) => startsWith(prefix, known))));
    } catch (error) {
      if (client === undefined) this.#failed(`no client can be made: ${(error as Error).message}`);
      else this.#drop(client, `cannot connect: ${(error as Error).message}`);
      return;
    }
    // At the start L0 holds nothing but writes that wait for this moment.
    if (!this.isStarting) this.#forget();
    this.#state = 'up';
    this.counts.connects++;
    this.#failures = 0;
    this.#late = 0;
    this.#heard = true;
    clearInterval(this.#heart);
    this.#heart = setInterval(() => this.#beat(client), heartbeatMs).unref();
    if (this.#isDegraded) {
      this.#isDegraded = false;
      this.#tell(false, 'it answers again');
    }
    for (const tracker of this.#trackers) tracker.turned(true);
  }

  /** @param anew  what was tracked before is not, any more. Rejects if Redis does not do it in time. */
  async #track(client: RedisClient, prefixes: readonly Buffer[], anew = false): Promise<void> {
    const asked: Argument[] = ['CLIENT', 'TRACKING', 'ON', 'BCAST'];
    for (const prefix of prefixes) asked.push('PREFIX', prefix);
    asked.push('NOLOOP');
    if (anew) client.sendCommand(['CLIENT', 'TRACKING', 'OFF'], AS_BYTES).catch(() => {});
    if (prefixes.length === 0) return;
    try {
      await this.#inTime(client.sendCommand(asked, AS_BYTES), client, this.#options.timeoutMs);
    } catch (error) {
      this.#drop(client, `CLIENT TRACKING: ${(error as Error).message}`);
    }
  }

  /** The reply, if it comes in time. An error that Redis answers with is `refused`. */
  #inTime(reply: Promise<Reply>, client: RedisClient, timeoutMs: number, option = 'timeout'): Promise<Reply> {
    return new Promise((resolve, reject) => {
      // A process that was stopped finds its timers due before it reads what has come: so it looks once more.
      let looked = false;
      const due = () => {
        if (looked) {
          this.#missed(client);
          reject(new LinkError('late', `${this.shown} did not answer within ${timeoutMs} ms: see upstream.${option}`));
          return;
        }
        looked = true;
        timer = setTimeout(() => setImmediate(due), 0);
      };
      let timer = setTimeout(due, timeoutMs);
      reply.then(
        (value) => {
          clearTimeout(timer);
          looked = true;
          this.#answered(client);
          resolve(value);
        },
        (error: Error) => {
          clearTimeout(timer);
          looked = true;
          const gone = this.#client !== client || isOfTheClient(error);
          if (!gone) {
            this.#answered(client);
            this.counts.refused++;
          }
          reject(new LinkError(gone ? 'down' : 'refused', error.message, { cause: error }));
        },
      );
    });
  }

  #answered(client: RedisClient): void {
    if (client !== this.#client) return;
    this.#heard = true;
    this.#late = 0;
  }

  #missed(client: RedisClient): void {
    if (client !== this.#client) return;
    this.counts.late++;
    if (++this.#late >= LATE_MAX) this.#drop(client, `${LATE_MAX} replies in a row were late`);
  }

  #beat(client: RedisClient): void {
    if (client !== this.#client || this.#state !== 'up') return;
    if (this.#heard) {
      this.#heard = false;
      return;
    }
    this.#inTime(client.sendCommand(['PING'], AS_BYTES), client, this.#options.timeoutMs).catch((error: Error) =>
      this.#drop(client, `no answer to a ping: ${error.message}`),
    );
  }

  #invalidated(client: RedisClient, key: Buffer | null): void {
    if (client !== this.#client) return;
    this.#heard = true;
    // Nothing was read over it yet. What waits for it must not lose its fence: our own write may wait behind it.
    if (this.#state !== 'up') return;
    if (key === null) {
      this.counts.flushes++;
      this.#forget();
      return;
    }
    this.counts.invalidations++;
    for (const tracker of this.#trackers)
      if (startsWith(key, tracker.prefix)) tracker.changed(key.subarray(tracker.prefix.length));
  }

  #forget(): void {
    for (const tracker of this.#trackers) tracker.forgetAll();
  }

  /** The connection is not used any more. */
  #drop(client: RedisClient, reason: string): void {
    if (client !== this.#client) return;
    this.#client = undefined;
    clearInterval(this.#heart);
    try {
      client.destroy();
    } catch {} // it was not open
    this.#failed(reason);
  }

  #failed(reason: string): void {
    if (this.#state === 'closed') return;
    const wasUp = this.#state === 'up';
    this.#state = 'down';
    if (wasUp) {
      this.counts.outages++;
      this.#forget();
      for (const tracker of this.#trackers) tracker.turned(false);
    }
    if (!this.#isDegraded) {
      this.#isDegraded = true;
      this.#tell(true, reason);
    }
    if (now() - this.#warnedAt >= WARNING_EVERY_MS) {
      this.#warnedAt = now();
      process.emitWarning(`${this.shown} is not used: ${reason}. Loads go to their loaders until it answers again`, {
        type: 'ZerohopWarning',
        code: 'ZEROHOP_DEGRADED',
      });
    }
    const pause = Math.min(PAUSE_MAX_MS, PAUSE_MIN_MS * 2 ** Math.min(this.#failures++, 10));
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => void this.#connect(), pause * (0.5 + Math.random() / 2)).unref();
  }

  #tell(isDegraded: boolean, reason: string): void {
    if (!degraded.hasSubscribers) return;
    degraded.publish({ degraded: isDegraded, upstream: this.shown, reason } satisfies DegradedEvent);
  }
}

function startsWith(key: Buffer, prefix: Buffer): boolean {
  return key.length >= prefix.length && key.compare(prefix, 0, prefix.length, 0, prefix.length) === 0;
}

/** The prefixes that stand for all: none of them begins with another. */
function cover(trackers: Iterable<Tracker>): Buffer[] {
  const kept: Buffer[] = [];
  const all = [...trackers].map(({ prefix }) => prefix).sort((a, b) => a.length - b.length);
  for (const prefix of all) if (!kept.some((shorter) => startsWith(prefix, shorter))) kept.push(prefix);
  return kept;
}

/** node-redis's own errors: what Redis answers with is an ErrorReply. */
function isOfTheClient(error: Error): boolean {
  for (let of: object | null = error; of !== null; of = Object.getPrototypeOf(of))
    if ((of as { constructor?: { name?: string } }).constructor?.name === 'ErrorReply') return false;
  return true;
}
