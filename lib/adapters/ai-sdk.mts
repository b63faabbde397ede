// The ES module face of `zerohop/ai-sdk`; see index.mts.
export {
  type AdapterOptions,
  type Answer,
  type AnswerPart,
  type CallOptions,
  type CallParams,
  type EmbedCall,
  type EmbeddingMiddleware,
  type EmbedParams,
  type EmbedResult,
  embeddingMiddleware,
  type GenerateParams,
  isComplete,
  type LanguageCall,
  type LanguageMiddleware,
  type LanguageMiddlewareOptions,
  languageMiddleware,
} from './ai-sdk.js';
