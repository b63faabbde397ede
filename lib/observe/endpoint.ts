// endpoint.ts: metrics over HTTP, for the sidecar: `zerohop serve --metrics 127.0.0.1:9464`.
//
//   GET /metrics   Prometheus 0.0.4, or OpenMetrics 1.0 for who asks for it
//   GET /healthz   200 while the cache is open
//
// It listens on loopback, unless another address is written out. Whoever reaches it may read names of keyspaces and
// models, but no key, no value and no tenant.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { isIP, isIPv6 } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CacheError } from '../base/errors.js';
import { rangeError } from '../base/options.js';
import type { Cache } from '../cache/cache.js';
import { Collector } from './collector.js';
import { metricsOptions } from './options.js';
import { CONTENT_TYPES, type Format, piecesOf } from './text.js';

const PORT_MAX = 65_535;
/** A scraper has one or two. */
const CONNECTIONS_MAX = 64;

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

/** Metrics of one cache over HTTP. */
export class MetricsEndpoint {
  readonly #server: Server;
  readonly #collector = new Collector();
  readonly #source;

  private constructor(cache: Cache) {
    const { name, limit } = metricsOptions(cache, {});
    this.#source = this.#collector.add(cache, name, limit);
    this.#server = createServer({ maxHeaderSize: 8192 }, (request, response) => {
      this.#answer(request, response).catch(() => response.destroy());
    });
    this.#server.maxConnections = CONNECTIONS_MAX;
    this.#server.unref(); // the server of the cache keeps the process alive
  }

  /** @throws {CacheError} `ERR_CACHE_IO`: it cannot listen there. */
  static async listen(cache: Cache, { host, port }: Address): Promise<MetricsEndpoint> {
    const endpoint = new MetricsEndpoint(cache);
    await new Promise<void>((resolve, reject) => {
      endpoint.#server.once('error', (cause) => {
        reject(
          new CacheError('ERR_CACHE_IO', `metrics cannot listen on ${host}, port ${port}: ${cause.message}`, { cause }),
        );
      });
      endpoint.#server.listen(port, host, resolve);
    });
    return endpoint;
  }

  /** `http://127.0.0.1:9464/metrics` */
  get url(): string {
    const { address, family, port } = this.#server.address() as { address: string; family: string; port: number };
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}/metrics`;
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method, url = '' } = request;
    const path = url.replace(/\?.*$/s, '');
    response.setHeader('Cache-Control', 'no-store');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    if (path !== '/metrics' && path !== '/healthz')
      return plain(response, 404, 'not found: there are /metrics and /healthz');
    if (method !== 'GET' && method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      return plain(response, 405, 'only GET and HEAD');
    }
    if (!this.#source.isOpen) return plain(response, 503, 'the cache was closed');
    if (path === '/healthz') return plain(response, 200, 'ok');
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
