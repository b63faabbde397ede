// A real Redis Cluster in the middle of traffic: slots that hold keys move and move back, and a primary is killed, whose
// replica takes over. Loads go on without an error, and when it is quiet L0 holds what Redis holds.
import { expect, test } from 'vitest';
import { type Key, type TieredKeyspace, utf8 } from 'zerohop';
import { until } from '../fixtures/opened.js';
import { type ClusterNode, useCluster } from '../fixtures/redis-cluster.js';
import { openOver } from '../fixtures/upstream.js';

const redis = useCluster(1);

const KEYS = Array.from({ length: 100 }, (_, i) => `k${i}`);
const some = () => KEYS[Math.floor(Math.random() * KEYS.length)]!;
type Texts = TieredKeyspace<string, string, string>;

/** Two caches, with a loader and without, that read and write, and a client that bypasses them. */
class Traffic {
  readonly spaces: readonly Texts[];
  /** What loads and `set` have thrown. Writes that are waited for may fail while nobody has their slot. */
  readonly errors: unknown[] = [];
  readonly #all: Promise<unknown>;
  #isOver = false;
  steps = 0;

  constructor() {
    const upstream = { cluster: redis.cluster.urls, heartbeat: 100 };
    const loader = (keys: Key[]) => keys.map((key) => `made of ${String(key)} ${this.steps}`);
    const loads = openOver(upstream).keyspace('t', { codec: utf8, upstream: { loader, aloneTtl: '10m' } });
    const writes = openOver(upstream).keyspace('t', { codec: utf8, upstream: true });
    this.spaces = [loads, writes];
    const { other } = redis.cluster;
    const tell = (error: unknown) => this.errors.push(error);
    const ignore = () => {};
    this.#all = Promise.all([
      this.#again(() => loads.load(some()), tell),
      this.#again(() => loads.loadMany([some(), some(), some(), some()]), tell),
      this.#again(() => writes.loadMany(KEYS), tell),
      this.#again(async () => writes.set(some(), `set ${this.steps}`), tell),
      this.#again(() => writes.setAsync(some(), `written ${this.steps}`), ignore),
      this.#again(() => other.set(`t:${some()}`, `bypassing ${this.steps}`), ignore),
      this.#again(() => other.del(`t:${some()}`), ignore),
    ]);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#all;
    // What was sent to each node before these is there when they are.
    for (const space of this.spaces)
      await Promise.all(Array.from({ length: 30 }, (_, i) => space.setAsync(`last ${i}`, 'x')));
    await redis.cluster.told();
  }

  /** Ends when so much more has happened. */
  async goOn(steps: number): Promise<void> {
    const end = this.steps + steps;
    await until(() => this.steps >= end, 60);
  }

  /** What L0 has and Redis has not, and how many keys L0 has. */
  async compared(): Promise<{ held: number; differences: string[] }> {
    const differences: string[] = [];
    let count = 0;
    for (const key of KEYS) {
      const truth = await redis.cluster.get(`t:${key}`);
      for (const space of this.spaces) {
        const held = space.peek(key);
        if (held === undefined) continue;
        count++;
        if (held !== truth) differences.push(`${key}: L0 has ${held}, Redis ${truth}`);
      }
    }
    return { held: count, differences };
  }

  async #again(work: () => Promise<unknown>, caught: (error: unknown) => void): Promise<void> {
    while (!this.#isOver) {
      await work().catch(caught);
      this.steps++;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }
}

const next = (node: ClusterNode) => redis.cluster.nodes[(redis.cluster.nodes.indexOf(node) + 1) % 3]!;

test('slots that hold keys move and move back', async () => {
  const { cluster } = redis;
  const traffic = new Traffic();
  await traffic.goOn(300);
  const slots = await Promise.all(KEYS.slice(0, 12).map((key) => cluster.slotOf(`t:${key}`)));
  const homes = await Promise.all(slots.map((slot) => cluster.ownerOf(slot)));
  for (const [i, slot] of slots.entries()) await cluster.move(slot, next(homes[i]!), () => traffic.goOn(20));
  for (const [i, slot] of slots.entries()) await cluster.move(slot, homes[i]!);
  await traffic.goOn(300);
  await traffic.stop();
  expect(traffic.errors).toEqual([]);
  const { held, differences } = await traffic.compared();
  expect(differences).toEqual([]);
  expect(held).toBeGreaterThan(50);
}, 60_000);

test('a primary is killed, its replica takes over, and slots move meanwhile', async () => {
  const { cluster } = redis;
  const [primary, second, , replica] = cluster.nodes as [ClusterNode, ClusterNode, ClusterNode, ClusterNode];
  const traffic = new Traffic();
  await traffic.goOn(300);
  const ofSecond: number[] = [];
  for (const key of KEYS) {
    const slot = await cluster.slotOf(`t:${key}`);
    if ((await cluster.ownerOf(slot)) === second) ofSecond.push(slot);
  }
  await cluster.kill(primary);
  await until(() => traffic.spaces.every((space) => space.stats().upstream.state === 'down'));
  await traffic.goOn(100);
  await until(async () => (await cluster.ownerOf(0)) === replica, 30);
  await cluster.untilAgreed();
  for (const slot of ofSecond.slice(0, 3)) await cluster.move(slot, replica, () => traffic.goOn(20));
  await until(() => traffic.spaces.every((space) => space.stats().upstream.state === 'up'), 20);
  await traffic.goOn(500);
  await traffic.stop();
  expect(traffic.errors).toEqual([]);
  const { held, differences } = await traffic.compared();
  expect(differences).toEqual([]);
  expect(held).toBeGreaterThan(50);
  // The one that was killed comes back as a replica, and is of no account.
  const { connects } = traffic.spaces[0]!.stats().upstream;
  await cluster.restart(primary);
  await new Promise((resolve) => setTimeout(resolve, 500)); // some heartbeats
  expect(traffic.spaces[0]!.stats().upstream).toMatchObject({ state: 'up', connects });
}, 120_000);
