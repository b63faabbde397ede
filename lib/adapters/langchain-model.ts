// langchain-model.ts: keeps the answers of a chat model of LangChain. It works where LangChain hands the model the
// whole messages. So images, documents and tools count as they are, and equal calls at one time are one call of the
// model.

import { tagOption, typeError } from '../base/options.js';
import { bytes } from '../cache/codecs.js';
import { PUBLIC } from '../fingerprint/fingerprint.js';
import { fingerprinter } from '../fingerprint/native.js';
import { type CallOptions, type CheckedCallOptions, callOptions, checkMayAsk } from './calls.js';
import { keepOption } from './complete.js';
import { Answers, areComplete, type GenerationLike, type LangChainCaches } from './langchain-answers.js';
import { nameable } from './nameable.js';
import { type AdapterOptions, adapterOptions, modelOptions } from './options.js';
import { usageIn } from './usage.js';

/** What is used of a chat model of LangChain. */
export interface ChatModelLike {
  // biome-ignore lint/suspicious/noExplicitAny: LangChain says which types messages, options and results have
  _generate(messages: any[], options: any, runManager?: any): Promise<any>;
  _modelType(): string;
}

export interface KeepAnswersOptions extends AdapterOptions {
  /**
   * Whether to keep an answer, in place of the default rule {@link areComplete}. If it throws, or returns neither true
   * nor false, the call rejects.
   */
  keep?: ((generations: readonly GenerationLike[]) => boolean) | undefined;
}

/** What a chat model has in addition once its answers are kept. */
export interface KeptAnswers {
  /**
   * Forgets the answers that were stored with `tag`: the option `{ zerohop: { tags } }` of the call that made them.
   * Answers under way with that tag will not be kept. A call that the cache answers adds no tags. Returns how many
   * answers it forgot. Models that `withConfig` made of this one share its answers.
   *
   * @throws {TypeError | RangeError} `tag` is not a text of 1 to 255 bytes.
   */
  forget(tag: string): number;
}

interface ChatResult {
  generations: GenerationLike[];
  llmOutput?: unknown;
}

interface CallParams extends Record<string, unknown> {
  signal?: AbortSignal;
  promptIndex?: number;
  zerohop?: CallOptions;
}

/** What is used of a model beside its public members. */
interface Inner extends ChatModelLike {
  withConfig?(...given: unknown[]): object;
  defaultOptions?: unknown;
  model?: unknown;
  modelName?: unknown;
  _getSerializedCacheKeyParametersForCall(options: object): string;
  _streamResponseChunks?(...given: unknown[]): unknown;
  _streamChatModelEvents?(...given: unknown[]): unknown;
}

interface Caller {
  readonly ask: (signal: AbortSignal | undefined) => Promise<ChatResult>;
  readonly tags: readonly string[];
  result?: ChatResult;
}

const callNamer = fingerprinter({ scope: PUBLIC, model: 'zerohop/langchain call' });

/** The model gave an answer that must not be kept. */
class Unkept extends Error {}

/**
 * Keeps the answers of a chat model. The key is the whole messages, the parameters of the model and the options of the
 * call, at any temperature. The model itself is changed, and returned: its `_generate` and streaming methods are
 * replaced. So are those of models that its `withConfig` makes, as `bindTools` does. Equal calls at one time are one
 * call of the model. That call is aborted when all of them are.
 *
 * Streams go to the model, and so do calls under a callback handler that prefers streams, and calls whose messages or
 * options have no fingerprint, such as instances of classes. With `only-if-cached` all of these reject. An answer is
 * not kept if it would not come back as it is, such as one with bytes or dates in messages; nor if it is cut short,
 * filtered or empty (`keep`). A hit has the `usage_metadata` of the call that was made. A call may say more in its
 * options: `{ zerohop: { cache: 'reload', tags: ['prices'] } }`; `forget` forgets by such a tag.
 *
 * @param chat the model. Its parameters are those that LangChain names (`_identifyingParams`). If these leave something
 *   out,
 *   put it into `domain`.
 * @param caches the module `@langchain/core/caches`.
 * @throws {TypeError | RangeError} `chat` is not a chat model; `caches` is another module; an option is missing or
 *   wrong.
 *   Calls reject as the model does, or with the abort's reason.
 * @example const chat = keepAnswers(new ChatOpenAI({ model, temperature: 0 }), caches, { cache, scope: PUBLIC })
 */
