// Keys without a time to live in Redis are read without asking for it, and those that have one never are.
import { beforeEach, expect, test } from 'vitest';
import { utf8 } from 'zerohop';
import { openOver, useRedis } from '../fixtures/upstream.js';

const redis = useRedis();
beforeEach(async () => {
  await redis.other.flushAll();
});

const MINUTE = 60_000;
const inAMinute = { expiration: { type: 'PX', value: MINUTE } } as const;

/** A keyspace that was told whether keys expire. */
async function known() {
  const texts = openOver(redis.url).keyspace('t', { codec: utf8, upstream: true });
  await texts.ready();
  await texts.load('the first read asks');
  await redis.told();
  await redis.other.configResetStat();
  return texts;
}

async function callsOf(command: string): Promise<number> {
  const stats = await redis.other.info('commandstats');
  return Number(new RegExp(`cmdstat_${command.toLowerCase()}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

test('where no key expires, one MGET is all that Redis is asked', async () => {
  await redis.other.mSet({ 't:a': 'x', 't:b': 'y' });
  const texts = await known();
  expect(await texts.load('a')).toBe('x');
  expect(await texts.loadMany(['a', 'b', 'none'])).toEqual(['x', 'y', undefined]);
  expect(texts.entry('b')!.ttl).toBe(Number.POSITIVE_INFINITY);
  expect([await callsOf('MGET'), await callsOf('PTTL'), await callsOf('EVALSHA')]).toEqual([2, 0, 0]);
});

test('where a key expires, others are asked for what is left of their time too', async () => {
  await redis.other.set('another', 'x', inAMinute);
  await redis.other.set('t:a', 'x');
  const texts = await known();
  expect(await texts.load('a')).toBe('x');
  expect(await callsOf('PTTL')).toBe(1);
});

test('a key that another client stores with a time to live, or gives one, is kept no longer than that', async () => {
  await redis.other.set('t:b', 'y');
  const texts = await known();
  expect(await texts.load('b')).toBe('y');
  await redis.other.set('t:a', 'x', inAMinute);
  await redis.other.pExpire('t:b', MINUTE);
  await redis.told();
  expect(await texts.loadMany(['a', 'b'])).toEqual(['x', 'y']);
  for (const key of ['a', 'b']) expect(texts.entry(key)!.ttl).toBeLessThanOrEqual(MINUTE);
});

test('so is a key of our own', async () => {
  const texts = await known();
  await texts.setAsync('a', 'x', { ttl: MINUTE });
  await texts.setAsync('b', 'y');
  texts.touch('b', { ttl: MINUTE });
  texts.clear();
  expect(await texts.loadMany(['a', 'b'])).toEqual(['x', 'y']);
  for (const key of ['a', 'b']) expect(texts.entry(key)!.ttl).toBeLessThanOrEqual(MINUTE);
});

test('after a flush nothing is taken to last until Redis was asked anew', async () => {
  const texts = await known();
  await redis.other.flushAll();
  await redis.other.set('t:a', 'x', inAMinute);
  await redis.told();
  expect(await texts.load('a')).toBe('x');
  expect(texts.entry('a')!.ttl).toBeLessThanOrEqual(MINUTE);
});
