// What lies behind a model: Redis, in which processes share results.
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type Cache, experiment, float32, json, type Model, number, open, PUBLIC, utf8 } from 'zerohop';
import { rejectionOf, shouting, TERMS } from '../fixtures/models.js';
import { errorOf, until } from '../fixtures/opened.js';
import { openOver, proxyTo, useRedis } from '../fixtures/upstream.js';

const redis = useRedis();
beforeEach(async () => {
  await redis.other.flushAll();
});

/** A model in a cache of its own, as in another process. */
const shared = (over: object = {}, cache = openOver(redis.url)) => ({
  cache,
  ...shouting(cache, { upstream: true, ...over }),
});

const PREFIX = 'zerohop:model:m:utf8:';
const keyOf = (model: Model<string, string, string>, input: string) => PREFIX + model.fingerprint(input).hex;

/** Ends when Redis has the results for these inputs, and L0 has them too. */
async function stored(model: Model<string, string, string>, ...inputs: string[]): Promise<void> {
  const { upstream } = model.stats();
  await until(() => inputs.every((input) => model.peek(input) !== undefined) && model.stats().upstream!.writes > 0);
  expect(upstream?.lostWrites).toBe(0);
  await redis.told();
  await until(() => inputs.every((input) => model.peek(input) !== undefined));
}

