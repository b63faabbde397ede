// ai-sdk-language.ts: answers of the AI SDK's language models.
//
//   generate   whole results, without what belongs to the request alone: its body, and the headers and body of the response
//   stream     all parts in order; whoever asks while they stream joins in, and reads at a pace of its own

import { bytes } from '../codecs.js';
import { fingerprinter } from '../fingerprint/native.js';
import type { Model } from '../model/model.js';
import { booleanOption } from '../options.js';
import type { ReadonlyUint8Array } from '../views.js';
import { type CallParams, Models, nameOf, signalOf } from './ai-sdk-calls.js';
import { pack, unpack } from './packed.js';
import { Recording, replayed } from './recording.js';
import { type AdapterOptions, type AdapterTerms, adapterTerms, keyspaceOf, modelTerms } from './terms.js';

export interface GenerateParams extends CallParams {
  temperature?: number | undefined;
  seed?: number | undefined;
}

/** What the SDK gives to `wrapGenerate` and `wrapStream`. */
export interface LanguageCall<Generated, Streamed> {
  doGenerate(): PromiseLike<Generated>;
  doStream(): PromiseLike<Streamed>;
  params: GenerateParams;
  model: {
    readonly provider: string;
    readonly modelId: string;
    doGenerate(params: GenerateParams): PromiseLike<Generated>;
    doStream(params: GenerateParams): PromiseLike<Streamed>;
  };
}

/** For `wrapLanguageModel({ model, middleware })`. */
export interface LanguageMiddleware {
  readonly specificationVersion: 'v3';
  wrapGenerate<Generated extends object, Streamed>(call: LanguageCall<Generated, Streamed>): Promise<Generated>;
  wrapStream<Generated, Streamed extends { stream: unknown }>(
    call: LanguageCall<Generated, Streamed>,
  ): Promise<Streamed>;
}

export interface LanguageMiddlewareOptions extends AdapterOptions {
  /**
   * Keeps answers of models that draw as well: calls with a `temperature` other than 0, or with none, since providers then
   * draw by default, and without a `seed`. One answer is then served to all. Default false: such calls are not kept.
   */
  allowDrawn?: boolean;
}

/**
 * Keeps what a language model answers, `doGenerate` and `doStream` apart. A stream is kept when it has ended with a `finish`,
 * without an error; what is kept streams again part by part. Equal calls at one time are one call of the model; it is
 * aborted when all of them are. Nothing is kept of what fails, is aborted, or finishes with the reason `error`.
 *
 * All parameters count but `abortSignal` and `headers`. A call with parameters that have no fingerprint (an instance of a
 * class, a lone surrogate) goes to the model as it is, and is not kept. What is kept has no `request`, and no headers or body
 * of the `response`; its `usage` is that of the call that was made.
 *
 * @throws {TypeError | RangeError} an option is missing or wrong. Calls reject as the model does, or with the abort's reason.
 * @example wrapLanguageModel({ model, middleware: languageMiddleware({ cache, scope: PUBLIC }) })
 */
export function languageMiddleware(options: LanguageMiddlewareOptions): LanguageMiddleware {
  const terms = adapterTerms(options, ['allowDrawn']);
  const { allowDrawn } = terms.given;
  const keepsDrawn = allowDrawn === undefined ? false : booleanOption('options.allowDrawn', allowDrawn);

  /** What of a call counts, if its answer is to be kept. */
  function kept({ abortSignal: _, headers: __, ...params }: GenerateParams): string | undefined {
    if (params.temperature !== 0 && params.seed === undefined && !keepsDrawn) return undefined;
    return nameOf(params);
  }

  const { generate } = generating(terms);
  const { stream } = streaming(terms);
  return {
    specificationVersion: 'v3',
    async wrapGenerate<Generated extends object>(call: LanguageCall<Generated, unknown>) {
      const name = kept(call.params);
      return name === undefined ? call.doGenerate() : ((await generate(name, call)) as Generated);
    },
    async wrapStream<Streamed extends { stream: unknown }>(call: LanguageCall<unknown, Streamed>) {
      const name = kept(call.params);
      return name === undefined
        ? call.doStream()
        : ((await stream(name, call as LanguageCall<unknown, never>)) as Streamed);
    },
  };
}

