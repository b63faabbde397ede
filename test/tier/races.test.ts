// Races over a single Redis: whatever happens to connections, and whoever writes when, L0 is never other than Redis.
import { test } from 'vitest';
import { rounds } from '../fixtures/child.js';
import { proxyTo, useRedis } from '../fixtures/upstream.js';
import { IMPATIENT, race, seeds, type World } from './race.js';

const redis = useRedis();

const world: World = {
  get other() {
    return redis.other;
  },
  flush: () => redis.other.flushAll(),
  async service() {
    const proxy = await proxyTo(redis.port);
    return { proxies: [proxy], upstream: { url: `redis://127.0.0.1:${proxy.port}`, ...IMPATIENT } };
  },
  rare: (random, at, to) =>
    random.chance(0.1) ? redis.other.flushAll() : redis.other.rename(at, to).catch(() => undefined),
  everywhere: ['last'],
  truth: (keys) => redis.other.mGet([...keys]),
};

test.each(seeds)(
  'after quiet, L0 is never other than Redis: seed %i',
  (seed) => race(world, seed, rounds(5_000, 10_000)),
  900_000,
);
