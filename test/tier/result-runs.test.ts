// Of the processes that share the results of a model, one runs what all miss, or what is stale.
import { describe, expect, test } from 'vitest';
import { rejectionOf } from '../fixtures/models.js';
import { until } from '../fixtures/opened.js';
import { keyOf, useSharedResults } from '../fixtures/shared-results.js';
import { openOver, proxyTo } from '../fixtures/upstream.js';

const { redis, shared, stored } = useSharedResults();

describe('a stale result', () => {
  test('of Redis is served, and computed anew for all', async () => {
    const terms = { ttl: '1s', staleWhileRevalidate: '1h' };
    const { model, batches } = shared(terms);
    await redis.other.set(keyOf(model, 'a'), 'old', { expiration: { type: 'PX', value: 1_800_000 } });
    await redis.told();
    expect(await model.predict('a')).toBe('old');
    expect(model.stats()).toMatchObject({ upstreamHits: 1, staleHits: 1, hits: 0 });
    await until(() => model.stats().upstream!.writes === 1);
    expect(batches).toEqual([['a']]);
    expect(await redis.other.get(keyOf(model, 'a'))).toBe('A');
    expect(await redis.other.pTTL(keyOf(model, 'a'))).toBeGreaterThan(3_000_000);
    expect(await model.predict('a')).toBe('A');
  });

  test('of Redis is given if computing it fails, and replaced if it does not', async () => {
    let fails = true;
    const run = (inputs: string[]) =>
      fails ? Promise.reject(new Error('no GPU')) : inputs.map((input) => input.toUpperCase());
    const { model } = shared({ ttl: '1s', staleIfError: '1h', run });
    await redis.other.set(keyOf(model, 'a'), 'old', { expiration: { type: 'PX', value: 1_800_000 } });
    await redis.told();
    expect(await Promise.all([model.predict('a'), model.predict('a')])).toEqual(['old', 'old']);
    expect(model.stats()).toMatchObject({ staleOnError: 2, failed: 1, upstreamHits: 0, missed: 1, joined: 1 });
    fails = false;
    expect(await model.predict('a')).toBe('A');
    await until(() => model.stats().upstream!.writes === 1);
    expect(await redis.other.get(keyOf(model, 'a'))).toBe('A');
  });
});

test('a stale result is computed anew by one process, and the others are told', async () => {
  const terms = { ttl: '1s', staleWhileRevalidate: '1h', run: undefined };
  let finish = () => {};
  const runs: string[] = [];
  const of = (name: string) => ({
    ...terms,
    run: async (inputs: string[]) => {
      runs.push(name);
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      return inputs.map(() => `by ${name}`);
    },
  });
  const [one, other] = [shared(of('one')), shared(of('other'))];
  await redis.other.set(keyOf(one.model, 'a'), 'old', { expiration: { type: 'PX', value: 1_800_000 } });
  await redis.told();
  expect(await one.model.predict('a')).toBe('old');
  await until(() => runs.length === 1);
  for (let i = 0; i < 100; ++i) expect(await other.model.predict('a')).toBe('old');
  await redis.told();
  const { commands } = other.model.stats().upstream!;
  for (let i = 0; i < 100; ++i) expect(await other.model.predict('a')).toBe('old'); // nor does it ask Redis each time
  expect(other.model.stats().upstream!.commands).toBe(commands);
  expect(runs).toEqual(['one']);
  finish();
  await until(() => other.model.peek('a') !== 'old');
  expect(await other.model.predict('a')).toBe('by one');
  expect(await redis.other.keys('zerohop:lease:*')).toEqual([]);
  expect(await redis.other.pTTL(keyOf(one.model, 'a'))).toBeGreaterThan(3_000_000);
});

test('a result that is too old is stored by who has the right to it only, and others run for themselves', async () => {
  const finish = new Map<string, () => void>();
  const of = (name: string) => ({
    ttl: '1s',
    staleIfError: '1h',
    run: async (inputs: string[]) => {
      await new Promise<void>((resolve) => {
        finish.set(name, resolve);
      });
      return inputs.map(() => `by ${name}`);
    },
  });
  const [one, other] = [shared(of('one')), shared(of('other'))];
  await redis.other.set(keyOf(one.model, 'a'), 'old', { expiration: { type: 'PX', value: 1_800_000 } });
  await redis.told();
  const first = one.model.predict('a');
  await until(() => finish.has('one'));
  const second = other.model.predict('a');
  await until(() => finish.has('other'));
  await redis.other.set(keyOf(one.model, 'a'), 'set elsewhere');
  await until(() => other.model.stats().upstream!.invalidations > 0);
  finish.get('other')!();
  expect(await second).toBe('by other');
  expect(other.model.stats().upstream).toMatchObject({ writes: 0, lostWrites: 0 });
  finish.get('one')!();
  expect(await first).toBe('by one');
  await redis.told();
  expect(await redis.other.get(keyOf(one.model, 'a'))).toBe('set elsewhere');
  expect(await other.model.predict('a')).toBe('set elsewhere');
});

