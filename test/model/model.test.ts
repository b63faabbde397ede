// Memoised inference: never the wrong answer, never the same work twice.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { float32, json, type Model } from 'zerohop';
import { rejectionOf, shouting, TERMS } from '../fixtures/models.js';
import { anything, errorOf, openCache } from '../fixtures/opened.js';
import { randomFrom } from '../fixtures/values.mjs';

describe('predict', () => {
  test('computes what is new, and answers from the cache what is not', async () => {
    const { model, batches } = shouting(openCache());
    expect(await model.predict('a')).toBe('A');
    expect(await model.predict('a')).toBe('A');
    expect(model.peek('a')).toBe('A');
    expect(model.peek('b')).toBeUndefined();
    expect(batches).toEqual([['a']]);
    expect(model.stats()).toMatchObject({ hits: 1, joined: 0, computed: 1, runs: 1, failed: 0 });
    expect(model.stats().runMs).toBeGreaterThan(0);
  });

  test('makes one run and one store for 32 callers of one input', async () => {
    const cache = openCache();
    const { model, batches } = shouting(cache);
    const { sets } = cache.stats();
    expect(await Promise.all(Array.from({ length: 32 }, () => model.predict('a')))).toEqual(Array(32).fill('A'));
    expect(batches).toEqual([['a']]);
    expect(cache.stats().sets - sets).toBe(1);
    expect(model.stats()).toMatchObject({ hits: 0, joined: 31, computed: 1, runs: 1 });
  });

  test('runs the inputs of one turn together, maxBatch at a time', async () => {
    const { model, batches } = shouting(openCache(), { maxBatch: 2 });
    expect(await Promise.all(['a', 'b', 'c', 'a', 'd', 'e'].map((input) => model.predict(input)))).toEqual([
      ...'ABCADE',
    ]);
    expect(batches).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
  });

  test('runs inputs of later turns with them where there is a batchWindow', async () => {
    const { model, batches } = shouting(openCache(), { batchWindow: 30 });
    const first = model.predict('a');
    await sleep(1);
    expect(await Promise.all([first, model.predict('b')])).toEqual(['A', 'B']);
    expect(batches).toEqual([['a', 'b']]);
  });

  test('takes falsy results for hits', async () => {
    let runs = 0;
    const model = openCache().model<string, unknown, unknown, unknown>({
      ...TERMS,
      codec: json,
      run: (inputs) => {
        runs++;
        return inputs.map((input) => JSON.parse(input));
      },
    });
    const texts = ['0', '""', 'false', 'null', '[]'];
    for (let round = 0; round < 2; ++round)
      for (const text of texts) expect(await model.predict(text)).toEqual(JSON.parse(text));
    expect(await model.predictMany(texts)).toEqual(texts.map((text) => JSON.parse(text)));
    expect(runs).toBe(texts.length);
  });

  test('gives views of what was stored, which the model’s own buffers cannot change', async () => {
    const own = new Float32Array(3);
    const model = openCache().model({
      ...TERMS,
      codec: float32(3),
      run: (inputs: number[]) => inputs.map((input) => own.fill(input)),
    });
    const one = await model.predict(1);
    const two = await model.predict(2);
    expect([[...one], [...two], [...(await model.predict(1))]]).toEqual([
      [1, 1, 1],
      [2, 2, 2],
      [1, 1, 1],
    ]);
  });
});

describe('predictMany', () => {
  test('runs what is missing, each once, and answers in order', async () => {
    const { model, batches } = shouting(openCache(), { maxBatch: 3 });
    await model.predict('b');
    expect(await model.predictMany(['a', 'b', 'a', 'c', 'd', 'e', 'b'])).toEqual([...'ABACDEB']);
    expect(batches.slice(1)).toEqual([['a', 'c', 'd'], ['e']]);
    expect(await model.predictMany([])).toEqual([]);
    expect(model.stats()).toMatchObject({ hits: 2, joined: 1, computed: 5, runs: 3 });
    expect((await rejectionOf(model.predictMany(anything('ab')))).message).toMatch(/^inputs: expected an array/);
  });

  test.each([1, 2, 3])(
    'random calls, alone and in batches, some of which fail: as a plain loop (seed %i)',
    async (seed) => {
      const random = randomFrom(seed);
      const below = (n: number) => Math.floor(random() * n);
      let runs = new Map<string, number>();
      const { model } = shouting(openCache(), {
        maxBatch: 5,
        run: async (inputs: string[]) => {
          await sleep(below(4));
          for (const input of inputs) runs.set(input, (runs.get(input) ?? 0) + 1);
          if (below(6) === 0) throw new Error('this time');
          return inputs.map((input) => input.toUpperCase());
        },
      });
      let right = 0;
      let failed = 0;
      const check = async (inputs: string[], answer: Promise<readonly string[]>) => {
        try {
          expect(await answer).toEqual(inputs.map((input) => input.toUpperCase()));
          right++;
        } catch (error) {
          if ((error as Error).message !== 'this time') throw error;
          failed++;
        }
      };
      for (let round = 0; round < 40; ++round) {
        runs = new Map();
        const calls = Array.from({ length: 1 + below(8) }, async () => {
          await sleep(below(3));
          const inputs = Array.from({ length: below(7) }, () => `input ${(round >> 1) * 10 + below(10)}`);
          if (below(2) === 0) return check(inputs, model.predictMany(inputs));
          return check(inputs, Promise.all(inputs.map((input) => model.predict(input))));
        });
        await Promise.all(calls);
      }
      expect(right).toBeGreaterThan(50);
      expect(failed).toBeGreaterThan(0);
      const { hits, joined, computed } = model.stats();
      expect(Math.min(hits, joined, computed)).toBeGreaterThan(0);
    },
  );
});

