// Embeddings of the AI SDK, through its own wrapEmbeddingModel: value by value, each computed once, nothing mixed.
import { setTimeout as sleep } from 'node:timers/promises';
import { runInNewContext } from 'node:vm';
import { embed, embedMany, wrapEmbeddingModel } from 'ai';
import { MockEmbeddingModelV3 } from 'ai/test';
import { describe, expect, test } from 'vitest';
import { type Cache, PUBLIC } from 'zerohop';
import { type AdapterOptions, embeddingMiddleware } from 'zerohop/ai-sdk';
import { anything, errorOf, inTime, openCache } from '../fixtures/opened.js';

/** What float32 holds, so that answers can be compared with `toEqual`. */
const vectorOf = (text: string) => [text.length, text.charCodeAt(0) || 0, 0.5];

interface Over {
  provider?: string;
  modelId?: string;
  maxEmbeddingsPerCall?: number | null;
  terms?: Partial<AdapterOptions>;
  answer?: (values: string[]) => unknown;
}

/** A model of the SDK's own for tests, wrapped, and what reached it. */
function wrapped(cache: Cache, { terms, answer, ...over }: Over = {}) {
  const calls: { values: string[]; headers?: object; abortSignal?: AbortSignal }[] = [];
  const inner = new MockEmbeddingModelV3({
    maxEmbeddingsPerCall: 3,
    supportsParallelCalls: true,
    ...over,
    async doEmbed(params) {
      calls.push(params as (typeof calls)[number]);
      await sleep(1);
      params.abortSignal?.throwIfAborted();
      const embeddings = anything(answer?.(params.values) ?? params.values.map(vectorOf));
      return { embeddings, usage: { tokens: 10 * params.values.length }, warnings: [] };
    },
  });
  const model = wrapEmbeddingModel({
    model: inner,
    middleware: embeddingMiddleware({ cache, scope: PUBLIC, ...terms }),
  });
  return { model, calls, values: () => calls.map(({ values }) => values) };
}

describe('embedMany', () => {
  test('sends on what is missing alone, each value once, and answers in order', async () => {
    const { model, values } = wrapped(openCache(), { maxEmbeddingsPerCall: null });
    await embed({ model, value: 'b' });
    const texts = ['a', 'b', 'a', 'ccc', 'b', ''];
    const { embeddings, usage } = await embedMany({ model, values: texts });
    expect(embeddings).toEqual(texts.map(vectorOf));
    expect(values()).toEqual([['b'], ['a', 'ccc', '']]);
    expect(usage.tokens).toBe(30); // of what was computed for this call
  });

  test('keeps to the values that a call may have', async () => {
    const { model, values } = wrapped(openCache());
    const texts = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    await embed({ model, value: 'd' });
    expect((await embedMany({ model, values: texts })).embeddings).toEqual(texts.map(vectorOf));
    expect((await model.doEmbed({ values: [...texts, 'h', 'i', 'j', 'k'] })).embeddings).toHaveLength(11);
    expect(Math.max(...values().map(({ length }) => length))).toBe(3);
    expect(values().flat().sort().join('')).toBe('abcdefghijk');
  });

  test('of known values calls nobody, and costs nothing', async () => {
    const { model, calls } = wrapped(openCache());
    const first = await embedMany({ model, values: ['a', 'b'] });
    const second = await embedMany({ model, values: ['b', 'a'] });
    expect(second.embeddings).toEqual([...first.embeddings].reverse());
    expect(second.usage.tokens).toBe(0);
    expect(calls).toHaveLength(1);
  });

  test('of no values calls nobody', async () => {
    const { model, calls } = wrapped(openCache());
    expect(await model.doEmbed({ values: [] })).toEqual({ embeddings: [], usage: { tokens: 0 }, warnings: [] });
    expect(calls).toEqual([]);
  });

  test('called twice at the same time computes a value once', async () => {
    const cache = openCache();
    const { model, values } = wrapped(cache);
    const all = await Promise.all(Array.from({ length: 32 }, () => embedMany({ model, values: ['a', 'b'] })));
    for (const { embeddings } of all) expect(embeddings).toEqual([vectorOf('a'), vectorOf('b')]);
    expect(values()).toEqual([['a', 'b']]);
    expect(all.reduce((sum, { usage }) => sum + usage.tokens, 0)).toBe(20);
  });

  test('gives the same from the model and from the cache: rounded to float32, and the caller’s own', async () => {
    const { model } = wrapped(openCache(), { answer: (values) => values.map(() => [0.1, 1e-50]) });
    const first = (await embed({ model, value: 'a' })).embedding;
    first[1] = 7;
    const second = (await embed({ model, value: 'a' })).embedding;
    expect(second).toEqual([Math.fround(0.1), 0]);
    expect(first[0]).toBe(second[0]);
    expect(Array.isArray(second)).toBe(true);
  });

  test.each(['[1, 2]', 'Float32Array.of(1, 2)', 'Float64Array.of(1, 2)'])(
    'takes vectors of another realm: %s',
    async (made) => {
      const { model, calls } = wrapped(openCache(), { answer: (values) => values.map(() => runInNewContext(made)) });
      for (let round = 0; round < 2; ++round) expect((await embed({ model, value: 'a' })).embedding).toEqual([1, 2]);
      expect(calls).toHaveLength(1);
    },
  );

  test('gives each call its own headers, and the model a signal', async () => {
    const { model, calls } = wrapped(openCache());
    await Promise.all([
      embed({ model, value: 'a', headers: { who: 'one' } }),
      embed({ model, value: 'b', headers: { who: 'two' } }),
      embed({ model, value: 'a', headers: { who: 'three' } }),
    ]);
    expect(calls.map(({ values, headers }) => [values[0], (headers as { who: string }).who])).toEqual([
      ['a', 'one'],
      ['b', 'two'],
    ]);
    expect(calls[0]!.abortSignal).toBeInstanceOf(AbortSignal);
  });
});