/** A result that is to be given, but not kept. */
class Unkept {
  constructor(readonly result: object) {}
}

function generating(terms: AdapterTerms) {
  type Call = LanguageCall<object, unknown>;
  type Caller = Pick<Call, 'model' | 'params'> & { result?: object };
  let caller: Caller | undefined; // predict starts a run before it returns, since each is of one call

  async function run(_: string[], { signal }: { signal: AbortSignal }): Promise<Uint8Array[]> {
    const own = caller!;
    const result = await own.model.doGenerate({ ...own.params, abortSignal: signal });
    const packed = isError(result) ? undefined : pack(withoutTransport(result));
    if (packed === undefined) throw new Unkept(result);
    own.result = result;
    return [packed];
  }

  const models = new Models(
    (version): Model<string, Uint8Array | ReadonlyUint8Array, ReadonlyUint8Array> =>
      terms.cache.model({ ...modelTerms(terms, 'ai-sdk generate', version), maxBatch: 1, codec: bytes, run }),
  );

  async function generate(name: string, { model, params }: Call): Promise<unknown> {
    const answering = models.of(model);
    const own: Caller = { model, params };
    caller = own;
    const predicted = answering.predict(name, signalOf(params.abortSignal));
    caller = undefined;
    try {
      const packed = await predicted;
      return own.result ?? unpack(packed);
    } catch (reason) {
      if (reason instanceof Unkept) return reason.result;
      if (own.result !== undefined) return own.result; // it is there, and could not be stored
      throw reason;
    }
  }

  return { generate };
}

function streaming({ cache, scope, domain, life }: AdapterTerms) {
  const { label, terms } = keyspaceOf('ai-sdk stream', scope);
  const answers = cache.keyspace(label, { codec: bytes, ...terms, ...life });
  const recordings = new Map<string, Recording>();

  async function stream(name: string, { model, params }: LanguageCall<unknown, { stream: ReadableStream }>) {
    const { abortSignal } = params;
    abortSignal?.throwIfAborted();
    const { provider, modelId } = model;
    const key = fingerprinter({ scope, domain, model: ['ai-sdk stream', provider, modelId] }).of(name);
    const known = answers.get(key);
    if (known !== undefined) return { stream: replayed(unpack(known) as Uint8Array[], abortSignal) };
    const recording =
      recordings.get(key.hex) ?? record(key, (signal) => model.doStream({ ...params, abortSignal: signal }));
    return recording.join(abortSignal);
  }

  function record(
    key: Uint8Array & { hex: string },
    open: (signal: AbortSignal) => PromiseLike<{ stream: ReadableStream }>,
  ): Recording {
    const begun = performance.now();
    const recording = new Recording(open, isError, (parts) => {
      if (recordings.get(key.hex) === recording) recordings.delete(key.hex);
      const packed = parts && pack(parts);
      if (packed === undefined) return;
      try {
        answers.set(key, packed, { cost: performance.now() - begun });
      } catch {
        // Too large for the cache, or the cache was closed. Those who read the stream have it.
      }
    });
    recordings.set(key.hex, recording);
    return recording;
  }

  return { stream };
}

/** Whether a result, or the part of a stream, tells of a failure; a reason is a text, or since v3 an object with one. */
function isError(result: object): boolean {
  const { type, finishReason } = result as { type?: unknown; finishReason?: unknown };
  const reason = (finishReason as { unified?: unknown } | undefined)?.unified ?? finishReason;
  return type === 'error' || reason === 'error';
}

/** Without what is of the request that was made, and of none that is answered from the cache. */
function withoutTransport(result: object): object {
  const { request: _, response, ...rest } = result as { request?: unknown; response?: object };
  if (response === undefined) return rest;
  const { headers: __, body: ___, ...metadata } = response as { headers?: unknown; body?: unknown };
  return { ...rest, response: metadata };
}
