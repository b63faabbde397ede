// langchain-embeddings.ts: keeps LangChain's embeddings, text by text. The missing texts go on to the model, in one
// call.

import { isWellFormed, textOption, typeError } from '../base/options.js';
import { float32 } from '../cache/vectors.js';
import { areWellFormed, checkText, numbersOf, Vectors } from './embeddings.js';
import { type AdapterOptions, adapterOptions, modelOptions } from './options.js';

/** LangChain's Embeddings. */
export interface EmbeddingsLike {
  embedDocuments(documents: string[]): Promise<number[][]>;
  embedQuery(document: string): Promise<number[]>;
}

export interface CachedEmbeddingsOptions extends AdapterOptions {
  /**
   * The model's name, and whatever else changes its vectors, such as the dimensions. Another text keeps other vectors.
   */
  model: string;
}

/** The most texts of one call: LangChain makes its own batches of them. */
const BATCH_MAX = 2 ** 20;

/**
 * Embeddings that are kept, as float32. Only the missing documents reach `embeddings`, each once, in one call. A text
 * that several callers need at the same time is computed once. Queries are kept apart from documents, because some
 * models embed them differently.
 *
 * If a text has no fingerprint (a lone surrogate), its whole call goes to `embeddings`, and is not kept.
 *
 * @throws {TypeError | RangeError} `embeddings` has not LangChain's methods; an option is missing or wrong. Calls
 *   reject as
 *   `embeddings` does, with a TypeError for a value that is not a string, or with a CacheError `ERR_MODEL_RESULT` that
 *   names a text. For that text `embeddings` gave an empty vector, one of another length than most, or numbers that
 *   float32 cannot hold. Such a vector is not kept.
 * @example const kept = cachedEmbeddings(new OpenAIEmbeddings({ model }), { cache, scope: PUBLIC, model })
 */
export function cachedEmbeddings(embeddings: EmbeddingsLike, options: CachedEmbeddingsOptions): EmbeddingsLike {
  const { embedDocuments, embedQuery } = Object(embeddings) as Partial<EmbeddingsLike>;
  if (typeof embedDocuments !== 'function' || typeof embedQuery !== 'function')
    throw typeError('embeddings', 'an object with embedDocuments and embedQuery', embeddings);
  const checked = adapterOptions(options, ['model']);
  const { cache } = checked;
  const version = textOption('options.model', checked.given['model'], 255, 1);
  const documents = cache.model({
    ...modelOptions(checked, 'langchain documents', version),
    codec: float32(),
    maxBatch: BATCH_MAX, // `embeddings` makes its own batches
    run: async (texts: string[]) => documentVectors.of(await embeddings.embedDocuments(texts), texts),
  });
  const queries = cache.model({
    ...modelOptions(checked, 'langchain queries', version),
    codec: float32(),
    maxBatch: 1,
    run: async (texts: string[]) => queryVectors.of([await embeddings.embedQuery(texts[0]!)], texts),
  });
  const documentVectors = new Vectors(() => documents.clear());
  const queryVectors = new Vectors(() => queries.clear());
  return {
    async embedDocuments(texts) {
      if (!areWellFormed('documents', texts)) return embeddings.embedDocuments(texts);
      return (await documents.predictMany(texts)).map(numbersOf);
    },
    async embedQuery(text) {
      checkText('document', text);
      if (!isWellFormed(text)) return embeddings.embedQuery(text);
      return numbersOf(await queries.predict(text));
    },
  };
}
