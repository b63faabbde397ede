// serve.ts: a server that speaks Redis's protocol on the engine of a cache.
//
// The work is done by native threads (native/resp). This file starts and ends them. TLS is Node's own, in a worker
// thread that hands what it decrypted to the same parser (tls.ts).

import { native } from '../addon/native.js';
import { brand, isBranded } from '../base/kinds.js';
import {
  type Duration,
  type DurationText,
  optionsObject,
  type SizeText,
  typeError,
  waitOption,
} from '../base/options.js';
import { clearInterval, now, setInterval } from '../base/time.js';
import type { Cache } from '../cache/cache.js';
import { handleOf } from '../cache/keyspace.js';
import { type CheckedServeOptions, type ServeOptions, serveOptions } from './options.js';
import { sectionsOf } from './sections.js';
import { TlsListener, urlOf } from './tls.js';

/** How often ZH.STATS gets its sections anew. */
const TELL_MS = 1000;

/** Their caches are in use, whoever else has forgotten them. */
const running = new Map<Server, Cache>();

export interface ServerCloseOptions {
  /** How long clients may go on before they are disconnected. Default 0. */
  drain?: Duration | undefined;
}

/** What a server did and does. */
export interface ServerStats {
  /** Now. */
  readonly clients: number;
  /** Since the server was started, like what follows. */
  readonly connections: number;
  /** Connections refused: too many clients, or another host without a password. */
  readonly refusedConnections: number;
  readonly commands: number;
  /** Answers that were errors. */
  readonly errors: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** A running server. Made by {@link serve}. */
export class Server {
  /** Where it listens: `redis://127.0.0.1:6380`, `redis+unix:///run/zerohop.sock`, `rediss://127.0.0.1:6381`. */
  readonly addresses: readonly string[];
  /** Settles when TLS listens too; rejects if it cannot. Without TLS it is settled already. */
  readonly ready: Promise<void>;
  readonly #server: number;
  readonly #tls: TlsListener | undefined;
  /** Keeps the process alive. */
  readonly #telling: NodeJS.Timeout;
  #told = '';
  #closing: Promise<void> | undefined;

  /** @internal */
  static of(cache: Cache, options: CheckedServeOptions): Server {
    return new Server(cache, options);
  }

