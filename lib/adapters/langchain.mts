// The ES module face of `zerohop/langchain`; see index.mts.
export {
  type AdapterOptions,
  areComplete,
  type CachedEmbeddingsOptions,
  type CallOptions,
  type ChatModelLike,
  cachedEmbeddings,
  type EmbeddingsLike,
  type GenerationLike,
  type KeepAnswersOptions,
  type KeptAnswers,
  keepAnswers,
  type LangChainCaches,
  type LlmCache,
  type LlmCacheOptions,
  llmCache,
} from './langchain.js';
