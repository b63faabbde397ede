// Results in Redis, and the other parts of a model; its options, and Redis away.
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Cache, experiment, json, type Model, open, PUBLIC, utf8 } from 'zerohop';
import { rejectionOf, shouting, TERMS } from '../fixtures/models.js';
import { errorOf, until } from '../fixtures/opened.js';
import { keyOf, useSharedResults } from '../fixtures/shared-results.js';
import { openOver, proxyTo } from '../fixtures/upstream.js';

const { redis, shared, stored } = useSharedResults();

describe('Redis', () => {
  const cached = async (
    at: number,
  ): Promise<{ cache: Cache; model: Model<string, string, string>; batches: string[][] }> =>
    shared({}, openOver({ url: `redis://127.0.0.1:${at}`, timeout: 200, heartbeat: 50 }));

  test('that goes in the middle of a run changes nothing for the callers', async () => {
    const proxy = await proxyTo(redis.port);
    let isRunning = false;
    let finish = () => {};
    const run = async (inputs: string[]) => {
      isRunning = true;
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      return inputs.map((input) => input.toUpperCase());
    };
    const { model } = shared(
      { run },
      openOver({ url: `redis://127.0.0.1:${proxy.port}`, timeout: 200, heartbeat: 50 }),
    );
    const asked = model.predict('a');
    await until(() => isRunning);
    await proxy.close();
    await until(() => model.stats().upstream!.state === 'down');
    finish();
    expect(await asked).toBe('A');
    isRunning = false;
    const next = model.predict('b');
    await until(() => isRunning);
    finish();
    expect(await next).toBe('B');
    expect(model.peek('b')).toBe('B');
    expect(model.entry('b')!.ttl).toBeLessThanOrEqual(5000); // aloneTtl
    expect(model.stats()).toMatchObject({ missed: 2, failed: 0 });
    expect(model.stats().upstream!.failed).toBeGreaterThan(0);
  });

  test('that is not there is no error, and is used when it is', async () => {
    const { model, batches } = await cached(1);
    expect(await model.predictMany(['a', 'b'])).toEqual(['A', 'B']);
    expect(batches).toEqual([['a', 'b']]);
    expect(await model.predict('a')).toBe('A'); // of L0
    expect(model.stats()).toMatchObject({ hits: 1, missed: 2, runs: 1 });
  });
});

describe('other parts of a model', () => {
  test('count a result of Redis as a hit whose run time is not known', async () => {
    const [one, other] = [shared(), shared({ run: () => Promise.reject(new Error()) })];
    await one.model.predict('a');
    await stored(one.model, 'a');
    await Promise.all([other.model.predict('a'), other.model.predict('a')]);
    await other.model.predict('a');
    const { hits, coalesced, computed, gpuSeconds } = other.model.report({ gpuHourPrice: 1 });
    expect({ hits, coalesced, computed }).toEqual({ hits: 2, coalesced: 1, computed: 0 });
    expect(gpuSeconds).toMatchObject({ used: 0, coalesced: 0 });
    expect(gpuSeconds.saved).toBeLessThanOrEqual(0);
    expect(other.model.entry('a')!.cost).toBe(0);
    expect(other.model.stats()).toMatchObject({ savedMs: 0, runMs: 0 });
  });

  test('keep the cost of what was run here', async () => {
    const { model } = shared();
    await model.predict('a');
    await stored(model, 'a');
    expect(model.entry('a')!.cost).toBeGreaterThan(0);
  });

  test('compare results of Redis with new ones, and distrust them here', async () => {
    const { model, batches } = shared({ verify: { rate: 1, after: 2, bound: 0 } });
    for (const input of ['a', 'b']) await redis.other.set(keyOf(model, input), 'wrong');
    await redis.told();
    expect(await model.predictMany(['a', 'b'])).toEqual(['wrong', 'wrong']);
    await until(() => model.stats().distrusted);
    expect(model.stats()).toMatchObject({ verified: 2, mismatches: 2 });
    expect(batches).toEqual([['a', 'b']]);
    expect(await model.predict('a')).toBe('A'); // Redis is not asked
  });

  test('give each caller of a JSON result an object of his own', async () => {
    const terms = { codec: json, run: () => [{ a: 1 }] };
    const [one, other] = [shared(terms), shared(terms)];
    await one.model.predict('a');
    await until(() => one.model.stats().upstream!.writes === 1);
    const [first, second] = (await Promise.all([
      other.model.predict('a'),
      other.model.predict('a'),
    ])) as unknown as object[];
    expect(first).toEqual({ a: 1 });
    expect(second).toEqual({ a: 1 });
    expect(first).not.toBe(second);
  });

  test('share the results of pipelines, and of each replica', async () => {
    const search = () => {
      const { cache, model, batches } = shared();
      const pipe = cache.pipeline<string, string>([model], { name: 'p', scope: PUBLIC, upstream: true });
      return { model, pipe, batches };
    };
    const [one, other] = [search(), search()];
    expect(await one.pipe.predict('a')).toBe('A');
    await until(() => one.pipe.stats().upstream!.writes === 1);
    await stored(one.model, 'a');
    expect(await other.pipe.predict('a')).toBe('A');
    expect(other.model.stats().asked).toBe(0);
    const replicas = { params: { temperature: 1 }, replicas: 3 };
    const [drawn, again] = [shared(replicas), shared(replicas)];
    while (drawn.batches.length < 3) await drawn.model.predict('a');
    await until(() => drawn.model.stats().upstream!.writes === 3);
    for (let i = 0; i < 20; ++i) expect(await again.model.predict('a')).toBe('A');
    expect(again.batches).toEqual([]);
  });

  test('count hits of Redis for the arm of an experiment', async () => {
    const one = shared();
    await one.model.predict('a');
    await stored(one.model, 'a');
    const cache = openOver(redis.url);
    const [a, b] = ['1', '2'].map((version) => shared({ version }, cache).model);
    const trial = experiment({ a: a!, b: b!, share: 0 });
    expect(await Promise.all([trial.predict('a'), trial.predict('a'), trial.predict('b')])).toEqual(['A', 'A', 'B']);
    expect(await trial.predict('a')).toBe('A');
    expect(trial.stats().a).toMatchObject({ predictions: 4, hits: 3 });
  });

  test('keep the inputs of results that came from Redis', async () => {
    const [one, other] = [shared(), shared({ keepInputs: 10 })];
    await one.model.predict('a');
    await stored(one.model, 'a');
    await other.model.predict('a');
    expect(other.model.hottest(10)).toEqual(['a']);
  });

  test('give an error again for negativeTtl, until another process has a result', async () => {
    const { model } = shared({ negativeTtl: '1h', run: () => Promise.reject(new Error('no GPU')) });
    await expect(model.predict('a')).rejects.toThrow('no GPU');
    await expect(model.predict('a')).rejects.toThrow('no GPU');
    expect(model.stats()).toMatchObject({ missed: 1, failedAgain: 1, failed: 1 });
  });

  test('empty L0 only with clear', async () => {
    const { model, batches } = shared();
    await model.predict('a');
    await stored(model, 'a');
    model.clear();
    expect(model.peek('a')).toBeUndefined();
    expect(await model.predict('a')).toBe('A');
    expect(batches).toEqual([['a']]);
  });
});

