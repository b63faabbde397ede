// LangChain's own models with a cache of ours, and embeddings that are kept.
import { setTimeout as sleep } from 'node:timers/promises';
import * as caches from '@langchain/core/caches';
import { Embeddings } from '@langchain/core/embeddings';
import { AIMessage, isAIMessage } from '@langchain/core/messages';
import { FakeListChatModel, FakeLLM } from '@langchain/core/utils/testing';
import { describe, expect, test } from 'vitest';
import { type Cache, PUBLIC } from 'zerohop';
import { cachedEmbeddings, type EmbeddingsLike, llmCache } from 'zerohop/langchain';
import { anything, errorOf, openCache } from '../fixtures/opened.js';

const vectorOf = (text: string) => [text.length, 0.5];

/** Embeddings of LangChain's class that keep what they were asked. */
class Asked extends Embeddings {
  readonly documents: string[][] = [];
  readonly queries: string[] = [];
  fails = false;

  constructor() {
    super({});
  }

  override async embedDocuments(texts: string[]): Promise<number[][]> {
    this.documents.push(texts);
    await sleep(1);
    if (this.fails) throw new Error('this time');
    return texts.map(vectorOf);
  }

  override async embedQuery(text: string): Promise<number[]> {
    this.queries.push(text);
    await sleep(1);
    if (this.fails) throw new Error('this time');
    return [...vectorOf(text), 1];
  }
}

const TERMS = { scope: PUBLIC, model: 'm' } as const;

