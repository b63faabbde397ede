// What is no input is refused before it is copied, however the model is asked: nobody's result is stored under a copy
// that lost what was refused, and nothing large is copied in vain.

import { afterEach, describe, expect, test, vi } from 'vitest';
import { experiment, type Model, promote, utf8 } from 'zerohop';
import { rejectionOf, TERMS } from '../fixtures/models.js';
import { errorOf, openCache, turn } from '../fixtures/opened.js';

type Asked = Model<unknown, string, string>;

afterEach(() => {
  vi.restoreAllMocks();
});

/** A model that knows its input by its text; `over` as for `cache.model`. */
const modelOf = (over: object = {}) =>
  openCache().model<unknown, string, string, string>({
    ...TERMS,
    codec: utf8,
    fingerprint: { maxNodes: 2 ** 11 },
    run: (inputs) => inputs.map((input) => JSON.stringify(input)),
    ...over,
  });

/** One that is not trusted any more: each answer is another. */
async function distrusted() {
  let runs = 0;
  const model = modelOf({ verify: { rate: 1, after: 1, bound: 0 }, run: () => [`${runs++}`] });
  await model.predict('a');
  await model.predict('a');
  while (!model.stats().distrusted) await turn();
  return model;
}

const circle = () => {
  const input: { self?: unknown } = {};
  input.self = input;
  return input;
};
/** Of 2^levels values, all of them one object. */
const doubled = (levels: number) => {
  let input: object = { x: 1 };
  for (let i = 0; i < levels; ++i) input = { l: input, r: input };
  return input;
};

// biome-ignore lint/suspicious/noSparseArray: what callers in JavaScript pass
const sparse = [1, , 3];

describe.each<[string, () => unknown]>([
  ['a circle', circle],
  ['a list with a hole', () => sparse],
  ['a list with a member', () => Object.assign([1, 2], { foo: 9 })],
  ['an instance of a class', () => new (class Own {})()],
  ['an object of more values than maxNodes', () => doubled(11)],
])('%s', (_, make) => {
  test('is refused in every mode as by default, and has no result set', async () => {
    const model = modelOf();
    const { name, message } = await rejectionOf(model.predict(make()));
    expect(name).toMatch(/^(Type|Range)Error$/);
    const own = errorOf(() => model.fingerprint(make()));
    expect(own).toMatchObject({ name, message });
    for (const cache of ['reload', 'no-store', 'only-if-cached'] as const) {
      expect(await rejectionOf(model.predict(make(), { cache }))).toMatchObject({ name, message });
      expect((await rejectionOf(model.predictMany(['fine', make()], { cache }))).message).toContain('inputs[1]');
    }
    expect(errorOf(() => model.set(make(), 'EVIL'))).toMatchObject({ name, message });
    expect(model.stats()).toMatchObject({ runs: 0, missed: 0 });
  });

  test('is refused by a model that is not trusted any more', async () => {
    const model = await distrusted();
    const { name } = errorOf(() => model.fingerprint(make()));
    expect((await rejectionOf(model.predict(make()))).name).toBe(name);
    expect((await rejectionOf(model.predictMany([make()]))).name).toBe(name);
  });
});

test('a result that is set for a list with a member is not served for the list without it', async () => {
  const model = modelOf();
  errorOf(() => model.set(Object.assign([1, 2], { foo: 9 }), 'EVIL'));
  expect(await model.predict([1, 2])).toBe('[1,2]');
});

describe('a batch', () => {
  const modes = ['default', 'reload', 'no-store', 'only-if-cached'] as const;

  test.each(modes)('with a hole is refused, which is named (%s)', async (cache) => {
    // biome-ignore lint/suspicious/noSparseArray: what callers in JavaScript pass
    const { name, message } = await rejectionOf(modelOf().predictMany(['a', , 'b'], { cache }));
    expect(name).toBe('TypeError');
    expect(message).toMatch(/^inputs\[1\]: expected an input, not a hole/);
  });

  test.each(modes)('of more than 2^24 inputs is refused before one is read (%s)', async (cache) => {
    const { name, message } = await rejectionOf(modelOf().predictMany(new Array(2e8), { cache }));
    expect(name).toBe('RangeError');
    expect(message).toBe('inputs.length: expected at most 16777216 inputs, received number 200000000');
  });
});

describe('a model of another scope', () => {
  test.each<[string, (one: Asked, two: Asked) => Promise<unknown>]>([
    ['promote', (one, two) => promote({ from: one, to: two })],
    ['experiment', async (one, two) => experiment({ a: one, b: two })],
    ['pipeline', async (_, two) => openCache().pipeline([two], { name: 'p', scope: 'A' })],
  ])('is refused by %s, and its scope is not told', async (_, call) => {
    const [one, two] = ['A', 'B-secret'].map((scope) => modelOf({ scope, keepInputs: 1 })) as [Asked, Asked];
    const { name, message } = await rejectionOf(call(one, two));
    expect(name).toBe('RangeError');
    expect(message).toMatch(/scope.*received an instance of Model$/);
    expect(message).not.toContain('secret');
  });
});

describe('a hit', () => {
  test('that is stale is served although tags throws, and the refresh counts as failed', async () => {
    let fails = false;
    const tags = () => {
      if (fails) throw new Error('tags');
      return [];
    };
    const model = modelOf({ ttl: 1, staleWhileRevalidate: '1h', tags });
    model.set('a', 'set');
    fails = true;
    while (model.entry('a')!.ttl > 3_600_000) await turn();
    expect(await model.predict('a')).toBe('set');
    expect(await model.predictMany(['a', 'a'])).toEqual(['set', 'set']);
    expect(model.stats()).toMatchObject({ failed: 1, staleHits: 3, runs: 0 });
  });

  test.each([
    ['kept', { keepInputs: 1 }],
    ['verified', { verify: 1 }],
    ['revalidated', { ttl: 1, staleWhileRevalidate: '1h' }],
  ])('is served although its input fails when it is read to be %s', async (_, over) => {
    vi.spyOn(Math, 'random').mockReturnValue(0);
    const model = modelOf(over);
    model.set({ q: 'a' }, 'set');
    model.set({ q: 'b' }, 'other');
    while (model.entry({ q: 'a' })!.ttl > 3_600_000 && 'ttl' in over) await turn();
    const once = (q: string) => {
      let reads = 0;
      const get = () => {
        if (reads++ > 0) throw new Error('read again');
        return q;
      };
      return Object.defineProperty({}, 'q', { enumerable: true, get });
    };
    expect(await model.predict(once('a'))).toBe('set');
    expect(await model.predictMany([once('a'), once('b')])).toEqual(['set', 'other']);
  });
});

test('promote counts as failed what the other version cannot name, and goes on', async () => {
  const [from, to] = [modelOf({ keepInputs: 9 }), modelOf({ fingerprint: { maxNodes: 9 } })];
  await from.predictMany([{ q: 'a' }, doubled(5), { q: 'b' }]);
  expect(await promote({ from, to })).toEqual({ inputs: 3, known: 0, computed: 2, failed: 1 });
});
