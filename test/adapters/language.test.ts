// Language models of the AI SDK, through its own wrapLanguageModel: whole answers and streams, each from one call.
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  LanguageModelV3CallOptions,
  LanguageModelV3GenerateResult,
  LanguageModelV3StreamPart,
} from '@ai-sdk/provider';
import { generateObject, generateText, jsonSchema, simulateReadableStream, streamText, wrapLanguageModel } from 'ai';
import { MockLanguageModelV3 } from 'ai/test';
import { describe, expect, test } from 'vitest';
import { type Cache, PUBLIC } from 'zerohop';
import { type Answer, isComplete, type LanguageMiddlewareOptions, languageMiddleware } from 'zerohop/ai-sdk';
import { anything, errorOf, openCache } from '../fixtures/opened.js';

const USAGE = {
  inputTokens: { total: 3, noCache: 3, cacheRead: undefined, cacheWrite: undefined },
  outputTokens: { total: 5, text: 5, reasoning: undefined },
};
const STOP = { unified: 'stop', raw: undefined } as const;
const TIME = new Date('2026-11-21T12:00:00.000Z');

const PARAMS: LanguageModelV3CallOptions = {
  prompt: [{ role: 'user', content: [{ type: 'text', text: 'What is a cache?' }] }],
  temperature: 0,
};

const answerOf = (text: string): LanguageModelV3GenerateResult => ({
  content: [
    { type: 'text', text },
    { type: 'file', mediaType: 'image/png', data: Uint8Array.of(1, 2, 3) },
  ],
  finishReason: STOP,
  usage: USAGE,
  response: { id: 'r1', timestamp: TIME, modelId: 'm', headers: { 'set-cookie': 'secret' }, body: { raw: text } },
  request: { body: 'asked' },
  warnings: [],
});

const partsOf = (text: string): LanguageModelV3StreamPart[] => [
  { type: 'stream-start', warnings: [] },
  { type: 'response-metadata', id: 'r1', timestamp: TIME, modelId: 'm' },
  { type: 'text-start', id: '0' },
  ...[...text].map((delta) => ({ type: 'text-delta', id: '0', delta }) as const),
  { type: 'text-end', id: '0' },
  { type: 'file', mediaType: 'image/png', data: Uint8Array.of(1, 2, 3) },
  { type: 'finish', usage: USAGE, finishReason: STOP },
];

interface Over {
  provider?: string;
  modelId?: string;
  terms?: Partial<LanguageMiddlewareOptions>;
  generate?: (count: number, params: LanguageModelV3CallOptions) => unknown;
  stream?: (count: number, params: LanguageModelV3CallOptions) => unknown;
}

/** A model of the SDK's own for tests, wrapped; it counts its answers. */
function wrapped(cache: Cache, { terms, generate, stream, ...over }: Over = {}) {
  const calls: LanguageModelV3CallOptions[] = [];
  const inner = new MockLanguageModelV3({
    ...over,
    async doGenerate(params) {
      calls.push(params);
      await sleep(1);
      params.abortSignal?.throwIfAborted();
      return anything(generate?.(calls.length, params) ?? answerOf(`answer ${calls.length}`));
    },
    async doStream(params) {
      calls.push(params);
      await sleep(1);
      const given = stream?.(calls.length, params);
      if (given instanceof ReadableStream) return { stream: given, response: { headers: { n: '1' } } };
      return { stream: simulateReadableStream({ chunks: anything(given ?? partsOf(`answer ${calls.length}`)) }) };
    },
  });
  const model = wrapLanguageModel({ model: inner, middleware: languageMiddleware({ cache, scope: PUBLIC, ...terms }) });
  return { model, calls };
}

/** A model that counts its calls, and answers and streams a text. */
function unwrapped(modelId: string, calls: LanguageModelV3CallOptions[]) {
  return new MockLanguageModelV3({
    modelId,
    async doGenerate(params) {
      calls.push(params);
      await sleep(1);
      return answerOf('answer');
    },
    async doStream(params) {
      calls.push(params);
      await sleep(1);
      return { stream: simulateReadableStream({ chunks: partsOf('answer') }) };
    },
  });
}

async function read(model: ReturnType<typeof wrapped>['model'], params = PARAMS): Promise<LanguageModelV3StreamPart[]> {
  return drain((await model.doStream(params)).stream);
}