export function keepAnswers<Chat extends ChatModelLike>(
  chat: Chat,
  caches: LangChainCaches<object>,
  options: KeepAnswersOptions,
): Chat & KeptAnswers {
  const inner = chat as unknown as Inner;
  if (typeof Object(inner)._generate !== 'function' || inner._modelType?.() !== 'base_chat_model')
    throw typeError('chat', 'a chat model of LangChain', chat);
  const packing = new Answers(caches);
  const checked = adapterOptions(options, ['keep']);
  const keeps = keepOption(checked.given['keep'], areComplete);
  let caller: Caller | undefined; // predict starts its run before it returns, because each run is of one call

  const answers = checked.cache.model({
    ...modelOptions(checked, 'langchain chat', modelNameOf(inner)),
    maxBatch: 1,
    codec: bytes,
    usage: usageIn,
    tags: () => caller?.tags ?? [],
    async run(_: string[], { signal }) {
      const own = caller!;
      const result = await own.ask(signal);
      const { generations, llmOutput, ...more } = result;
      const isKept = Object.keys(more).length === 0 && keeps(generations);
      const packed = isKept ? packing.pack(generations, llmOutput) : undefined;
      own.result = result;
      if (packed === undefined) throw new Unkept();
      return [packed];
    },
  });

  async function answer(
    ask: Caller['ask'],
    name: string,
    signal: AbortSignal | undefined,
    { mode, tags }: CheckedCallOptions,
  ): Promise<ChatResult> {
    const own: Caller = { ask, tags };
    caller = own;
    const predicted = answers.predict(name, { ...(signal && { signal }), cache: mode });
    caller = undefined;
    try {
      const packed = await predicted;
      if (own.result !== undefined) return own.result;
      const { generations, more } = packing.unpack(packed);
      return { generations, llmOutput: more };
    } catch (reason) {
      if (own.result !== undefined) return own.result; // there is a result that must not, or could not, be stored
      // LangChain changes what it is given. So an answer that cannot be copied is not shared, and each caller asks for
      // one of its own.
      if (reason instanceof Unkept) return ask(signal);
      throw reason;
    }
  }

  function keep(model: Inner): void {
    const { _generate: generate, withConfig } = model;
    replace(model, '_generate', async (messages: object[], given: CallParams = {}, runManager: unknown) => {
      const { call, params } = split(given);
      const ask: Caller['ask'] = (signal) => generate.call(model, messages, { ...params, signal }, runManager);
      const name = nameOf(model, messages, params);
      if (name !== undefined) return answer(ask, name, params.signal, call);
      checkMayAsk(call);
      return generate.call(model, messages, params, runManager);
    });
    for (const name of STREAMING) {
      const stream = model[name];
      if (typeof stream !== 'function' || stream === inherited(model, name)) continue; // LangChain checks this too
      replace(model, name, (messages: unknown, given: CallParams = {}, ...more: unknown[]) => {
        const { call, params } = split(given);
        checkMayAsk(call);
        return stream.call(model, messages, params, ...more);
      });
    }
    if (typeof withConfig !== 'function') return;
    replace(model, 'withConfig', (...given: unknown[]) => {
      const made = withConfig.apply(model, given) as Inner;
      // Other methods are bound to this model.
      if (Object.getPrototypeOf(made) === Object.getPrototypeOf(model)) keep(made);
      return made;
    });
  }

  keep(inner);
  const kept: KeptAnswers = { forget: (tag) => answers.invalidateByTag(tagOption('tag', tag)) };
  replace(inner, 'forget', kept.forget);
  return chat as Chat & KeptAnswers;
}

/** As providers' classes have it: by it a table of prices knows the model. */
function modelNameOf({ model, modelName }: Inner): string {
  const name = model ?? modelName;
  return typeof name === 'string' && name.length > 0 && name.length < 256 ? name : 'unknown';
}

const STREAMING = ['_streamResponseChunks', '_streamChatModelEvents'] as const;

/** The method of the class that all chat models extend. A model with this one has none of its own. */
function inherited(model: object, name: string): unknown {
  let found: unknown;
  for (let of = Object.getPrototypeOf(model); of !== null; of = Object.getPrototypeOf(of))
    if (Object.hasOwn(of, name)) found = of[name];
  return found;
}

/** What a call says to us, and the rest of its options for the model. */
function split({ zerohop, ...params }: CallParams): { call: CheckedCallOptions; params: CallParams } {
  return { call: callOptions('options.zerohop', zerohop), params };
}

function replace(model: object, name: string, method: unknown): void {
  Object.defineProperty(model, name, { value: method, configurable: true, writable: true });
}

/** Options with which LangChain and LangGraph say where a call is made. No provider sees them. */
const CIRCUMSTANCES = new Set([
  'signal',
  'promptIndex',
  'writer',
  'interrupt',
  'control',
  'executionInfo',
  'serverInfo',
]);

/** The name of a call; undefined if it has no fingerprint. */
function nameOf(model: Inner, messages: readonly object[], params: CallParams): string | undefined {
  const counting = Object.fromEntries(Object.entries(params).filter(([name]) => !CIRCUMSTANCES.has(name)));
  const identity = [model._getSerializedCacheKeyParametersForCall({}), model.defaultOptions];
  try {
    return callNamer.of(nameable([identity, counting, messages.map(membersOf)])).hex;
  } catch {
    return undefined;
  }
}

/**
 * A message's own members, without LangChain's notes about how it was made. An id counts if a provider gave it: the
 * provider may recognise it. LangChain and LangGraph give new ids to messages without one, and those do not count.
 */
function membersOf(message: object): object {
  const { id, type: own, _getType: typeOf } = message as { id?: unknown; type?: unknown; _getType?: () => unknown };
  const type = own ?? typeOf?.call(message);
  const isGiven = type === 'ai' && typeof id === 'string' && !/^(lc_)?run-/.test(id);
  const members = Object.entries(message).filter(([name]) => !name.startsWith('lc_'));
  return Object.fromEntries([...members, ['type', type], ['id', isGiven ? id : undefined]]);
}
