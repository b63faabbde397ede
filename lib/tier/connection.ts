// connection.ts: one connection to one server, from connecting until it ends. It reads, writes, and hears which keys
// changed.
//
// All of it goes over one connection, so what Redis says comes in the order in which it happened: a value that is read
// before another client changes its key is answered before the push about that change. A tier needs no more than that
// (tier.ts). Redis does not tell us of our own writes (NOLOOP).
//
//   connecting ──► up ──► ended
//
// It is up when keys are tracked. A connection ends when it fails, when it does not answer a probe in time nor anything
// else since, when it is late LATE_MAX times in a row, or when its server takes no writes any more: Redis cannot be
// trusted to tell of changes then. A probe is sent at each heartbeat.
//
// Every call has a deadline. A reply that comes later is dropped. The socket does not keep the process alive; a call's
// deadline does.

import { clearInterval, clearTimeout, setImmediate, setInterval, setTimeout } from '../base/time.js';
import {
  type Argument,
  AS_BYTES,
  destroy,
  type Octets,
  type RedisClient,
  type RedisPlace,
  type Reply,
} from './redis.js';
import { Script } from './script.js';

export interface ConnectionOptions {
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly heartbeatMs: number;
}

/** What is counted of all connections of a link. */
export class ConnectionCounts {
  commands = 0;
  late = 0;
  refused = 0;
  outages = 0;
  connects = 0;
  invalidations = 0;
  flushes = 0;
}

/** Why a call had no reply. `apart`: its keys are in two servers for now, so that only one at a time can be asked for. */
export type LinkFailure = 'late' | 'down' | 'refused' | 'apart';

