// ai-sdk-language.ts: middleware that keeps answers of the AI SDK's language models.
//
//   ai-sdk-generate.ts   whole results, without the request's body, and the headers and body of the response
//   ai-sdk-stream.ts     streams, part by part
//   ai-sdk-answers.ts    which of both are worth keeping

import { booleanOption, tagOption } from '../base/options.js';
import { type Answer, isComplete } from './ai-sdk-answers.js';
import { type CallParams, nameOf } from './ai-sdk-calls.js';
import { Generated } from './ai-sdk-generate.js';
import { Streams } from './ai-sdk-stream.js';
import { type CheckedCallOptions, callOptions, checkMayAsk } from './calls.js';
import { keepOption } from './complete.js';
import { type AdapterOptions, adapterOptions } from './options.js';

export interface GenerateParams extends CallParams {
  temperature?: number | undefined;
  seed?: number | undefined;
  /** Under `zerohop`: {@link CallOptions}, which the provider does not see. */
  providerOptions?: Record<string, object> | undefined;
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
  /**
   * Forgets the answers that were stored with `tag`: `providerOptions.zerohop.tags` of the call that made them. Answers
   * under way with that tag will not be kept. A call that the cache answers adds no tags. Returns how many answers it
   * forgot.
   *
   * @throws {TypeError | RangeError} `tag` is not a text of 1 to 255 bytes.
   */
  forget(tag: string): number;
}

export interface LanguageMiddlewareOptions extends AdapterOptions {
  /**
   * Whether to keep answers that were sampled, so that all callers get one answer. A call samples if it has no `seed`,
   * and a `temperature` other than 0, or none: providers sample by default. Default false: such answers are not kept.
   */
  allowDrawn?: boolean | undefined;
  /**
   * Whether to keep an answer, in place of the default rule {@link isComplete}. It is not asked about failures. If it
   * throws, or returns neither true nor false, the call rejects.
   */
  keep?: ((answer: Answer) => boolean) | undefined;
}

/** What a call says to us, and the rest of its parameters for the model. */
interface Asked extends CheckedCallOptions {
  /** The name of the parameters; undefined for a call whose answer must not be kept. */
  readonly name: string | undefined;
  readonly params: GenerateParams;
}

/**
 * Keeps answers of a language model, `doGenerate` and `doStream` apart. A kept stream streams again, part by part.
 * Equal calls at one time are one call of the model. That call is aborted when all of them are.
 *
 * An answer is not kept if it failed, was aborted, or ended with the reason `error`. Unless `keep` says otherwise, it
 * is not kept if it was cut short, filtered or empty ({@link isComplete}). A call may say more in
 * `providerOptions.zerohop`, see {@link CallOptions}.
 *
 * All parameters count except `abortSignal` and `headers`. Headers that carry credentials do count. A call whose
 * parameters have no fingerprint (an instance of a class, a lone surrogate) goes to the model as it is, and is not
 * kept. A call that samples is not kept either (`allowDrawn`). With `only-if-cached` such calls reject. A kept answer
 * has no `request`, and no headers or body of the `response`. Its `usage` is that of the call that was made.
 *
 * @throws {TypeError | RangeError} an option is missing or wrong. Calls reject as the model does, or with the abort's
 *   reason.
 * @example wrapLanguageModel({ model, middleware: languageMiddleware({ cache, scope: PUBLIC }) })
 */
export function languageMiddleware(options: LanguageMiddlewareOptions): LanguageMiddleware {
  const checked = adapterOptions(options, ['allowDrawn', 'keep']);
  const { allowDrawn, keep } = checked.given;
  const keepsDrawn = allowDrawn === undefined ? false : booleanOption('options.allowDrawn', allowDrawn);
  const keeps = keepOption(keep, isComplete);
  const generated = new Generated(checked, keeps);
  const streams = new Streams(checked, keeps);

  /** @throws {CacheError} `ERR_MODEL_NOT_CACHED`: the call wants only a kept answer, and there can be none. */
  function asked(given: GenerateParams): Asked {
    const { zerohop, ...providerOptions } = given.providerOptions ?? {};
    const call = callOptions('providerOptions.zerohop', zerohop);
    const params: GenerateParams =
      zerohop === undefined
        ? given
        : { ...given, providerOptions: Object.keys(providerOptions).length === 0 ? undefined : providerOptions };
    const isDrawn = params.temperature !== 0 && params.seed === undefined;
    const name = call.mode === 'no-store' || (isDrawn && !keepsDrawn) ? undefined : nameOf(params);
    if (name === undefined) checkMayAsk(call);
    return { ...call, name, params };
  }

  return {
    specificationVersion: 'v3',
    async wrapGenerate<Answered extends object>(call: LanguageCall<Answered, unknown>) {
      const of = asked(call.params);
      if (of.name !== undefined) return (await generated.answer(of.name, call.model, of.params, of)) as Answered;
      return of.params === call.params ? call.doGenerate() : (call.model.doGenerate(of.params) as Promise<Answered>);
    },
    async wrapStream<Streamed extends { stream: unknown }>(call: LanguageCall<unknown, Streamed>) {
      const of = asked(call.params);
      if (of.name !== undefined) return (await streams.answer(of.name, call.model as never, of.params, of)) as Streamed;
      return of.params === call.params ? call.doStream() : call.model.doStream(of.params);
    },
    forget(tag) {
      const name = tagOption('tag', tag);
      return generated.forget(name) + streams.forget(name);
    },
  };
}