async function drain(stream: ReadableStream<LanguageModelV3StreamPart>): Promise<LanguageModelV3StreamPart[]> {
  const parts: LanguageModelV3StreamPart[] = [];
  for await (const part of anything(stream)) parts.push(part);
  return parts;
}

const textOf = (parts: LanguageModelV3StreamPart[]) =>
  parts.map((part) => (part.type === 'text-delta' ? part.delta : '')).join('');

describe('generate', () => {
  test('asks the model once', async () => {
    const { model, calls } = wrapped(openCache());
    for (let round = 0; round < 3; ++round) {
      const { text, usage, response } = await generateText({ model, prompt: 'What?', temperature: 0 });
      expect([text, usage.totalTokens, response.timestamp]).toEqual(['answer 1', 8, TIME]);
    }
    expect(calls).toHaveLength(1);
  });

  test('gives what was answered, but for what belongs to the request; each caller a copy of its own', async () => {
    const { model } = wrapped(openCache());
    const first = await model.doGenerate(PARAMS);
    expect(first).toEqual(answerOf('answer 1'));
    first.content.length = 0;
    for (let round = 0; round < 2; ++round) {
      const again = await model.doGenerate(PARAMS);
      const { request: _, response, ...rest } = answerOf('answer 1');
      const { headers: __, body: ___, ...metadata } = response!;
      expect(again).toStrictEqual({ ...rest, response: metadata });
      expect(again.response!.timestamp).toBeInstanceOf(Date);
      (again.content[1] as { data: Uint8Array }).data.fill(9); // not the cache's memory
      again.content.length = 0;
    }
  });

  test('32 callers at once are one call of the model', async () => {
    const { model, calls } = wrapped(openCache());
    const answers = await Promise.all(Array.from({ length: 32 }, () => model.doGenerate(PARAMS)));
    for (const { content } of answers) expect(content).toEqual(answerOf('answer 1').content);
    expect(calls).toHaveLength(1);
    expect(new Set(answers).size).toBe(32);
  });

  test('an error is given to all who wait, and not kept', async () => {
    const { model, calls } = wrapped(openCache(), {
      generate: (count) => {
        if (count === 1) throw new Error('this time');
      },
    });
    const waiting = await Promise.allSettled([model.doGenerate(PARAMS), model.doGenerate(PARAMS)]);
    expect(waiting.map((one) => (one as PromiseRejectedResult).reason.message)).toEqual(['this time', 'this time']);
    expect((await model.doGenerate(PARAMS)).content).toEqual(answerOf('answer 2').content);
    expect(calls).toHaveLength(2);
  });

  test.each([
    ['is cut short', { finishReason: { unified: 'length', raw: 'x' } }],
    ['is filtered', { finishReason: { unified: 'content-filter', raw: 'x' } }],
    ['stopped for another reason', { finishReason: { unified: 'other', raw: 'x' } }],
    ['stopped for a reason that is unknown', { finishReason: 'unknown' }],
    ['says no reason', { finishReason: undefined }],
    ['has no content', { content: [] }],
    ['has a text that says nothing', { content: [{ type: 'text', text: ' \n' }] }],
    ['has nothing but thoughts', { content: [{ type: 'reasoning', text: 'hm' }] }],
    ['holds a Map', { providerMetadata: { mine: new Map([[1, 2]]) } }],
    ['holds an Error', { providerMetadata: { mine: new Error('x') } }],
    ['holds a promise', { providerMetadata: { mine: Promise.resolve(1) } }],
    ['holds an instance of a subclass', { providerMetadata: { mine: new (class Mine extends Array {})() } }],
    ['has a member with a symbol', { providerMetadata: { [Symbol('mine')]: 1 } }],
    ['finished with an error', { finishReason: { unified: 'error', raw: 'x' } }],
    ['finished with an error, as v2 says it', { finishReason: 'error' }],
    ['holds a function', { providerMetadata: { mine: { call: () => 1 } } }],
    ['holds an instance of a class', { providerMetadata: { mine: new URL('http://a.b') } }],
  ])('an answer that %s is given, and not kept', async (_, over) => {
    const { model, calls } = wrapped(openCache(), { generate: () => ({ ...answerOf('a'), ...over }) });
    const both = await Promise.all([model.doGenerate(PARAMS), model.doGenerate(PARAMS)]);
    for (const one of both) expect(one).toMatchObject(over);
    await model.doGenerate(PARAMS);
    expect(calls).toHaveLength(2);
  });

  test.each([
    ['tool calls', 'tool-calls', [{ type: 'tool-call', toolCallId: '1', toolName: 'f', input: '{}' }]],
    ['a file', 'stop', [{ type: 'file', mediaType: 'image/png', data: Uint8Array.of(1) }]],
    ['a kind of content that nobody knows yet', 'stop', [{ type: 'hologram' }]],
  ])('an answer of %s is kept', async (_, unified, content) => {
    const { model, calls } = wrapped(openCache(), {
      generate: () => ({ ...answerOf(''), finishReason: { unified, raw: undefined }, content }),
    });
    for (let round = 0; round < 2; ++round) expect((await model.doGenerate(PARAMS)).content).toEqual(content);
    expect(calls).toHaveLength(1);
  });

  test('an answer that is too large for the cache is given', async () => {
    const content = [{ type: 'text', text: 'x'.repeat(2 ** 20) }];
    const { model } = wrapped(openCache({ maxBytes: '1MB' }), { generate: () => ({ ...answerOf(''), content }) });
    for (let round = 0; round < 2; ++round) expect((await model.doGenerate(PARAMS)).content).toEqual(content);
  });

  test('an abort takes one caller out; when all are out, the model hears of it', async () => {
    const { model, calls } = wrapped(openCache());
    const [one, two] = [new AbortController(), new AbortController()];
    const first = model.doGenerate({ ...PARAMS, abortSignal: one.signal });
    const second = model.doGenerate(PARAMS);
    await sleep(0);
    one.abort(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
    expect((await second).content).toEqual(answerOf('answer 1').content);
    const alone = model.doGenerate({ ...PARAMS, seed: 1, abortSignal: two.signal });
    await sleep(0);
    two.abort(new Error('never mind'));
    await expect(alone).rejects.toThrow('never mind');
    expect(calls.at(-1)!.abortSignal!.aborted).toBe(true);
    expect((await model.doGenerate({ ...PARAMS, seed: 1 })).content).toEqual(answerOf('answer 3').content);
  });
});

describe('stream', () => {
  test('asks the model once, and streams the same parts again and again', async () => {
    const { model, calls } = wrapped(openCache());
    for (let round = 0; round < 3; ++round) {
      const parts = await read(model);
      expect(parts).toStrictEqual(partsOf('answer 1'));
      for (const part of parts) if (part.type === 'file') (part.data as Uint8Array).fill(9);
    }
    expect(calls).toHaveLength(1);
    for (let round = 0; round < 2; ++round) {
      const { text, response } = streamText({ model, prompt: 'What?', temperature: 0 });
      expect([await text, (await response).timestamp]).toEqual(['answer 2', TIME]);
    }
    expect(calls).toHaveLength(2);
  });

  test('is not an answer of generate, nor the other way round', async () => {
    const { model, calls } = wrapped(openCache());
    await model.doGenerate(PARAMS);
    expect(textOf(await read(model))).toBe('answer 2');
    expect((await model.doGenerate(PARAMS)).content).toEqual(answerOf('answer 1').content);
    expect(calls).toHaveLength(2);
  });

  test('who asks while it streams joins in, from its beginning, and reads at a pace of its own', async () => {
    let source!: ReadableStreamDefaultController;
    const { model, calls } = wrapped(openCache(), {
      stream: () =>
        new ReadableStream({
          start(controller) {
            source = controller;
          },
        }),
    });
    const parts = partsOf('ab');
    const first = await model.doStream(PARAMS);
    const reader = first.stream.getReader();
    for (const part of parts.slice(0, 4)) source.enqueue(part);
    expect((await reader.read()).value).toEqual(parts[0]);
    expect((await reader.read()).value).toEqual(parts[1]);
    const others = [read(model), read(model)]; // these read ahead
    await sleep(5);
    for (const part of parts.slice(4)) source.enqueue(part);
    source.close();
    for (const other of others) expect(await other).toStrictEqual(parts);
    for (const part of parts.slice(2)) expect((await reader.read()).value).toStrictEqual(part);
    expect((await reader.read()).done).toBe(true);
    expect(first.response).toEqual({ headers: { n: '1' } });
    expect(await read(model)).toStrictEqual(parts);
    expect(calls).toHaveLength(1);
  });

  test('32 callers at once are one call of the model', async () => {
    const { model, calls } = wrapped(openCache());
    const all = await Promise.all(Array.from({ length: 32 }, () => read(model)));
    for (const parts of all) expect(parts).toStrictEqual(partsOf('answer 1'));
    expect(calls).toHaveLength(1);
  });

  test('nothing is read before somebody asks', async () => {
    let pulled = 0;
    const parts = partsOf('ab');
    const { model } = wrapped(openCache(), {
      stream: () =>
        new ReadableStream(
          {
            pull(controller) {
              if (pulled < parts.length) controller.enqueue(parts[pulled++]);
              else controller.close();
            },
          },
          { highWaterMark: 0 },
        ),
    });
    const { stream } = await model.doStream(PARAMS);
    await sleep(5);
    expect(pulled).toBe(0);
    const reader = stream.getReader();
    await reader.read();
    await sleep(5);
    expect(pulled).toBe(1);
    await reader.cancel();
  });

  test.each([
    ['has an error part', [...partsOf('a').slice(0, 4), { type: 'error', error: 'x' }, ...partsOf('a').slice(-2)]],
    ['finishes with an error', [{ type: 'finish', usage: USAGE, finishReason: { unified: 'error', raw: undefined } }]],
    ['ends without a finish', partsOf('a').slice(0, 5)],
    ['is empty', []],
    ['is cut short', [...partsOf('a').slice(0, 5), { type: 'finish', usage: USAGE, finishReason: 'length' }]],
    ['streams no text', partsOf('').filter(({ type }) => type !== 'file')],
    ['holds an instance of a class', [{ type: 'raw', rawValue: new URL('http://a.b') }, ...partsOf('a').slice(-1)]],
  ])('one that %s is given, and not kept', async (_, parts) => {
    const { model, calls } = wrapped(openCache(), { stream: () => parts });
    const both = await Promise.all([read(model), read(model)]);
    expect(both).toEqual([parts, parts]);
    expect(await read(model)).toEqual(parts);
    expect(calls).toHaveLength(2);
  });

  test('one that breaks off fails for all who read it, and is not kept', async () => {
    const { model, calls } = wrapped(openCache(), {
      stream: (count) => {
        if (count > 1) return undefined;
        const parts = partsOf('abc').slice(0, 4);
        return new ReadableStream({
          pull(controller) {
            if (parts.length > 0) controller.enqueue(parts.shift());
            else controller.error(new Error('broken off'));
          },
        });
      },
    });
    const both = await Promise.allSettled([read(model), read(model)]);
    expect(both.map((one) => (one as PromiseRejectedResult).reason.message)).toEqual(['broken off', 'broken off']);
    expect(textOf(await read(model))).toBe('answer 2');
    expect(calls).toHaveLength(2);
  });

  test('one that can not be opened fails for all who asked, and is asked for again', async () => {
    const { model, calls } = wrapped(openCache(), {
      stream: (count) => {
        if (count === 1) throw new Error('no stream');
      },
    });
    const both = await Promise.allSettled([read(model), read(model)]);
    expect(both.map((one) => (one as PromiseRejectedResult).reason.message)).toEqual(['no stream', 'no stream']);
    expect(textOf(await read(model))).toBe('answer 2');
    expect(calls).toHaveLength(2);
  });

  /** Streams that never end by themselves; and whether they were cancelled. */
  function endless() {
    const cancelled: unknown[] = [];
    const stream = () => {
      let n = 0;
      return new ReadableStream({
        async pull(controller) {
          await sleep(1);
          controller.enqueue({ type: 'text-delta', id: '0', delta: `${n++}` });
        },
        cancel: (reason) => void cancelled.push(reason),
      });
    };
    return { cancelled, stream };
  }

  test('an abort takes one reader out; when all are out the model hears of it, and nothing is kept', async () => {
    const { cancelled, stream } = endless();
    const { model, calls } = wrapped(openCache(), { stream });
    const [one, two] = [new AbortController(), new AbortController()];
    const readers = [];
    for (const { signal } of [one, two])
      readers.push((await model.doStream({ ...PARAMS, abortSignal: signal })).stream.getReader());
    expect((await readers[0]!.read()).value).toMatchObject({ delta: '0' });
    one.abort(new Error('enough'));
    await expect(readers[0]!.read()).rejects.toThrow('enough');
    expect((await readers[1]!.read()).value).toMatchObject({ delta: '0' });
    expect((await readers[1]!.read()).value).toMatchObject({ delta: '1' });
    expect(cancelled).toEqual([]);
    const waiting = expect(readers[1]!.read()).rejects.toThrow('never mind');
    two.abort(new Error('never mind'));
    await waiting;
    expect(cancelled).toMatchObject([{ message: 'never mind' }]);
    expect(calls[0]!.abortSignal!.aborted).toBe(true);
    const third = await model.doStream(PARAMS);
    expect(calls).toHaveLength(2);
    await third.stream.cancel();
  });

  test('a reader that cancels is out as well', async () => {
    const { cancelled, stream } = endless();
    const { model, calls } = wrapped(openCache(), { stream });
    const [one, two] = [await model.doStream(PARAMS), await model.doStream(PARAMS)];
    await one.stream.cancel('closed');
    expect(cancelled).toEqual([]);
    const reader = two.stream.getReader();
    await reader.read();
    await reader.cancel('closed, too');
    expect(cancelled).toEqual(['closed, too']);
    expect(calls).toHaveLength(1);
  });

  test('an abort before it is opened', async () => {
    const { cancelled, stream } = endless();
    const { model, calls } = wrapped(openCache(), { stream });
    const controller = new AbortController();
    const opening = model.doStream({ ...PARAMS, abortSignal: controller.signal });
    await sleep(0);
    controller.abort(new Error('early'));
    await expect(opening).rejects.toThrow('early');
    await sleep(10);
    expect(cancelled).toHaveLength(1);
    await expect(model.doStream({ ...PARAMS, abortSignal: controller.signal })).rejects.toThrow('early');
    expect(calls).toHaveLength(1);
  });

  test('an abort while it is replayed', async () => {
    const { model } = wrapped(openCache());
    await read(model);
    const controller = new AbortController();
    const reader = (await model.doStream({ ...PARAMS, abortSignal: controller.signal })).stream.getReader();
    await reader.read();
    controller.abort(new Error('enough'));
    await expect(reader.read()).rejects.toThrow('enough');
  });

  test('a cache that is closed meanwhile does not break it', async () => {
    const cache = openCache();
    const { model } = wrapped(cache);
    const { stream } = await model.doStream(PARAMS);
    cache.close();
    expect(await drain(stream)).toEqual(partsOf('answer 1'));
    await expect(model.doStream(PARAMS)).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' });
  });
});

/** Parts of a stream of this text, and nothing else. */
const textPartsOf = (text: string) => partsOf(text).filter(({ type }) => type !== 'file');

describe('keep', () => {
  const isJson = ({ content }: Answer) => {
    try {
      JSON.parse(content.map(({ text = '' }) => text).join(''));
      return true;
    } catch {
      return false;
    }
  };

  test('says which answers are kept, whole ones and streams alike, in place of the default', async () => {
    const { model, calls } = wrapped(openCache(), {
      terms: { keep: isJson },
      generate: (count) => ({ ...answerOf(count < 3 ? '{' : '{}'), finishReason: 'length' }),
      stream: (count) => textPartsOf(count < 6 ? '{' : '{}'),
    });
    for (let round = 0; round < 5; ++round) await model.doGenerate(PARAMS);
    expect(calls).toHaveLength(3);
    for (let round = 0; round < 5; ++round) await read(model);
    expect(calls).toHaveLength(6);
  });

  test('is given the parts of a stream put together, by their ids', async () => {
    const answers: Answer[] = [];
    const parts = [
      { type: 'reasoning-start', id: '1' },
      { type: 'text-start', id: '1' },
      { type: 'text-delta', id: '1', delta: 'a' },
      { type: 'reasoning-delta', id: '1', delta: 'hm' },
      { type: 'text-delta', id: '1', delta: 'b' },
      { type: 'tool-input-start', id: '2', toolName: 'f' },
      { type: 'tool-call', toolCallId: '2', toolName: 'f', input: '{}' },
      { type: 'finish', usage: USAGE, finishReason: { unified: 'tool-calls', raw: 'x' } },
    ];
    const keep = (answer: Answer) => answers.push(answer) > 0;
    const { model } = wrapped(openCache(), { terms: { keep }, stream: () => parts });
    await read(model);
    expect(answers).toEqual([
      {
        content: [{ type: 'reasoning', text: 'hm' }, { type: 'text', text: 'ab' }, parts[6]],
        finishReason: 'tool-calls',
      },
    ]);
  });

  test('cannot keep what failed', async () => {
    const terms = { keep: () => true };
    const failed = { ...answerOf('a'), finishReason: 'error' };
    const { model, calls } = wrapped(openCache(), { terms, generate: () => failed, stream: () => [failed] });
    for (let round = 0; round < 2; ++round) {
      await model.doGenerate(PARAMS);
      await read(model);
    }
    expect(calls).toHaveLength(4);
  });

  test('that throws, or gives no boolean, fails the call', async () => {
    const throws = () => {
      throw new Error('mine');
    };
    for (const [keep, message] of [
      [throws, 'mine'],
      [async () => true, 'options.keep'],
      [() => 1, 'what keep returned: expected true or false, received number 1'],
    ] as const) {
      if (message === 'options.keep') {
        const options = anything({ cache: openCache(), scope: PUBLIC, keep });
        expect(errorOf(() => languageMiddleware(options)).message).toMatch(/^options\.keep: expected a function/);
        continue;
      }
      const { model } = wrapped(openCache(), { terms: { keep: anything(keep) } });
      await expect(model.doGenerate(PARAMS)).rejects.toThrow(message);
      await expect(read(model)).rejects.toThrow(message);
    }
  });

  test('keeps no object that its caller cannot use: generateObject asks again (vercel/ai#9594)', async () => {
    const { model, calls } = wrapped(openCache(), {
      terms: { keep: (answer) => isComplete(answer) && isJson(answer) },
      generate: (count) => ({
        ...answerOf(''),
        content: [{ type: 'text', text: count === 1 ? '{ "name": ' : '{ "name": 1 }' }],
      }),
    });
    const call = { model, prompt: 'q', temperature: 0, maxRetries: 0, schema: jsonSchema({ type: 'object' }) };
    await expect(generateObject(call)).rejects.toThrow('No object generated');
    for (let round = 0; round < 2; ++round) expect((await generateObject(call)).object).toEqual({ name: 1 });
    expect(calls).toHaveLength(2);
  });
});

describe('a call may ask', () => {
  const asking = (zerohop: unknown, more: object = {}) =>
    anything({ ...PARAMS, providerOptions: { zerohop, ...more } });

  test('for a new answer, which is kept in place of the old one: cache "reload"', async () => {
    const { model, calls } = wrapped(openCache());
    for (const call of [PARAMS, PARAMS, asking({ cache: 'reload' }), PARAMS, asking({})]) await model.doGenerate(call);
    expect((await model.doGenerate(PARAMS)).content).toEqual(answerOf('answer 2').content);
    expect(calls).toHaveLength(2);
    for (const call of [PARAMS, PARAMS, asking({ cache: 'reload' }), PARAMS, asking({})]) await read(model, call);
    expect(textOf(await read(model))).toBe('answer 4');
    expect(calls).toHaveLength(4);
  });

  test('for one that is not kept, or for what is kept alone: "no-store", "only-if-cached"', async () => {
    const { model, calls } = wrapped(openCache());
    const ifCached = asking({ cache: 'only-if-cached' });
    for (let round = 0; round < 2; ++round) {
      await model.doGenerate(asking({ cache: 'no-store' }));
      await read(model, asking({ cache: 'no-store' }));
    }
    expect(calls).toHaveLength(4);
    await expect(model.doGenerate(ifCached)).rejects.toMatchObject({ code: 'ERR_MODEL_NOT_CACHED' });
    await expect(read(model, ifCached)).rejects.toMatchObject({ code: 'ERR_MODEL_NOT_CACHED' });
    await model.doGenerate(PARAMS);
    await read(model);
    expect((await model.doGenerate(ifCached)).content).toEqual(answerOf('answer 5').content);
    expect(textOf(await read(model, ifCached))).toBe('answer 6');
  });

  test('to have its answer forgotten by a tag, among others of many models', async () => {
    const cache = openCache();
    const middleware = languageMiddleware({ cache, scope: PUBLIC });
    const all = ['m1', 'm2'].map((modelId) => {
      const calls: LanguageModelV3CallOptions[] = [];
      return { model: wrapLanguageModel({ model: unwrapped(modelId, calls), middleware }), calls };
    });
    const ask = async () => {
      for (const { model } of all) {
        await model.doGenerate(asking({ tags: ['q1', 'all'] }));
        await model.doGenerate(asking({ tags: ['q2', 'all'] }, { mine: { other: true } }));
        await read(model, asking({ tags: ['q1'] }));
      }
      return all.map(({ calls }) => calls.length);
    };
    expect([await ask(), await ask()]).toEqual([
      [3, 3],
      [3, 3],
    ]);
    expect(middleware.forget('q1')).toBe(4);
    expect(await ask()).toEqual([5, 5]);
    expect([middleware.forget('none'), middleware.forget('all')]).toEqual([0, 4]);
    expect(errorOf(() => middleware.forget('')).name).toBe('RangeError');
  });

  test('what is under way when it is forgotten is not kept', async () => {
    const cache = openCache();
    const middleware = languageMiddleware({ cache, scope: PUBLIC });
    const calls: LanguageModelV3CallOptions[] = [];
    const model = wrapLanguageModel({ model: unwrapped('m', calls), middleware });
    const call = asking({ tags: ['q'] });
    const generating = model.doGenerate(call);
    const streaming = read(model, call);
    await sleep(0);
    expect(middleware.forget('q')).toBe(0);
    await generating;
    await streaming;
    await model.doGenerate(call);
    await read(model, call);
    expect(calls).toHaveLength(4);
  });

  test('and the provider hears nothing of it', async () => {
    const { model, calls } = wrapped(openCache());
    await model.doGenerate(asking({ tags: ['q'] }));
    await model.doGenerate(asking({ tags: ['q'] }, { mine: { effort: 'low' } }));
    expect(calls.map(({ providerOptions }) => providerOptions)).toEqual([undefined, { mine: { effort: 'low' } }]);
  });

  test.each([
    [{ cache: 'never' }, /^providerOptions\.zerohop\.cache: expected 'default' or /],
    [{ tags: 'q' }, /^providerOptions\.zerohop\.tags: expected an array/],
    [{ reload: true }, /^providerOptions\.zerohop\.reload: expected one of the options cache, tags/],
    ['reload', /^providerOptions\.zerohop: expected an object/],
  ])('but not for %j', async (zerohop, message) => {
    const { model, calls } = wrapped(openCache());
    await expect(model.doGenerate(asking(zerohop))).rejects.toThrow(message);
    await expect(read(model, asking(zerohop))).rejects.toThrow(message);
    expect(calls).toEqual([]);
  });
});

describe('models that draw', () => {
  const { temperature: _, ...unsaid } = PARAMS;
  test.each([
    ['temperature 0', PARAMS, 1, 1],
    ['a seed', { ...unsaid, seed: 7 }, 1, 1],
    ['a seed of 0 and a temperature', { ...PARAMS, temperature: 0.7, seed: 0 }, 1, 1],
    ['a temperature', { ...PARAMS, temperature: 0.7 }, 2, 1],
    ['no temperature, which leaves it to the provider', unsaid, 2, 1],
  ])('%s', async (_, params, asked, allowed) => {
    for (const [allowDrawn, expected] of [
      [false, asked],
      [true, allowed],
    ] as const) {
      const generating = wrapped(openCache(), { terms: { allowDrawn } });
      const streaming = wrapped(openCache(), { terms: { allowDrawn } });
      for (let round = 0; round < 2; ++round) {
        await generating.model.doGenerate(params);
        await read(streaming.model, params);
      }
      expect([generating.calls.length, streaming.calls.length]).toEqual([expected, expected]);
    }
  });
});

describe('never mixed are', () => {
  const others: [string, Over, Partial<LanguageModelV3CallOptions>][] = [
    ['model ids', { modelId: 'other' }, {}],
    ['providers', { provider: 'other' }, {}],
    ['scopes', { terms: { scope: 'tenant' } }, {}],
    ['domains', { terms: { domain: 'other' } }, {}],
    ['prompts', {}, { prompt: [{ role: 'user', content: [{ type: 'text', text: 'What is a cache? ' }] }] }],
    ['roles', {}, { prompt: [{ role: 'assistant', content: [{ type: 'text', text: 'What is a cache?' }] }] }],
    ['seeds', {}, { seed: 1 }],
    ['maxOutputTokens', {}, { maxOutputTokens: 5 }],
    ['stop sequences', {}, { stopSequences: [] }],
    ['topP', {}, { topP: 1 }],
    ['tools', {}, { tools: [{ type: 'function', name: 'f', inputSchema: { type: 'object' } }] }],
    ['tool choices', {}, { toolChoice: { type: 'none' } }],
    ['response formats', {}, { responseFormat: { type: 'json' } }],
    ['provider options', {}, { providerOptions: { mine: { effort: 'low' } } }],
    ['parameters that nobody knows yet', {}, anything({ reasoning: 'high' })],
  ];
  test.each(others)('%s', async (_, over, params) => {
    const cache = openCache({ maxBytes: '8MB' });
    const one = wrapped(cache);
    const other = wrapped(cache, over);
    for (let round = 0; round < 2; ++round) {
      for (const { model, more } of [
        { model: one.model, more: {} },
        { model: other.model, more: params },
      ]) {
        await model.doGenerate({ ...PARAMS, ...more });
        await read(model, { ...PARAMS, ...more });
      }
    }
    expect([one.calls.length, other.calls.length]).toEqual([2, 2]);
  });

  test('files by their bytes, and URLs by their text', async () => {
    const { model, calls } = wrapped(openCache());
    const asking = (data: Uint8Array | URL | string) => {
      const content = [{ type: 'file' as const, mediaType: 'image/png', data }];
      return model.doGenerate({ temperature: 0, prompt: [{ role: 'user', content }] });
    };
    const urls = ['http://a.b/1', 'http://a.b/2'];
    for (let round = 0; round < 2; ++round) {
      for (const url of urls) await asking(new URL(url));
      for (const url of urls) await asking(url);
      for (const byte of [1, 2]) await asking(Uint8Array.of(byte));
      for (const url of urls) await asking(anything(new Map([['URL', url]])));
      for (const url of urls) await asking(anything(new Map([['Map', new Map([['URL', url]])]])));
    }
    expect(calls).toHaveLength(10);
  });

  test('callers with other credentials', async () => {
    const { model, calls } = wrapped(openCache());
    const names = ['authorization', 'Proxy-Authorization', 'cookie', 'x-api-key', 'api-key', 'x-goog-api-key'];
    for (let round = 0; round < 2; ++round) {
      for (const name of [...names, 'X-Auth-Token', 'x-amz-security-token']) {
        for (const value of ['one', 'two']) {
          await model.doGenerate({ ...PARAMS, headers: { [name]: value, traceparent: `${round}` } });
          await read(model, { ...PARAMS, headers: { [name.toUpperCase()]: value, 'idempotency-key': `${round}` } });
        }
      }
    }
    expect(calls).toHaveLength(2 * 2 * 8);
  });

  test('but headers, signals and members that are undefined do not count', async () => {
    const { model, calls } = wrapped(openCache());
    await model.doGenerate({ ...PARAMS, headers: { who: 'one' } });
    await model.doGenerate({ ...PARAMS, headers: { who: 'two' }, abortSignal: new AbortController().signal });
    await model.doGenerate(anything({ ...PARAMS, topP: undefined }));
    expect(calls).toHaveLength(1);
  });

  test('parameters that have no fingerprint: they go to the model, each time', async () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    const getter = {
      get at() {
        return 1;
      },
    };
    const longer = { list: Object.assign([1], { more: 1 }) };
    for (const mine of [{ at: new (class Mine {})() }, { call: () => 1 }, { half: '\ud83d' }, circle, getter, longer]) {
      const { model, calls } = wrapped(openCache());
      const params = { ...PARAMS, providerOptions: { mine: anything(mine) } };
      for (let round = 0; round < 2; ++round) {
        await model.doGenerate(params);
        await read(model, params);
      }
      expect(calls).toHaveLength(4);
    }
  });
});

describe('options', () => {
  test('ttl', async () => {
    const { model, calls } = wrapped(openCache(), { terms: { ttl: '300ms' } });
    for (let round = 0; round < 2; ++round) {
      await model.doGenerate(PARAMS);
      await read(model);
    }
    expect(calls).toHaveLength(2);
    await sleep(400);
    await model.doGenerate(PARAMS);
    await read(model);
    expect(calls).toHaveLength(4);
  });

  test.each([
    [{ allowDrawn: 'yes' }, /^options\.allowDrawn: expected true or false, received string "yes"/],
    [{ drawn: true }, /^options\.drawn: expected one of the options cache, scope, domain, ttl, allowDrawn/],
    [{ scope: undefined }, /^options\.scope: /],
  ])('%j is refused', (over, message) => {
    const options = anything({ cache: openCache(), scope: PUBLIC, ...over });
    expect(errorOf(() => languageMiddleware(options)).message).toMatch(message);
  });
});
