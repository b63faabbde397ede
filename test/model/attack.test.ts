// What went wrong once, or might: closed caches, callers' code in the middle of a call, results that arrive too late.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { experiment, float32, json, PUBLIC, utf8 } from 'zerohop';
import { rejectionOf, shouting, TERMS } from '../fixtures/models.js';
import { anything, openCache } from '../fixtures/opened.js';

const unhandled: unknown[] = [];
const note = (reason: unknown) => unhandled.push(reason);
beforeEach(() => {
  unhandled.length = 0;
  process.on('unhandledRejection', note);
});
afterEach(async () => {
  await sleep(5);
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
});

/** Whatever comes first: the promise, or that it does not settle. */
const within = (promise: Promise<unknown>, ms = 200) =>
  Promise.race([
    promise.then(
      (value) => ({ value }),
      (reason) => ({ reason }),
    ),
    sleep(ms).then(() => 'never'),
  ]);

describe('a closed cache', () => {
  test('gives no answer, whatever was found last', async () => {
    const cache = openCache();
    const { model } = shouting(cache);
    await model.predict('a');
    expect(await model.predict('a')).toBe('A');
    cache.close();
    expect((await rejectionOf(model.predict('b'))).code).toBe('ERR_CACHE_CLOSED');
    expect((await rejectionOf(model.predictMany(['b']))).code).toBe('ERR_CACHE_CLOSED');
  });

  test('that the input itself closes during its lookup gives no answer', async () => {
    const cache = openCache();
    const model = cache.model<unknown, unknown, unknown, unknown>({
      ...TERMS,
      codec: json,
      run: (inputs) => inputs.map(() => 'ran'),
    });
    await model.predict('a');
    await model.predict('a');
    const input = {
      get x() {
        cache.close();
        return 1;
      },
    };
    expect((await rejectionOf(model.predict(input))).code).toBe('ERR_CACHE_CLOSED');
  });

  test('leaves no rejection unhandled if a hit was being verified', async () => {
    const cache = openCache();
    let n = 0;
    const model = cache.model<string, unknown, unknown, unknown>({
      ...TERMS,
      codec: json,
      verify: { rate: 1, after: 1 },
      run: async (inputs) => {
        await sleep(2);
        return inputs.map(() => ++n);
      },
    });
    await model.predict('a');
    await model.predict('a');
    cache.close();
    await sleep(10);
  });
});

describe('a comparison', () => {
  test('that throws leaves no rejection unhandled', async () => {
    const cache = openCache();
    for (const compare of [
      { tolerance: 1 },
      () => {
        throw new Error('mine');
      },
    ] as const) {
      const { model } = shouting(cache, { verify: { rate: 1, compare } });
      await model.predict('a');
      await model.predict('a');
      await sleep(5);
    }
    const { model: a } = shouting(cache);
    const { model: b } = shouting(cache, { version: '2' });
    await experiment({ a, b, compareShare: 1, compare: { tolerance: 1 } }).predict('x');
    await sleep(5);
  });
});

describe('giving up', () => {
  test('leaves a result that does not replace what was set or forgotten since', async () => {
    for (const [change, left] of [
      [(model: ReturnType<typeof shouting>['model']) => model.delete('a'), undefined],
      [(model: ReturnType<typeof shouting>['model']) => model.clear(), undefined],
      [(model: ReturnType<typeof shouting>['model']) => model.invalidateByTag('t'), undefined],
      [(model: ReturnType<typeof shouting>['model']) => model.set('a', 'mine'), 'mine'],
    ] as const) {
      const { model } = shouting(openCache(), { tags: () => ['t'] });
      const controller = new AbortController();
      const asked = model.predict('a', { signal: controller.signal });
      await sleep(0);
      controller.abort();
      await rejectionOf(asked);
      change(model);
      await sleep(10);
      expect(model.peek('a')).toBe(left);
    }
  });

  test('works in the caller’s own code, in the middle of the call', async () => {
    const controller = new AbortController();
    const { model } = shouting(openCache(), {
      run: () => {
        controller.abort(new Error('enough'));
        return new Promise(() => {});
      },
    });
    expect(await within(model.predictMany(['a'], { signal: controller.signal }))).toMatchObject({
      reason: { message: 'enough' },
    });
    const other = new AbortController();
    const { model: tagged } = shouting(openCache(), {
      tags: () => {
        other.abort(new Error('enough'));
        return [];
      },
      run: () => new Promise(() => {}),
    });
    expect(await within(tagged.predict('a', { signal: other.signal }))).toMatchObject({
      reason: { message: 'enough' },
    });
  });
});

