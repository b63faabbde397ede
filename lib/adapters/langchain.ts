// langchain.ts: caches for LangChain.js: the package's entry `zerohop/langchain`. The types here describe only what is
// used of LangChain. Nothing of it is imported.
//
//   langchain-embeddings.ts   keeps embeddings, text by text
//   langchain-model.ts        keeps the answers of a chat model, by its whole messages
//   langchain-llm.ts          a cache for the `cache` option of language models, by the texts that LangChain gives it
//   langchain-answers.ts      answers as bytes and back

import '../addon/native.js'; // first: its error says that it was bundled

export type { CallOptions } from './calls.js';
export { areComplete, type GenerationLike, type LangChainCaches } from './langchain-answers.js';
export { type CachedEmbeddingsOptions, cachedEmbeddings, type EmbeddingsLike } from './langchain-embeddings.js';
export { type LlmCache, type LlmCacheOptions, llmCache } from './langchain-llm.js';
export { type ChatModelLike, type KeepAnswersOptions, type KeptAnswers, keepAnswers } from './langchain-model.js';
export type { AdapterOptions } from './options.js';
