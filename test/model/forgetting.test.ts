// What is forgotten stays forgotten, and what is another computation is not: tags, clear, models side by side.
import { describe, expect, test } from 'vitest';
import { type Cache, json, utf8 } from 'zerohop';
import { rejectionOf, shouting, TERMS } from '../fixtures/models.js';
import { errorOf, openCache, until } from '../fixtures/opened.js';

describe('invalidateByTag', () => {
  test('forgets the results of inputs with the tag, those being computed among them', async () => {
    const { model, batches } = shouting(openCache(), { tags: (input: string) => [input[0]!, 'all'] });
    await model.predictMany(['a1', 'a2', 'b1']);
    expect(model.invalidateByTag('a')).toBe(2);
    expect([model.peek('a1'), model.peek('b1')]).toEqual([undefined, 'B1']);
    const asked = model.predictMany(['a1', 'b2']);
    expect(model.invalidateByTag('a')).toBe(0);
    expect(await asked).toEqual(['A1', 'B2']);
    expect([model.peek('a1'), model.peek('b2')]).toEqual([undefined, 'B2']);
    expect(model.invalidateByTag('all')).toBe(2);
    expect(batches).toHaveLength(2);
    model.set('a1', 'own');
    expect(model.invalidateByTag('a')).toBe(1);
  });

  test('refuses what is no tag, and does not run that input', async () => {
    const { model, batches } = shouting(openCache(), { tags: (input: string) => (input === 'a' ? ['x'] : [1]) });
    expect((await rejectionOf(model.predict('b'))).name).toBe('TypeError');
    expect((await rejectionOf(model.predictMany(['a', 'b']))).message).toContain('tags returned');
    expect(batches).toEqual([['a']]); // an input fails alone
    expect(errorOf(() => model.invalidateByTag('')).name).toBe('RangeError');
    expect(errorOf(() => shouting(openCache(), { tags: ['a'] })).name).toBe('TypeError');
  });
});

describe('cache.clear()', () => {
  test('also forgets what is being computed', async () => {
    const cache = openCache();
    const { model } = shouting(cache);
    const asked = model.predict('a');
    cache.clear();
    expect(await asked).toBe('A');
    expect(model.peek('a')).toBeUndefined();
  });
});

describe('models with one name and version', () => {
  test('but other parameters forget only their own results', async () => {
    const cache = openCache();
    const { model } = shouting(cache, { params: { size: 1 } });
    const { model: other } = shouting(cache, { params: { size: 2 } });
    await model.predict('a');
    const asked = other.predict('b');
    model.clear();
    await asked;
    expect([model.peek('a'), other.peek('b')]).toEqual([undefined, 'B']);
  });

  test('opened twice compute together, and know each other’s results', async () => {
    const cache = openCache();
    const { model, batches } = shouting(cache);
    const { model: again, batches: others } = shouting(cache);
    expect(await Promise.all([model.predict('a'), again.predict('a'), again.predictMany(['a', 'b'])])).toEqual([
      'A',
      'A',
      ['A', 'B'],
    ]);
    expect([batches, others]).toEqual([[['a']], [['b']]]);
    expect(await again.predict('a')).toBe('A');
    again.clear();
    expect(model.peek('a')).toBeUndefined();
  });
});

describe('results that can be changed', () => {
  const profiles = (cache: Cache) =>
    cache.model<string, unknown, unknown, unknown>({
      ...TERMS,
      codec: json,
      run: async (inputs) => inputs.map((id) => ({ id, tags: [] })),
    });

  test('belong to each caller alone', async () => {
    type Profile = { id: string; tags: string[] };
    const model = profiles(openCache());
    const [one, two] = (await Promise.all([model.predict('a'), model.predict('a')])) as [Profile, Profile];
    one.tags.push('mine');
    expect(two).toEqual({ id: 'a', tags: [] });
    const [three, four] = (await model.predictMany(['b', 'b'])) as [Profile, Profile];
    three.tags.push('mine');
    expect(four).toEqual({ id: 'b', tags: [] });
    expect(await model.predict('b')).toEqual({ id: 'b', tags: [] });
    const [five, six] = (await model.predictMany(['c', 'c'], { cache: 'no-store' })) as [Profile, Profile];
    five.tags.push('mine');
    expect(six).toEqual({ id: 'c', tags: [] });
  });
});

