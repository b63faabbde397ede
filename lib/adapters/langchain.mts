// The ES module face of `zerohop/langchain`; see index.mts.
export {
  type AdapterOptions,
  type CachedEmbeddingsOptions,
  cachedEmbeddings,
  type EmbeddingsLike,
  type GenerationLike,
  type LangChainCaches,
  type LlmCache,
  llmCache,
} from './langchain.js';
