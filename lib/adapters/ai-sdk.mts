// The ES module face of `zerohop/ai-sdk`; see index.mts.
export {
  type AdapterOptions,
  type CallParams,
  type EmbedCall,
  type EmbeddingMiddleware,
  type EmbedParams,
  type EmbedResult,
  embeddingMiddleware,
  type GenerateParams,
  type LanguageCall,
  type LanguageMiddleware,
  type LanguageMiddlewareOptions,
  languageMiddleware,
} from './ai-sdk.js';