describe('an embedding call', () => {
  test('rejects with the model’s own error, and keeps nothing', async () => {
    let fails = true;
    const { model, calls } = wrapped(openCache(), {
      answer: () => {
        if (fails) throw new Error('this time');
      },
    });
    const waiting = await Promise.allSettled([model.doEmbed({ values: ['a'] }), model.doEmbed({ values: ['a', 'b'] })]);
    expect(waiting.map((one) => (one as PromiseRejectedResult).reason.message)).toEqual(['this time', 'this time']);
    fails = false;
    expect((await embed({ model, value: 'a' })).embedding).toEqual(vectorOf('a'));
    expect(calls).toHaveLength(3);
  });

  test.each([
    ['null in a vector', [[1, null, 3]]],
    ['NaN in a vector', [[Number.NaN]]],
    ['no vector', [null]],
    ['text', ['AAAA']],
    ['too few', []],
    ['no array', {}],
    ['an empty vector', [[]]],
    ['a hole in a vector', [Object.assign([1], { length: 3 })]],
    ['a number that float32 cannot hold', [[1e300]]],
  ])('rejects with ERR_MODEL_RESULT because of %s, and keeps nothing', async (_, embeddings) => {
    let answer: unknown = embeddings;
    const { model } = wrapped(openCache(), { answer: () => answer });
    await expect(model.doEmbed({ values: ['a'] })).rejects.toMatchObject({ code: 'ERR_MODEL_RESULT' });
    answer = [[4]];
    expect((await embed({ model, value: 'a' })).embedding).toEqual([4]);
  });

  test.each([[[]], [[1]]])(
    'refuses a vector of %j among longer ones with the name of its value, and keeps the others',
    async (bad) => {
      let isBad = true;
      const { model, values } = wrapped(openCache(), {
        maxEmbeddingsPerCall: null,
        answer: (asked) => asked.map((text) => (isBad && text === 'b' ? bad : vectorOf(text))),
      });
      await expect(model.doEmbed({ values: ['a', 'b', 'c'] })).rejects.toMatchObject({
        code: 'ERR_MODEL_RESULT',
        message: expect.stringContaining('the embedding of "b"'),
      });
      await expect(model.doEmbed({ values: ['b'] })).rejects.toMatchObject({ code: 'ERR_MODEL_RESULT' }); // alone, too
      isBad = false;
      expect((await model.doEmbed({ values: ['a', 'b', 'c'] })).embeddings).toEqual(['a', 'b', 'c'].map(vectorOf));
      expect(values()).toEqual([['a', 'b', 'c'], ['b'], ['b']]);
    },
  );

  test('does not answer with a short vector that came first once longer ones are there', async () => {
    let isBad = true;
    const { model } = wrapped(openCache(), {
      maxEmbeddingsPerCall: null,
      answer: (asked) => asked.map((text) => (isBad ? [1] : vectorOf(text))),
    });
    expect((await model.doEmbed({ values: ['a'] })).embeddings).toEqual([[1]]);
    isBad = false;
    await model.doEmbed({ values: ['b', 'c'] });
    expect((await model.doEmbed({ values: ['a', 'b'] })).embeddings).toEqual([vectorOf('a'), vectorOf('b')]);
  });

  test('keeps no vector if two lengths are equally frequent, and the next call begins anew', async () => {
    let isBad = true;
    const { model } = wrapped(openCache(), { answer: (asked) => asked.map((text) => (isBad ? [1] : vectorOf(text))) });
    await model.doEmbed({ values: ['a'] });
    isBad = false;
    await expect(model.doEmbed({ values: ['b'] })).rejects.toMatchObject({ code: 'ERR_MODEL_RESULT' });
    expect((await model.doEmbed({ values: ['b'] })).embeddings).toEqual([vectorOf('b')]);
    expect((await model.doEmbed({ values: ['a'] })).embeddings).toEqual([vectorOf('a')]);
  });

  test('may have parameters that ask for another length', async () => {
    const cache = openCache();
    const long = wrapped(cache, { answer: (asked) => asked.map(() => [1, 2, 3]) });
    const other = wrapped(cache, { answer: (asked) => asked.map(() => [1]) });
    for (let round = 0; round < 2; ++round) {
      expect((await long.model.doEmbed({ values: ['a'] })).embeddings).toEqual([[1, 2, 3]]);
      const providerOptions = { mine: { dimensions: 1 } };
      expect((await other.model.doEmbed({ values: ['a'], providerOptions })).embeddings).toEqual([[1]]);
    }
  });

  test.each([[[1]], [[null]], ['text'], [undefined]])(
    'rejects with a TypeError for values that are no strings, and says which (%j)',
    async (given) => {
      const { model, calls } = wrapped(openCache());
      await expect(model.doEmbed(anything({ values: given }))).rejects.toMatchObject({
        code: 'ERR_INVALID_ARG_TYPE',
        message: expect.stringMatching(/^values(\[0\])?: expected (a string|an array of strings), received /),
      });
      expect(calls).toEqual([]);
    },
  );

  test('loses one caller by an abort, and aborts the model when all callers are out', async () => {
    const { model, calls } = wrapped(openCache(), {});
    const [one, two] = [new AbortController(), new AbortController()];
    const first = model.doEmbed({ values: ['a'], abortSignal: one.signal });
    const second = model.doEmbed({ values: ['a'], abortSignal: two.signal });
    await sleep(0);
    one.abort(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
    expect((await second).embeddings).toEqual([vectorOf('a')]);
    const third = model.doEmbed({ values: ['z'], abortSignal: two.signal });
    await sleep(0);
    two.abort(new Error('too late'));
    await expect(third).rejects.toThrow('too late');
    expect(calls.at(-1)!.abortSignal!.aborted).toBe(true);
    await expect(model.doEmbed({ values: ['a'], abortSignal: two.signal })).rejects.toThrow('too late');
  });

  test('goes to the model each time for a text without a fingerprint', async () => {
    const { model, calls } = wrapped(openCache());
    for (let round = 0; round < 2; ++round)
      expect((await model.doEmbed({ values: ['\ud83d', 'a'] })).embeddings).toHaveLength(2);
    expect(calls).toHaveLength(2);
    const options = { values: ['a'], providerOptions: { mine: anything({ call: () => 1 }) } };
    await model.doEmbed(options);
    await model.doEmbed(options);
    expect(calls).toHaveLength(4);
  });
});

describe('answers are never mixed of', () => {
  test.each([
    ['model ids', { modelId: 'other' }, {}],
    ['providers', { provider: 'other' }, {}],
    ['scopes', { terms: { scope: 'tenant' } }, {}],
    ['domains', { terms: { domain: 'other' } }, {}],
    ['provider options', {}, { providerOptions: { mine: { dimensions: 2 } } }],
    ['parameters that nobody knows yet', {}, { dimensions: 2 }],
  ] as [string, Over, object][])('%s', async (_, over, params) => {
    const cache = openCache({ maxBytes: '8MB' });
    const one = wrapped(cache, { answer: (values) => values.map(() => [1]) });
    const other = wrapped(cache, { ...over, answer: (values) => values.map(() => [2]) });
    for (let round = 0; round < 2; ++round) {
      expect((await one.model.doEmbed({ values: ['a'] })).embeddings).toEqual([[1]]);
      expect((await other.model.doEmbed({ values: ['a'], ...params })).embeddings).toEqual([[2]]);
    }
    expect([one.calls.length, other.calls.length]).toEqual([1, 1]);
  });

  test('a provider and a model id that read alike together', async () => {
    const cache = openCache();
    const one = wrapped(cache, { provider: 'a","b', modelId: 'c' });
    const other = wrapped(cache, { provider: 'a', modelId: 'b","c' });
    await embed({ model: one.model, value: 'x' });
    await embed({ model: other.model, value: 'x' });
    expect(other.calls).toHaveLength(1);
  });

  test('but headers, signals and members that are undefined do not count', async () => {
    const { model, calls } = wrapped(openCache());
    await model.doEmbed({ values: ['a'], headers: { who: 'one' } });
    await model.doEmbed({ values: ['a'], headers: { who: 'two' }, abortSignal: new AbortController().signal });
    await model.doEmbed(anything({ values: ['a'], providerOptions: undefined }));
    expect(calls).toHaveLength(1);
  });

  test('callers with other credentials', async () => {
    const { model, calls } = wrapped(openCache());
    for (let round = 0; round < 2; ++round)
      for (const headers of [{}, { Authorization: 'one' }, { authorization: 'two' }, { 'x-api-key': 'one' }])
        await model.doEmbed(anything({ values: ['a'], headers }));
    await model.doEmbed({ values: ['a'], headers: { AUTHORIZATION: 'one', traceparent: '1' } });
    expect(calls).toHaveLength(4);
  });

  test('two middlewares over one cache share what they may', async () => {
    const cache = openCache();
    await embed({ model: wrapped(cache).model, value: 'a' });
    const { model, calls } = wrapped(cache);
    await embed({ model, value: 'a' });
    expect(calls).toEqual([]);
  });

  test('more models than are kept at hand', async () => {
    const cache = openCache({ maxBytes: '16MB' });
    const middleware = embeddingMiddleware({ cache, scope: PUBLIC });
    let computed = 0;
    for (let round = 0; round < 2; ++round) {
      for (let i = 0; i < 300; ++i) {
        const doEmbed = async () => ({ embeddings: [[computed++]], warnings: [] });
        const model = wrapEmbeddingModel({ model: new MockEmbeddingModelV3({ modelId: `${i}`, doEmbed }), middleware });
        expect((await model.doEmbed({ values: ['a'] })).embeddings).toEqual([[i]]);
      }
    }
    expect(computed).toBe(300);
  });
});

describe('options', () => {
  test('end vectors by their ttl', async () => {
    await inTime(30, async (ttl) => {
      const { model, calls } = wrapped(openCache(), { terms: { ttl } });
      await embed({ model, value: 'a' });
      await embed({ model, value: 'a' });
      if (calls.length > 1) return false;
      await sleep(2 * ttl);
      await embed({ model, value: 'a' });
      expect(calls).toHaveLength(2);
      return true;
    });
  });

  test.each([
    [undefined, /^options: expected an object/],
    [{ scope: PUBLIC }, /^options\.cache: expected a cache, as open\(\) gives, received undefined/],
    [{ cache: {}, scope: PUBLIC }, /^options\.cache: /],
    [{ cache: true }, /^options\.scope: expected a string/],
    [{ cache: true, scope: '' }, /^options\.scope: /],
    [{ cache: true, scope: PUBLIC, domain: 1 }, /^options\.domain: /],
    [{ cache: true, scope: PUBLIC, ttl: 0 }, /^options\.ttl: /],
    [{ cache: true, scope: PUBLIC, allowDrawn: true }, /^options\.allowDrawn: expected one of the options/],
  ])('%j is refused', (options, message) => {
    const given =
      options && 'cache' in options && options.cache === true ? { ...options, cache: openCache() } : options;
    const error = errorOf(() => embeddingMiddleware(anything(given)));
    expect(error.message).toMatch(message);
    expect(error.code).toMatch(/^ERR_(INVALID_ARG_TYPE|OUT_OF_RANGE)$/);
  });

  test('of a closed cache give ERR_CACHE_CLOSED', async () => {
    const cache = openCache();
    const { model } = wrapped(cache);
    await embed({ model, value: 'a' });
    cache.close();
    await expect(model.doEmbed({ values: ['a'] })).rejects.toMatchObject({ code: 'ERR_CACHE_CLOSED' });
  });
});
