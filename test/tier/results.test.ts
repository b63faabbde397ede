// What lies behind a model: Redis, in which processes share results.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { float32, json, number } from 'zerohop';
import { rejectionOf, shouting } from '../fixtures/models.js';
import { until } from '../fixtures/opened.js';
import { keyOf, PREFIX, useSharedResults } from '../fixtures/shared-results.js';
import { openOver } from '../fixtures/upstream.js';

const { redis, shared, stored } = useSharedResults();

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