test('works with one signal for any number of callers, without a warning', async () => {
  const warnings: Error[] = [];
  const warn = (warning: Error) => warnings.push(warning);
  process.on('warning', warn);
  const { model } = shouting(openCache());
  const controller = new AbortController();
  const { signal } = controller;
  const asked = Array.from({ length: 50 }, (_, i) => model.predict(`${i}`, { signal }));
  await asked[0];
  const late = Array.from({ length: 50 }, (_, i) => within(model.predict(`late ${i}`, { signal })));
  controller.abort(new Error('enough'));
  expect(await Promise.all(asked)).toHaveLength(50);
  for (const one of await Promise.all(late)) expect(one).toMatchObject({ reason: { message: 'enough' } });
  process.off('warning', warn);
  expect(warnings).toEqual([]);
});
describe('results', () => {
  test('that throw when they are read fail for their input', async () => {
    const { model } = shouting(openCache(), {
      run: () =>
        Object.defineProperty(['A', 'B'], 0, {
          get() {
            throw new Error('mine');
          },
        }),
    });
    const [first, second] = await Promise.all([within(model.predict('a')), within(model.predict('b'))]);
    expect(first).toMatchObject({ reason: { message: 'mine' } });
    expect(second).toEqual({ value: 'B' });
  });

  test('that are promises are refused, not stored as what JSON makes of them', async () => {
    const model = openCache().model<string, unknown, unknown, unknown>({
      ...TERMS,
      codec: json,
      run: (inputs) => inputs.map(async (input) => (input === 'b' ? Promise.reject(new Error('late')) : input)),
    });
    expect((await rejectionOf(model.predict('a'))).code).toBe('ERR_MODEL_RESULT');
    expect((await rejectionOf(model.predict('b'))).code).toBe('ERR_MODEL_RESULT');
    expect(model.peek('a')).toBeUndefined();
  });

  test('are stored under their own keys, whatever a run does to those that it is given', async () => {
    const { model } = shouting(openCache(), {
      run: (inputs: string[], { keys }: { keys: Uint8Array[] }) => {
        for (const key of keys) key.fill(0);
        return inputs;
      },
    });
    expect(await model.predictMany(['a', 'b'])).toEqual(['a', 'b']);
    expect([model.peek('a'), model.peek('b')]).toEqual(['a', 'b']);
  });

  test('of runs side by side are counted with no more than the time that passed', async () => {
    const { model } = shouting(openCache(), { maxBatch: 1 });
    const begun = performance.now();
    await model.predictMany(Array.from({ length: 100 }, (_, i) => `${i}`));
    const { runs, runMs } = model.stats();
    expect(runs).toBe(100);
    expect(runMs).toBeGreaterThan(0);
    expect(runMs).toBeLessThanOrEqual(performance.now() - begun + 0.001);
  });

  test('are given and kept if the clock goes back during their run', async () => {
    const { model } = shouting(openCache(), {
      run: (inputs: string[]) => {
        vi.useFakeTimers({ toFake: ['performance'] });
        return inputs;
      },
    });
    try {
      expect(await model.predict('a')).toBe('a');
    } finally {
      vi.useRealTimers();
    }
  });

  test('that are not stored are not written over by a later run, either', async () => {
    const own = new Float32Array(2);
    const model = openCache().model({
      ...TERMS,
      codec: float32(2),
      run: (inputs: number[]) => inputs.map((input) => own.fill(input)),
    });
    const one = await model.predict(1, { cache: 'no-store' });
    const two = await model.predict(2, { cache: 'no-store' });
    expect([[...one], [...two]]).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });
});

