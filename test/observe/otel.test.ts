// `zerohop/otel`, with OpenTelemetry's own SDK.
import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { afterEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { type Cache, json, PUBLIC, utf8 } from 'zerohop';
import { otelMetrics, otelRuns } from 'zerohop/otel';
import { METRICS } from '../../dist/observe/catalog.js';
import { instrumentOf } from '../../dist/observe/semconv.js';
import { anything, errorOf, openCache } from '../fixtures/opened.js';

afterEach(() => vi.unstubAllEnvs());

/** A meter, and what it exports: values by name and attributes. */
function metering() {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({ readers: [reader] });
  onTestFinished(() => provider.shutdown());
  const exported = async () => {
    exporter.reset();
    await provider.forceFlush();
    return exporter
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics)
      .flatMap(({ metrics }) => metrics)
      .flatMap(({ descriptor, dataPoints }) =>
        dataPoints.map(({ attributes, value }) => ({
          name: descriptor.name,
          unit: descriptor.unit,
          attributes,
          value,
        })),
      );
  };
  return { meter: provider.getMeter('test'), exported };
}

function tracing() {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  onTestFinished(() => provider.shutdown());
  return { tracer: provider.getTracer('test'), spans: () => exporter.getFinishedSpans() };
}

function model(cache: Cache, run: (inputs: number[]) => unknown = (inputs) => inputs) {
  return cache.model<number, unknown>({ name: 'm', version: '2', scope: PUBLIC, codec: json, run: run as never });
}

describe('otelMetrics', () => {
  test('tells the counts of keyspaces and models, with attributes of ours', async () => {
    const cache = openCache();
    const { meter, exported } = metering();
    otelMetrics(cache, { meter, name: 'one' });
    cache.keyspace('words', { codec: utf8 }).set('k', 'v');
    const m = model(cache);
    await m.predict(1);
    await m.predict(1);
    const all = await exported();
    const find = (name: string, attributes: object) =>
      all.find((one) => one.name === name && JSON.stringify(one.attributes) === JSON.stringify(attributes))?.value;
    expect(find('zerohop.sets', { 'zerohop.cache': 'one', 'zerohop.keyspace': 'words' })).toBe(1);
    expect(find('zerohop.model.inputs', { 'zerohop.cache': 'one', 'zerohop.model': 'm' })).toBe(1);
    const looked = { 'zerohop.cache': 'one', 'zerohop.keyspace': 'model m' };
    expect(find('zerohop.lookups', { ...looked, 'zerohop.result': 'miss' })).toBe(1);
    expect(all.find(({ name }) => name === 'zerohop.capacity')).toMatchObject({
      unit: 'By',
      value: cache.stats().bytes.capacity,
    });
  });

  test('ends with what it returns, and with the cache', async () => {
    const cache = openCache();
    const { meter, exported } = metering();
    const stop = otelMetrics(cache, { meter });
    const sets = async () => (await exported()).find(({ name }) => name === 'zerohop.sets')?.value;
    expect(await sets()).toBe(0);
    stop();
    stop();
    cache.set('k', new Uint8Array(1));
    expect(await sets()).toBe(0); // the SDK tells the last value that it was told
    const closed = openCache();
    const other = metering();
    otelMetrics(closed, { meter: other.meter });
    closed.close();
    expect((await other.exported()).filter(({ attributes }) => 'zerohop.cache' in attributes)).toEqual([]);
  });

  test('works with the global meter, which is none until an SDK sets it', () => {
    otelMetrics(openCache())();
    otelRuns()();
  });

  test.each(Object.values(METRICS).map((metric) => [metric.name, metric] as const))(
    'names %s with dots, and without a unit',
    (_, metric) => {
      const { name, unit } = instrumentOf(metric);
      expect(name).toMatch(/^zerohop(\.[a-z_]+)+$/);
      expect(name).not.toMatch(/total|bytes|seconds|gen_ai/);
      expect(unit).toMatch(/^(1|s|By)$/);
    },
  );

  test('gives each metric a name of its own', () => {
    const names = Object.values(METRICS).map((metric) => instrumentOf(metric).name);
    expect(new Set(names).size).toBe(names.length);
  });

  test('refuses what is no cache, and unknown options', () => {
    expect(errorOf(() => otelMetrics(anything({}))).code).toBe('ERR_INVALID_ARG_TYPE');
    expect(errorOf(() => otelMetrics(openCache(), anything({ metre: 1 }))).code).toBe('ERR_INVALID_ARG_TYPE');
    expect(errorOf(() => otelRuns(anything({ tracers: 1 }))).code).toBe('ERR_INVALID_ARG_TYPE');
  });
});

