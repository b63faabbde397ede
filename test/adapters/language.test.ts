// Language models of the AI SDK, through its own wrapLanguageModel: whole answers and streams, each from one call.
import { setTimeout as sleep } from 'node:timers/promises';
import type { LanguageModelV3CallOptions } from '@ai-sdk/provider';
import { generateText, streamText } from 'ai';
import { describe, expect, test } from 'vitest';
import { PUBLIC } from 'zerohop';
import { languageMiddleware } from 'zerohop/ai-sdk';
import {
  answerOf,
  drain,
  type Over,
  PARAMS,
  partsOf,
  read,
  TIME,
  textOf,
  USAGE,
  wrapped,
} from '../fixtures/language.js';
import { anything, errorOf, inTime, openCache } from '../fixtures/opened.js';

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

  test('makes one call of the model for 32 callers at once', async () => {
    const { model, calls } = wrapped(openCache());
    const answers = await Promise.all(Array.from({ length: 32 }, () => model.doGenerate(PARAMS)));
    for (const { content } of answers) expect(content).toEqual(answerOf('answer 1').content);
    expect(calls).toHaveLength(1);
    expect(new Set(answers).size).toBe(32);
  });

  test('gives an error to all who wait, and does not keep it', async () => {
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
  ])('gives an answer that %s, and does not keep it', async (_, over) => {
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
  ])('keeps an answer of %s', async (_, unified, content) => {
    const { model, calls } = wrapped(openCache(), {
      generate: () => ({ ...answerOf(''), finishReason: { unified, raw: undefined }, content }),
    });
    for (let round = 0; round < 2; ++round) expect((await model.doGenerate(PARAMS)).content).toEqual(content);
    expect(calls).toHaveLength(1);
  });

  test('gives an answer that is too large to be stored', async () => {
    const content = [{ type: 'text', text: 'x'.repeat(2 ** 20) }];
    const { model } = wrapped(openCache({ maxBytes: '1MB' }), { generate: () => ({ ...answerOf(''), content }) });
    for (let round = 0; round < 2; ++round) expect((await model.doGenerate(PARAMS)).content).toEqual(content);
  });

  test('lets an abort take one caller out, and aborts the model when all are out', async () => {
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

describe('a stream', () => {
  test('is asked of the model once, and streams the same parts again and again', async () => {
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

  test('is kept apart from answers of generate', async () => {
    const { model, calls } = wrapped(openCache());
    await model.doGenerate(PARAMS);
    expect(textOf(await read(model))).toBe('answer 2');
    expect((await model.doGenerate(PARAMS)).content).toEqual(answerOf('answer 1').content);
    expect(calls).toHaveLength(2);
  });

  test('lets a caller who asks meanwhile join from the beginning, at a pace of its own', async () => {
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

  test('makes one call of the model for 32 callers at once', async () => {
    const { model, calls } = wrapped(openCache());
    const all = await Promise.all(Array.from({ length: 32 }, () => read(model)));
    for (const parts of all) expect(parts).toStrictEqual(partsOf('answer 1'));
    expect(calls).toHaveLength(1);
  });

  test('is not read before somebody asks', async () => {
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
  ])('is given and not kept if it %s', async (_, parts) => {
    const { model, calls } = wrapped(openCache(), { stream: () => parts });
    const both = await Promise.all([read(model), read(model)]);
    expect(both).toEqual([parts, parts]);
    expect(await read(model)).toEqual(parts);
    expect(calls).toHaveLength(2);
  });

  test('fails for all who read it if it breaks off, and is not kept', async () => {
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

  test('fails for all who asked if it cannot be opened, and is then asked for again', async () => {
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

  test('lets an abort take one reader out; when all are out, the model is aborted and nothing is kept', async () => {
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

  test('lets a reader leave by cancelling', async () => {
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

  test('may be aborted before it is opened', async () => {
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

  test('may be aborted while it is replayed', async () => {
    const { model } = wrapped(openCache());
    await read(model);
    const controller = new AbortController();
    const reader = (await model.doStream({ ...PARAMS, abortSignal: controller.signal })).stream.getReader();
    await reader.read();
    controller.abort(new Error('enough'));
    await expect(reader.read()).rejects.toThrow('enough');
  });

  test('is not broken by a cache that is closed meanwhile', async () => {
    const cache = openCache();
    const { model } = wrapped(cache);
    const { stream } = await model.doStream(PARAMS);
    cache.close();
    expect(await drain(stream)).toEqual(partsOf('answer 1'));
    await expect(model.doStream(PARAMS)).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' });
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
  ])('are asked again only where they draw, for a call with %s', async (_, params, asked, allowed) => {
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

describe('answers are never mixed of', () => {
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

  test('calls whose parameters have no fingerprint: they go to the model each time', async () => {
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
  test('end answers by their ttl', async () => {
    await inTime(100, async (ttl) => {
      const { model, calls } = wrapped(openCache(), { terms: { ttl } });
      for (let round = 0; round < 2; ++round) {
        await model.doGenerate(PARAMS);
        await read(model);
      }
      if (calls.length > 2) return false;
      await sleep(2 * ttl);
      await model.doGenerate(PARAMS);
      await read(model);
      expect(calls).toHaveLength(4);
      return true;
    });
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