describe('embeddings', () => {
  test('of documents: those that are missing, each once, in order', async () => {
    const inner = new Asked();
    const kept: EmbeddingsLike = cachedEmbeddings(inner, { cache: openCache(), ...TERMS });
    await kept.embedDocuments(['b']);
    const texts = ['a', 'b', 'a', '', 'ccc'];
    expect(await kept.embedDocuments(texts)).toEqual(texts.map(vectorOf));
    expect(inner.documents).toEqual([['b'], ['a', '', 'ccc']]);
    expect(await kept.embedDocuments([])).toEqual([]);
    expect(inner.documents).toHaveLength(2);
  });

  test('of a query: asked once, and apart from documents', async () => {
    const inner = new Asked();
    const kept = cachedEmbeddings(inner, { cache: openCache(), ...TERMS });
    await kept.embedDocuments(['a']);
    for (let round = 0; round < 2; ++round) expect(await kept.embedQuery('a')).toEqual([1, 0.5, 1]);
    expect(await kept.embedDocuments(['a'])).toEqual([[1, 0.5]]);
    expect([inner.queries, inner.documents]).toEqual([['a'], [['a']]]);
  });

  test('at the same time are computed once; failures are not kept', async () => {
    const inner = new Asked();
    const kept = cachedEmbeddings(inner, { cache: openCache(), ...TERMS });
    inner.fails = true;
    const all = () => [
      kept.embedDocuments(['a', 'b']),
      kept.embedDocuments(['b', 'a']),
      kept.embedQuery('a'),
      kept.embedQuery('a'),
    ];
    for (const one of await Promise.allSettled(all()))
      expect((one as PromiseRejectedResult).reason.message).toBe('this time');
    inner.fails = false;
    await Promise.all(all());
    expect([inner.documents.length, inner.queries.length]).toEqual([2, 2]);
  });

  test('answers are arrays of the caller’s own', async () => {
    const kept = cachedEmbeddings(new Asked(), { cache: openCache(), ...TERMS });
    const [first] = await kept.embedDocuments(['a']);
    first![0] = 9;
    expect(await kept.embedDocuments(['a'])).toEqual([vectorOf('a')]);
    expect(Array.isArray(first)).toBe(true);
  });

  test('text that has no fingerprint is embedded, each time', async () => {
    const inner = new Asked();
    const kept = cachedEmbeddings(inner, { cache: openCache(), ...TERMS });
    for (let round = 0; round < 2; ++round) {
      await kept.embedDocuments(['a', '\ud83d']);
      await kept.embedQuery('\ud83d');
    }
    expect([inner.documents.length, inner.queries.length]).toEqual([2, 2]);
  });

  test.each([
    ['a vector of nulls', [[null]]],
    ['too few', []],
    ['nothing', undefined],
  ])('%s: ERR_MODEL_RESULT, and nothing is kept', async (_, answer) => {
    const inner = anything({ embedDocuments: async () => answer, embedQuery: async () => answer?.[0] });
    const kept = cachedEmbeddings(inner, { cache: openCache(), ...TERMS });
    await expect(kept.embedDocuments(['a'])).rejects.toMatchObject({ code: 'ERR_MODEL_RESULT' });
    await expect(kept.embedQuery('a')).rejects.toMatchObject({ code: 'ERR_MODEL_RESULT' });
  });

  test.each([
    ['models', { model: 'other' }],
    ['scopes', { scope: 'tenant' }],
    ['domains', { domain: 'other' }],
  ])('of two %s are never mixed', async (_, over) => {
    const cache = openCache({ maxBytes: '8MB' });
    const [one, two] = [new Asked(), new Asked()];
    for (let round = 0; round < 2; ++round) {
      for (const [inner, more] of [
        [one, {}],
        [two, over],
      ] as const) {
        const kept = cachedEmbeddings(inner, { cache, ...TERMS, ...more });
        await kept.embedDocuments(['a']);
        await kept.embedQuery('a');
      }
    }
    for (const { documents, queries } of [one, two]) expect([documents.length, queries.length]).toEqual([1, 1]);
  });

  test.each([
    [undefined, {}, /^embeddings: expected an object with embedDocuments and embedQuery, received undefined/],
    [{ embedQuery() {} }, {}, /^embeddings: /],
    [new Asked(), { model: undefined }, /^options\.model: /],
    [new Asked(), { model: '' }, /^options\.model: /],
    [new Asked(), { scope: 5 }, /^options\.scope: /],
    [new Asked(), { cache: {} }, /^options\.cache: /],
    [new Asked(), { surprise: 1 }, /^options\.surprise: /],
  ])('bad options are refused (%#)', (inner, over, message) => {
    const options = anything({ cache: openCache(), ...TERMS, ...over });
    expect(errorOf(() => cachedEmbeddings(anything(inner), options)).message).toMatch(message);
  });
});

const cacheOf = (cache: Cache, over: object = {}) => llmCache(caches, { cache, scope: PUBLIC, ...over });

