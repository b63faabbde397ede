// otel.ts: metrics and spans for OpenTelemetry: the package's entry `zerohop/otel`.
//
// Metrics of a cache are observable instruments, which the SDK reads when it exports. Runs of models are told by
// node:diagnostics_channel (lib/model/run-events.ts): each becomes a span and a value of a histogram. The types here
// describe what is used of @opentelemetry/api; it is loaded only if no meter or tracer is handed over.

import '../addon/native.js'; // first: its error says that it was bundled

import { tracingChannel } from 'node:diagnostics_channel';
import { CacheError } from '../base/errors.js';
import { optionsObject } from '../base/options.js';
import { now } from '../base/time.js';
import type { Cache } from '../cache/cache.js';
import { RUN_CHANNEL, type RunEvent } from '../model/run-events.js';
import { METRICS, type Metric } from './catalog.js';
import { Collector } from './collector.js';
import { version } from './families.js';
import { type MetricsOptions, metricsOptions } from './options.js';
import { attributesOf, errorAttributes, instrumentOf, RUN_DURATION, runAttributes, spanAttributes } from './semconv.js';

/** What is used of a `Meter` of @opentelemetry/api. */
export interface OtelMeter {
  // biome-ignore lint/suspicious/noExplicitAny: OpenTelemetry declares types of its own here
  createObservableCounter(name: string, options: object): any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  createObservableGauge(name: string, options: object): any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  createHistogram(name: string, options: object): any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  addBatchObservableCallback(callback: (result: any) => Promise<void>, observables: any[]): void;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  removeBatchObservableCallback(callback: (result: any) => Promise<void>, observables: any[]): void;
}

/** What is used of a `Tracer` of @opentelemetry/api. */
export interface OtelTracer {
  // biome-ignore lint/suspicious/noExplicitAny: as above
  startSpan(name: string, options: any): any;
}

export interface OtelMetricsOptions extends MetricsOptions {
  /** Default: that of the global meter provider, under the name `zerohop`. */
  meter?: OtelMeter | undefined;
}

export interface OtelRunsOptions {
  /** Default: that of the global tracer provider, under the name `zerohop`. */
  tracer?: OtelTracer | undefined;
  /** Default: that of the global meter provider, under the name `zerohop`. */
  meter?: OtelMeter | undefined;
}

interface Observing {
  observe(instrument: unknown, value: number, attributes: object): void;
}

interface Span {
  setAttributes(attributes: object): void;
  setStatus(status: { code: number }): void;
  end(): void;
}

const STATUS_ERROR = 2; // SpanStatusCode.ERROR
const KIND_INTERNAL = 0; // SpanKind.INTERNAL

/**
 * What is not told: versions and start times, which the SDK tells itself; and histograms, which cannot be observed: that
 * of runs is recorded run by run.
 */
const UNTOLD: readonly Metric[] = [
  METRICS.build_info,
  METRICS.cache_start_time_seconds,
  METRICS.model_run_duration_seconds,
  METRICS.server_command_duration_seconds,
];

/**
 * Tells OpenTelemetry the metrics of a cache: those of docs/METRICS.md, under names with dots. They are read when the
 * SDK exports.
 *
 * @returns ends it. A second call does nothing.
 * @throws {TypeError | RangeError} an argument or option is wrong.
 * @throws {CacheError} `ERR_CACHE_PEER`: there is no meter, and @opentelemetry/api is not installed.
 * @example const stop = otelMetrics(cache, { name: 'embeddings' })
 */
export function otelMetrics(cache: Cache, options: OtelMetricsOptions = {}): () => void {
  const { meter: given, ...others } = optionsObject('options', options, ['name', 'labels', 'meter']);
  const { cache: checked, name, limit } = metricsOptions(cache, others);
  const meter = (given as OtelMeter | undefined) ?? api().metrics.getMeter('zerohop', version);
  const collector = new Collector();
  const source = collector.add(checked, name, limit);
  const instruments = new Map<Metric, unknown>();
  for (const metric of Object.values(METRICS)) {
    if (UNTOLD.includes(metric)) continue;
    const { name, unit } = instrumentOf(metric);
    const how = { description: metric.help, unit };
    const make = metric.type === 'counter' ? 'createObservableCounter' : 'createObservableGauge';
    instruments.set(metric, meter[make](name, how));
  }
  const observables = [...instruments.values()];
  const callback = async (result: Observing) => {
    for (const { metric, samples } of await collector.collect())
      for (const { labels, value } of samples) {
        const instrument = instruments.get(metric);
        if (instrument !== undefined && typeof value === 'number')
          result.observe(instrument, value, attributesOf(metric, labels));
      }
  };
  meter.addBatchObservableCallback(callback, observables);
  return () => {
    collector.remove(source);
    meter.removeBatchObservableCallback(callback, observables);
  };
}

/**
 * Makes a span of each run of each model of this thread, and a value of the histogram `zerohop.model.run.duration`. A
 * span's parent is the span of the caller whose input began the batch. A hit makes no span.
 *
 * @returns ends it.
 * @throws {CacheError} `ERR_CACHE_PEER`: there is no tracer or meter, and @opentelemetry/api is not installed.
 * @example const stop = otelRuns()
 */
export function otelRuns(options: OtelRunsOptions = {}): () => void {
  const given = optionsObject('options', options, ['tracer', 'meter']);
  const tracer = (given['tracer'] as OtelTracer | undefined) ?? api().trace.getTracer('zerohop', version);
  const meter = (given['meter'] as OtelMeter | undefined) ?? api().metrics.getMeter('zerohop', version);
  const { name, unit, description } = RUN_DURATION;
  const durations = meter.createHistogram(name, { unit, description });
  const running = new WeakMap<RunEvent, { span: Span; begun: number }>();
  const end = (event: RunEvent) => {
    const run = running.get(event);
    if (run === undefined) return;
    running.delete(event);
    const attributes = { ...runAttributes(event.model), ...('error' in event && errorAttributes(event.error)) };
    durations.record((now() - run.begun) / 1000, attributes);
    run.span.setAttributes(attributes);
    if ('error' in event) run.span.setStatus({ code: STATUS_ERROR });
    run.span.end();
  };
  const channel = tracingChannel<RunEvent>(RUN_CHANNEL);
  const subscribers = {
    start(event: RunEvent) {
      const { model, version: of, inputs, awaited } = event;
      const attributes = { ...runAttributes(model), ...spanAttributes(of, inputs, awaited) };
      const span = tracer.startSpan(`run ${model}`, { kind: KIND_INTERNAL, attributes });
      running.set(event, { span, begun: now() });
    },
    end() {},
    asyncStart: end,
    asyncEnd() {},
    error() {},
  };
  channel.subscribe(subscribers as never);
  return () => {
    channel.unsubscribe(subscribers as never);
  };
}

interface Api {
  readonly metrics: { getMeter(name: string, version: string): OtelMeter };
  readonly trace: { getTracer(name: string, version: string): OtelTracer };
}

function api(): Api {
  try {
    return require('@opentelemetry/api') as Api;
  } catch (cause) {
    throw new CacheError(
      'ERR_CACHE_PEER',
      'zerohop/otel needs the package @opentelemetry/api: npm install @opentelemetry/api, or pass a meter and a tracer',
      { cause },
    );
  }
}
