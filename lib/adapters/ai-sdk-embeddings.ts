// ai-sdk-embeddings.ts: embeddings of the AI SDK, value by value: what is missing goes on to the model, in one call.

import { isWellFormed } from '../options.js';
import { float32 } from '../vectors.js';
import { type CallParams, Models, NAME_LENGTH, nameOf, signalOf } from './ai-sdk-calls.js';
import { numbersOf, vectorsOf } from './embeddings.js';
import { type AdapterOptions, adapterTerms, modelTerms } from './terms.js';

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

/** As many as a model of ours runs together. */
const BATCH_MAX = 2 ** 20;

/**
 * Keeps embeddings, as float32: of a call, only the values that are missing go on to the model, each once. The same value
 * in concurrent calls is computed once. `usage` counts what was computed for the call, and nothing for what was known.
 *
 * All parameters count but `abortSignal` and `headers`. A call with a text that has no fingerprint (a lone surrogate) goes
 * to the model as it is, and is not kept.
 *
 * @throws {TypeError | RangeError} an option is missing or wrong. Calls reject as the model does, with the abort's reason,
 *   or with a CacheError `ERR_MODEL_RESULT` for a value that the model gave no array of finite numbers for.
 * @example wrapEmbeddingModel({ model, middleware: embeddingMiddleware({ cache, scope: PUBLIC }) })
 */
export function embeddingMiddleware(options: AdapterOptions): EmbeddingMiddleware {
  const terms = adapterTerms(options);
  type Call = EmbedCall<EmbedResult>;
  type Caller = Pick<Call, 'model' | 'params'> & { computed: EmbedResult[] };
  // Whose missing values are about to be run: predictMany starts its runs before it returns.
  let caller: Caller | undefined;

  async function run(inputs: string[], { signal }: { signal: AbortSignal }): Promise<Float32Array[]> {
    const { model, params, computed } = caller!;
    const values = inputs.map((input) => input.slice(NAME_LENGTH));
    const result = await model.doEmbed({ ...params, values, abortSignal: signal });
    computed.push(result);
    return vectorsOf(result.embeddings);
  }

  const models = new Models((version, limit: number) =>
    terms.cache.model({
      ...modelTerms(terms, 'ai-sdk embeddings', version),
      maxBatch: limit,
      codec: float32(),
      run,
    }),
  );

  async function embed(call: Call): Promise<EmbedResult> {
    const { values, abortSignal, headers: _, ...rest } = call.params;
    const name = nameOf(rest);
    if (name === undefined || !values.every(isWellFormed)) return call.doEmbed();
    const model = models.of(call.model, batchOf(await call.model.maxEmbeddingsPerCall));
    const computed: EmbedResult[] = [];
    caller = { ...call, computed };
    // An input is both: the name of the parameters, of fixed length, and the value.
    const predicted = model.predictMany(
      values.map((value) => name + value),
      signalOf(abortSignal),
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
