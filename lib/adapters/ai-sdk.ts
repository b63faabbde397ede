// ai-sdk.ts: middleware for the AI SDK: the package's entry `zerohop/ai-sdk`. Its versions 6 (v3 models) and 7 (v4).
//
//   ai-sdk-embeddings.ts   wrapEmbeddingModel
//   ai-sdk-language.ts     wrapLanguageModel, over ai-sdk-generate.ts and ai-sdk-stream.ts
//   ai-sdk-calls.ts        what both make of a call: a name for what counts of it, and a model of ours to ask
//
// The SDK is described here by what is used of it, and nothing of it is imported.

import '../addon/native.js'; // first: in a bundle it says so

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
