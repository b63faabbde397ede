// The ES module face of `zerohop/otel`; see otel.ts.
export {
  type OtelMeter,
  type OtelMetricsOptions,
  type OtelRunsOptions,
  type OtelTracer,
  otelMetrics,
  otelRuns,
} from './otel.js';