  private constructor(cache: Cache, { settings, databases, tls }: CheckedServeOptions) {
    const handles = databases.map((given, database) => {
      if (typeof given === 'string') return given;
      const handle = handleOf(given);
      if (handle === undefined) throw typeError(`options.databases.${database}`, 'a name or an open keyspace', given);
      return handle;
    });
    this.#server = native.serverStart(handleOf(cache)!, { ...settings, databases: handles });
    const addresses = addressesOf(settings, native.serverPort(this.#server));
    this.addresses = addresses;
    if (tls !== undefined) this.#tls = new TlsListener(this.#server, tls, (address) => addresses.push(address));
    this.ready = this.#tls?.ready ?? Promise.resolve();
    this.ready.catch(() => {}); // whoever waits for it hears of it
    this.#tell(cache);
    this.#telling = setInterval(() => this.#tell(cache), TELL_MS);
    running.set(this, cache);
    cache.onDrain((ms) => this.#drain(ms));
    cache.onClose(() => void this.close());
  }

  /** @throws {CacheError} `ERR_CACHE_CLOSED` after {@link close}. */
  stats(): ServerStats {
    const [clients, connections, refusedConnections, commands, errors, bytesIn, bytesOut] = native.serverStats(
      this.#server,
    ) as [number, number, number, number, number, number, number];
    return { clients, connections, refusedConnections, commands, errors, bytesIn, bytesOut };
  }

  /**
   * How long commands took, by name: as `NativeObserve.spaceTimes` tells it. Of brief commands one in 64 is timed, and
   * counts as 64. @internal
   */
  times(): [name: string, times: Float64Array][] {
    return pairsOf(native.serverTimes(this.#server));
  }

  /** The same in finer buckets: `NativeObserve.spaceBuckets`. @internal */
  buckets(): [name: string, buckets: Float64Array][] {
    return pairsOf(native.serverBuckets(this.#server));
  }

  /** Whether the user `default` is let in with this password, as it is now. @internal */
  admits(password: string): boolean {
    return native.serverAdmits(this.#server, password);
  }

  /** Whether clients of other machines are refused, for want of a password. @internal */
  refusesStrangers(): boolean {
    return native.serverRefusesStrangers(this.#server);
  }

  /** Lets the process end while the server runs; the server ends with it. */
  unref(): this {
    this.#telling.unref();
    this.#tls?.unref();
    return this;
  }

  /** Undoes {@link unref}. */
  ref(): this {
    this.#telling.ref();
    this.#tls?.ref();
    return this;
  }

  /**
   * Stops listening, disconnects the clients, and ends the threads. The cache stays open. Again: the same promise.
   *
   * @throws {TypeError | RangeError} an option is wrong.
   */
  close(options?: ServerCloseOptions): Promise<void> {
    const given = optionsObject('options', options, ['drain']);
    const drain = given['drain'] === undefined ? 0 : waitOption('options.drain', given['drain']);
    this.#closing ??= this.#close(drain);
    return this.#closing;
  }

  /** Closes it. Returns whether no client was cut: those that are finished end it before the time is over. */
  async #drain(ms: number): Promise<boolean> {
    const isIdle = this.#closing !== undefined || this.stats().clients === 0;
    const end = now() + Math.floor(ms);
    await this.close({ drain: ms });
    return isIdle || now() < end;
  }

  async #close(drainMs: number): Promise<void> {
    if (this.#tls !== undefined) await this.#tls.close();
    if (drainMs > 0) await native.serverDrain(this.#server, drainMs, new Int32Array(2));
    native.serverStop(this.#server);
    clearInterval(this.#telling);
    running.delete(this);
  }

  #tell(cache: Cache): void {
    if (this.#closing !== undefined) return;
    const told = sectionsOf(cache);
    if (told === this.#told) return;
    this.#told = told;
    native.serverSections(this.#server, told);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function pairsOf(all: readonly (string | Float64Array)[]): [string, Float64Array][] {
  return Array.from({ length: all.length / 2 }, (_, i) => [all[2 * i] as string, all[2 * i + 1] as Float64Array]);
}

/** The running servers of a cache, of this thread. @internal */
export function serversOf(cache: Cache): Server[] {
  return [...running].flatMap(([server, served]) => (served === cache ? server : []));
}

/** Loopback's IPv6 address is left out: it is one more name for what the first address reaches. */
function addressesOf({ tcp, hosts, path }: CheckedServeOptions['settings'], port: number): string[] {
  const addresses = tcp ? hosts.filter((host) => !host.startsWith('-')).map((host) => urlOf('redis', host, port)) : [];
  if (path !== '') addresses.push(`redis+unix://${path}`);
  return addresses;
}

/**
 * Serves a cache to every Redis client, in RESP2 and RESP3. Returns when it listens.
 *
 * The server has threads of its own: no JavaScript runs for a request. It ends with {@link Server.close}, with the
 * cache, and with the thread that called this.
 *
 * @throws {TypeError | RangeError} an option is wrong.
 * @throws {CacheError} `ERR_CACHE_CLOSED`; `ERR_CACHE_IO`: an address cannot be listened on, and the message says which
 *   and why; `ERR_CACHE_OPTIONS`: a keyspace of `databases` is of another codec or scope.
 * @example const server = serve(cache, { port: 6380 })
 */
export function serve<Text extends string = SizeText | DurationText>(
  cache: Cache,
  options?: ServeOptions<Text>,
): Server {
  if (!isBranded(cache, 'Cache')) throw typeError('cache', 'a Cache', cache);
  return Server.of(cache, serveOptions(options));
}

brand(Server.prototype, 'Server');
