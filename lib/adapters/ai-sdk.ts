// ai-sdk.ts: middleware for the AI SDK: the package's entry `zerohop/ai-sdk`. Its versions 6 (v3 models) and 7 (v4).
//
//   ai-sdk-embeddings.ts   wrapEmbeddingModel
//   ai-sdk-language.ts     wrapLanguageModel, over ai-sdk-generate.ts and ai-sdk-stream.ts
//   ai-sdk-calls.ts        for both: a name for the parameters of a call, and one of our models to ask
//
// The types here describe only what is used of the SDK. Nothing of it is imported.

import '../addon/native.js'; // first: its error says that it was bundled

export { type Answer, type AnswerPart, isComplete } from './ai-sdk-answers.js';
export type { CallParams } from './ai-sdk-calls.js';
export {
  type EmbedCall,
  type EmbeddingMiddleware,
  type EmbedParams,
  type EmbedResult,
  embeddingMiddleware,
} from './ai-sdk-embeddings.js';
export {
  type GenerateParams,
  type LanguageCall,
  type LanguageMiddleware,
  type LanguageMiddlewareOptions,
  languageMiddleware,
} from './ai-sdk-language.js';
export type { CallOptions } from './calls.js';
export type { AdapterOptions } from './options.js';
