// langchain.ts: a cache for LangChain.js' language models, and embeddings that are kept: the package's entry
// `zerohop/langchain`. LangChain is described here by what is used of it, and nothing of it is imported.

import { bytes } from '../codecs.js';
import { fingerprinter } from '../fingerprint/native.js';
import { isWellFormed, typeError } from '../options.js';
import { pack, unpack } from './packed.js';
import { type AdapterOptions, adapterTerms, keyspaceOf } from './terms.js';

export { type CachedEmbeddingsOptions, cachedEmbeddings, type EmbeddingsLike } from './langchain-embeddings.js';
export type { AdapterOptions } from './terms.js';

/** One of a model's answers. */
export interface GenerationLike {
  text: string;
  generationInfo?: Record<string, unknown>;
}

/** What a language model asks of its cache. */
export interface LlmCache {
  // biome-ignore lint/suspicious/noExplicitAny: LangChain says of what type generations are
  lookup(prompt: string, llmKey: string): Promise<any>;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  update(prompt: string, llmKey: string, generations: any): Promise<void>;
}

/** What is used of the module `@langchain/core/caches`. */
export interface LangChainCaches<Base extends object> {
  BaseCache: abstract new () => Base;
  serializeGeneration(generation: never): object;
  deserializeStoredGeneration(stored: never): object;
}

/**
 * A cache for the `cache` option of LangChain's language models: an instance of `caches.BaseCache`. Which calls are kept is
 * LangChain's to say: all of a model that was given a cache, at whatever temperature.
 *
 * Prompts that have no fingerprint (a lone surrogate), and answers that are not plain data when LangChain has serialized
 * them or are too large for the cache, are not kept.
 *
 * @param caches the module `@langchain/core/caches`.
 * @throws {TypeError | RangeError} `caches` is no such module, an option is missing or wrong.
 * @example new ChatOpenAI({ model, temperature: 0, cache: llmCache(caches, { cache, scope: PUBLIC }) })
 */
export function llmCache<Base extends object>(caches: LangChainCaches<Base>, options: AdapterOptions): Base & LlmCache {
  const { BaseCache, serializeGeneration, deserializeStoredGeneration } = Object(caches) as LangChainCaches<Base>;
  for (const each of [BaseCache, serializeGeneration, deserializeStoredGeneration])
    if (typeof each !== 'function') throw typeError('caches', "the module '@langchain/core/caches'", caches);
  const { cache, scope, domain, life } = adapterTerms(options);
  const { label, terms } = keyspaceOf('langchain llm', scope);
  const answers = cache.keyspace(label, { codec: bytes, ...terms, ...life });

  function keyOf(prompt: string, llmKey: string): Uint8Array | undefined {
    if (!isWellFormed(prompt) || !isWellFormed(llmKey)) return undefined;
    return fingerprinter({ scope, domain, model: llmKey }).of(prompt);
  }

  // Of the class that LangChain asks for; its constructor takes nothing.
  class Kept extends (BaseCache as unknown as new () => object) implements LlmCache {
    /** What is kept for the prompt, made anew for each caller; null if nothing is. */
    async lookup(prompt: string, llmKey: string): Promise<object[] | null> {
      const key = keyOf(prompt, llmKey);
      const packed = key && answers.get(key);
      if (packed === undefined) return null;
      const generations = unpack(packed) as (GenerationLike & { stored: never })[];
      return generations.map(({ stored, generationInfo }) => ({
        ...deserializeStoredGeneration(stored),
        ...(generationInfo && { generationInfo }), // which LangChain does not serialize
      }));
    }

    async update(prompt: string, llmKey: string, generations: readonly GenerationLike[]): Promise<void> {
      const key = keyOf(prompt, llmKey);
      const packed = pack(
        generations.map((generation) => ({
          stored: serializeGeneration(generation as never),
          generationInfo: generation.generationInfo,
        })),
      );
      if (key === undefined || packed === undefined) return;
      try {
        answers.set(key, packed);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error; // too large for the cache: the call has its answer
      }
    }
  }
  return new Kept() as Base & LlmCache;
}
