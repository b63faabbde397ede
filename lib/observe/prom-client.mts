// The ES module face of `zerohop/metrics`; see prom-client.ts.
export { type MetricsOptions, type MetricsRegister, registerMetrics } from './prom-client.js';
