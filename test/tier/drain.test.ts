// A cache that is closed with time to drain: loads are finished, and Redis has what was written.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { utf8 } from 'zerohop';
import { rejectionOf } from '../fixtures/models.js';
import { keyOf, useSharedResults } from '../fixtures/shared-results.js';
import { openOver } from '../fixtures/upstream.js';

const { redis, shared } = useSharedResults();

test.each(['through', 'behind'] as const)('writes %s reach Redis', async (writes) => {
  const cache = openOver(redis.url);
  const texts = cache.keyspace('texts', { codec: utf8, ttl: '1h', upstream: { writes } });
  for (let i = 0; i < 500; ++i) texts.set(`${i}`, 'value');
  expect(await cache.close({ drain: '1m' })).toBe(true);
  expect(await redis.other.dbSize()).toBe(500);
});

test('what models were computing reaches Redis too, and nobody else waits for it', async () => {
  const run = async (inputs: string[]) => {
    await sleep(20);
    return inputs.map((input) => input.toUpperCase());
  };
  const [one, other] = [shared({ run }), shared({ run })];
  const asked = [one.model.predict('a'), one.model.predict('b')];
  const joined = other.model.predict('a');
  await sleep(5);
  expect(await one.cache.close({ drain: '1m' })).toBe(true);
  expect(await Promise.all([...asked, joined])).toEqual(['A', 'B', 'A']);
  expect(await redis.other.get(keyOf(other.model, 'b'))).toBe('B');
  expect(one.model.stats().computed + other.model.stats().computed).toBe(2);
});

test('a run that is given up gives its right to others', async () => {
  const [one, other] = [shared({ run: () => new Promise(() => {}) }), shared()];
  const asked = rejectionOf(one.model.predict('a'));
  await sleep(20);
  expect(await one.cache.close({ drain: 10 })).toBe(false);
  expect((await asked).code).toBe('ERR_MODEL_DRAINED');
  expect(await redis.other.keys('*')).toEqual([]);
  expect(await other.model.predict('a')).toBe('A');
});

test('loads are finished; one that takes too long is given up', async () => {
  const opened = (key: string, ends: boolean) => {
    const cache = openOver(redis.url);
    let finish = () => {};
    const ended = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const texts = cache.keyspace('texts', {
      codec: utf8,
      ttl: '1h',
      upstream: {
        loader: async (keys) => {
          if (ends) await ended;
          else await new Promise(() => {});
          return keys.map((one) => `${one}!`);
        },
      },
    });
    return { cache, finish, asked: texts.load(key).catch(({ code }) => code) };
  };
  const hangs = opened('a', false);
  await sleep(10);
  expect([await hangs.cache.close({ drain: 5 }), await hangs.asked]).toEqual([false, 'ERR_CACHE_CLOSED']);
  const ends = opened('b', true);
  await sleep(10);
  const closing = ends.cache.close({ drain: '1m' });
  ends.finish();
  expect([await closing, await ends.asked]).toEqual([true, 'b!']);
});
