// Whatever happens to connections, and whoever writes when: once it is quiet, what L0 holds is what Redis holds.
//
// Three caches and one more client work on the same keys of a real Redis, each cache through a proxy of its own. Random
// steps read, write, delete, let expire, flush, delay, join chunks, cut, and stop connections without a word. Now and
// then all of it stops, and every value in every L0 is compared.
import { expect, test } from 'vitest';
import { type Key, utf8 } from 'zerohop';
import { rounds, whole } from '../fixtures/child.js';
import { turn, until } from '../fixtures/opened.js';
import { type Random, randomOf } from '../fixtures/random.js';
import { openOver, proxyTo, useRedis } from '../fixtures/upstream.js';
import type { FaultyProxy } from './proxy.js';

const redis = useRedis();

/** A million steps are a hundred of them, which take half an hour. */
const SEEDS = Number(process.env['ZEROHOP_RACE_SEEDS'] ?? (whole ? 4 : 2));
const SERVICES = 3;
const KEYS = Array.from({ length: 24 }, (_, i) => `k${i}`);
const STEPS_BETWEEN_QUIETS = 500;
const SHORT_TTL_MS = 25;

/** Timeouts so short that they pass within a test. */
const IMPATIENT = { timeout: 150, connectTimeout: 300, heartbeat: 40 };

/** One process, as it were. */
class Service {
  readonly spaces;
  constructor(readonly proxy: FaultyProxy) {
    const cache = openOver({ url: `redis://127.0.0.1:${proxy.port}`, ...IMPATIENT }, { maxBytes: '4MB' });
    const loader = (keys: Key[]) => turn().then(() => keys.map((key) => `made of ${String(key)} ${values++}`));
    this.spaces = {
      through: cache.keyspace('through', { codec: utf8, upstream: { aloneTtl: 50 } }),
      behind: cache.keyspace('behind', { codec: utf8, upstream: { writes: 'behind', aloneTtl: 50 } }),
      loaded: cache.keyspace('loaded', { codec: utf8, upstream: { loader, aloneTtl: 50 } }),
      // What others set for a short time is stale from the first.
      stale: cache.keyspace('stale', { codec: utf8, ttl: '1h', upstream: { loader, stale: '1m', aloneTtl: 50 } }),
      local: cache.keyspace('local', { codec: utf8, upstream: { loader, writes: 'local', aloneTtl: 50 } }),
    };
  }

  get space() {
    return Object.values(this.spaces);
  }

  get isUp(): boolean {
    return this.spaces.through.stats().upstream.state === 'up';
  }
}

let values = 0;

const SPACES = ['through', 'behind', 'loaded', 'stale', 'local'] as const;

/** Of `work`: those that set or delete a value over a keyspace. */
const STEPS_THAT_WRITE = new Set([8, 9, 10, 11, 12, 20]);

/** Steps that read and write. They give what must be over before it is quiet. */
function work(random: Random, services: readonly Service[]): Promise<unknown> | undefined {
  const service = random.pick(services);
  const name = random.pick(SPACES);
  const space = service.spaces[name];
  const key = random.pick(KEYS);
  const at = `${name}:${key}`;
  const value = `value ${values++}`;
  const { other } = redis;
  const step = random.below(22);
  // What is written here only is other than what Redis has.
  switch (name === 'local' && STEPS_THAT_WRITE.has(step) ? 0 : step) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
      return space.load(key);
    case 6:
    case 7:
      return space.loadMany(Array.from({ length: 6 }, () => random.pick(KEYS)));
    case 8:
    case 9:
    case 10:
      space.set(key, value);
      return undefined;
    case 11:
      return space.setAsync(key, value).catch(() => {});
    case 12:
      space.delete(key);
      return undefined;
    case 13:
      space.touch(key, { ttl: random.chance(0.5) ? SHORT_TTL_MS : '1h' });
      return undefined;
    case 14:
    case 15:
    case 16:
      return other.set(at, value);
    case 17:
      return other.set(at, value, { expiration: { type: 'PX', value: SHORT_TTL_MS } });
    case 18:
      return other.del(at);
    case 19:
      return random.chance(0.5) ? other.pExpire(at, SHORT_TTL_MS) : other.persist(at);
    case 20:
      // Twice at once: ours may be the last, or theirs.
      space.set(key, value);
      return other.set(at, `${value} of another`);
    default:
      return random.chance(0.1) ? other.flushAll() : other.rename(at, `${name}:${random.pick(KEYS)}`).catch(() => {});
  }
}

