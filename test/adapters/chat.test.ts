// LangChain's chat models whose answers are kept by their whole messages.
import { setTimeout as sleep } from 'node:timers/promises';
import * as caches from '@langchain/core/caches';
import { BaseChatModel } from '@langchain/core/language_models/chat_models';
import { AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage } from '@langchain/core/messages';
import { ChatGenerationChunk } from '@langchain/core/outputs';
import { FakeLLM } from '@langchain/core/utils/testing';
import { describe, expect, test } from 'vitest';
import { type Cache, PUBLIC } from 'zerohop';
import { keepAnswers } from 'zerohop/langchain';
import { anything, errorOf, openCache } from '../fixtures/opened.js';

interface Fields {
  answer?: (count: number) => AIMessage;
  temperature?: number;
}

/** A chat model that answers in turn, and makes another of itself for tools, as that of OpenAI does. */
class Answering extends BaseChatModel {
  readonly #fields: Fields; // private members are of the instance: a stand-in for it would not do
  calls: { options: Record<string, unknown>; signal: AbortSignal }[] = [];
  streams = 0;
  streamed: object[] = [];
  defaultOptions: object = {};

  constructor(fields: Fields = {}) {
    super({});
    this.#fields = fields;
  }

  override _llmType(): string {
    return 'answering';
  }