describe('a result', () => {
  test('that another process computed is not computed again', async () => {
    const [one, other] = [shared(), shared()];
    expect(await one.model.predict('a')).toBe('A');
    await stored(one.model, 'a');
    expect(await other.model.predict('a')).toBe('A');
    expect(other.batches).toEqual([]);
    expect(other.model.peek('a')).toBe('A'); // L0 has it now
    const { commands } = other.model.stats().upstream!;
    expect(await other.model.predict('a')).toBe('A');
    expect(other.model.stats()).toMatchObject({ asked: 2, hits: 1, upstreamHits: 1, missed: 0, computed: 0, runs: 0 });
    expect(other.model.stats().upstream).toMatchObject({ hits: 1, misses: 0, loaded: 0, commands });
  });

  test('lies in Redis under the prefix and the fingerprint in hex, as the codec has it', async () => {
    const { model } = shared();
    await model.predict('café');
    await stored(model, 'café');
    expect(await redis.other.keys('*')).toEqual([`${PREFIX}${model.fingerprint('café').hex}`]);
    expect(await redis.other.get(keyOf(model, 'café'))).toBe('CAFÉ');
  });

  test.each([
    ['float32', float32(2), [new Float32Array([1, -0.5])], Buffer.from(new Float32Array([1, -0.5]).buffer)],
    ['json', json, [{ labels: ['ü', 1.5, null] }], Buffer.from('{"labels":["ü",1.5,null]}')],
    ['number', number, [-0.25], Buffer.from('-0.25')],
  ])('of the codec %s comes as it was', async (_, codec, results, bytes) => {
    const [one, other] = [
      shared({ codec, run: () => results }),
      shared({ codec, run: () => Promise.reject(new Error()) }),
    ];
    expect(await one.model.predict('a')).toEqual(results[0]);
    await until(() => one.model.stats().upstream!.writes === 1);
    const [key] = await redis.other.keys('*');
    const raw = await redis.other.sendCommand(['GET', key!], { typeMapping: { 36: Buffer } });
    expect(raw).toEqual(bytes);
    expect(await other.model.predict('a')).toEqual(results[0]);
    expect(await other.model.predict('a')).toEqual(results[0]);
  });

  test('of another version, other parameters, another domain or another tenant is never given', async () => {
    const first = shared();
    await first.model.predict('a');
    await stored(first.model, 'a');
    const cache = openOver(redis.url);
    for (const other of [
      { version: '2' },
      { params: { top: 3 } },
      { domain: 'search' },
      { scope: 'acme' },
      { scope: 'b' },
    ]) {
      const { model, batches } = shouting(cache, { upstream: true, ...other });
      expect(await model.predict('a')).toBe('A');
      expect(batches).toEqual([['a']]);
    }
    await until(() => true);
    await redis.told();
    const keys = await redis.other.keys('*');
    expect(keys).toHaveLength(6);
    expect(keys.filter((key) => key.startsWith(PREFIX))).toHaveLength(4); // a tenant's name is part of the prefix
    expect(keys.filter((key) => key.startsWith('zerohop:model:["m","acme"]:utf8:'))).toHaveLength(1);
  });

  test('lives in Redis as long as here, and is here no longer than there', async () => {
    const [one, other] = [shared({ ttl: '10s' }), shared({ ttl: '10s' })];
    await one.model.predict('a');
    await stored(one.model, 'a');
    const left = await redis.other.pTTL(keyOf(one.model, 'a'));
    expect(left).toBeGreaterThan(5000);
    expect(left).toBeLessThanOrEqual(10_000);
    await redis.other.pExpire(keyOf(one.model, 'a'), 4000);
    await redis.told();
    await other.model.predict('a');
    expect(other.model.entry('a')!.ttl).toBeLessThanOrEqual(4000);
  });

  test('that cannot be decoded is computed, and replaced', async () => {
    const texts = shared();
    const { model, batches } = shared({ codec: float32(2), run: undefined, ...vectors() });
    const at = `zerohop:model:m:float32(2):${texts.model.fingerprint('a').hex}`;
    await redis.other.set(at, 'seven b');
    await redis.told();
    expect(await model.predict('a')).toEqual(new Float32Array([1, 1]));
    await until(() => model.stats().upstream!.writes === 1);
    expect(await redis.other.strLen(at)).toBe(8);
    expect(model.stats()).toMatchObject({ upstreamHits: 0, missed: 1, failed: 0 });
    expect(batches).toEqual([]);
    await redis.other.del(at);
    await redis.other.hSet(at, 'f', 'v'); // no string at all
    await redis.told();
    expect(await model.predict('a')).toEqual(new Float32Array([1, 1]));
  });

  test('that cannot be decoded, and that Redis does not let us delete, is computed at once', async () => {
    const texts = shared();
    await redis.other.sendCommand(['ACL', 'SETUSER', 'careful', 'on', '>pw', '~*', '&*', '+@all', '-del']);
    const cache = openOver(`redis://careful:pw@127.0.0.1:${redis.port}`);
    const { model } = shared({ codec: float32(2), ...vectors(), upstream: { wait: '10m' } }, cache);
    const at = `zerohop:model:m:float32(2):${texts.model.fingerprint('a').hex}`;
    await redis.other.set(at, 'seven b');
    await redis.told();
    expect(await model.predict('a')).toEqual(new Float32Array([1, 1]));
    expect(model.stats().upstream).toMatchObject({ misses: 2, loaded: 1 });
    expect(await redis.other.get(at)).toBe('seven b');
  });

  test('whose codec throws, or gives nothing, is computed', async () => {
    const codec = {
      name: 'own',
      encode: (text: string) => Buffer.from(`v1 ${text}`),
      decode(bytes: Uint8Array) {
        const text = Buffer.from(bytes).toString();
        if (text === 'nothing') return undefined as never;
        if (!text.startsWith('v1 ')) throw new Error('unknown');
        return text.slice(3);
      },
    };
    const { model, batches } = shared({ codec });
    for (const wrong of ['nothing', 'v0 A']) {
      await redis.other.set(`zerohop:model:m:custom:own:${model.fingerprint(wrong).hex}`, wrong);
      await redis.told();
      expect(await model.predict(wrong)).toBe(wrong.toUpperCase());
    }
    expect(batches).toEqual([['nothing'], ['v0 A']]);
  });

  test('is forgotten when another process deletes or replaces it, and computed anew', async () => {
    const [one, other] = [shared(), shared()];
    await one.model.predict('a');
    await stored(one.model, 'a');
    await other.model.predict('a');
    expect(one.model.delete('a')).toBe(true);
    await until(() => other.model.peek('a') === undefined);
    expect(await redis.other.exists(keyOf(one.model, 'a'))).toBe(0);
    expect(await other.model.predict('a')).toBe('A');
    expect(other.batches).toEqual([['a']]);
    await stored(other.model, 'a');
    one.model.set('a', 'another');
    await until(() => other.model.peek('a') === undefined);
    expect(await other.model.predict('a')).toBe('another');
  });

  test('that was deleted elsewhere while it was computed is given, and not stored', async () => {
    let finish = () => {};
    const run = async (inputs: string[]) => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      return inputs.map((input) => input.toUpperCase());
    };
    const { model } = shared({ run, upstream: { lease: false, writes: 'local' } });
    await redis.other.set(keyOf(model, 'b'), 'B');
    await redis.told();
    await model.predict('b'); // it is connected
    const asked = model.predict('a');
    await until(() => model.stats().runs === 1);
    await redis.other.set(keyOf(model, 'a'), 'x');
    await redis.other.del(keyOf(model, 'a'));
    await redis.told();
    finish();
    expect(await asked).toBe('A');
    expect(model.peek('a')).toBeUndefined();
    expect(model.stats().upstream!.fenced).toBeGreaterThan(0);
  });

  test('is computed again after it expired', async () => {
    const { model, batches } = shared({ ttl: 30 });
    await model.predict('a');
    await sleep(60);
    await model.predict('a');
    expect(batches).toEqual([['a'], ['a']]);
  });
});