describe('writes', () => {
  test('behind tells Redis of sets soon', async () => {
    const { model } = shared({ upstream: { writes: 'behind' } });
    await model.predict('a');
    await until(() => model.stats().upstream!.writes > 0);
    expect(await redis.other.get(keyOf(model, 'a'))).toBe('A');
    model.set('b', 'set');
    await until(() => model.stats().upstream!.writes > 1);
    expect(await redis.other.get(keyOf(model, 'b'))).toBe('set');
  });

  test('local reads Redis only', async () => {
    const { model } = shared({ upstream: { writes: 'local' } });
    await redis.other.set(keyOf(model, 'a'), 'theirs');
    await redis.told();
    expect(await model.predictMany(['a', 'b'])).toEqual(['theirs', 'B']);
    model.set('c', 'C');
    model.delete('a');
    await redis.told();
    expect(await redis.other.keys('*')).toEqual([keyOf(model, 'a')]);
    expect(model.peek('b')).toBe('B');
  });
});

describe('options', () => {
  test('are checked', async () => {
    const cache = openOver(redis.url);
    const make = (upstream: unknown, over: object = {}) => errorOf(() => shouting(cache, { upstream, ...over }));
    expect(make({ loader: () => [] })).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    expect(make({ wait: -1 }).message).toContain('options.upstream.wait');
    expect(make({ prefix: 7 }).message).toContain('options.upstream.prefix');
    expect(make(7)).toMatchObject({ name: 'TypeError' });
    expect(make(true, { tags: () => ['t'] })).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' });
    expect(make(true, { tags: () => ['t'] }).message).toContain('options.tags');
    const alone = open({ maxBytes: '4MB' });
    onTestFinished(() => alone.close());
    expect(errorOf(() => shouting(alone, { upstream: true })).message).toContain('`open` was given no upstream');
    const { model } = shouting(cache, { upstream: true });
    expect(errorOf(() => model.invalidateByTag('t'))).toMatchObject({ name: 'TypeError' });
  });

  test('of a model that is opened again are the same, and it goes on with the same results', async () => {
    const cache = openOver(redis.url);
    const first = shared({}, cache);
    const second = shared({}, cache);
    expect(await Promise.all([first.model.predict('a'), second.model.predict('a')])).toEqual(['A', 'A']);
    expect([...first.batches, ...second.batches]).toEqual([['a']]);
    expect(errorOf(() => shouting(cache, { upstream: { lease: false } }))).toMatchObject({ code: 'ERR_CACHE_OPTIONS' });
  });

  test('give keys a prefix that no keyspace may share', async () => {
    const cache = openOver(redis.url);
    const { model } = shared({ upstream: { prefix: 'ours:' } }, cache);
    await model.predict('a');
    await until(() => model.stats().upstream!.writes === 1);
    expect(await redis.other.keys('ours:*')).toEqual([`ours:${model.fingerprint('a').hex}`]);
    shouting(cache, { version: '2', upstream: { prefix: 'ours:' } }); // fingerprints of models never meet
    expect(errorOf(() => cache.keyspace('ours', { codec: utf8, upstream: true }))).toMatchObject({
      code: 'ERR_CACHE_OPTIONS',
    });
  });

  test('may name a Redis of the model’s own', async () => {
    const cache = open({ maxBytes: '4MB' });
    onTestFinished(() => cache.close());
    for (const [version, upstream] of Object.entries({ 1: redis.url, 2: { url: redis.url }, 3: redis.other })) {
      const { model } = shouting(cache, { ...TERMS, version, upstream });
      await model.predict('a');
      await until(() => model.stats().upstream!.writes === 1);
    }
    expect(await redis.other.keys('*')).toHaveLength(3);
  });
});

test('a prediction under way when the cache is closed ends', async () => {
  const proxy = await proxyTo(redis.port);
  const { cache, model } = shared({}, openOver({ url: `redis://127.0.0.1:${proxy.port}` }));
  const asked = rejectionOf(model.predict('a'));
  cache.close();
  expect(await asked).toMatchObject({ code: 'ERR_CACHE_CLOSED' });
});
