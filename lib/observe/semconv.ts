// semconv.ts: how our metrics and spans are named in OpenTelemetry. It is the one place that knows names.
//
// OpenTelemetry has no stable names for caches yet, so names and attributes are our own: `zerohop.…`. Of its names for
// generative models, which are not stable either, a program asks by the environment variable
// OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental. A run then also has `gen_ai.request.model`.
//
// A hit never counts as `gen_ai.usage.cache_read…`: that is the provider's own cache, whose tokens were paid for.

import type { Metric } from './catalog.js';

export interface Instrument {
  readonly name: string;
  readonly unit: string;
}

const UNITS: Record<string, string> = { bytes: 'By', seconds: 's' };

/** `zerohop_model_inputs_total` is `zerohop.model.inputs`; a unit at the end of a name is the instrument's. */
export function instrumentOf({ name, type }: Metric): Instrument {
  const words = name.split('_');
  if (type === 'counter') words.pop(); // total
  const unit = UNITS[words.at(-1)!];
  if (unit !== undefined) words.pop();
  const [ours, room, ...rest] = words as [string, string, ...string[]];
  const inRoom = ['model', 'server', 'cache'].includes(room) && rest.length > 0;
  return {
    name: inRoom ? `${ours}.${room}.${rest.join('_')}` : `${ours}.${[room, ...rest].join('_')}`,
    unit: unit ?? '1',
  };
}

/** Values of labels, as attributes. */
export function attributesOf({ labels }: Metric, values: readonly string[]): Record<string, string> {
  return Object.fromEntries(labels.map((label, i) => [`zerohop.${label}`, values[i]!]));
}

export const RUN_DURATION: Instrument & { readonly description: string } = {
  name: 'zerohop.model.run.duration',
  unit: 's',
  description: 'How long runs of the model took.',
};

/** What a run is: the name of its span, and attributes of span and histogram. */
export function runAttributes(model: string): Record<string, string> {
  return { 'zerohop.model': model, ...(optedIn('gen_ai_latest_experimental') && { 'gen_ai.request.model': model }) };
}

/** What only the span has. */
export function spanAttributes(version: string, inputs: number, awaited: number): Record<string, string | number> {
  return { 'zerohop.model.version': version, 'zerohop.run.inputs': inputs, 'zerohop.run.awaited': awaited };
}

/** The name of an error's class or its code: few values, and never its message. */
export function errorAttributes(error: unknown): Record<string, string> {
  const { code, name } = (typeof error === 'object' && error !== null ? error : {}) as {
    code?: unknown;
    name?: unknown;
  };
  const type = typeof code === 'string' ? code : typeof name === 'string' ? name : '_OTHER';
  return { 'error.type': type.slice(0, 128) };
}

function optedIn(category: string): boolean {
  const asked = process.env['OTEL_SEMCONV_STABILITY_OPT_IN'] ?? '';
  return asked.split(',').some((one) => one.trim() === category);
}