/** A run of vectors whose elements are the input's length. */
function vectors() {
  return { run: (inputs: string[]) => inputs.map((input) => new Float32Array([input.length, input.length])) };
}

describe('a batch', () => {
  test('runs once, with exactly the inputs that nobody has', async () => {
    const [one, other] = [shared(), shared()];
    await one.model.predictMany(['in redis 1', 'in redis 2', 'in both']);
    await stored(one.model, 'in redis 1', 'in redis 2', 'in both');
    await other.model.predict('in both');
    await other.model.predict('here');
    await stored(other.model, 'here');
    other.batches.length = 0;
    const { commands } = other.model.stats().upstream!;
    const inputs = ['new 1', 'in redis 1', 'here', 'new 2', 'in both', 'in redis 2', 'new 1'];
    expect(await other.model.predictMany(inputs)).toEqual(inputs.map((input) => input.toUpperCase()));
    expect(other.batches).toEqual([['new 1', 'new 2']]);
    expect(other.model.stats()).toMatchObject({ hits: 2, upstreamHits: 3, joined: 1, missed: 3, computed: 3 });
    await stored(other.model, 'new 1', 'new 2');
    // One command that reads, one that takes the leases, one for each result; and on Redis 7.0 those results anew.
    expect(other.model.stats().upstream!.commands - commands).toBeLessThanOrEqual(6);
  });

  test('of hits in Redis is one command, and no run', async () => {
    const inputs = Array.from({ length: 600 }, (_, i) => `input ${i}`);
    const [one, other] = [shared({}, openOver(redis.url)), shared({}, openOver(redis.url))];
    await one.model.predictMany(inputs);
    await until(() => one.model.stats().upstream!.writes === 600);
    await other.model.predict('to be connected');
    const { commands } = other.model.stats().upstream!;
    expect(await other.model.predictMany(inputs)).toEqual(inputs.map((input) => input.toUpperCase()));
    expect(other.batches).toEqual([['to be connected']]);
    expect(other.model.stats().upstream!.commands - commands).toBeLessThanOrEqual(6); // MULTI, MGET, EVAL, EXEC; the first
  });

  test('of predictions in one turn is one command, and one run', async () => {
    const { model, batches } = shared();
    await model.predict('to be connected');
    await stored(model, 'to be connected');
    expect(await Promise.all(['a', 'b', 'a'].map((input) => model.predict(input)))).toEqual(['A', 'B', 'A']);
    expect(batches).toEqual([['to be connected'], ['a', 'b']]);
    expect(model.stats()).toMatchObject({ joined: 1, missed: 3, asked: 4 });
  });

  test('of more than maxBatch is run in parts', async () => {
    const { model, batches } = shared({ maxBatch: 2 });
    await model.predictMany(['a', 'b', 'c', 'd', 'e']);
    expect(batches).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
  });
});

describe('the option cache', () => {
  test('only-if-cached looks into Redis, and does not run', async () => {
    const [one, other] = [shared(), shared()];
    await one.model.predict('a');
    await stored(one.model, 'a');
    const only = { cache: 'only-if-cached' } as const;
    expect(await other.model.predict('a', only)).toBe('A');
    expect(other.model.peek('a')).toBe('A');
    await one.model.predict('c');
    await stored(one.model, 'c');
    expect(await other.model.predictMany(['a', 'c'], only)).toEqual(['A', 'C']);
    expect(await rejectionOf(other.model.predict('b', only))).toMatchObject({ code: 'ERR_MODEL_NOT_CACHED' });
    expect(await rejectionOf(other.model.predictMany(['a', 'b'], only))).toMatchObject({
      code: 'ERR_MODEL_NOT_CACHED',
    });
    expect(other.batches).toEqual([]);
    expect(other.model.stats()).toMatchObject({ asked: 6, hits: 2, upstreamHits: 2, missed: 2 });
    expect(await redis.other.keys('zerohop:lease:*')).toEqual([]);
  });

  test('no-store neither reads Redis nor writes to it, and reload replaces what it has', async () => {
    const { model, batches } = shared();
    await redis.other.set(keyOf(model, 'a'), 'old');
    await redis.told();
    expect(await model.predict('a', { cache: 'no-store' })).toBe('A');
    expect(await redis.other.get(keyOf(model, 'a'))).toBe('old');
    expect(await model.predict('a', { cache: 'reload' })).toBe('A');
    await until(() => model.stats().upstream!.writes === 1);
    expect(await redis.other.get(keyOf(model, 'a'))).toBe('A');
    expect(batches).toEqual([['a'], ['a']]);
    expect(model.stats()).toMatchObject({ asked: 2, missed: 2 });
  });
});

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
