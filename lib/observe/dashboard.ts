// dashboard.ts: the dashboard of a cache in this process: the package's entry `zerohop/dashboard`. Beside a server,
// `zerohop serve --metrics` shows the same page.

import '../addon/native.js'; // first: its error says that it was bundled

import { isIP } from 'node:net';
import { isBranded } from '../base/kinds.js';
import { countOption, optionsObject, rangeError, textOption, typeError } from '../base/options.js';
import type { Cache } from '../cache/cache.js';
import { secretOption } from '../resp/options.js';
import { passwordGuard } from './access.js';
import { Endpoint } from './endpoint.js';
import { type MoneyOptions, report } from './report.js';

export type { MoneyOptions } from './report.js';

export interface DashboardOptions {
  /** TCP port. Default 9464. 0: any that is free. */
  port?: number | undefined;
  /** The address to listen on. Default `'127.0.0.1'`: this machine alone. */
  host?: string | undefined;
  /**
   * What browsers and scrapers must say, by HTTP's Basic scheme; the user's name does not matter. Without it, the page
   * is refused to other machines, whatever `host` is; metrics are not. Kept as a digest, never logged.
   */
  password?: string | undefined;
  /** The title of the page, and the label `cache` of the metrics. Default `'default'`. */
  name?: string | undefined;
  /** How money is told, as for `report` of `zerohop/report`. Default: saved time alone. */
  money?: MoneyOptions | undefined;
}

const PORT = 9464;
const PORT_MAX = 65_535;

/** A dashboard that is served. Made by {@link serveDashboard}. */
export class Dashboard {
  /** Where the page is: `http://127.0.0.1:9464/`. `metrics` below it is for Prometheus. */
  readonly url: string;
  readonly #endpoint: Endpoint;

  /** @internal */
  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint;
    this.url = endpoint.url;
  }

  /** Disconnects everybody who watches. The cache stays open. */
  close(): Promise<void> {
    return this.#endpoint.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * Serves a page that shows, live, how a cache does: hit rate, latency, memory, evictions, the hottest keyspaces, and
 * what models saved. Below it are `metrics` for Prometheus and `healthz`. It shows names of keyspaces and models, and no
 * key, value or tenant.
 *
 * It does not keep the process alive, nor the cache. It costs nothing while nobody watches; then it reads all counts
 * once a second, however many watch. The most are 64.
 *
 * @throws {TypeError | RangeError} an argument or option is wrong.
 * @throws {CacheError} `ERR_CACHE_IO`: it cannot listen there.
 * @example const { url } = await serveDashboard(cache, { money: { prices: GPU_PRICES, otherwise: { instance } } })
 */
export async function serveDashboard(cache: Cache, options: DashboardOptions = {}): Promise<Dashboard> {
  if (!isBranded(cache, 'Cache')) throw typeError('cache', 'a Cache', cache);
  const given = optionsObject('options', options, ['port', 'host', 'password', 'name', 'money']);
  const { port, host, password, name, money } = given;
  const guard = passwordGuard(password === undefined ? undefined : secretOption('options.password', password));
  if (money !== undefined) report(cache, money as MoneyOptions); // what is wrong with it is said now
  const endpoint = await Endpoint.listen(cache, {
    port: port === undefined ? PORT : countOption('options.port', port, 0, PORT_MAX),
    host: host === undefined ? '127.0.0.1' : hostOption(host),
    guard: () => guard,
    ...(name !== undefined && { name: textOption('options.name', name, 128, 1) }),
    ...(money !== undefined && { money: money as MoneyOptions }),
  });
  return new Dashboard(endpoint);
}

function hostOption(value: unknown): string {
  const host = textOption('options.host', value, 255, 1);
  if (host !== 'localhost' && isIP(host) === 0)
    throw rangeError('options.host', "an IPv4 or IPv6 address, or 'localhost'", host);
  return host;
}
