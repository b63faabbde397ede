// Races over a Redis Cluster: slots that hold keys move meanwhile, single nodes are flushed, and the connections to each
// node have faults of their own. Still L0 is never other than Redis.
import { createCluster } from 'redis';
import { test } from 'vitest';
import { rounds } from '../fixtures/child.js';
import { useCluster } from '../fixtures/redis-cluster.js';
import { proxyTo } from '../fixtures/upstream.js';
import { race, seeds, type World } from './race.js';

const redis = useCluster();

/** There are three times as many connections as to a single server, so each of them has more time. */
const IMPATIENT = { timeout: 400, connectTimeout: 1500, heartbeat: 100 };

/** Slots that move, one at a time. */
let moving: Promise<unknown> | undefined;

/** Keys that no step works on: their slots stay where they are. One of each third of the slots. */
const EVERYWHERE = ['last 0', 'last 3', 'last 1'];

const world: World = {
  get other() {
    return redis.cluster.other;
  },
  flush: () => redis.cluster.flush(),
  async service() {
    const { nodes } = redis.cluster;
    const proxies = await Promise.all(nodes.map(({ server }) => proxyTo(server.port)));
    const ports = new Map(nodes.map(({ server }, i) => [`127.0.0.1:${server.port}`, proxies[i]!.port]));
    const client = createCluster({
      rootNodes: proxies.map(({ port }) => ({ socket: { host: '127.0.0.1', port } })),
      nodeAddressMap: (address) => ({ host: '127.0.0.1', port: ports.get(address)! }),
    });
    return { proxies, upstream: { client, ...IMPATIENT } };
  },
  rare: (random) =>
    random.chance(0.1) ? random.pick(redis.cluster.nodes).client.flushAll() : Promise.resolve(undefined),
  disturb(random, at) {
    if (moving !== undefined) return;
    const to = random.pick(redis.cluster.nodes);
    const ms = random.below(40);
    const { cluster } = redis;
    moving = cluster
      .slotOf(at)
      .then((slot) => cluster.move(slot, to, () => new Promise((resolve) => setTimeout(resolve, ms))))
      .finally(() => {
        moving = undefined;
      });
  },
  calm: async () => moving,
  everywhere: EVERYWHERE,
  truth: (keys) => Promise.all(keys.map((key) => redis.cluster.get(key))),
};

test.each(seeds)(
  'after quiet, L0 is never other than Redis: seed %i',
  (seed) => race(world, seed, rounds(1_000, 10_000)),
  900_000,
);