describe('otelRuns', () => {
  /** Until the test ends. */
  function traced() {
    const { meter, exported } = metering();
    const { tracer, spans } = tracing();
    const stop = otelRuns({ tracer, meter });
    onTestFinished(stop);
    return { tracer, spans, exported, stop };
  }

  test('makes a span of each run, and none of a hit', async () => {
    const { spans, exported } = traced();
    const m = model(openCache());
    await m.predictMany([1, 2, 3]);
    await m.predict(1);
    expect(spans().map(({ name, attributes }) => [name, attributes])).toEqual([
      [
        'run m',
        { 'zerohop.model': 'm', 'zerohop.model.version': '2', 'zerohop.run.inputs': 3, 'zerohop.run.awaited': 3 },
      ],
    ]);
    const [duration] = (await exported()).filter(({ name }) => name === 'zerohop.model.run.duration');
    expect(duration).toMatchObject({ unit: 's', attributes: { 'zerohop.model': 'm' }, value: { count: 1 } });
  });

  test('tells a run that failed by the kind of its error, never by its message', async () => {
    const { spans } = traced();
    const failing = () => Promise.reject(Object.assign(new Error('the secret input'), { code: 'E_GPU' }));
    await expect(model(openCache(), failing).predict(1)).rejects.toThrow();
    const [span] = spans();
    expect(span!.status.code).toBe(2);
    expect(span!.attributes['error.type']).toBe('E_GPU');
    expect(JSON.stringify([span!.attributes, span!.events, span!.status])).not.toContain('secret');
  });

  test("adds names for generative models only if they were asked for, and never those of a provider's cache", async () => {
    const { spans, exported } = traced();
    vi.stubEnv('OTEL_SEMCONV_STABILITY_OPT_IN', 'http, gen_ai_latest_experimental');
    const m = model(openCache());
    await m.predict(1);
    await m.predict(1);
    expect(spans()[0]!.attributes['gen_ai.request.model']).toBe('m');
    expect(JSON.stringify([spans().map(({ attributes }) => attributes), await exported()])).not.toMatch(
      /cache_read|usage/,
    );
    vi.stubEnv('OTEL_SEMCONV_STABILITY_OPT_IN', 'gen_ai');
    await m.predict(2);
    expect(spans()[1]!.attributes).not.toHaveProperty('gen_ai.request.model');
  });

  test('ends with what it returns', async () => {
    const { spans, stop } = traced();
    stop();
    await model(openCache()).predict(1);
    expect(spans()).toEqual([]);
  });

  test('takes the span of the caller for the parent', async () => {
    const { tracer, spans } = traced();
    const { AsyncLocalStorage } = await import('node:async_hooks');
    const storage = new AsyncLocalStorage<unknown>();
    context.setGlobalContextManager({
      active: () => (storage.getStore() ?? ROOT_CONTEXT) as never,
      with: (active, fn, receiver, ...args) => storage.run(active, () => fn.apply(receiver as never, args)),
      bind: (_, target) => target,
      enable: () => anything(undefined),
      disable: () => anything(undefined),
    });
    onTestFinished(() => context.disable());
    const m = model(openCache());
    const parent = tracer.startSpan('request');
    await context.with(trace.setSpan(ROOT_CONTEXT, parent as never), () => m.predict(1));
    expect(spans()[0]!.parentSpanContext?.spanId).toBe(parent.spanContext().spanId);
  });
});