test('a stale result that was deleted elsewhere while it was computed anew is not stored again', async () => {
  let finish = () => {};
  const run = async (inputs: string[]) => {
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    return inputs;
  };
  const { model } = shared({ ttl: '1s', staleWhileRevalidate: '1h', run });
  await redis.other.set(keyOf(model, 'a'), 'old', { expiration: { type: 'PX', value: 1_800_000 } });
  await redis.told();
  expect(await model.predict('a')).toBe('old');
  await until(() => model.stats().runs === 1);
  await redis.other.del(keyOf(model, 'a'));
  await until(() => model.peek('a') === undefined);
  finish();
  await until(() => model.stats().upstream!.fenced === 1);
  await redis.told();
  expect(await redis.other.keys('*')).toEqual([]);
  expect(model.peek('a')).toBeUndefined();
});

describe('a run', () => {
  test('of two processes that miss the same input at a time is one', async () => {
    const all = Array.from({ length: 4 }, () => shared());
    const results = await Promise.all(all.map(({ model }) => model.predictMany(['a', 'b', 'c'])));
    expect(results).toEqual(all.map(() => ['A', 'B', 'C']));
    expect(
      all
        .flatMap(({ batches }) => batches)
        .flat()
        .sort(),
    ).toEqual(['a', 'b', 'c']);
    await redis.told();
    expect(await redis.other.keys('zerohop:lease:*')).toEqual([]);
  });

  test('that fails, or whose callers give up, leaves no lease behind', async () => {
    const upstream = { lease: '10m' };
    const failing = shared({ upstream, run: () => Promise.reject(new Error('no GPU')) });
    await expect(failing.model.predict('a')).rejects.toThrow('no GPU');
    const refused = shared({ upstream, run: (inputs: string[]) => inputs.map(() => 7) });
    expect(await rejectionOf(refused.model.predict('b'))).toMatchObject({ code: 'ERR_MODEL_RESULT' });
    let aborted = 0;
    const hanging = shared({
      upstream,
      run: (_: string[], { signal }: { signal: AbortSignal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            aborted++;
            reject(signal.reason);
          });
        }),
    });
    const controller = new AbortController();
    const asked = hanging.model.predict('c', { signal: controller.signal });
    await until(() => hanging.model.stats().runs === 1);
    expect(await redis.other.keys('zerohop:lease:*')).toHaveLength(1);
    controller.abort(new Error('enough'));
    await expect(asked).rejects.toThrow('enough');
    expect(aborted).toBe(1);
    const { model } = shared();
    expect(await model.predictMany(['a', 'b', 'c'])).toEqual(['A', 'B', 'C']); // at once
    await redis.told();
    expect(await redis.other.keys('zerohop:lease:*')).toEqual([]);
  });

  test('nobody waits for any more when Redis answers does not begin', async () => {
    const proxy = await proxyTo(redis.port);
    const { model, batches } = shared({}, openOver({ url: `redis://127.0.0.1:${proxy.port}`, timeout: '30s' }));
    await model.predict('to be connected');
    await stored(model, 'to be connected');
    const controller = new AbortController();
    const asked = model.predict('a', { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(asked).rejects.toThrow('enough');
    expect(await model.predict('b')).toBe('B');
    expect(await model.predict('a')).toBe('A');
    await redis.told();
    expect(batches).toEqual([['to be connected'], ['b'], ['a']]);
    expect(await redis.other.keys('zerohop:lease:*')).toEqual([]);
  });

  test('of a process that lost its lease is given to its callers, and stored nowhere', async () => {
    let finish = () => {};
    const run = async (inputs: string[]) => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      return inputs;
    };
    const { model } = shared({ run, upstream: { lease: '10m' } });
    const asked = model.predict('a');
    await until(() => model.stats().runs === 1);
    const [lease] = await redis.other.keys('zerohop:lease:*');
    await redis.other.set(lease!, 'of another one');
    finish();
    expect(await asked).toBe('a');
    await until(() => model.stats().upstream!.fenced === 1);
    expect(model.peek('a')).toBeUndefined();
    expect(await redis.other.exists(keyOf(model, 'a'))).toBe(0);
    expect(await redis.other.get(lease!)).toBe('of another one');
  });

  test('is not waited for longer than the option wait says', async () => {
    const { model } = shared({ upstream: { wait: 300 } });
    await model.predict('to be connected');
    await redis.other.set(`zerohop:lease:{${keyOf(model, 'a')}}`, 'somebody', {
      expiration: { type: 'EX', value: 3600 },
    });
    expect(await model.predict('a')).toBe('A');
    expect(model.stats().upstream!.waited).toBeGreaterThan(0);
  });

  test('is each process’s own without leases, and the first result stays', async () => {
    const [one, other] = [shared({ upstream: { lease: false } }), shared({ upstream: { lease: false } })];
    await Promise.all([one.model.predict('0'), other.model.predict('1')]);
    await Promise.all([one.model.predict('a'), other.model.predict('a')]);
    expect([one.batches, other.batches]).toEqual([
      [['0'], ['a']],
      [['1'], ['a']],
    ]);
  });
});
