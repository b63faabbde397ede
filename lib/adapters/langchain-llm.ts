// langchain-llm.ts: a cache for the `cache` option of LangChain's language models.
//
// LangChain asks such a cache with texts alone: what a prompt looks like when it is printed, and the parameters as
// JSON. What is an image, an audio or a document there is `[image]`, and where a message ends, the next one begins on
// a new line: `AI: …`. So two prompts may have one text. These are not kept.

import { isWellFormed } from '../base/options.js';
import { bytes } from '../cache/codecs.js';
import { fingerprinter } from '../fingerprint/native.js';
import { keepOption } from './complete.js';
import { Answers, areComplete, type GenerationLike, type LangChainCaches } from './langchain-answers.js';
import { type AdapterOptions, adapterOptions, keyspaceOf } from './options.js';

/** What a language model asks of its cache. */
export interface LlmCache {
  // biome-ignore lint/suspicious/noExplicitAny: LangChain says of what type generations are
  lookup(prompt: string, llmKey: string): Promise<any>;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  update(prompt: string, llmKey: string, generations: any): Promise<void>;
}

export interface LlmCacheOptions extends AdapterOptions {
  /**
   * Whether to keep an answer: asked in place of the default rule, {@link areComplete}. What it throws, or a result
   * that is neither true nor false, the call rejects with.
   */
  keep?: (generations: readonly GenerationLike[]) => boolean;
}

/** How LangChain prints a part of a message that is no text: `[image]`, `[document]`, or another type in brackets. */
const PLACEHOLDER = /\[[^[\]\n]+\]/;
/** How LangChain prints another message than the first; or a line of the first one that reads like that. */
const NEXT_MESSAGE = /\n(?:human|user|ai|assistant|model|system|developer|tool|function|generic|chat) *:/i;
/** The usual prompt: instructions, which the program writes, and one message after them. */
const INSTRUCTED = /^System:[\s\S]*?\nHuman:/;
/** The key of a model that takes plain text: whatever stands in brackets there is text. */
const TAKES_TEXT = /(?:^|,)_model:"base_llm"(?:,|$)/;
/** How LangChain prints an object of its own that cannot be printed, such as a tool. */
const UNPRINTABLE = '"type":"not_implemented"';

/**
 * A cache for the `cache` option of LangChain's language models: an instance of `caches.BaseCache`. Which calls are
 * looked up is LangChain's to say: all of a model that was given a cache, at whatever temperature, but no streams.
 *
 * LangChain hands a cache the prompt as text, and waits for no other call. {@link keepAnswers} has none of the limits
 * that follow from it. Not kept are:
 *
 * - prompts of chat models that print as several messages, but for a system message and one of the user's after it: a
 *   line within a user's message may read `AI: …`, too, and the text does not say which it is;
 * - prompts of chat models with something in brackets, such as `[image]`, which may stand for what is not in the text;
 * - calls with tools that JSON does not show.
 *
 * Blocks that LangChain does not print (`reasoning`, `non_standard`, calls and results of a server's tools) do not
 * count: prompts that differ in nothing else get the same answer. The same holds for a message's `name`, which reads
 * as the first words of its text, and for roles of a program's own. Equal calls at one time each reach the model.
 *
 * Not kept either are: prompts that have no fingerprint (a lone surrogate); answers that would not come back as they
 * are, such as bytes, dates or chunks in messages; answers that are cut short, filtered or empty (`keep`); those too
 * large for the cache.
 *
 * @param caches the module `@langchain/core/caches`.
 * @throws {TypeError | RangeError} `caches` is no such module, an option is missing or wrong.
 * @example new ChatOpenAI({ model, temperature: 0, cache: llmCache(caches, { cache, scope: PUBLIC }) })
 */
export function llmCache<Base extends object>(
  caches: LangChainCaches<Base>,
  options: LlmCacheOptions,
): Base & LlmCache {
  const packing = new Answers(caches);
  const { cache, scope, domain, life, given } = adapterOptions(options, ['keep']);
  const keeps = keepOption(given['keep'], areComplete);
  const { label, options: space } = keyspaceOf('langchain llm', scope);
  const answers = cache.keyspace(label, { codec: bytes, ...space, ...life });

  /** Undefined for prompts and parameters that may be those of another call. */
  function keyOf(prompt: string, llmKey: string): Uint8Array | undefined {
    if (!isWellFormed(prompt) || !isWellFormed(llmKey) || llmKey.includes(UNPRINTABLE)) return undefined;
    if (!TAKES_TEXT.test(llmKey) && (PLACEHOLDER.test(prompt) || NEXT_MESSAGE.test(withoutInstructions(prompt))))
      return undefined;
    return fingerprinter({ scope, domain, model: llmKey }).of(prompt);
  }

  // Of the class that LangChain asks for; its constructor takes nothing.
  class Kept extends (caches.BaseCache as unknown as new () => object) implements LlmCache {
    /** What is kept for the prompt, made anew for each caller; null if nothing is. */
    async lookup(prompt: string, llmKey: string): Promise<object[] | null> {
      const key = keyOf(prompt, llmKey);
      const packed = key && answers.get(key);
      return packed === undefined ? null : packing.unpack(packed).generations;
    }

    async update(prompt: string, llmKey: string, generations: readonly GenerationLike[]): Promise<void> {
      const key = keyOf(prompt, llmKey);
      if (key === undefined || !keeps(generations)) return;
      const packed = packing.pack(generations);
      if (packed === undefined) return;
      try {
        answers.set(key, packed);
      } catch (error) {
        // Too large for the cache: the call has its answer.
        if ((error as { code?: unknown }).code !== 'ERR_OUT_OF_RANGE') throw error;
      }
    }
  }
  return new Kept() as Base & LlmCache;
}

/**
 * What is behind the instructions, if a prompt begins with some. They end at the first line that begins with `Human:`:
 * a program that writes such a line into its own instructions prints them like two messages.
 */
function withoutInstructions(prompt: string): string {
  const instructions = INSTRUCTED.exec(prompt)?.[0] ?? '';
  return NEXT_MESSAGE.test(instructions.slice(0, -'\nHuman:'.length)) ? prompt : prompt.slice(instructions.length);
}
