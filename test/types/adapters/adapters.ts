// What the libraries that the adapters are for must take, and what must not compile. Compiled, never run.
import { env } from '@huggingface/transformers';
import type { BaseCache } from '@langchain/core/caches';
import * as caches from '@langchain/core/caches';
import type { EmbeddingsInterface } from '@langchain/core/embeddings';
import type { BaseChatModel } from '@langchain/core/language_models/chat_models';
import type { FakeListChatModel } from '@langchain/core/utils/testing';
import { metrics, trace } from '@opentelemetry/api';
import type { EmbeddingModelMiddleware, LanguageModelMiddleware } from 'ai';
import Keyv, { type KeyvStoreAdapter } from 'keyv';
import { InferenceSession } from 'onnxruntime-node';
import { type OpenMetricsContentType, type Registry, register } from 'prom-client';
import { type Cache, float32, json, PUBLIC, utf8, type Weights } from 'zerohop';
import { type CallOptions, embeddingMiddleware, isComplete, languageMiddleware } from 'zerohop/ai-sdk';
import { keyvStore } from 'zerohop/keyv';
import { areComplete, cachedEmbeddings, keepAnswers, llmCache } from 'zerohop/langchain';
import { registerMetrics } from 'zerohop/metrics';
import { otelMetrics, otelRuns } from 'zerohop/otel';
import { transformersCache } from 'zerohop/transformers';

export function aiSdk(cache: Cache): void {
  const embeddings: EmbeddingModelMiddleware = embeddingMiddleware({ cache, scope: PUBLIC, ttl: '1h' });
  const language: LanguageModelMiddleware = languageMiddleware({ cache, scope: 'tenant', allowDrawn: true });
  const keep = ({ content, finishReason }: Parameters<typeof isComplete>[0]) =>
    isComplete({ content, finishReason }) && content.some(({ text }) => text?.startsWith('{'));
  const forgotten: number = languageMiddleware({ cache, scope: PUBLIC, keep }).forget('tag');
  const call: CallOptions = { cache: 'reload', tags: ['tag'] };
  // @ts-expect-error: there and then
  languageMiddleware({ cache, scope: PUBLIC, keep: async () => true });
  // @ts-expect-error: whose answers they are is to be said
  embeddingMiddleware({ cache });
  // @ts-expect-error: embeddings draw nothing
  embeddingMiddleware({ cache, scope: PUBLIC, allowDrawn: true });
  // @ts-expect-error: not the other's middleware
  const wrong: LanguageModelMiddleware = embeddings;
  void [language, wrong, forgotten, call];
}

export function langChain(
  cache: Cache,
  inner: EmbeddingsInterface,
  chat: BaseChatModel,
  fake: FakeListChatModel,
): void {
  const embeddings: EmbeddingsInterface = cachedEmbeddings(inner, { cache, scope: PUBLIC, model: 'm' });
  const llm: BaseCache = llmCache(caches, { cache, scope: PUBLIC });
  keepAnswers(chat, caches, { cache, scope: PUBLIC, keep: (answers) => areComplete(answers) });
  const kept: FakeListChatModel = keepAnswers(fake, caches, { cache, scope: PUBLIC });
  // @ts-expect-error: whose answers they are is to be said
  keepAnswers(chat, caches, { cache });
  // @ts-expect-error: which model's embeddings they are is to be said
  cachedEmbeddings(inner, { cache, scope: PUBLIC });
  // @ts-expect-error: the module itself, and not a path to it
  llmCache('@langchain/core/caches', { cache, scope: PUBLIC });
  void [embeddings, llm, kept];
}

export function keyv(cache: Cache): void {
  const store: KeyvStoreAdapter = keyvStore(cache.keyspace('a', { codec: utf8 }));
  new Keyv(keyvStore(cache.keyspace('b', { codec: json })));
  // @ts-expect-error: keyv's values are no vectors
  keyvStore(cache.keyspace('c', { codec: float32(2) }));
  // @ts-expect-error: a keyspace, and not a cache of bytes
  keyvStore(cache);
  void store;
}

export function transformers(cache: Cache): void {
  env.customCache = transformersCache(cache.blobs, { version: '2026-11' });
  // @ts-expect-error: the blobs of a cache, and not the cache
  transformersCache(cache);
}

export async function onnxruntime(weights: Weights): Promise<InferenceSession> {
  return InferenceSession.create(new Uint8Array(0), { externalData: weights.externalData() });
}

export function promClient(cache: Cache, openMetrics: Registry<OpenMetricsContentType>): void {
  const unregister: () => void = registerMetrics(cache, register, { name: 'embeddings', labels: 10 });
  registerMetrics(cache);
  registerMetrics(cache, openMetrics);
  // @ts-expect-error: a register, not a metric
  registerMetrics(cache, register.getSingleMetric('x'));
  void unregister;
}

export function openTelemetry(cache: Cache): void {
  const meter = metrics.getMeter('test');
  const stop: () => void = otelMetrics(cache, { meter, name: 'embeddings', labels: 10 });
  otelRuns({ meter, tracer: trace.getTracer('test') });
  // @ts-expect-error: a tracer is no meter
  otelMetrics(cache, { meter: trace.getTracer('test') });
  void stop;
}
