// endpoint.ts: metrics and the dashboard over HTTP, for the sidecar (`zerohop serve --metrics 127.0.0.1:9464`) and in
// process (dashboard.ts).
//
//   GET /          the page, and its files                                       page-files.ts
//   GET /events    what it shows, live                                           feed.ts
//   GET /metrics   Prometheus 0.0.4, or OpenMetrics 1.0 for who asks for it      text.ts
//   GET /healthz   200 while the cache is open; for everybody
//
// It listens on loopback, unless another address is written out. Whoever is let in (access.ts) may read names of
// keyspaces and models, but no key, no value and no tenant.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP, isIPv6 } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CacheError } from '../base/errors.js';
import { rangeError } from '../base/options.js';
import type { Cache } from '../cache/cache.js';
import { type Guard, type Refusal, refusalOf } from './access.js';
import { Collector, type Source } from './collector.js';
import { Feed, READERS_MAX } from './feed.js';
import { metricsOptions } from './options.js';
import { PAGE_FILES, sendPageFile } from './page-files.js';
import type { MoneyOptions } from './report.js';
import { Recorder } from './snapshot.js';
import { CONTENT_TYPES, type Format, piecesOf } from './text.js';

const PORT_MAX = 65_535;
/** Those who watch, and as many again: a scraper has one or two, and a browser six. */
const CONNECTIONS_MAX = 2 * READERS_MAX;
/** Who connects and says nothing keeps a connection for so long. */
const TIMEOUTS = { headersTimeout: 10_000, requestTimeout: 20_000, connectionsCheckingInterval: 5_000 };
/** And who says nothing and is told nothing, for so long. A stream says something each second. */
const IDLE_MS = 60_000;
const OTHER_PLACES = ['/events', '/metrics', '/healthz'];
const CLOSED = 'the cache was closed';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * What `--metrics` names: `9464`, `127.0.0.1:9464`, `localhost:9464` or `[::1]:9464`. A port alone is loopback's. All
 * addresses of the machine are meant only by who writes `0.0.0.0` or `[::]`: `:9464`, which means that elsewhere, is
 * refused.
 *
 * @throws {RangeError} it is none of these.
 */
export function addressOption(name: string, text: string): Address {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]:|([^:[\]]+):)?(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain ?? '127.0.0.1';
  const port = Number(digits);
  const isHost = bracketed === undefined ? isIP(host) === 4 || host === 'localhost' : isIPv6(host);
  if (digits !== undefined && isHost && port <= PORT_MAX) return { host, port };
  throw rangeError(
    name,
    "an address and a port, such as '127.0.0.1:9464' or '[::1]:9464'; for all, '0.0.0.0:9464'",
    text,
  );
}

export interface EndpointOptions extends Address {
  /** Who may ask. A function: what it gives may not be there yet. */
  readonly guard: () => Guard | undefined;
  /** The label `cache` of the metrics. */
  readonly name?: string;
  /** How the page tells money. */
  readonly money?: MoneyOptions;
}

/** Metrics of one cache over HTTP, and the page. */
export class Endpoint {
  readonly #server: Server;
  readonly #collector = new Collector();
  readonly #source: Source;
  readonly #feed: Feed;
  readonly #guard: () => Guard | undefined;

  private constructor(cache: Cache, { guard, name: given, money }: EndpointOptions) {
    const { name, limit } = metricsOptions(cache, given === undefined ? {} : { name: given });
    this.#source = this.#collector.add(cache, name, limit);
    this.#feed = new Feed(new Recorder(cache, name, money));
    this.#guard = guard;
    this.#server = createServer({ maxHeaderSize: 8192, ...TIMEOUTS }, (request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.setTimeout(IDLE_MS);
    // The server of the cache keeps the process alive; nobody who watches does.
    this.#server.unref().on('connection', (socket) => socket.unref());
  }

  /** @throws {CacheError} `ERR_CACHE_IO`: it cannot listen there. */
  static async listen(cache: Cache, options: EndpointOptions): Promise<Endpoint> {
    const endpoint = new Endpoint(cache, options);
    const { host, port } = options;
    await new Promise<void>((resolve, reject) => {
      // It stays: a connection that cannot be accepted, for want of files, is no end of the process.
      endpoint.#server.on('error', (cause) => {
        reject(
          new CacheError('ERR_CACHE_IO', `metrics cannot listen on ${host}, port ${port}: ${cause.message}`, { cause }),
        );
      });
      endpoint.#server.listen(port, host, resolve);
    });
    return endpoint;
  }

  /** Of the page: `http://127.0.0.1:9464/` */
  get url(): string {
    const { address, family, port } = this.#server.address() as { address: string; family: string; port: number };
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}/`;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#feed.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '' } = request;
    const place = url.replace(/\?.*$/s, '');
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    const isFile = Object.hasOwn(PAGE_FILES, place);
    if (!isFile && !OTHER_PLACES.includes(place))
      return plain(response, 404, 'not found: there are /, /metrics and /healthz');
    if (method !== 'GET' && method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      return plain(response, 405, 'only GET and HEAD');
    }
    if (place === '/healthz') return this.#source.isOpen ? plain(response, 200, 'ok') : plain(response, 503, CLOSED);
    const refusal = this.#refusalOf(request, place !== '/metrics');
    if (refusal !== undefined) {
      for (const [name, value] of Object.entries(refusal.headers ?? {})) response.setHeader(name, value);
      return plain(response, refusal.status, refusal.text);
    }
    if (isFile) return sendPageFile(place, request, response);
    if (!this.#source.isOpen) return plain(response, 503, CLOSED);
    if (place === '/metrics') return this.#sendMetrics(request, response);
    if (method === 'HEAD') return plain(response, 200, '');
    if (this.#feed.add(response)) return;
    response.setHeader('Retry-After', '5');
    plain(response, 503, 'too many watch already');
  }

  #refusalOf(request: IncomingMessage, isPage: boolean): Refusal | undefined {
    try {
      const guard = this.#guard();
      if (guard !== undefined) return refusalOf(request, guard, isPage);
    } catch {} // the server was closed
    return { status: 503, text: 'the server does not run' };
  }

  async #sendMetrics(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const format = formatFor(request.headers.accept ?? '');
    const pieces = await piecesOf(await this.#collector.collect(), format);
    response.setHeader('Content-Type', CONTENT_TYPES[format]);
    response.setHeader(
      'Content-Length',
      pieces.reduce((sum, { length }) => sum + length, 0),
    );
    await pipeline(Readable.from(pieces), response); // for HEAD, Node leaves the body out
  }
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' });
  response.end(`${text}\n`);
}

/** OpenMetrics for who prefers it to plain text. */
export function formatFor(accept: string): Format {
  let openmetrics = 0;
  let text = 0;
  for (const part of accept.split(',')) {
    const [type = '', ...parameters] = part.split(';').map((one) => one.trim().toLowerCase());
    const weight = parameters.find((one) => one.startsWith('q='));
    const quality = weight === undefined ? 1 : Number(weight.slice(2)) || 0;
    if (type === 'application/openmetrics-text') openmetrics = Math.max(openmetrics, quality);
    if (type === 'text/plain') text = Math.max(text, quality);
  }
  return openmetrics > 0 && openmetrics >= text ? 'openmetrics' : 'prometheus';
}
