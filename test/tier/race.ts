// race.ts: whatever happens to connections and servers, and whoever writes when: once it is quiet, what L0 holds is what
// Redis holds.
//
// Three caches and one more client work on the same keys of real servers, each cache through proxies of its own. Random
// steps read, write, delete, let expire, flush, delay, join chunks, cut, and stop connections without a word. Now and
// then all of it stops, and every value in every L0 is compared.
import { expect } from 'vitest';
import { type Key, type OpenOptions, utf8 } from 'zerohop';
import { whole } from '../fixtures/child.js';
import { turn, until } from '../fixtures/opened.js';
import { type Random, randomOf } from '../fixtures/random.js';
import { openOver } from '../fixtures/upstream.js';
import type { FaultyProxy } from './proxy.js';

/** A million steps are a hundred of them, which take half an hour. */
const SEEDS = Number(process.env['ZEROHOP_RACE_SEEDS'] ?? (whole ? 4 : 2));
export const seeds: readonly number[] = Array.from({ length: SEEDS }, (_, i) => 1 + i);

const SERVICES = 3;
const KEYS = Array.from({ length: 24 }, (_, i) => `k${i}`);
const STEPS_BETWEEN_QUIETS = 500;
const SHORT_TTL_MS = 25;

/** Timeouts so short that they pass within a test. */
export const IMPATIENT = { timeout: 150, connectTimeout: 300, heartbeat: 40 };

/** The client that works behind the back of the caches. */
export interface Bypass {
  set(key: string, value: string, options?: { expiration: { type: 'PX'; value: number } }): Promise<unknown>;
  del(key: string): Promise<unknown>;
  pExpire(key: string, ms: number): Promise<unknown>;
  persist(key: string): Promise<unknown>;
}

/** What the caches race over. */
export interface World {
  readonly other: Bypass;
  flush(): Promise<unknown>;
  /** What one more service has: a proxy before each server, and an upstream that goes through them. */
  service(): Promise<{ proxies: readonly FaultyProxy[]; upstream: OpenOptions['upstream'] }>;
  /** A step of its own, rarely taken. `at`, `to`: keys in Redis. */
  rare(random: Random, at: string, to: string): Promise<unknown>;
  /** Something that happens to the servers. */
  disturb?(random: Random, at: string): void;
  /** Ends when that is over. */
  calm?(): Promise<unknown>;
  /** Keys of which each server has one, always. */
  readonly everywhere: readonly string[];
  /** What Redis has. */
  truth(keys: readonly string[]): Promise<(string | null)[]>;
}

/** One process, as it were. */
class Service {
  readonly spaces;
  constructor(
    readonly proxies: readonly FaultyProxy[],
    upstream: OpenOptions['upstream'],
  ) {
    const cache = openOver(upstream, { maxBytes: '4MB' });
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
function work(random: Random, services: readonly Service[], world: World): Promise<unknown> | undefined {
  const service = random.pick(services);
  const name = random.pick(SPACES);
  const space = service.spaces[name];
  const key = random.pick(KEYS);
  const at = `${name}:${key}`;
  const value = `value ${values++}`;
  const { other } = world;
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
      return world.rare(random, at, `${name}:${random.pick(KEYS)}`);
  }
}

/** What networks do. */
function disturb(random: Random, { proxies }: Service): void {
  const proxy = random.pick(proxies);
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
async function quiet(services: readonly Service[], pending: Promise<unknown>[], world: World): Promise<void> {
  for (const { proxies } of services) for (const proxy of proxies) proxy.heal();
  await world.calm?.();
  await Promise.all(pending.splice(0));
  // Shorter lives are over, in Redis and in L0.
  await new Promise((resolve) => setTimeout(resolve, 2 * SHORT_TTL_MS + 60));
  for (;;) {
    await until(() => services.every(({ isUp }) => isUp), 60);
    const before = outagesOf(services);
    const isDone = (await isWritten(services, world)) && (await isTold(services, world));
    if (isDone && before === outagesOf(services)) return;
  }
}

const outagesOf = (services: readonly Service[]) =>
  services.reduce((sum, { spaces }) => sum + spaces.through.stats().upstream.outages, 0);

/** Whether what each of them sent before is in Redis. */
async function isWritten(services: readonly Service[], { everywhere }: World): Promise<boolean> {
  for (const { space } of services) for (const one of space) await one.flushed();
  const last = services.flatMap(({ spaces }) =>
    everywhere.map((key) => spaces.through.setAsync(key, 'x').then(...yesOrNo)),
  );
  if ((await Promise.all(last)).includes(false)) return false;
  return services.every(({ spaces }) => spaces.behind.stats().upstream.queued === 0);
}

/** Redis sends pushes in order: whoever heard of the last change has heard of all before it. */
async function isTold(services: readonly Service[], { everywhere, other }: World): Promise<boolean> {
  const keys = [...everywhere];
  const held = ({ spaces }: Service) => keys.filter((key) => spaces.through.peek(key) === 'before').length;
  const hold = () => services.every((service) => held(service) === keys.length);
  for (const key of keys) await other.set(`through:${key}`, 'before');
  // A push about one may be on its way still, and keep it out of L0.
  for (let i = 0; i < 1000 && !hold(); ++i) {
    await Promise.all(services.map(({ spaces }) => spaces.through.loadMany(keys)));
    await turn();
  }
  if (!hold()) return false;
  for (const key of keys) await other.set(`through:${key}`, 'after');
  await until(() => services.every((service) => held(service) === 0), 20);
  return true;
}

const yesOrNo = [() => true, () => false] as const;

async function differences(services: readonly Service[], world: World): Promise<string[]> {
  const found: string[] = [];
  for (const name of SPACES) {
    const truth = await world.truth(KEYS.map((key) => `${name}:${key}`));
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

/** So many random steps, compared every now and then. */
export async function race(world: World, seed: number, steps: number): Promise<void> {
  const random = randomOf(seed);
  await world.flush();
  const services: Service[] = [];
  for (let i = 0; i < SERVICES; ++i) {
    const { proxies, upstream } = await world.service();
    services.push(new Service(proxies, upstream));
  }
  const pending: Promise<unknown>[] = [];
  let compared = 0;
  for (let step = 1; step <= steps; ++step) {
    if (random.chance(0.006)) disturb(random, random.pick(services));
    if (world.disturb && random.chance(0.01)) world.disturb(random, `${random.pick(SPACES)}:${random.pick(KEYS)}`);
    const begun = work(random, services, world);
    if (begun !== undefined) pending.push(begun);
    if (random.chance(0.3)) await turn();
    if (random.chance(0.005)) await new Promise((resolve) => setTimeout(resolve, random.below(60)));
    if (step % STEPS_BETWEEN_QUIETS > 0) continue;
    await quiet(services, pending, world);
    for (const { spaces } of services)
      for (const name of SPACES) compared += KEYS.filter((key) => spaces[name].peek(key) !== undefined).length;
    expect(await differences(services, world), `seed ${seed}, step ${step}`).toEqual([]);
  }
  expect(compared).toBeGreaterThan(steps / 100); // L0 was not empty all the time
}
