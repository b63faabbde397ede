// LangChain's own models with a cache of ours, and embeddings that are kept.
import { setTimeout as sleep } from 'node:timers/promises';
import * as caches from '@langchain/core/caches';
import { Embeddings } from '@langchain/core/embeddings';
import { BaseChatModel } from '@langchain/core/language_models/chat_models';
import {
  AIMessage,
  AIMessageChunk,
  ChatMessage,
  getBufferString,
  HumanMessage,
  isAIMessage,
  SystemMessage,
} from '@langchain/core/messages';
import { FakeListChatModel, FakeLLM } from '@langchain/core/utils/testing';
import { describe, expect, test } from 'vitest';
import { type Cache, PUBLIC } from 'zerohop';
import { areComplete, cachedEmbeddings, type EmbeddingsLike, type GenerationLike, llmCache } from 'zerohop/langchain';
import { anything, errorOf, inTime, openCache } from '../fixtures/opened.js';

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
  test('of documents are computed where they are missing, each once, and given in order', async () => {
    const inner = new Asked();
    const kept: EmbeddingsLike = cachedEmbeddings(inner, { cache: openCache(), ...TERMS });
    await kept.embedDocuments(['b']);
    const texts = ['a', 'b', 'a', '', 'ccc'];
    expect(await kept.embedDocuments(texts)).toEqual(texts.map(vectorOf));
    expect(inner.documents).toEqual([['b'], ['a', '', 'ccc']]);
    expect(await kept.embedDocuments([])).toEqual([]);
    expect(inner.documents).toHaveLength(2);
  });

  test('of a query are computed once, and kept apart from documents', async () => {
    const inner = new Asked();
    const kept = cachedEmbeddings(inner, { cache: openCache(), ...TERMS });
    await kept.embedDocuments(['a']);
    for (let round = 0; round < 2; ++round) expect(await kept.embedQuery('a')).toEqual([1, 0.5, 1]);
    expect(await kept.embedDocuments(['a'])).toEqual([[1, 0.5]]);
    expect([inner.queries, inner.documents]).toEqual([['a'], [['a']]]);
  });

  test('that are asked for at the same time are computed once, and failures are not kept', async () => {
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

  test('are arrays of the caller’s own', async () => {
    const kept = cachedEmbeddings(new Asked(), { cache: openCache(), ...TERMS });
    const [first] = await kept.embedDocuments(['a']);
    first![0] = 9;
    expect(await kept.embedDocuments(['a'])).toEqual([vectorOf('a')]);
    expect(Array.isArray(first)).toBe(true);
  });

  test('of a text without a fingerprint are computed each time', async () => {
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

  test('that are empty or short are refused with the name of the text; the others are kept (dify#41476)', async () => {
    const asked: string[][] = [];
    let bad: number[] | undefined = [];
    const inner = {
      async embedDocuments(texts: string[]) {
        asked.push(texts);
        return texts.map((text) => (text === 'b' && bad !== undefined ? bad : vectorOf(text)));
      },
      embedQuery: async () => bad ?? [1],
    };
    const kept = cachedEmbeddings(inner, { cache: openCache(), ...TERMS });
    const refused = { code: 'ERR_MODEL_RESULT', message: expect.stringContaining('the embedding of "b"') };
    await expect(kept.embedDocuments(['a', 'b', 'c'])).rejects.toMatchObject(refused);
    await expect(kept.embedQuery('b')).rejects.toMatchObject(refused);
    bad = [1];
    await expect(kept.embedDocuments(['a', 'b', 'c'])).rejects.toMatchObject(refused);
    bad = undefined;
    expect(await kept.embedDocuments(['a', 'b', 'c'])).toEqual(['a', 'b', 'c'].map(vectorOf));
    expect(asked).toEqual([['a', 'b', 'c'], ['b'], ['b']]);
  });

  test('of what is no text, or no array of texts, are a TypeError that says which', async () => {
    const inner = new Asked();
    const kept = cachedEmbeddings(inner, { cache: openCache(), ...TERMS });
    const code = 'ERR_INVALID_ARG_TYPE';
    await expect(kept.embedDocuments(anything(['a', 1]))).rejects.toMatchObject({
      code,
      message: 'documents[1]: expected a string, received number 1',
    });
    await expect(kept.embedDocuments(anything('a'))).rejects.toMatchObject({
      code,
      message: 'documents: expected an array of strings, received string "a"',
    });
    await expect(kept.embedQuery(anything(undefined))).rejects.toMatchObject({
      code,
      message: 'document: expected a string, received undefined',
    });
    expect([inner.documents, inner.queries]).toEqual([[], []]);
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
  test('is one of LangChain’s, and keeps the answers of chat models', async () => {
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

  test('keeps the answers of completion models', async () => {
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

  /** A chat model that answers in turn. */
  class Answering extends BaseChatModel {
    asked = 0;
    answer: (count: number) => { message: AIMessage; generationInfo?: Record<string, unknown> };

    constructor(answer: Answering['answer'], fields: object) {
      super(fields);
      this.answer = answer;
    }

    override _llmType(): string {
      return 'answering';
    }

    override async _generate() {
      const given = this.answer(++this.asked);
      return { generations: [{ text: given.message.text, ...given }] };
    }
  }

  const blocks = {
    images: { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
    'images of the standard kind': { type: 'image', mimeType: 'image/png', data: 'AAAA' },
    'images of Anthropic': { type: 'document', source: { type: 'base64', data: 'AAAA' } },
    audio: { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } },
    video: { type: 'video', data: 'AAAA' },
    files: { type: 'file', data: 'AAAA' },
    'plain texts of no text': { type: 'text-plain', data: 'AAAA' },
    'kinds that nobody knows yet': { type: 'hologram.2', data: 'AAAA' },
    'kinds that are named like a media type': { type: 'image/png', data: 'AAAA' },
    'kinds that are named with spaces': { type: 'my own *', data: 'AAAA' },
  };

  test.each(Object.entries(blocks))(
    'two prompts with one text and other %s get two answers (langchainjs#10092)',
    async (_, block) => {
      const model = new Answering((count) => ({ message: new AIMessage(`${count}`) }), { cache: cacheOf(openCache()) });
      const ask = async (data: string) => {
        const content = [JSON.parse(JSON.stringify(block).replace('AAAA', data)), { type: 'text', text: 'Describe' }];
        return (await model.invoke([new HumanMessage({ content })])).content;
      };
      expect([await ask('AAAA'), await ask('BBBB')]).toEqual(['1', '2']);
    },
  );

  test.each(['AI', 'Human', 'System', 'Tool', 'Function', 'assistant', 'user', 'developer'])(
    'several messages, and one whose text has a line that begins with %s:, get two answers',
    async (role) => {
      const model = new Answering((count) => ({ message: new AIMessage(`${count}`) }), { cache: cacheOf(openCache()) });
      const messages = [new HumanMessage('x'), new ChatMessage('y', role), new HumanMessage('z')];
      const one = [new HumanMessage(`x\n${role}: y\nHuman: z`)];
      const two = [new HumanMessage(`x\n${role}: y`)];
      expect(getBufferString(messages)).toBe(getBufferString(one));
      const asked = [messages, one, messages.slice(0, 2), two];
      const answers: unknown[] = [];
      for (const prompt of asked) answers.push((await model.invoke(prompt)).content);
      expect(answers).toEqual(['1', '2', '3', '4']);
    },
  );

  test('keeps a chat prompt of one message with several lines', async () => {
    const model = new Answering((count) => ({ message: new AIMessage(`${count}`) }), { cache: cacheOf(openCache()) });
    const prompt = 'Question: a\n\nContext: said an AI: b\n human';
    for (let round = 0; round < 2; ++round) expect((await model.invoke(prompt)).content).toBe('1');
  });

  test('keeps the usual chat prompt, a system message and one of the user after it', async () => {
    const model = new Answering((count) => ({ message: new AIMessage(`${count}`) }), { cache: cacheOf(openCache()) });
    const ask = async (...texts: string[]) => {
      const [system, ...users] = texts;
      const messages = [new SystemMessage(system!), ...users.map((text) => new HumanMessage(text))];
      return (await model.invoke(messages)).content;
    };
    expect([await ask('be brief', 'a'), await ask('be brief', 'a'), await ask('be brief', 'b')]).toEqual([
      '1',
      '1',
      '2',
    ]);
    // More messages, and one that reads like more, are told apart by none of these texts.
    expect([await ask('be brief', 'a', 'b'), await ask('be brief', 'a\nHuman: b')]).toEqual(['3', '4']);
  });

  test('does not keep calls with tools that JSON does not show', async () => {
    const own = cacheOf(openCache());
    const llmKey = 'tools:[{"lc":1,"type":"not_implemented","id":["langchain","tools","DynamicTool"]}]';
    await own.update('p', llmKey, [{ text: '1' }]);
    expect(await own.lookup('p', llmKey)).toBeNull();
  });

  test('takes a completion model’s prompt as text, with words in brackets as they are', async () => {
    let asked = 0;
    class Counting extends FakeLLM {
      override async _call(prompt: string): Promise<string> {
        return `${prompt} ${++asked}`;
      }
    }
    const model = new Counting({ cache: cacheOf(openCache()) });
    for (let round = 0; round < 2; ++round) expect(await model.invoke('[INST] a [/INST]')).toBe('[INST] a [/INST] 1');
  });

  test.each([
    ['bytes', { message: new AIMessage({ content: [anything({ type: 'image', data: Uint8Array.of(1, 2) })] }) }],
    ['a Date', { message: new AIMessage({ content: 'a', response_metadata: { at: new Date(0) } }) }],
    ['a Map', { message: new AIMessage({ content: 'a', additional_kwargs: { at: new Map([[1, 2]]) } }) }],
    ['a function', { message: new AIMessage({ content: 'a', response_metadata: { f: () => 1 } }) }],
    [
      'an instance of a class',
      { message: new AIMessage({ content: 'a', response_metadata: { at: new URL('http://a.b') } }) },
    ],
    ['a message of another class', { message: new AIMessageChunk('a') }],
    ['a member that the message was given later', { message: Object.assign(new AIMessage('a'), { later: 1 }) }],
    ['a Map beside the message', { message: new AIMessage('a'), generationInfo: { at: new Map() } }],
  ])(
    'gives an answer with %s, and does not keep it, since it would come back as another (langchainjs#10132)',
    async (_, answer) => {
      const model = new Answering(() => answer, { cache: cacheOf(openCache()) });
      const both = [await model.invoke('q'), await model.invoke('q')];
      for (const message of both) {
        expect(message.constructor).toBe(answer.message.constructor);
        expect(message.content).toEqual(answer.message.content);
      }
      expect(model.asked).toBe(2);
    },
  );

  test.each([
    ['cut short', { generationInfo: { finish_reason: 'length' } }],
    ['cut short, as Anthropic says it', { response_metadata: { stop_reason: 'max_tokens' } }],
    ['cut short, as Google says it', { response_metadata: { finishReason: 'MAX_TOKENS' } }],
    ['not completed', { response_metadata: { status: 'incomplete' } }],
    ['filtered', { generationInfo: { finish_reason: 'content_filter' } }],
    ['refused', { response_metadata: { stop_reason: 'refusal' } }],
    ['empty', { content: '' }],
    ['empty but for thoughts', { content: [{ type: 'reasoning', reasoning: 'hm' }] }],
  ])(
    'keeps no answer that is %s, unless keep says so',
    async (_, { generationInfo, ...fields }: Record<string, object | string>) => {
      const answer = () => ({
        message: new AIMessage(anything({ content: 'a', ...fields })),
        ...anything(generationInfo && { generationInfo }),
      });
      const model = new Answering(answer, { cache: cacheOf(openCache()) });
      const keeping = new Answering(answer, { cache: cacheOf(openCache(), { keep: () => true }) });
      for (const one of [model, keeping]) for (let round = 0; round < 2; ++round) await one.invoke('q');
      expect([model.asked, keeping.asked]).toEqual([2, 1]);
    },
  );

  test.each([
    ['stop', { response_metadata: { finish_reason: 'stop' } }],
    ['STOP', { response_metadata: { finishReason: 'STOP' } }],
    ['end_turn', { response_metadata: { stopReason: 'end_turn' } }],
    [
      'tool calls',
      {
        content: '',
        tool_calls: [{ id: '1', name: 'f', args: {} }],
        response_metadata: { finish_reason: 'tool_calls' },
      },
    ],
  ])('keeps an answer that ended with %s', async (_, fields) => {
    const model = new Answering(() => ({ message: new AIMessage(anything({ content: 'a', ...fields })) }), {
      cache: cacheOf(openCache()),
    });
    for (let round = 0; round < 2; ++round) await model.invoke('q');
    expect(model.asked).toBe(1);
  });

  test('lets keep decide by the answers, beside the default', async () => {
    const keep = (answers: readonly GenerationLike[]) => areComplete(answers) && answers[0]!.text.startsWith('{');
    const model = new Answering((count) => ({ message: new AIMessage(count === 1 ? 'sorry' : '{}') }), {
      cache: cacheOf(openCache(), { keep }),
    });
    for (let round = 0; round < 3; ++round) await model.invoke('q');
    expect(model.asked).toBe(2);
  });

  test('does not fail a call whose answer is too large to be stored', async () => {
    const model = new FakeListChatModel({
      responses: ['x'.repeat(2 ** 20), 'y'],
      cache: cacheOf(openCache({ maxBytes: '1MB' })),
    });
    expect((await model.invoke('What?')).text).toHaveLength(2 ** 20);
    expect((await model.invoke('What?')).text).toBe('y');
  });

  test('ends answers by their ttl', async () => {
    await inTime(30, async (ttl) => {
      const own = cacheOf(openCache(), { ttl });
      await own.update('p', 'k', [{ text: '1' }]);
      const found = await own.lookup('p', 'k');
      if (found === null) return false;
      expect(found).toEqual([{ text: '1' }]);
      await sleep(2 * ttl);
      expect(await own.lookup('p', 'k')).toBeNull();
      return true;
    });
  });

  test('has another ttl beside another one of the same cache, for its own answers', async () => {
    const cache = openCache();
    const brief = cacheOf(cache, { ttl: '1ms' });
    const lasting = cacheOf(cache, { ttl: '1h' });
    await brief.update('p', 'brief', [{ text: '1' }]);
    await lasting.update('p', 'lasting', [{ text: '2' }]);
    await sleep(5);
    expect(await lasting.lookup('p', 'brief')).toBeNull();
    expect(await brief.lookup('p', 'lasting')).toEqual([{ text: '2' }]);
  });

  test('is refused where an option is missing or wrong', () => {
    const options = { cache: openCache(), scope: PUBLIC } as const;
    for (const wrong of [undefined, {}, { ...caches, BaseCache: undefined }])
      expect(errorOf(() => llmCache(anything(wrong), options)).message).toMatch(/^caches: expected the module '@lang/);
    expect(errorOf(() => llmCache(caches, anything({ cache: openCache() }))).message).toMatch(/^options\.scope: /);
    expect(errorOf(() => llmCache(caches, anything({ ...options, model: 'm' }))).message).toMatch(/^options\.model: /);
  });
});