describe('inputs', () => {
  test('that change their siblings do not get each other’s results', async () => {
    const model = openCache().model<unknown, string, string, string>({
      ...TERMS,
      codec: utf8,
      run: (inputs) => inputs.map((input) => JSON.stringify(input)),
    });
    const inputs: unknown[] = ['a', undefined];
    inputs[1] = {
      get x() {
        inputs[0] = 'b';
        return 1;
      },
    };
    expect(await model.predictMany(inputs)).toEqual(['"a"', '{"x":1}']);
    expect(await model.predict('a')).toBe('"a"');
  });

  test('that change the length of their batch do not disturb it', async () => {
    const model = openCache().model<unknown, string, string, string>({
      ...TERMS,
      codec: utf8,
      run: (inputs) => inputs.map((input) => JSON.stringify(input)),
    });
    const inputs: unknown[] = ['a'];
    inputs.push({
      get x() {
        inputs.length = 0;
        return 1;
      },
    });
    expect(await model.predictMany(inputs)).toEqual(['"a"', '{"x":1}']);
  });

  test('whose tags change the array do not get each other’s results', async () => {
    const inputs = ['a', 'b'];
    const { model } = shouting(openCache(), {
      tags: (input: string) => {
        if (input === 'a') inputs[1] = 'c';
        return [];
      },
    });
    expect(await model.predictMany(inputs)).toEqual(['A', 'B']);
    expect(model.peek('b')).toBe('B');
  });

  test('whose result’s codec asks the model again are not taken for what that asked for', async () => {
    let nested = false;
    const model = openCache().model<string, string>({
      ...TERMS,
      ttl: 20,
      staleWhileRevalidate: '1h',
      codec: {
        encode: (text: string) => Buffer.from(text),
        decode: (bytes: Uint8Array) => {
          if (nested) {
            nested = false;
            void rejectionOf(model.predict('other', { cache: 'only-if-cached' }));
          }
          return Buffer.from(bytes).toString();
        },
      },
      run: async (inputs: string[]) => inputs.map((input) => input.toUpperCase()),
    });
    await model.predict('a');
    await sleep(30);
    nested = true;
    expect(await model.predict('a')).toBe('A');
    await sleep(10);
    expect(model.peek('other')).toBeUndefined();
    expect(model.stats()).toMatchObject({ staleHits: 1, runs: 2 });
  });

  test('in Buffers that are used again are copied for what outlives the call', async () => {
    const cache = openCache();
    const make = (version: string) =>
      cache.model<Buffer, string, string, string>({
        ...TERMS,
        version,
        codec: utf8,
        keepInputs: 5,
        run: async (inputs) => inputs.map(String),
      });
    const model = make('1');
    const input = Buffer.from('one');
    await model.predict(input);
    input.write('two');
    expect(model.hottest(1).map(String)).toEqual(['one']);
  });

  test('of a comparison may be used again as soon as the result is there', async () => {
    const cache = openCache();
    const make = (version: string, ms: number) =>
      cache.model<Float32Array, string, string, string>({
        ...TERMS,
        version,
        codec: utf8,
        run: async (inputs) => {
          await sleep(ms);
          return inputs.map(String);
        },
      });
    const trial = experiment({ a: make('1', 1), b: make('2', 20), share: 0, compareShare: 1 });
    const input = Float32Array.of(1);
    await trial.predict(input);
    input[0] = 2;
    await sleep(40);
    expect(trial.stats().agreement).toEqual({ compared: 1, agreed: 1, rate: 1 });
  });
});