export class LinkError extends Error {
  constructor(
    readonly failure: LinkFailure,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** Who made a connection. */
export interface ConnectionOwner {
  /** What is to be tracked: the prefixes of keys. None begins with another. */
  prefixes(): Octets[];
  /** It is up. What is read from now on is tracked. */
  up(of: Connection): void;
  /** It ended, or there is none. Told once, and not after `end`. */
  lost(of: Connection, reason: string): void;
  /** This key may have changed; null: every key. Told while it is up. */
  changed(key: Octets | null): void;
}

/** Replies in a row that miss their deadline until the connection ends. */
const LATE_MAX = 3;

export class Connection {
  readonly #place: RedisPlace;
  readonly #options: ConnectionOptions;
  readonly #counts: ConnectionCounts;
  readonly #owner: ConnectionOwner;
  #state: 'connecting' | 'up' | 'ended' = 'connecting';
  #client: RedisClient | undefined;
  #tracked: Buffer[] = []; // prefixes
  #late = 0; // replies in a row
  #heard = false; // something since the last probe was sent
  #heart: NodeJS.Timeout | undefined;
  #isLooking = false; // whether another server is in its place

  constructor(place: RedisPlace, options: ConnectionOptions, counts: ConnectionCounts, owner: ConnectionOwner) {
    this.#place = place;
    this.#options = options;
    this.#counts = counts;
    this.#owner = owner;
  }

  get isUp(): boolean {
    return this.#state === 'up';
  }

  /** Connects. Ends when the owner was told that it is up or lost. Never rejects. */
  async open(): Promise<void> {
    const { connectTimeoutMs, heartbeatMs } = this.#options;
    try {
      const client = await this.#place.make(connectTimeoutMs);
      if (this.#hasEnded) {
        destroy(client);
        return;
      }
      this.#client = client;
      const fail = (error?: Error) => this.#lose(`the connection ended: ${error?.message ?? 'by Redis'}`);
      client.on('error', fail);
      client.on('end', fail);
      client.on('invalidate', (key: Buffer | null) => this.#invalidated(key));
      client.unref();
      await this.#inTime(client.connect() as Promise<Reply>, connectTimeoutMs, 'connectTimeout');
      if (this.#hasEnded) return;
      for (const { text } of Script.all) client.sendCommand(['SCRIPT', 'LOAD', text], AS_BYTES).catch(() => {});
      const probed = this.#probe();
      do {
        this.#tracked = this.#owner.prefixes();
        await this.#track(this.#tracked, true);
        await probed;
        if (this.#hasEnded) return;
        // Once more if a keyspace was opened meanwhile.
      } while (this.#owner.prefixes().some((prefix) => !this.#covers(prefix)));
    } catch (error) {
      const { message } = error as Error;
      this.#lose(`${this.#client === undefined ? 'no client can be made' : 'cannot connect'}: ${message}`);
    }
    if (this.#hasEnded) return;
    this.#state = 'up';
    this.#counts.connects++;
    this.#late = 0;
    this.#heart = setInterval(() => void this.#beat(), heartbeatMs).unref();
    this.#owner.up(this);
  }

  /** Tracks `prefix` too. Returns whether what was tracked before may have changed unheard. */
  track(prefix: Octets): boolean {
    if (!this.isUp || this.#covers(prefix)) return false;
    if (!this.#tracked.some((tracked) => startsWith(tracked, prefix))) {
      this.#tracked.push(prefix);
      void this.#track([prefix], false);
      return false;
    }
    // Redis refuses prefixes that overlap, so all of them are given anew.
    this.#tracked = this.#owner.prefixes();
    void this.#track(this.#tracked, true);
    return true;
  }

  /**
   * Sends commands one behind the other, and gives the reply to the last one.
   *
   * @throws {LinkError} there is none in time.
   */
  call(commands: readonly (readonly Argument[])[], timeoutMs = this.#options.timeoutMs): Promise<Reply> {
    const client = this.#client;
    if (client === undefined || !this.isUp)
      return Promise.reject(new LinkError('down', `${this.#place.shown} is not connected`));
    this.#counts.commands += commands.length;
    const replies = commands.map((command) => client.sendCommand(command, AS_BYTES));
    if (replies.length === 1) return this.#inTime(replies[0]!, timeoutMs);
    // The reason why a transaction is not run is what its first command that failed was answered.
    let first: Error | undefined;
    for (const reply of replies)
      reply.catch((error: Error) => {
        first ??= error;
      });
    const last = replies.at(-1)!.catch((error: Error) => {
      throw first ?? error;
    });
    return this.#inTime(last, timeoutMs);
  }

  /** Nobody is told. */
  end(): void {
    if (this.#hasEnded) return;
    this.#state = 'ended';
    clearInterval(this.#heart);
    if (this.#client !== undefined) destroy(this.#client);
  }

  get #hasEnded(): boolean {
    return this.#state === 'ended';
  }

  #covers(prefix: Buffer): boolean {
    return this.#tracked.some((tracked) => startsWith(prefix, tracked));
  }

  /** @param anew  what was tracked before is not, any more. Ends the connection if Redis does not do it in time. */
  async #track(prefixes: readonly Buffer[], anew: boolean): Promise<void> {
    const client = this.#client!;
    const asked: Argument[] = ['CLIENT', 'TRACKING', 'ON', 'BCAST'];
    for (const prefix of prefixes) asked.push('PREFIX', prefix);
    asked.push('NOLOOP');
    if (anew) client.sendCommand(['CLIENT', 'TRACKING', 'OFF'], AS_BYTES).catch(() => {});
    if (prefixes.length === 0) return;
    try {
      await this.#inTime(client.sendCommand(asked, AS_BYTES), this.#options.timeoutMs);
    } catch (error) {
      this.#lose(`CLIENT TRACKING: ${(error as Error).message}`);
    }
  }

  /** Asks for a sign of life, and whether this is the server that was meant. Ends the connection if not. */
  async #probe(): Promise<void> {
    const { command, fault } = this.#place.probe;
    this.#heard = false;
    let reply: unknown;
    try {
      reply = await this.#inTime(this.#client!.sendCommand(command, {}), this.#options.timeoutMs);
    } catch (error) {
      const { failure } = error as LinkError;
      if (failure === 'refused' || (failure === 'late' && this.#heard)) return; // it lives
      this.#lose(`no answer to ${command.join(' ')}: ${(error as Error).message}`);
      return;
    }
    const reason = fault(reply);
    if (reason !== undefined) this.#lose(reason);
  }

  /** The reply, if it comes in time. An error that Redis answers with is `refused`. */
  #inTime(reply: Promise<Reply>, timeoutMs: number, option = 'timeout'): Promise<Reply> {
    return new Promise((resolve, reject) => {
      // A process that was stopped finds its timers due before it reads what has come: so it looks once more.
      let looked = false;
      let settled = false;
      const due = () => {
        if (settled) return; // since it was to look once more
        if (looked) {
          this.#missed();
          const { shown } = this.#place;
          reject(new LinkError('late', `${shown} did not answer within ${timeoutMs} ms: see upstream.${option}`));
          return;
        }
        looked = true;
        timer = setTimeout(() => setImmediate(due), 0);
      };
      let timer = setTimeout(due, timeoutMs);
      reply.then(
        (value) => {
          clearTimeout(timer);
          settled = true;
          this.#answered();
          resolve(value);
        },
        (error: Error) => {
          clearTimeout(timer);
          settled = true;
          const gone = this.#hasEnded || isOfTheClient(error);
          if (!gone) {
            this.#answered();
            this.#counts.refused++;
          }
          reject(new LinkError(gone ? 'down' : 'refused', error.message, { cause: error }));
          if (error.message.startsWith('READONLY')) this.#lose('it has become a replica, which takes no writes');
        },
      );
    });
  }

  #answered(): void {
    this.#heard = true;
    this.#late = 0;
  }

  #missed(): void {
    if (this.#hasEnded) return;
    this.#counts.late++;
    if (++this.#late >= LATE_MAX) this.#lose(`${LATE_MAX} replies in a row were late`);
  }

  async #beat(): Promise<void> {
    // Whatever else it answers: it may not be the server any more that was meant.
    void this.#probe();
    if (this.#isLooking || this.#place.moved === undefined) return;
    this.#isLooking = true;
    const reason = await this.#place.moved();
    this.#isLooking = false;
    if (reason !== undefined) this.#lose(reason);
  }

  #invalidated(key: Buffer | null): void {
    this.#heard = true;
    // Nothing was read over it yet. What waits for it must not lose its fence: our own write may wait behind it.
    if (!this.isUp) return;
    if (key === null) this.#counts.flushes++;
    else this.#counts.invalidations++;
    this.#owner.changed(key);
  }

  /** The connection is not used any more. */
  #lose(reason: string): void {
    if (this.#hasEnded) return;
    this.end();
    this.#owner.lost(this, reason);
  }
}

export function startsWith(key: Octets, prefix: Octets): boolean {
  return key.length >= prefix.length && key.compare(prefix, 0, prefix.length, 0, prefix.length) === 0;
}

/** node-redis's own errors: what Redis answers with is an ErrorReply. */
function isOfTheClient(error: Error): boolean {
  for (let of: object | null = error; of !== null; of = Object.getPrototypeOf(of))
    if ((of as { constructor?: { name?: string } }).constructor?.name === 'ErrorReply') return false;
  return true;
}
