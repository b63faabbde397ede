// ai-sdk-embeddings.ts: keeps embeddings of the AI SDK, value by value. The missing values go on to the model, in one
// call.

import type { ReadonlyFloat32Array } from '../base/views.js';
import { float32 } from '../cache/vectors.js';
import type { Model } from '../model/model.js';
import { type CallParams, Made, NAME_LENGTH, nameOf, signalOf, versionOf } from './ai-sdk-calls.js';
import { areWellFormed, numbersOf, Vectors } from './embeddings.js';
import { type AdapterOptions, adapterOptions, modelOptions } from './options.js';

export interface EmbedParams extends CallParams {
  values: string[];
}

export interface EmbedResult {
  embeddings: number[][];
  usage?: { tokens: number } | undefined;
}

/** What the SDK gives to `wrapEmbed`. */
export interface EmbedCall<Result> {
  doEmbed(): PromiseLike<Result>;
  params: EmbedParams;
  model: {
    readonly provider: string;
    readonly modelId: string;
    readonly maxEmbeddingsPerCall: PromiseLike<number | undefined> | number | undefined;
    doEmbed(params: EmbedParams): PromiseLike<Result>;
  };
}

/** For `wrapEmbeddingModel({ model, middleware })`. */
export interface EmbeddingMiddleware {
  readonly specificationVersion: 'v3';
  wrapEmbed<Result extends EmbedResult>(call: EmbedCall<Result>): Promise<Result>;
}

/** The most values that one of our models runs together. */
const BATCH_MAX = 2 ** 20;

/**
 * Keeps embeddings, as float32. Only the missing values of a call go on to the model, each once. A value that several
 * calls need at the same time is computed once. `usage` counts only what was computed for the call.
 *
 * All parameters count except `abortSignal` and `headers`. Headers that carry credentials do count. A call with a text
 * that has no fingerprint (a lone surrogate) goes to the model as it is, and is not kept.
 *
 * @throws {TypeError | RangeError} an option is missing or wrong. Calls reject as the model does, with the abort's
 *   reason,
 *   with a TypeError for a value that is not a string, or with a CacheError `ERR_MODEL_RESULT` that names a value. For
 *   that value the model gave an empty vector, one of another length than most, or numbers that float32 cannot hold.
 *   Such a vector is not kept.
 * @example wrapEmbeddingModel({ model, middleware: embeddingMiddleware({ cache, scope: PUBLIC }) })
 */
export function embeddingMiddleware(options: AdapterOptions): EmbeddingMiddleware {
  const checked = adapterOptions(options);
  type Call = EmbedCall<EmbedResult>;
  type Caller = Pick<Call, 'model' | 'params'> & { computed: EmbedResult[]; vectors: Vectors };
  // The caller whose missing values are run next: predictMany starts its runs before it returns.
  let caller: Caller | undefined;

  async function run(inputs: string[], { signal }: { signal: AbortSignal }): Promise<(Float32Array | Error)[]> {
    const { model, params, computed, vectors } = caller!;
    const values = inputs.map((input) => input.slice(NAME_LENGTH));
    const result = await model.doEmbed({ ...params, values, abortSignal: signal });
    computed.push(result);
    return vectors.of(result.embeddings, values);
  }

  const models = new Made<Model<string, ReadonlyFloat32Array, ReadonlyFloat32Array>>();
  const lengths = new Made<Vectors>(); // by model and parameters

  async function embed(call: Call): Promise<EmbedResult> {
    const { values, ...params } = call.params;
    const isNameable = areWellFormed('values', values);
    const name = isNameable ? nameOf(params) : undefined;
    if (name === undefined) return call.doEmbed();
    const version = versionOf(call.model);
    const maxBatch = batchOf(await call.model.maxEmbeddingsPerCall);
    const model = models.of(`${maxBatch} ${version}`, () =>
      checked.cache.model({ ...modelOptions(checked, 'ai-sdk embeddings', version), maxBatch, codec: float32(), run }),
    );
    const vectors = lengths.of(name + version, () => new Vectors(() => model.clear()));
    const computed: EmbedResult[] = [];
    caller = { ...call, computed, vectors };
    // An input has the name of the parameters, which has a fixed length, and then the value.
    const predicted = model.predictMany(
      values.map((value) => name + value),
      signalOf(params.abortSignal),
    );
    caller = undefined;
    const embeddings = (await predicted).map(numbersOf);
    return { warnings: [], ...computed.at(-1), embeddings, ...usageOf(computed) } as EmbedResult;
  }

  return { specificationVersion: 'v3', wrapEmbed: embed as EmbeddingMiddleware['wrapEmbed'] };
}

function batchOf(limit: number | undefined): number {
  return limit !== undefined && Number.isInteger(limit) && limit >= 1 ? Math.min(limit, BATCH_MAX) : BATCH_MAX;
}

function usageOf(computed: readonly EmbedResult[]): { usage?: { tokens: number } } {
  if (computed.some(({ usage }) => usage === undefined)) return {};
  return { usage: { tokens: computed.reduce((sum, { usage }) => sum + usage!.tokens, 0) } };
}
