// Streams of the AI SDK's language models that are under way: who joins them, and what becomes of them.
import { wrapLanguageModel } from 'ai';
import { describe, expect, test } from 'vitest';
import { PUBLIC } from 'zerohop';
import { languageMiddleware } from 'zerohop/ai-sdk';
import { drain, PARAMS, partsOf, read, textOf, unwrapped, wrapped } from '../fixtures/language.js';
import { anything, openCache } from '../fixtures/opened.js';

describe('a stream under way', () => {
  test('fails for all who asked if the model throws before it gives a promise, and is then asked for again', async () => {
    let asked = 0;
    const { model } = wrapped(openCache(), {
      opens: () => {
        if (++asked === 1) throw new Error('thrown at once');
      },
    });
    for (const one of await Promise.allSettled([read(model), read(model)]))
      expect((one as PromiseRejectedResult).reason.message).toBe('thrown at once');
    for (let round = 0; round < 2; ++round) expect(textOf(await read(model))).toBe('answer 1');
    expect(asked).toBe(2);
  });

  test('is not kept if the cache is cleared meanwhile, nor joined; its reader reads on', async () => {
    const cache = openCache();
    const { model, calls } = wrapped(cache);
    const { stream } = await model.doStream(PARAMS);
    cache.clear();
    const joined = await read(model);
    expect(textOf(joined)).toBe('answer 2');
    expect(await drain(stream)).toEqual(partsOf('answer 1'));
    expect(textOf(await read(model))).toBe('answer 2');
    expect(calls).toHaveLength(2);
  });

  /** Two middlewares of one cache, each around a model that counts into `calls`. */
  function pair(over: object = {}) {
    const cache = openCache();
    const calls: never[] = [];
    const middlewares = [{}, over].map((terms) => languageMiddleware({ cache, scope: PUBLIC, ...terms }));
    const models = middlewares.map((middleware) => wrapLanguageModel({ model: unwrapped('m', calls), middleware }));
    return { middlewares, models, calls };
  }
  const tagged = anything({ ...PARAMS, providerOptions: { zerohop: { tags: ['q'] } } });

  test('is not kept if another middleware of the cache and scope forgets its tag', async () => {
    const { middlewares, models, calls } = pair();
    const { stream } = await models[0]!.doStream(tagged);
    middlewares[1]!.forget('q');
    await drain(stream);
    await read(models[0]!);
    expect(calls).toHaveLength(2);
  });

  test('is joined by callers of another middleware of the cache and scope', async () => {
    const { models, calls } = pair();
    await Promise.all([read(models[0]!), read(models[1]!)]);
    expect(calls).toHaveLength(1);
  });

  test('is neither joined nor forgotten by a middleware of another scope', async () => {
    const { middlewares, models, calls } = pair({ scope: 'tenant' });
    const { stream } = await models[0]!.doStream(tagged);
    await read(models[1]!);
    expect(calls).toHaveLength(2);
    middlewares[1]!.forget('q');
    await drain(stream);
    await read(models[0]!);
    expect(calls).toHaveLength(2);
  });

  test('gives each reader parts of its own, also of a stream that is not kept', async () => {
    const at = new URL('http://a.b');
    const raw = () => anything({ type: 'raw', rawValue: { list: [1], bytes: Uint8Array.of(1), at } });
    const { model, calls } = wrapped(openCache(), { stream: () => [raw(), ...partsOf('a')] });
    const [one, two] = await Promise.all([model.doStream(PARAMS), model.doStream(PARAMS)]);
    const [first] = anything(await drain(one!.stream));
    first.rawValue.list.push(2);
    first.rawValue.bytes.fill(9);
    expect(await drain(two!.stream)).toEqual([raw(), ...partsOf('a')]);
    expect(calls).toHaveLength(1);
  });
});
