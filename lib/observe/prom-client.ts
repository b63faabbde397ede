// prom-client.ts: metrics for prom-client: the package's entry `zerohop/metrics`.
//
// prom-client asks each metric of a register for its values when it is scraped. All of ours are asked in one turn, and
// answer from one collection. The types here describe what is used of prom-client; it is loaded only if no register is
// handed over.

import '../addon/native.js'; // first: its error says that it was bundled

import { CacheError } from '../base/errors.js';
import { memberOf } from '../base/kinds.js';
import { typeError } from '../base/options.js';
import type { Cache } from '../cache/cache.js';
import { BOUNDS } from './bounds.js';
import { type Family, METRICS, type Metric, type Sample } from './catalog.js';
import { Collector } from './collector.js';
import { type MetricsOptions, metricsOptions } from './options.js';

export type { MetricsOptions } from './options.js';

/** What is used of a `Registry` of prom-client. */
export interface MetricsRegister {
  // biome-ignore lint/suspicious/noExplicitAny: prom-client declares classes of its own here
  registerMetric(metric: any): void;
  getSingleMetric(name: string): unknown;
  removeSingleMetric(name: string): void;
}

interface Value {
  readonly labels: Record<string, string | number>;
  readonly value: number;
  readonly metricName?: string;
}

/** How prom-client joins the values of several processes (its `AggregatorRegistry`), if not by their sum. */
const AGGREGATORS: Partial<Record<keyof typeof METRICS, 'first' | 'min'>> = {
  build_info: 'first',
  cache_start_time_seconds: 'min',
};

/** A metric, as prom-client calls it. */
class RegisteredMetric {
  /** prom-client takes `_total` off a counter's name when it writes OpenMetrics. */
  name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator: string;
  readonly #metric: Metric;
  readonly #collector: Collector;

  constructor(metric: Metric, collector: Collector, aggregator: string) {
    this.name = metric.name;
    this.help = metric.help;
    this.type = metric.type;
    this.aggregator = aggregator;
    this.#metric = metric;
    this.#collector = collector;
  }

  async get(): Promise<{ name: string; help: string; type: string; aggregator: string; values: Value[] }> {
    const families = await this.#collector.collect();
    const { name, help, type, aggregator } = this;
    return { name, help, type, aggregator, values: this.#values(families) };
  }

  #values(families: readonly Family[]): Value[] {
    const family = families.find(({ metric }) => metric === this.#metric);
    return family === undefined ? [] : family.samples.flatMap((sample) => valuesOf(this.#metric, sample));
  }

  /** The counts are the caches', which do not begin anew. */
  reset(): void {}
}

function valuesOf({ name, labels }: Metric, { labels: values, value }: Sample): Value[] {
  const own = Object.fromEntries(labels.map((label, i) => [label, values[i]!]));
  if (typeof value === 'number') return [{ labels: own, value }];
  const bucket = (le: number | string, count: number) => ({
    labels: { ...own, le },
    value: count,
    metricName: `${name}_bucket`,
  });
  return [
    ...BOUNDS.map((bound, i) => bucket(bound, value.upTo[i]!)),
    bucket('+Inf', value.count),
    { labels: own, value: value.seconds, metricName: `${name}_sum` },
    { labels: own, value: value.count, metricName: `${name}_count` },
  ];
}

/** Our metrics in one register. */
class Registration {
  readonly collector = new Collector();
  readonly #metrics = Object.entries(METRICS).map(([key, metric]) => ({
    name: metric.name, // by which the register knows it, whatever prom-client makes of the metric's own
    metric: new RegisteredMetric(metric, this.collector, AGGREGATORS[key as keyof typeof METRICS] ?? 'sum'),
  }));

  /** Adds those that the register does not have: all, or, after its `clear`, again. */
  addTo(register: MetricsRegister): void {
    const added: string[] = [];
    try {
      for (const { name, metric } of this.#metrics) {
        if (register.getSingleMetric(name) === metric) continue;
        register.registerMetric(metric);
        added.push(name);
      }
    } catch (error) {
      for (const name of added) register.removeSingleMetric(name); // it has another metric of this name
      throw error;
    }
  }

  removeFrom(register: MetricsRegister): void {
    for (const { name, metric } of this.#metrics)
      if (register.getSingleMetric(name) === metric) register.removeSingleMetric(name);
  }
}

const registrations = new WeakMap<MetricsRegister, Registration>();

/**
 * Adds the metrics of a cache to a register of prom-client: its own counts, those of its keyspaces, models and servers.
 * docs/METRICS.md lists them. They cost nothing until the register is scraped.
 *
 * Several caches may be in one register, each with a `name` of its own, and a cache in several registers. A cache that
 * is closed leaves its registers by itself.
 *
 * @param register  default: prom-client's own
 * @returns takes the cache out of the register; the metrics go with the last cache. A second call does nothing.
 * @throws {TypeError | RangeError} an argument or option is wrong; another cache of the register has this `name`.
 * @throws {CacheError} `ERR_CACHE_PEER`: there is no register, and prom-client is not installed.
 * @throws {Error} of prom-client: the register has a metric of another maker with a name of ours.
 * @example registerMetrics(cache, register, { name: 'embeddings' })
 */
export function registerMetrics(cache: Cache, register?: MetricsRegister, options: MetricsOptions = {}): () => void {
  const { cache: checked, name, limit } = metricsOptions(cache, options);
  const into = register === undefined ? defaultRegister() : registerArgument(register);
  const registration = registrations.get(into) ?? new Registration();
  const source = registration.collector.add(checked, name, limit);
  try {
    registration.addTo(into);
  } catch (error) {
    registration.collector.remove(source);
    throw error;
  }
  registrations.set(into, registration);
  return () => {
    registration.collector.remove(source);
    if (!registration.collector.isEmpty) return;
    registration.removeFrom(into);
    registrations.delete(into);
  };
}

function registerArgument(register: unknown): MetricsRegister {
  const methods = ['registerMetric', 'getSingleMetric', 'removeSingleMetric'];
  const is =
    typeof register === 'object' &&
    register !== null &&
    methods.every((name) => typeof memberOf(register, name) === 'function');
  if (!is) throw typeError('register', 'a Registry of prom-client', register);
  return register as MetricsRegister;
}

function defaultRegister(): MetricsRegister {
  try {
    return (require('prom-client') as { register: MetricsRegister }).register;
  } catch (cause) {
    throw new CacheError(
      'ERR_CACHE_PEER',
      'registerMetrics(cache) needs the package prom-client: npm install prom-client, or pass a register',
      { cause },
    );
  }
}