  override _identifyingParams() {
    return { temperature: this.#fields.temperature };
  }

  override async _generate(_: unknown, { signal, ...options }: Record<string, unknown>) {
    this.calls.push({ options, signal: signal as AbortSignal });
    const count = this.calls.length;
    await sleep(1);
    (signal as AbortSignal | undefined)?.throwIfAborted();
    const message = this.#fields.answer?.(count) ?? new AIMessage(`${count}`);
    return { generations: [{ text: message.text, message }], llmOutput: { tokens: count } };
  }

  override async *_streamResponseChunks(_: unknown, options: object) {
    this.streams++;
    this.streamed.push(options);
    yield new ChatGenerationChunk({ text: 'streamed', message: new AIMessageChunk('streamed') });
  }

  override withConfig(config: object) {
    const made = new Answering(this.#fields);
    made.calls = this.calls;
    made.defaultOptions = { ...this.defaultOptions, ...config };
    return anything(made);
  }

  override async invoke(input: never, options?: object) {
    return super.invoke(input, { ...this.defaultOptions, ...options });
  }
}

const kept = (cache: Cache, fields: Fields = {}, over: object = {}) =>
  keepAnswers(new Answering(fields), caches, { cache, scope: PUBLIC, ...over });
const ask = async (chat: Answering, input: unknown, options?: unknown) =>
  (await chat.invoke(anything(input), anything(options))).content;

const drain = async (chat: Answering, options: unknown) => {
  for await (const { content } of await chat.stream('q', anything(options))) expect(content).toBe('streamed');
};

describe('answers of a chat model', () => {
  test('are kept, made anew for each caller', async () => {
    const usage_metadata = { input_tokens: 1, output_tokens: 2, total_tokens: 3 };
    const chat = kept(openCache(), { answer: () => new AIMessage({ content: 'a', usage_metadata }) });
    const first = await chat.invoke('q');
    for (let round = 0; round < 2; ++round) {
      const again = (await chat.invoke('q')) as AIMessage;
      expect(again).toBeInstanceOf(AIMessage);
      expect([again.content, again.usage_metadata]).toEqual(['a', usage_metadata]);
      expect(again.response_metadata).toEqual(first.response_metadata);
      again.content = 'mine';
    }
    expect(chat.calls).toHaveLength(1);
  });

  const text = { type: 'text', text: 'Describe' };
  const prompts: [string, unknown, unknown][] = [
    [
      'images',
      [new HumanMessage({ content: [{ type: 'image_url', image_url: 'data:1' }, text] })],
      [new HumanMessage({ content: [{ type: 'image_url', image_url: 'data:2' }, text] })],
    ],
    [
      'bytes',
      [new HumanMessage({ content: [anything({ type: 'file', data: Uint8Array.of(1) }), text] })],
      [new HumanMessage({ content: [anything({ type: 'file', data: Uint8Array.of(2) }), text] })],
    ],
    [
      'URLs',
      [new HumanMessage({ content: [anything({ type: 'file', data: new URL('http://a.b/1') }), text] })],
      [new HumanMessage({ content: [anything({ type: 'file', data: new URL('http://a.b/2') }), text] })],
    ],
    [
      'blocks that LangChain does not print',
      [new HumanMessage({ content: [anything({ type: 'non_standard', value: { n: 1 } }), text] })],
      [new HumanMessage({ content: [anything({ type: 'non_standard', value: { n: 2 } }), text] })],
    ],
    ['roles', [new HumanMessage('a')], [new SystemMessage('a')]],
    ['messages that print alike together', 'a\nAI: b', [new HumanMessage('a'), new AIMessage('b')]],
    [
      'tool calls that are answered',
      [new ToolMessage({ content: 'a', tool_call_id: '1' })],
      [new ToolMessage({ content: 'a', tool_call_id: '2' })],
    ],
  ];
  test.each(prompts)('are told apart by %s (langchainjs#10092)', async (_, one, other) => {
    const chat = kept(openCache());
    for (let round = 0; round < 2; ++round) expect([await ask(chat, one), await ask(chat, other)]).toEqual(['1', '2']);
  });

  test('are told apart by options of the call, parameters of the model, scopes and domains', async () => {
    const cache = openCache({ maxBytes: '16MB' });
    const one = kept(cache, { temperature: 0 });
    const others = [kept(cache, { temperature: 1 }), kept(cache, {}, { scope: 't' }), kept(cache, {}, { domain: 'd' })];
    for (let round = 0; round < 2; ++round) {
      await ask(one, 'q');
      await ask(one, 'q', { stop: ['x'] });
      await ask(one, 'q', { tools: [{ name: 'f' }] });
      for (const other of others) await ask(other, 'q');
    }
    expect([one, ...others].map(({ calls }) => calls.length)).toEqual([3, 1, 1, 1]);
    expect(await ask(kept(cache, { temperature: 0 }), 'q')).toBe('1'); // another instance of the same parameters
  });

  test('are computed once for five callers at once, and once for equal prompts of a batch', async () => {
    const chat = kept(openCache());
    const all = await Promise.all(Array.from({ length: 5 }, () => chat.invoke('q')));
    expect(all.map(({ content }) => content)).toEqual(['1', '1', '1', '1', '1']);
    expect(new Set(all).size).toBe(5);
    expect((await chat.batch(['b', 'c', 'b'])).map(({ content }) => content)).toEqual(['2', '3', '2']);
    expect(chat.calls).toHaveLength(3);
  });

  test('are not kept if they are failures, which all who wait get', async () => {
    const chat = kept(openCache(), {
      answer: (count) => {
        if (count === 1) throw new Error('this time');
        return new AIMessage('a');
      },
    });
    const both = await Promise.allSettled([chat.invoke('q'), chat.invoke('q')]);
    expect(both.map((one) => (one as PromiseRejectedResult).reason.message)).toEqual(['this time', 'this time']);
    expect(await ask(chat, 'q')).toBe('a');
  });

  test('survive an abort of one caller; when all are out, the model is aborted', async () => {
    const chat = kept(openCache());
    const [one, two] = [new AbortController(), new AbortController()];
    const first = chat.invoke('q', { signal: one.signal });
    const second = chat.invoke('q');
    await sleep(0);
    one.abort(new Error('enough'));
    await expect(first).rejects.toThrow();
    expect((await second).content).toBe('1');
    const alone = chat.invoke('other', { signal: two.signal });
    await sleep(0);
    two.abort(new Error('never mind'));
    await expect(alone).rejects.toThrow();
    expect(chat.calls.at(-1)!.signal.aborted).toBe(true);
  });

  test.each([
    ['bytes', () => new AIMessage({ content: [anything({ type: 'image', data: Uint8Array.of(1) })] })],
    ['chunks', () => new AIMessageChunk('a') as AIMessage],
    ['a limit of tokens', () => new AIMessage({ content: 'a', response_metadata: { finish_reason: 'length' } })],
    ['nothing', () => new AIMessage('')],
  ])('of %s are given, each caller one of its own, and not kept', async (_, answer) => {
    const chat = kept(openCache(), { answer });
    const all = await Promise.all([chat.invoke('q'), chat.invoke('q')]);
    expect(all[0]).not.toBe(all[1]);
    for (const message of all) expect(message.content).toEqual(answer().content);
    expect(chat.calls).toHaveLength(2);
    await chat.invoke('q');
    expect(chat.calls).toHaveLength(3);
  });

  test('are kept as keep says, and a call may ask for a new one in place of the old one', async () => {
    const chat = kept(openCache(), {}, { keep: ([one]: { text: string }[]) => one!.text !== '1' });
    for (let round = 0; round < 3; ++round) await ask(chat, 'q');
    expect(chat.calls).toHaveLength(2);
    expect(await ask(chat, 'q', { zerohop: { cache: 'reload' } })).toBe('3');
    expect([await ask(chat, 'q'), await ask(chat, 'q', { zerohop: { cache: 'no-store' } })]).toEqual(['3', '4']);
    expect(chat.calls.at(-1)!.options).not.toHaveProperty('zerohop');
    const missing = chat.invoke('other', anything({ zerohop: { cache: 'only-if-cached' } }));
    await expect(missing).rejects.toMatchObject({ code: 'ERR_MODEL_NOT_CACHED' });
  });

  test('are the same for messages and calls that LangGraph marks with ids and functions of its own', async () => {
    const chat = kept(openCache());
    for (let round = 0; round < 2; ++round) {
      const mark = `${round}`;
      const messages = [
        new HumanMessage({ content: 'a', id: mark }),
        new AIMessage({ content: 'b', id: `run-${mark}` }),
        new ToolMessage({ content: 'c', tool_call_id: '1', id: mark }),
      ];
      expect(await ask(chat, messages, { writer: () => round, executionInfo: { taskId: mark } })).toBe('1');
    }
    await ask(chat, [new AIMessage({ content: 'b', id: 'msg_1' })]);
    await ask(chat, [new AIMessage({ content: 'b', id: 'msg_2' })]);
    expect(chat.calls).toHaveLength(3);
  });

  test('of models that withConfig makes are kept as well, apart', async () => {
    const chat = kept(openCache());
    const withTools = chat.withConfig({ tools: [{ name: 'f' }] });
    for (let round = 0; round < 2; ++round) {
      expect(await ask(withTools, 'q')).toBe('1');
      expect(await ask(chat, 'q')).toBe('2');
    }
  });

  test('come from the model each time for streams, and for options that have no fingerprint', async () => {
    const chat = kept(openCache());
    for (let round = 0; round < 2; ++round) {
      for await (const chunk of await chat.stream('q')) expect(chunk.content).toBe('streamed');
      await ask(chat, 'q', { tools: [new (class Tool {})()] });
    }
    expect([chat.streams, chat.calls.length]).toEqual([2, 2]);
  });

  test('come from the cache or not at all, also of streams and options without a fingerprint: "only-if-cached"', async () => {
    const chat = kept(openCache());
    const zerohop = { cache: 'only-if-cached' };
    const missing = { code: 'ERR_MODEL_NOT_CACHED' };
    await expect(ask(chat, 'q', { zerohop, tools: [new (class Tool {})()] })).rejects.toMatchObject(missing);
    await expect(drain(chat, { zerohop })).rejects.toMatchObject(missing);
    const callbacks = [{ name: 'mine', lc_prefer_streaming: true }];
    await expect(ask(chat, 'q', { zerohop, callbacks })).rejects.toMatchObject(missing);
    expect([chat.streams, chat.calls.length]).toEqual([0, 0]);
  });

  test.each([
    [{ cache: 'never' }, /^options\.zerohop\.cache: expected 'default' or /],
    [{ tags: 'q' }, /^options\.zerohop\.tags: expected an array/],
    ['reload', /^options\.zerohop: expected an object/],
  ])('are refused to a call that says %j, however it is made', async (zerohop, message) => {
    const chat = kept(openCache());
    await expect(ask(chat, 'q', { zerohop })).rejects.toThrow(message);
    await expect(ask(chat, 'q', { zerohop, tools: [new (class Tool {})()] })).rejects.toThrow(message);
    await expect(drain(chat, { zerohop })).rejects.toThrow(message);
    expect([chat.streams, chat.calls.length]).toEqual([0, 0]);
  });

  test('are forgotten by the tags of the call that made them, also those of a model that withConfig made', async () => {
    const chat = kept(openCache());
    const bound = chat.withConfig({ stop: ['x'] }) as unknown as Answering;
    const all = async () => {
      await ask(chat, 'one', { zerohop: { tags: ['a', 'both'] } });
      await ask(chat, 'two', { zerohop: { tags: ['b', 'both'] } });
      await ask(bound, 'one', { zerohop: { tags: ['a'] } });
      await ask(chat, 'three');
      return chat.calls.length;
    };
    expect([await all(), await all()]).toEqual([4, 4]);
    expect(chat.forget('a')).toBe(2);
    expect(await all()).toBe(6);
    expect([chat.forget('none'), chat.forget('both')]).toEqual([0, 2]);
    expect(await all()).toBe(8);
    expect(chat.calls.every(({ options }) => !('zerohop' in options))).toBe(true);
    expect(errorOf(() => chat.forget('')).name).toBe('RangeError');
  });

  test('are not kept if their tag is forgotten while they are under way', async () => {
    const chat = kept(openCache());
    const asking = ask(chat, 'q', { zerohop: { tags: ['a'] } });
    await sleep(0);
    expect(chat.forget('a')).toBe(0);
    expect(await asking).toBe('1');
    expect(await ask(chat, 'q')).toBe('2');
  });

  test('are streamed by a model that does not see what the call says to us', async () => {
    const chat = kept(openCache());
    await drain(chat, { zerohop: { cache: 'reload' }, stop: ['x'] });
    expect(chat.streamed).toMatchObject([{ stop: ['x'] }]);
    expect(chat.streamed[0]).not.toHaveProperty('zerohop');
  });

  test('of a model that does not stream are kept, and given as a stream of one part', async () => {
    let asked = 0;
    class Silent extends BaseChatModel {
      override _llmType(): string {
        return 'silent';
      }

      override async _generate() {
        const message = new AIMessage(`${++asked}`);
        return { generations: [{ text: message.text, message }] };
      }
    }
    const chat = keepAnswers(new Silent({}), caches, { cache: openCache(), scope: PUBLIC });
    for (let round = 0; round < 2; ++round)
      for await (const part of await chat.stream('q')) expect(part.content).toBe('1');
  });

  test('may be too large for the cache, or find it closed, without failing the call', async () => {
    const cache = openCache({ maxBytes: '1MB' });
    const chat = kept(cache, { answer: () => new AIMessage('x'.repeat(2 ** 20)) });
    expect(await ask(chat, 'q')).toHaveLength(2 ** 20);
    const asking = ask(chat, 'q');
    await sleep(0);
    cache.close();
    expect(await asking).toHaveLength(2 ** 20);
    await expect(ask(chat, 'q')).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' });
  });
});

describe('keepAnswers', () => {
  test('refuses what is missing or wrong', () => {
    const options = { cache: openCache(), scope: PUBLIC } as const;
    for (const wrong of [undefined, {}, new FakeLLM({})])
      expect(errorOf(() => keepAnswers(anything(wrong), caches, options)).message).toMatch(
        /^chat: expected a chat model of LangChain/,
      );
    const chat = new Answering();
    expect(errorOf(() => keepAnswers(chat, anything({}), options)).message).toMatch(/^caches: /);
    expect(errorOf(() => keepAnswers(chat, caches, anything({ ...options, keep: 1 }))).message).toMatch(
      /^options\.keep: /,
    );
    expect(errorOf(() => keepAnswers(chat, caches, anything({ ...options, cache: 1 }))).message).toMatch(
      /^options\.cache: /,
    );
  });
});