/** What networks do. */
function disturb(random: Random, { proxy }: Service): void {
  switch (random.below(12)) {
    case 0:
      proxy.cut();
      break;
    case 1:
      proxy.stop('toClient');
      break;
    case 2:
      proxy.stop('toClient', 'toServer');
      break;
    case 3:
      proxy.stop('toServer');
      break;
    case 4:
      proxy.refuse();
      proxy.cut();
      break;
    case 5:
    case 6:
    case 7: {
      const most = random.pick([1, 3, 20]);
      proxy.delay(random.pick(['toClient', 'toServer']), () => random.below(most));
      break;
    }
    default:
      proxy.heal();
  }
}

/** Nothing is wrong, nothing is under way, and every push has come to everybody. */
async function quiet(services: readonly Service[], pending: Promise<unknown>[]): Promise<void> {
  for (const { proxy } of services) proxy.heal();
  await Promise.all(pending.splice(0));
  // Shorter lives are over, in Redis and in L0.
  await new Promise((resolve) => setTimeout(resolve, 2 * SHORT_TTL_MS + 60));
  for (;;) {
    await until(() => services.every(({ isUp }) => isUp), 20);
    const before = outagesOf(services);
    const isDone = (await isWritten(services)) && (await isTold(services));
    if (isDone && before === outagesOf(services)) return;
  }
}

const outagesOf = (services: readonly Service[]) =>
  services.reduce((sum, { spaces }) => sum + spaces.through.stats().upstream.outages, 0);

/** Whether what each of them sent before is in Redis. */
async function isWritten(services: readonly Service[]): Promise<boolean> {
  for (const { space } of services) for (const one of space) await one.flushed();
  const last = services.map(({ spaces }) => spaces.through.setAsync('first', 'x').then(...yesOrNo));
  if ((await Promise.all(last)).includes(false)) return false;
  return services.every(({ spaces }) => spaces.behind.stats().upstream.queued === 0);
}

/** Redis sends pushes in order: whoever heard of the last change has heard of all before it. */
async function isTold(services: readonly Service[]): Promise<boolean> {
  const holds = ({ spaces }: Service) => spaces.through.peek('last') === 'before';
  await redis.other.set('through:last', 'before');
  // A push about it may be on its way still, and keep it out of L0.
  for (let i = 0; i < 1000 && !services.every(holds); ++i) {
    await Promise.all(services.map(({ spaces }) => spaces.through.load('last')));
    await turn();
  }
  if (!services.every(holds)) return false;
  await redis.other.set('through:last', 'after');
  await until(() => !services.some(holds), 20);
  return true;
}

const yesOrNo = [() => true, () => false] as const;

async function differences(services: readonly Service[]): Promise<string[]> {
  const found: string[] = [];
  for (const name of SPACES) {
    const truth = await redis.other.mGet(KEYS.map((key) => `${name}:${key}`));
    for (const [number, { spaces }] of services.entries())
      for (const [i, key] of KEYS.entries()) {
        const held = spaces[name].peek(key);
        // Redis is not told of what was made of these.
        if (name === 'local' && truth[i] === null && held?.startsWith('made')) continue;
        if (held !== undefined && held !== truth[i])
          found.push(`service ${number}, ${name}:${key}: L0 has ${held}, Redis ${truth[i]}`);
      }
  }
  return found;
}

test.each(Array.from({ length: SEEDS }, (_, i) => 1 + i))(
  'after quiet, L0 is never other than Redis: seed %i',
  async (seed) => {
    const random = randomOf(seed);
    await redis.other.flushAll();
    const services = await Promise.all(
      Array.from({ length: SERVICES }, async () => new Service(await proxyTo(redis.port))),
    );
    const pending: Promise<unknown>[] = [];
    let compared = 0;
    const steps = rounds(5_000, 10_000);
    for (let step = 1; step <= steps; ++step) {
      if (random.chance(0.006)) disturb(random, random.pick(services));
      const begun = work(random, services);
      if (begun !== undefined) pending.push(begun);
      if (random.chance(0.3)) await turn();
      if (random.chance(0.005)) await new Promise((resolve) => setTimeout(resolve, random.below(60)));
      if (step % STEPS_BETWEEN_QUIETS > 0) continue;
      await quiet(services, pending);
      for (const { spaces } of services)
        for (const name of SPACES) compared += KEYS.filter((key) => spaces[name].peek(key) !== undefined).length;
      expect(await differences(services), `seed ${seed}, step ${step}`).toEqual([]);
    }
    expect(compared).toBeGreaterThan(steps / 100); // L0 was not empty all the time
  },
  900_000,
);