describe('a run that fails', () => {
  test('rejects each waiter once with its own error, and leaves nothing', async () => {
    let fails = true;
    const { model, batches } = shouting(openCache(), {
      run: async (inputs: string[]) => {
        batches.push(inputs);
        if (fails) throw null;
        return inputs;
      },
    });
    const waiters = await Promise.allSettled([model.predict('a'), model.predict('a'), model.predictMany(['a', 'b'])]);
    expect(waiters.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(waiters.map((one) => (one as PromiseRejectedResult).reason)).toEqual([null, null, null]);
    expect(model.peek('a')).toBeUndefined();
    fails = false;
    expect(await model.predict('a')).toBe('a');
    expect(model.stats().failed).toBe(2);
  });

  test.each([
    ['too few', () => ['A']],
    ['too many', () => ['A', 'B', 'C']],
    ['nothing', () => undefined],
    ['no array', () => 'AB'],
    ['a hole', () => ['A', undefined]],
  ])('by giving %s results: ERR_MODEL_RESULT', async (_, run) => {
    const { model } = shouting(openCache(), { run });
    const [, second] = await Promise.allSettled([model.predict('a'), model.predict('b')]);
    expect((second as PromiseRejectedResult).reason).toMatchObject({ name: 'CacheError', code: 'ERR_MODEL_RESULT' });
    expect(model.peek('b')).toBeUndefined();
  });

  test('by a result of the wrong shape fails for that input alone', async () => {
    const model = openCache().model({
      ...TERMS,
      codec: float32(2),
      run: (inputs: number[]) => inputs.map((input) => new Float32Array(input)),
    });
    const [right, wrong] = await Promise.allSettled([model.predict(2), model.predict(3)]);
    expect([right.status, wrong.status]).toEqual(['fulfilled', 'rejected']);
    expect((wrong as PromiseRejectedResult).reason.code).toBe('ERR_MODEL_RESULT');
  });

  test('because the cache was closed meanwhile rejects with ERR_CACHE_CLOSED', async () => {
    const cache = openCache();
    const { model } = shouting(cache);
    const waiting = model.predict('a');
    cache.close();
    expect((await rejectionOf(waiting)).code).toBe('ERR_CACHE_CLOSED');
    expect((await rejectionOf(model.predict('a'))).code).toBe('ERR_CACHE_CLOSED');
  });
});

describe('a caller who gives up', () => {
  test('is rejected at once; the run goes on for the others, and is aborted when nobody is left', async () => {
    const signals: AbortSignal[] = [];
    const { model } = shouting(openCache(), {
      run: async (inputs: string[], { signal }: { signal: AbortSignal }) => {
        signals.push(signal);
        await sleep(20);
        return inputs.map((input) => input.toUpperCase());
      },
    });
    const [first, second] = [new AbortController(), new AbortController()];
    const leaving = rejectionOf(model.predict('a', { signal: first.signal }));
    const staying = model.predict('a');
    const alone = rejectionOf(model.predictMany(['x', 'y'], { signal: second.signal }));
    await sleep(1);
    first.abort(new Error('enough'));
    second.abort();
    expect((await leaving).message).toBe('enough');
    expect((await alone).name).toBe('AbortError');
    expect(signals.map(({ aborted }) => aborted).sort()).toEqual([false, true]);
    expect(await staying).toBe('A');
    const late = new AbortController();
    expect(await model.predict('a', { signal: late.signal })).toBe('A');
    late.abort();
    expect((await rejectionOf(model.predict('a', { signal: AbortSignal.abort(new Error('before')) }))).message).toBe(
      'before',
    );
  });

  test('before the run began prevents it', async () => {
    const { model, batches } = shouting(openCache(), { batchWindow: 20 });
    const controller = new AbortController();
    const leaving = rejectionOf(model.predict('a', { signal: controller.signal }));
    await sleep(1);
    controller.abort();
    await leaving;
    await sleep(30);
    expect(batches).toEqual([]);
    expect(await model.predict('a')).toBe('A');
  });
});

describe('cache', () => {
  test('as no-store neither looks nor stores, as reload does not look, as only-if-cached does not run', async () => {
    let count = 0;
    const model: Model<string, unknown, unknown> = openCache().model<string, unknown, unknown, unknown>({
      ...TERMS,
      codec: json,
      run: (inputs) => inputs.map(() => ++count),
    });
    expect(await model.predict('a')).toBe(1);
    expect(await model.predict('a', { cache: 'no-store' })).toBe(2);
    expect(await model.predict('a')).toBe(1);
    expect(await model.predict('a', { cache: 'reload' })).toBe(3);
    expect(await model.predict('a')).toBe(3);
    expect(await model.predict('a', { cache: 'only-if-cached' })).toBe(3);
    expect(await rejectionOf(model.predict('b', { cache: 'only-if-cached' }))).toMatchObject({
      name: 'CacheError',
      code: 'ERR_MODEL_NOT_CACHED',
    });
    expect((await rejectionOf(model.predictMany(['a', 'b'], { cache: 'only-if-cached' }))).code).toBe(
      'ERR_MODEL_NOT_CACHED',
    );
    expect(await model.predictMany(['a', 'a'], { cache: 'reload' })).toEqual([4, 4]);
    expect(await model.predictMany(['a', 'a'], { cache: 'no-store' })).toEqual([5, 5]);
    expect(count).toBe(5);
    expect((await rejectionOf(model.predict('a', { cache: anything('never') }))).message).toMatch(/^options\.cache: /);
    expect((await rejectionOf(model.predict('a', { signal: anything({}) }))).message).toMatch(/^options\.signal: /);
  });

  test('does not store a result that arrives after its key was deleted, cleared or set', async () => {
    const { model } = shouting(openCache());
    for (const [change, left] of [
      [() => model.delete('a'), undefined],
      [() => model.clear(), undefined],
      [() => model.set('a', 'mine'), 'mine'],
    ] as const) {
      model.clear();
      const waiting = model.predict('a');
      await sleep(0);
      change();
      const again = model.predict('a'); // does not join what is outdated
      expect(await waiting).toBe('A');
      expect(await again).toBe(left ?? 'A');
      expect(model.peek('a')).toBe(left ?? 'A');
    }
    expect(model.delete('a')).toBe(true);
    expect(model.delete('a')).toBe(false);
  });

  test('ends a result by a ttl below a second', async () => {
    const { model, batches } = shouting(openCache(), { ttl: 30 });
    await model.predict('a');
    await sleep(60);
    await model.predict('a');
    expect(batches.length).toBe(2);
  });
});

describe('another computation is', () => {
  test.each([
    ['version', { version: '2' }],
    ['name', { name: 'n' }],
    ['scope', { scope: 'tenant' }],
    ['domain', { domain: 'd' }],
    ['params', { params: { unknown: 1 } }],
  ])('another %s', async (_, over) => {
    const cache = openCache({ maxBytes: '8MB' });
    const { model, batches } = shouting(cache);
    const { model: other, batches: others } = shouting(cache, over);
    await model.predict('a');
    await other.predict('a');
    await model.predict('a');
    await other.predict('a');
    expect([batches.length, others.length]).toEqual([1, 1]);
    expect(model.fingerprint('a').hex).not.toBe(other.fingerprint('a').hex);
    other.clear();
    if ('params' in over || 'domain' in over) return; // one keyspace
    expect(model.peek('a')).toBe('A');
  });

  test('one of the same bytes with another type or shape', async () => {
    const model = openCache().model({ ...TERMS, codec: json, run: (inputs: object[]) => inputs.map((_, i) => i) });
    const data = new Float32Array(4);
    const inputs = [data, new Int32Array(4), { dtype: 'float32', shape: [2, 2], data }, new Uint8Array(16)];
    expect(await model.predictMany(inputs)).toEqual([0, 1, 2, 3]);
  });
});

describe('the options of a model', () => {
  test.each([
    [{ run: undefined }, /^options\.run: /],
    [{ name: '' }, /^options\.name: /],
    [{ version: undefined }, /^options\.version: /],
    [{ scope: undefined }, /^options\.scope: /],
    [{ scope: '' }, /^options\.scope: /],
    [{ maxBatch: 0 }, /^options\.maxBatch: /],
    [{ batchWindow: -1 }, /^options\.batchWindow: /],
    [{ codec: undefined }, /codec/],
    [{ params: { temperature: 0.7 } }, /^options\.params\.temperature: expected 0, or a params\.seed/],
    [{ params: () => 1 }, /^params: /],
    [{ surprise: 1 }, /^options\.surprise: /],
  ])('are refused: %j', (over, message) => {
    expect(errorOf(() => shouting(openCache(), over)).message).toMatch(message);
  });

  test('may hold a temperature with a seed', async () => {
    const { model } = shouting(openCache(), { params: { temperature: 0.7, seed: 1 } });
    expect(await model.predict('a')).toBe('A');
  });

  test('leave the cost of a result to the time of its run', async () => {
    const cache = openCache();
    const { model } = shouting(cache, {
      run: async (inputs: string[]) => {
        await sleep(20);
        return inputs;
      },
    });
    await model.predictMany(['a', 'b']);
    const { cost } = model.entry('a')!;
    expect(cost).toBeGreaterThan(5);
    expect(cost).toBeLessThan(1000);
  });
});