describe('freshness', () => {
  test('has its jitter drawn once, and none for the stale times', async () => {
    const cache = openCache({ ttl: '1h', ttlJitter: 0.9 });
    const { model } = shouting(cache, { ttl: '1h', ttlJitter: 0, staleWhileRevalidate: '1h' });
    for (let i = 0; i < 20; ++i) {
      await model.predict(`${i}`);
      expect(model.entry(`${i}`)!.ttl).toBeGreaterThan(7_100_000);
    }
  });

  test('answers a remembered failure with a stale result', async () => {
    let failing = false;
    const { model } = shouting(openCache(), {
      ttl: 20,
      staleIfError: '1h',
      negativeTtl: 60_000,
      run: async (inputs: string[]) => {
        if (failing) throw new Error('no power');
        return inputs;
      },
    });
    await model.predict('a');
    await sleep(30);
    failing = true;
    expect(await model.predict('a')).toBe('a');
    expect(await model.predict('a')).toBe('a');
    expect(model.stats()).toMatchObject({ asked: 3, missed: 2, failed: 1, staleOnError: 2, failedAgain: 1 });
  });

  test('runs nothing for only-if-cached, not even for a stale or verified result', async () => {
    const { model, batches } = shouting(openCache(), { ttl: 20, staleWhileRevalidate: '1h', verify: 1 });
    await model.predict('a');
    expect(await model.predict('a', { cache: 'only-if-cached' })).toBe('A');
    await sleep(30);
    expect(await model.predict('a', { cache: 'only-if-cached' })).toBe('A');
    await sleep(5);
    expect(batches).toHaveLength(1);
  });

  test('survives tags that ask for the same input while it is computed anew', async () => {
    let nested = 0;
    const { model, batches } = shouting(openCache(), {
      ttl: 20,
      staleWhileRevalidate: '1h',
      tags: () => {
        if (nested-- > 0) void model.predict('a', { cache: 'reload' });
        return [];
      },
    });
    await model.predict('a');
    await sleep(30);
    nested = 1;
    await model.predict('a');
    model.delete('a');
    await sleep(10);
    expect(batches.length).toBeLessThanOrEqual(2);
    expect(model.peek('a')).toBeUndefined();
  });
});

describe('options', () => {
  test('take as batchWindow a finite number of ms', () => {
    const cache = openCache();
    expect(() => shouting(cache, { batchWindow: Number.POSITIVE_INFINITY })).toThrow(/batchWindow/);
    expect(() => shouting(cache, { batchWindow: anything('20ms') })).toThrow(/batchWindow/);
  });

  test('take a name, a version and a scope as long as each may be', async () => {
    const over = { name: '"'.repeat(255), version: '\\'.repeat(255), scope: 's'.repeat(1024) };
    const { model } = shouting(openCache({ maxBytes: '16MB' }), over);
    expect(await model.predict('a')).toBe('A');
  });
});

describe('a pipeline', () => {
  test('never gives a caller what a stage made for another tenant', async () => {
    const cache = openCache({ maxBytes: '16MB' });
    const { model } = shouting(cache, { scope: 'a' });
    for (const scope of [PUBLIC, 'b'] as const)
      expect(() => cache.pipeline([model], { name: 'p', scope })).toThrow(/^stages\[0\]\.scope: /);
    expect(await cache.pipeline<string, string>([model], { name: 'p', scope: 'a' }).predict('q')).toBe('Q');
  });

  test('one of whose stages refuses one input fails for that input alone', async () => {
    const cache = openCache();
    const { model } = shouting(cache, {
      run: async (inputs: string[]) => inputs.map((input) => (input === 'bad' ? new Error('bad') : input)),
    });
    const { model: last } = shouting(cache, { name: 'last' });
    const pipeline = cache.pipeline<string, string>([model, last], { name: 'p', scope: PUBLIC });
    const [good, bad] = await Promise.all([within(pipeline.predict('good')), within(pipeline.predict('bad'))]);
    expect(good).toEqual({ value: 'GOOD' });
    expect(bad).toMatchObject({ reason: { message: 'bad' } });
  });
});

describe('an experiment', () => {
  test('splits the same callers otherwise than another experiment', () => {
    const cache = openCache();
    const [a, b, c] = ['1', '2', '3'].map((version) => shouting(cache, { version }).model);
    const [one, two] = [experiment({ a: a!, b: b! }), experiment({ a: a!, b: c! })];
    const units = Array.from({ length: 1000 }, (_, i) => `user ${i}`);
    const alike = units.filter((unit) => one.armOf(unit) === two.armOf(unit)).length;
    expect(alike).toBeGreaterThan(400);
    expect(alike).toBeLessThan(600);
  });

  test('rejects for a unit that has no fingerprint, and does not throw', async () => {
    const cache = openCache();
    const [a, b] = ['1', '2'].map((version) => shouting(cache, { version }).model);
    const trial = experiment({ a: a!, b: b!, unitOf: () => Symbol('none') });
    expect((await rejectionOf(trial.predict('x'))).name).toBe('TypeError');
  });
});
