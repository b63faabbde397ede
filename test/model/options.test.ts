// What a model was made with stays: its options are read once, and what becomes of the caller's objects changes
// nothing.

import { describe, expect, test } from 'vitest';
import { type Cache, float32, PUBLIC, utf8 } from 'zerohop';
import { TERMS } from '../fixtures/models.js';
import { errorOf, openCache, until } from '../fixtures/opened.js';

/** A model that keeps what it ran; `over` as for `cache.model`. */
function modelOf(over: object, cache: Cache = openCache()) {
  const ran: unknown[] = [];
  const model = cache.model<unknown, string, string, string>({
    ...TERMS,
    codec: utf8,
    run: (inputs) => {
      ran.push(...inputs);
      return inputs.map((input) => JSON.stringify(input));
    },
    ...over,
  });
  return { model, ran };
}

/** The object, with its members as getters, and how often each was asked. */
function asked<T extends object>(members: T) {
  const reads: Record<string, number> = {};
  const of = Object.defineProperties(
    {},
    Object.fromEntries(
      Object.entries(members).map(([name, value]) => {
        reads[name] = 0;
        const get = () => {
          reads[name]!++;
          return value;
        };
        return [name, { enumerable: true, get }];
      }),
    ),
  );
  return { of, reads };
}

describe('options within options', () => {
  test('are read once, when the model is made', async () => {
    const compare = asked({ tolerance: 1 });
    const verify = asked({ rate: 1, compare: compare.of, bound: 1, after: 5 });
    const rules = asked({ exclude: ['user'], normalization: 'NFC', maxNodes: 100, maxDepth: 9 });
    const once = () =>
      [compare, verify, rules].flatMap(({ reads }) => Object.entries(reads)).filter(([, count]) => count !== 1);
    const { model } = modelOf({ verify: verify.of, fingerprint: rules.of });
    expect(once()).toEqual([]);
    for (let i = 0; i < 3; ++i) await model.predict({ user: i, q: 'a' });
    expect(once()).toEqual([]);
    expect(model.stats().hits).toBe(2);
  });

  test('are read once by a pipeline, too', () => {
    const cache = openCache();
    const verify = asked({ rate: 1 });
    const rules = asked({ exclude: ['user'] });
    const { model } = modelOf({}, cache);
    cache.pipeline([model], { ...{ name: 'p', scope: PUBLIC }, verify: verify.of as never, fingerprint: rules.of });
    expect([verify.reads, rules.reads]).toEqual([{ rate: 1 }, { exclude: 1 }]);
  });

  test('are not those of Object.prototype: a member that counts is copied', async () => {
    const root = Object.prototype as { exclude?: unknown };
    root.exclude = ['user'];
    try {
      const { model, ran } = modelOf({ fingerprint: { maxNodes: 100 } });
      const input = { user: { name: 'a' } };
      const asked = model.predict(input);
      input.user.name = 'EVIL';
      expect(await asked).toBe('{"user":{"name":"a"}}');
      expect((ran[0] as typeof input).user).not.toBe(input.user);
    } finally {
      delete root.exclude;
    }
  });

  test('that bound inputs do not bind what a model says of itself', async () => {
    const { model } = modelOf({ fingerprint: { maxNodes: 2, maxDepth: 1 }, params: { a: [1, [2]] } });
    expect(await model.predict({ q: 1 })).toBe('{"q":1}');
    await expect(model.predict({ q: [1] })).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
  });

  test('may change later, which changes nothing', async () => {
    const exclude = ['user'];
    const { model, ran } = modelOf({ fingerprint: { exclude } });
    exclude[0] = 'q';
    const [user, q] = [{}, {}];
    await model.predict({ user, q });
    const { user: given, q: copied } = ran[0] as { user: unknown; q: unknown };
    expect([given === user, copied === q]).toEqual([true, false]);
  });

  test('are refused where they are unknown', () => {
    const message = (over: object) => errorOf(() => modelOf(over)).message;
    expect(message({ fingerprint: { excluded: ['user'] } })).toMatch(/^options\.fingerprint\.excluded: /);
    expect(message({ fingerprint: null })).toMatch(/^options\.fingerprint: /);
    expect(message({ verify: { share: 1 } })).toMatch(/^options\.verify\.share: /);
  });

  test('compare by the cosine where a tolerance is there, but undefined', async () => {
    let runs = 0;
    const model = openCache().model<string, Float32Array, ArrayLike<number>, unknown>({
      ...TERMS,
      codec: float32(2) as never,
      verify: { rate: 1, compare: { tolerance: undefined, cosine: 0.5 } as never },
      run: (inputs) => inputs.map(() => Float32Array.of(++runs, 0)),
    });
    await model.predict('a');
    await model.predict('a');
    await until(() => model.stats().verified === 1);
    expect(model.stats().mismatches).toBe(0);
  });
});

test('parameters of a stage that change later do not mix the results of two pipelines', async () => {
  const cache = openCache();
  const params = { style: 'short' };
  const stageOf = (style: string) =>
    modelOf({ params, run: (inputs: unknown[]) => inputs.map((input) => `${input} ${style}`) }, cache).model;
  const short = stageOf('short');
  params.style = 'long';
  const long = stageOf('long');
  const pipelineOf = (stage: typeof short) => cache.pipeline([stage], { name: 'p', scope: PUBLIC });
  const [one, two] = [pipelineOf(short), pipelineOf(long)];
  expect([await one.predict('q'), await two.predict('q')]).toEqual(['q short', 'q long']);
  params.style = 'short'; // as it was when the first was made
  expect(pipelineOf(short).fingerprint('q').hex).toBe(one.fingerprint('q').hex);
  expect(pipelineOf(long).fingerprint('q').hex).toBe(two.fingerprint('q').hex);
});

test('parameters of a pipeline that change later do not mix the results of two that it is a stage of', () => {
  const cache = openCache();
  const { model } = modelOf({}, cache);
  const params = { top: 1 };
  const stageOf = () => cache.pipeline([model], { name: 'p', scope: PUBLIC, params });
  const first = stageOf();
  params.top = 2;
  const second = stageOf();
  const [one, two] = [first, second].map((stage) => cache.pipeline([stage], { name: 'whole', scope: PUBLIC }));
  expect(one!.fingerprint('q').hex).not.toBe(two!.fingerprint('q').hex);
});