describe('a cache of language models', () => {
  test('is one of LangChain’s, and keeps what its chat models answer', async () => {
    const own = cacheOf(openCache());
    expect(own).toBeInstanceOf(caches.BaseCache);
    const model = new FakeListChatModel({ responses: ['one', 'two'], cache: own });
    for (let round = 0; round < 2; ++round) {
      const message = await model.invoke('What?');
      expect(isAIMessage(message)).toBe(true);
      expect(message.text).toBe('one');
    }
    expect((await model.invoke('What else?')).text).toBe('two');
    expect((await model.invoke('What?', { stop: ['x'] })).text).toBe('x'); // as such a model answers to that
  });

  test('and what its completion models answer', async () => {
    let asked = 0;
    class Counting extends FakeLLM {
      override async _call(prompt: string): Promise<string> {
        return `${prompt} ${++asked}`;
      }
    }
    const model = new Counting({ cache: cacheOf(openCache()) });
    for (let round = 0; round < 2; ++round) expect(await model.invoke('a')).toBe('a 1');
  });

  test('brings back messages as they were, made anew for each caller', async () => {
    const own = cacheOf(openCache());
    const message = new AIMessage({
      content: 'text',
      tool_calls: [{ id: '1', name: 'f', args: { at: 1 }, type: 'tool_call' }],
      usage_metadata: { input_tokens: 1, output_tokens: 2, total_tokens: 3 },
      response_metadata: { model_name: 'm' },
    });
    expect(await own.lookup('p', 'k')).toBeNull();
    const generations = [{ text: 'text', message, generationInfo: { finish_reason: 'stop' } }];
    await own.update('p', 'k', generations);
    for (let round = 0; round < 2; ++round) {
      const found = (await own.lookup('p', 'k')) as typeof generations;
      expect(found).toEqual(generations);
      expect(found[0]!.message).toBeInstanceOf(AIMessage);
      found[0]!.message.content = 'mine';
      found[0]!.generationInfo.finish_reason = 'mine';
    }
    await own.update('p', 'empty', []);
    expect(await own.lookup('p', 'empty')).toEqual([]);
    await own.update('p', 'falsy', [{ text: '' }]);
    expect(await own.lookup('p', 'falsy')).toEqual([{ text: '' }]);
  });

  test('tells prompts and models apart, also where they read alike together', async () => {
    const own = cacheOf(openCache());
    await own.update('a_b', 'c', [{ text: '1' }]);
    for (const [prompt, llmKey] of [
      ['a', 'b_c'],
      ['c', 'a_b'],
      ['a_b', 'c '],
      ['a_b', ''],
    ] as const)
      expect(await own.lookup(prompt, llmKey)).toBeNull();
    expect(await own.lookup('a_b', 'c')).toEqual([{ text: '1' }]);
  });

  test.each([
    ['scopes', { scope: 'tenant' }],
    ['domains', { domain: 'other' }],
  ])('of two %s are never mixed', async (_, over) => {
    const cache = openCache({ maxBytes: '8MB' });
    await cacheOf(cache).update('p', 'k', [{ text: '1' }]);
    expect(await cacheOf(cache, over).lookup('p', 'k')).toBeNull();
    expect(await cacheOf(cache).lookup('p', 'k')).toEqual([{ text: '1' }]);
  });

  test('keeps nothing that has no fingerprint, or would not come back as it is', async () => {
    const cache = openCache();
    const own = cacheOf(cache);
    const { sets } = cache.stats();
    await own.update('\ud83d', 'k', [{ text: '1' }]);
    await own.update('p', '\ud83d', [{ text: '1' }]);
    await own.update('p', 'k', [{ text: '1', generationInfo: { call: () => 1 } }]);
    expect([await own.lookup('\ud83d', 'k'), await own.lookup('p', 'k')]).toEqual([null, null]);
    expect(cache.stats().sets).toBe(sets);
  });

  test('an answer that is too large for the cache does not fail the call', async () => {
    const model = new FakeListChatModel({
      responses: ['x'.repeat(2 ** 20), 'y'],
      cache: cacheOf(openCache({ maxBytes: '1MB' })),
    });
    expect((await model.invoke('What?')).text).toHaveLength(2 ** 20);
    expect((await model.invoke('What?')).text).toBe('y');
  });

  test('ttl', async () => {
    const own = cacheOf(openCache(), { ttl: '30ms' });
    await own.update('p', 'k', [{ text: '1' }]);
    expect(await own.lookup('p', 'k')).toEqual([{ text: '1' }]);
    await sleep(60);
    expect(await own.lookup('p', 'k')).toBeNull();
  });

  test('what is missing or wrong is refused', () => {
    const options = { cache: openCache(), scope: PUBLIC } as const;
    for (const wrong of [undefined, {}, { ...caches, BaseCache: undefined }])
      expect(errorOf(() => llmCache(anything(wrong), options)).message).toMatch(/^caches: expected the module '@lang/);
    expect(errorOf(() => llmCache(caches, anything({ cache: openCache() }))).message).toMatch(/^options\.scope: /);
    expect(errorOf(() => llmCache(caches, anything({ ...options, model: 'm' }))).message).toMatch(/^options\.model: /);
  });
});