describe('run', () => {
  test('may fail for one input alone, by an Error in its place', async () => {
    const model = openCache().model<string, string, string, string>({
      ...TERMS,
      codec: utf8,
      run: async (inputs) => inputs.map((input) => (input === 'bad' ? new RangeError('not this') : input)),
    });
    const asked = ['a', 'bad', 'b'].map((input) => model.predict(input));
    const done = await Promise.allSettled(asked);
    expect(done.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((done[1] as PromiseRejectedResult).reason).toBeInstanceOf(RangeError);
    expect(model.stats()).toMatchObject({ runs: 1, computed: 3, failed: 1 });
    expect([model.peek('a'), model.peek('bad')]).toEqual(['a', undefined]);
  });

  test('is given the fingerprints of its inputs, for a cache behind this one', async () => {
    const keys: string[] = [];
    const model = openCache().model<string, string, string, string>({
      ...TERMS,
      codec: utf8,
      run: async (inputs, context) => {
        keys.push(...context.keys.map((key) => Buffer.from(key).toString('hex')));
        return inputs;
      },
    });
    await model.predictMany(['a', 'b']);
    await model.predict('c');
    expect(keys).toEqual(['a', 'b', 'c'].map((input) => model.fingerprint(input).hex));
  });

  test('adds one listener to a signal that many inputs share', async () => {
    const { model } = shouting(openCache());
    const warnings: Error[] = [];
    const listen = (warning: Error) => warnings.push(warning);
    process.on('warning', listen);
    const { signal } = new AbortController();
    await model.predictMany(
      Array.from({ length: 50 }, (_, i) => `${i}`),
      { signal },
    );
    await new Promise(setImmediate);
    process.off('warning', listen);
    expect(warnings).toEqual([]);
  });
});

describe('runs', () => {
  test('are at most as many at a time as concurrency says', async () => {
    let running = 0;
    let most = 0;
    const { model } = shouting(openCache(), {
      maxBatch: 2,
      concurrency: 3,
      run: async (inputs: string[]) => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setTimeout(resolve, 2));
        running--;
        if (inputs.includes('7')) throw new Error('no power');
        return inputs;
      },
    });
    const inputs = Array.from({ length: 40 }, (_, i) => `${i}`);
    const settled = await Promise.allSettled(inputs.map((input) => model.predict(input)));
    expect([most, running]).toEqual([3, 0]);
    expect(settled.filter(({ status }) => status === 'rejected')).toHaveLength(2);
    expect(await model.predictMany(inputs.slice(10))).toEqual(inputs.slice(10));
    expect(errorOf(() => shouting(openCache(), { concurrency: 0 })).name).toBe('RangeError');
  });

  test('are any number at a time with a concurrency of Infinity', async () => {
    const { model } = shouting(openCache(), { concurrency: Number.POSITIVE_INFINITY });
    expect(await model.predict('a')).toBe('A');
  });

  test('give their callers a result that is too large to be stored', async () => {
    const { model, batches } = shouting(openCache({ maxBytes: '1MB' }));
    const large = 'a'.repeat(900_000);
    expect(await model.predict(large)).toBe(large.toUpperCase());
    expect(model.peek(large)).toBeUndefined();
    expect(await Promise.all([model.predict(large), model.predict('b')])).toEqual([large.toUpperCase(), 'B']);
    expect(batches).toHaveLength(2);
    expect(model.stats()).toMatchObject({ failed: 0 });
  });
});

describe('report', () => {
  test('counts hits that avoided a run, and joined callers apart', async () => {
    const { model } = shouting(openCache(), {
      run: async (inputs: string[]) => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        return inputs;
      },
    });
    await Promise.all([model.predict('a'), model.predict('a')]);
    for (let i = 0; i < 9; ++i) await model.predict('a');
    const report = model.report({ gpuHourPrice: 3600 });
    const { used, saved, coalesced, overhead } = report.gpuSeconds;
    expect(report).toMatchObject({ hits: 9, coalesced: 1, computed: 1 });
    expect(used).toBeGreaterThan(0.015);
    expect(saved).toBeCloseTo(9 * used - overhead, 6);
    expect(coalesced).toBeCloseTo(used, 6);
    expect(report.money.saved).toBeCloseTo(saved, 6);
    expect(report.money).toMatchObject({ gpuHourPrice: 3600, currency: 'USD' });
    expect(model.report({ gpuHourPrice: 1, currency: 'EUR' }).money.currency).toBe('EUR');
    expect(errorOf(() => model.report({} as never)).message).toContain('gpuHourPrice');
    expect(errorOf(() => model.report({ gpuHourPrice: -1 })).name).toBe('RangeError');
  });

  test('subtracts the time of lookups and comparisons, and is 0 before anything ran', async () => {
    const { model } = shouting(openCache(), { verify: 1 });
    expect(model.report({ gpuHourPrice: 1 }).gpuSeconds).toEqual({ used: 0, saved: 0, coalesced: 0, overhead: 0 });
    for (let i = 0; i < 200; ++i) await model.predict('a');
    await until(() => model.stats().verified === 199);
    const { savedMs, verifyMs } = model.stats();
    const { saved, overhead } = model.report({ gpuHourPrice: 1 }).gpuSeconds;
    expect(Math.min(overhead, savedMs, verifyMs)).toBeGreaterThan(0);
    expect(saved).toBeCloseTo((savedMs - verifyMs) / 1000 - overhead, 9);
  });
});
