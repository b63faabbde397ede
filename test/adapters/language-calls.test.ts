// Which answers of the AI SDK's language models are kept, by a program's own word and by that of a call.
import { setTimeout as sleep } from 'node:timers/promises';
import { runInNewContext } from 'node:vm';
import type { LanguageModelV3CallOptions } from '@ai-sdk/provider';
import { generateObject, jsonSchema, wrapLanguageModel } from 'ai';
import { describe, expect, test } from 'vitest';
import { PUBLIC } from 'zerohop';
import { type Answer, isComplete, languageMiddleware } from 'zerohop/ai-sdk';
import { answerOf, PARAMS, partsOf, read, textOf, USAGE, unwrapped, wrapped } from '../fixtures/language.js';
import { anything, errorOf, openCache } from '../fixtures/opened.js';

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

test('answers and parameters made in another realm are kept, as in a test runner', async () => {
  const foreign = () =>
    runInNewContext(
      '({ at: new Date(5), list: [1, { a: undefined }], bytes: Uint8Array.of(1), where: new Map([[1, 2]]) })',
    );
  const { where: _, ...metadata } = foreign();
  const { model, calls } = wrapped(openCache(), {
    generate: () => ({ ...answerOf('a'), providerMetadata: { mine: metadata } }),
  });
  for (let round = 0; round < 2; ++round) {
    const { providerMetadata } = await model.doGenerate(anything({ ...PARAMS, providerOptions: { mine: foreign() } }));
    const { at, list, bytes } = providerMetadata!['mine'] as ReturnType<typeof foreign>;
    expect([at.getTime(), list[1], [...bytes]]).toEqual([5, {}, [1]]);
  }
  expect(calls).toHaveLength(1);
});

test('an answer that is not kept is given to each who waits as one of his own', async () => {
  const at = new URL('http://a.b');
  const { model, calls } = wrapped(openCache(), {
    generate: () => ({ ...answerOf('a'), providerMetadata: { mine: { at, list: [1] } } }),
  });
  const [one, two] = anything(await Promise.all([model.doGenerate(PARAMS), model.doGenerate(PARAMS)]));
  expect(calls).toHaveLength(1);
  one.content[1].data.fill(9);
  one.content.length = 0;
  one.providerMetadata.mine.list.push(2);
  expect(two).toEqual({ ...answerOf('a'), providerMetadata: { mine: { at, list: [1] } } });
  expect(two.providerMetadata.mine.at).toBe(at); // which no copy can be made of
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

  test.each([
    ['that draws', { temperature: 1 }],
    ['without a temperature', { temperature: undefined }],
    ['without a fingerprint', { providerOptions: { mine: { half: '\ud83d' } } }],
  ])(
    'for what is kept alone, and the model is not asked for a call %s, whose answers are not kept',
    async (_, more) => {
      const { model, calls } = wrapped(openCache());
      const { providerOptions, ...params } = anything(more);
      const call = { ...asking({ cache: 'only-if-cached' }, providerOptions), ...params };
      await expect(model.doGenerate(call)).rejects.toMatchObject({ code: 'ERR_MODEL_NOT_CACHED' });
      await expect(read(model, call)).rejects.toMatchObject({ code: 'ERR_MODEL_NOT_CACHED' });
      expect(calls).toEqual([]);
    },
  );

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

  test('to forget an answer that is under way, which is then not kept', async () => {
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

  test('without the provider seeing it', async () => {
    const { model, calls } = wrapped(openCache());
    await model.doGenerate(asking({ tags: ['q'] }));
    await model.doGenerate(asking({ tags: ['q'] }, { mine: { effort: 'low' } }));
    expect(calls.map(({ providerOptions }) => providerOptions)).toEqual([undefined, { mine: { effort: 'low' } }]);
  });

  test('without the provider seeing it, where the answer is not kept either', async () => {
    const { model, calls } = wrapped(openCache());
    for (const more of [{}, { mine: { effort: 'low' } }, { mine: { half: '\ud83d' } }]) {
      for (const params of [
        asking({ cache: 'no-store' }, more),
        { ...asking({ tags: ['q'] }, more), temperature: 1 },
      ]) {
        await model.doGenerate(params);
        await read(model, params);
        for (const { providerOptions } of calls.splice(0))
          expect(providerOptions).toEqual('mine' in more ? more : undefined);
      }
    }
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
