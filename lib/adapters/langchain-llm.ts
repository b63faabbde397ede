// langchain-llm.ts: a cache for the `cache` option of LangChain's language models.
//
// LangChain gives such a cache only texts: the prompt as it is printed, and the parameters as JSON. An image, an audio
// or a document is printed as `[image]` or the like, and each message begins on a new line, as `AI: …`. So two prompts
// may have the same text. Such prompts are not kept.

import { isWellFormed } from '../base/options.js';
import { bytes } from '../cache/codecs.js';
import { PUBLIC } from '../fingerprint/fingerprint.js';
import { fingerprinter } from '../fingerprint/native.js';
import { ledgerFor } from '../model/attach.js';
import { type Ledger, usageOf } from '../model/ledger.js';
import { keepOption } from './complete.js';
import { Answers, areComplete, type GenerationLike, type LangChainCaches } from './langchain-answers.js';
import { type AdapterOptions, adapterOptions, keyspaceOf } from './options.js';
import { usageIn } from './usage.js';

const NAME = 'langchain llm';

/** The methods of a cache that a language model calls. */
export interface LlmCache {
  // biome-ignore lint/suspicious/noExplicitAny: LangChain says which type generations have
  lookup(prompt: string, llmKey: string): Promise<any>;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  update(prompt: string, llmKey: string, generations: any): Promise<void>;
}

export interface LlmCacheOptions extends AdapterOptions {
  /**
   * Whether to keep an answer, in place of the default rule {@link areComplete}. If it throws, or returns neither true
   * nor false, the call rejects.
   */
  keep?: ((generations: readonly GenerationLike[]) => boolean) | undefined;
}

/** How LangChain prints a part of a message that is not text: `[image]`, `[document]`, or another type in brackets. */
const PLACEHOLDER = /\[[^[\]\n]+\]/;
/** How LangChain prints a message after the first one. A line of the first message may read the same. */
const NEXT_MESSAGE = /\n(?:human|user|ai|assistant|model|system|developer|tool|function|generic|chat) *:/i;
/** The usual prompt: instructions that the program writes, and one message after them. */
const INSTRUCTED = /^System:[\s\S]*?\nHuman:/;
/** The key of a model that takes plain text. There, whatever stands in brackets is text. */
const TAKES_TEXT = /(?:^|,)_model:"base_llm"(?:,|$)/;
/** Where providers' classes print the name of their model. */
const MODEL_NAME = /(?:^|,)model(?:_name|Name)?:"([^"\\]{1,255})"/;
/** How LangChain prints one of its own objects that JSON cannot show, such as a tool. */
const UNPRINTABLE = '"type":"not_implemented"';

/**
 * A cache for the `cache` option of LangChain's language models: an instance of `caches.BaseCache`. LangChain decides
 * which calls are looked up: all calls of a model that was given a cache, at any temperature, but no streams.
 *
 * LangChain hands a cache the prompt as text, and does not join equal calls. {@link keepAnswers} has none of the limits
 * that follow from that. Here, these calls are not kept:
 *
 * - prompts of chat models that print as several messages, except a system message with one user message after it. A
 *   line
 *   within a user message may read `AI: …` too, and the text does not say which it is;
 * - prompts of chat models with something in brackets, such as `[image]`. It may stand for something that is not in the
 *   text;
 * - calls with tools that JSON does not show.
 *
 * Blocks that LangChain does not print (`reasoning`, `non_standard`, calls and results of a server's tools) do not
 * count, so prompts that differ only in them get the same answer. The same holds for the `name` of a message, which is
 * printed as the first words of its text, and for roles that a program defines. Equal calls at one time all reach the
 * model.
 *
 * Also not kept are prompts that have no fingerprint (a lone surrogate); answers that would not come back as they are,
 * such as bytes, dates or chunks in messages; answers that are cut short, filtered or empty (`keep`); and answers too
 * large for the cache.
 *
 * @param caches the module `@langchain/core/caches`.
 * @throws {TypeError | RangeError} `caches` is another module; an option is missing or wrong.
 * @example new ChatOpenAI({ model, temperature: 0, cache: llmCache(caches, { cache, scope: PUBLIC }) })
 */
export function llmCache<Base extends object>(
  caches: LangChainCaches<Base>,
  options: LlmCacheOptions,
): Base & LlmCache {
  const packing = new Answers(caches);
  const { cache, scope, domain, life, given } = adapterOptions(options, ['keep']);
  const keeps = keepOption(given['keep'], areComplete);
  const { label, options: space } = keyspaceOf(NAME, scope);
  const answers = cache.keyspace(label, { codec: bytes, ...space });

  /** The key; undefined if another call may have the same prompt and parameters as texts. */
  function keyOf(prompt: string, llmKey: string): Uint8Array | undefined {
    if (!isWellFormed(prompt) || !isWellFormed(llmKey) || llmKey.includes(UNPRINTABLE)) return undefined;
    if (!TAKES_TEXT.test(llmKey) && (PLACEHOLDER.test(prompt) || NEXT_MESSAGE.test(withoutInstructions(prompt))))
      return undefined;
    return fingerprinter({ scope, domain, model: llmKey }).of(prompt);
  }

  function ledgerOf(llmKey: string): Ledger {
    const model = MODEL_NAME.exec(llmKey)?.[1] ?? 'unknown';
    return ledgerFor(cache, JSON.stringify([NAME, scope === PUBLIC ? null : scope, model]), NAME, model);
  }

  // LangChain wants an instance of this class. Its constructor takes no arguments.
  class Kept extends (caches.BaseCache as unknown as new () => object) implements LlmCache {
    /** The kept answer to the prompt, made anew for each caller; null if there is none. */
    async lookup(prompt: string, llmKey: string): Promise<object[] | null> {
      const key = keyOf(prompt, llmKey);
      const packed = key && answers.get(key);
      if (packed === undefined) return null;
      const ledger = ledgerOf(llmKey);
      ledger.countHit(0); // LangChain does not tell how long the model took
      ledger.countTokens('hit', usageOf(usageIn(packed)));
      return packing.unpack(packed).generations;
    }

    async update(prompt: string, llmKey: string, generations: readonly GenerationLike[]): Promise<void> {
      const key = keyOf(prompt, llmKey);
      if (key === undefined || !keeps(generations)) return;
      const packed = packing.pack(generations);
      if (packed === undefined) return;
      ledgerOf(llmKey).count('asked', 0, usageOf(usageIn(packed)));
      try {
        answers.set(key, packed, life);
      } catch (error) {
        // It is too large for the cache. The call has its answer.
        if ((error as { code?: unknown }).code !== 'ERR_OUT_OF_RANGE') throw error;
      }
    }
  }
  return new Kept() as Base & LlmCache;
}

/**
 * The text after the instructions, if a prompt begins with instructions. They end at the first line that begins with
 * `Human:`. If a program writes such a line into its instructions, they look like two messages.
 */
function withoutInstructions(prompt: string): string {
  const instructions = INSTRUCTED.exec(prompt)?.[0] ?? '';
  return NEXT_MESSAGE.test(instructions.slice(0, -'\nHuman:'.length)) ? prompt : prompt.slice(instructions.length);
}
