// Whatever happens to connections, and whoever writes when: a model answers, and once it is quiet, what L0 holds of its
// results is what Redis holds, and no lease is left.
//
// Three caches and one more client work on the results of the same inputs. A run never gives the same result twice, so one
// that L0 should have forgotten is seen. races.test.ts does the same for keyspaces.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { type Model, utf8 } from 'zerohop';
import { rounds, whole } from '../fixtures/child.js';
import { shouting } from '../fixtures/models.js';
import { turn, until } from '../fixtures/opened.js';
import { type Random, randomOf } from '../fixtures/random.js';
import { openOver, proxyTo, useRedis } from '../fixtures/upstream.js';
import type { FaultyProxy } from './proxy.js';

const redis = useRedis();

const SEEDS = Number(process.env['ZEROHOP_RACE_SEEDS'] ?? (whole ? 2 : 1));
const SERVICES = 3;
const INPUTS = Array.from({ length: 16 }, (_, i) => `i${i}`);
const STEPS_BETWEEN_QUIETS = 400;
const SHORT_TTL_MS = 25;
const LEASE_MS = 200;

/** Timeouts so short that they pass within a test. */
const IMPATIENT = { timeout: 150, connectTimeout: 300, heartbeat: 40 };

type TextModel = Model<string, string, string>;

let runs = 0;

/** One process, as it were. */
class Service {
  readonly models: readonly TextModel[];
  readonly probe;

  constructor(readonly proxy: FaultyProxy) {
    const cache = openOver({ url: `redis://127.0.0.1:${proxy.port}`, ...IMPATIENT }, { maxBytes: '4MB' });
    const run = async (inputs: string[]) => {
      await sleep(runs % 3);
      return inputs.map((input) => {
        if (runs++ % 50 === 0) return new Error('no GPU');
        return `${input} of run ${runs}`;
      });
    };
    const of = (name: string, upstream: object, terms: object = {}) =>
      shouting(cache, { name, run, upstream: { aloneTtl: 50, lease: LEASE_MS, wait: 500, ...upstream }, ...terms })
        .model;
    this.models = [
      of('leased', {}),
      of('without lease', { lease: false }),
      of('behind', { writes: 'behind' }),
      of('stale', {}, { ttl: 1, staleWhileRevalidate: '1h' }),
    ];
    this.probe = cache.keyspace('probe', { codec: utf8, upstream: true });
  }
}

const atOf = (model: TextModel, input: string) => `zerohop:model:${model.name}:utf8:${model.fingerprint(input).hex}`;

/** A promise for what must be over before it is quiet. */
function work(random: Random, services: readonly Service[]): Promise<unknown> | undefined {
  const model = random.pick(random.pick(services).models);
  const input = random.pick(INPUTS);
  const { other } = redis;
  const quietly = (promise: Promise<unknown>) => promise.catch(() => {});
  switch (random.below(18)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
      return quietly(model.predict(input));
    case 6:
    case 7:
    case 8:
      return quietly(model.predictMany(Array.from({ length: 5 }, () => random.pick(INPUTS))));
    case 9: {
      const controller = new AbortController();
      setTimeout(() => controller.abort(), random.below(4));
      return quietly(model.predict(input, { signal: controller.signal }));
    }
    case 10:
      return quietly(model.predict(input, { cache: 'only-if-cached' }));
    case 11:
      return quietly(model.predict(input, { cache: 'reload' }));
    case 12:
      model.set(input, `set ${runs++}`);
      return undefined;
    case 13:
      model.delete(input);
      return undefined;
    case 14:
      return other.set(atOf(model, input), `of another ${runs++}`);
    case 15:
      return other.set(atOf(model, input), `short ${runs++}`, { expiration: { type: 'PX', value: SHORT_TTL_MS } });
    case 16:
      return other.del(atOf(model, input));
    default:
      if (random.chance(0.1)) return other.flushAll();
      if (random.chance(0.1)) model.clear();
      return undefined;
  }
}

function disturb(random: Random, { proxy }: Service): void {
  const most = random.pick([1, 3, 20]);
  const way = random.pick(['toClient', 'toServer'] as const);
  switch (random.below(6)) {
    case 0:
      proxy.cut();
      break;
    case 1:
      proxy.stop(way);
      break;
    case 2:
    case 3:
      proxy.delay(way, () => random.below(most));
      break;
    default:
      proxy.heal();
  }
}

/** Nothing is wrong, nothing is under way, and every push has come to everybody. */
async function quiet(services: readonly Service[], pending: Promise<unknown>[]): Promise<void> {
  for (const { proxy } of services) proxy.heal();
  await Promise.all(pending.splice(0)); // each prediction ends
  await sleep(3 * LEASE_MS); // so do runs without a caller; and shorter lives are over
  const outages = () => services.reduce((sum, { probe }) => sum + probe.stats().upstream.outages, 0);
  for (;;) {
    await until(() => services.every(({ probe }) => probe.stats().upstream.state === 'up'), 20);
    const before = outages();
    const isQueued = ({ models }: Service) => models.some((model) => model.stats().upstream!.queued > 0);
    const writes = services.map(({ probe }) => probe.setAsync('first', 'x').then(...yesOrNo));
    if (!(await Promise.all(writes)).includes(false) && !services.some(isQueued) && (await isTold(services)))
      if (before === outages()) return;
  }
}

const yesOrNo = [() => true, () => false] as const;

/** Redis sends pushes in order: whoever heard of the last change has heard of all before it. */
async function isTold(services: readonly Service[]): Promise<boolean> {
  const holds = ({ probe }: Service) => probe.peek('last') === 'before';
  await redis.other.set('probe:last', 'before');
  for (let i = 0; i < 1000 && !services.every(holds); ++i) {
    await Promise.all(services.map(({ probe }) => probe.load('last')));
    await turn();
  }
  if (!services.every(holds)) return false;
  await redis.other.set('probe:last', 'after');
  await until(() => !services.some(holds), 20);
  return true;
}

async function differences(services: readonly Service[]): Promise<{ compared: number; found: string[] }> {
  const found: string[] = [];
  let compared = 0;
  for (const [number, { models }] of services.entries())
    for (const model of models) {
      const truth = await redis.other.mGet(INPUTS.map((input) => atOf(model, input)));
      for (const [i, input] of INPUTS.entries()) {
        const held = model.peek(input);
        if (held === undefined) continue;
        compared++;
        if (held !== truth[i])
          found.push(`service ${number}, ${model.name}, ${input}: L0 has ${held}, Redis ${truth[i]}`);
      }
    }
  return { compared, found };
}

test.each(Array.from({ length: SEEDS }, (_, i) => 1 + i))(
  'after quiet, L0 has no other result than Redis: seed %i',
  async (seed) => {
    const random = randomOf(seed);
    await redis.other.flushAll();
    const services = await Promise.all(
      Array.from({ length: SERVICES }, async () => new Service(await proxyTo(redis.port))),
    );
    const pending: Promise<unknown>[] = [];
    const steps = rounds(2_000, 6_000);
    let compared = 0;
    for (let step = 1; step <= steps; ++step) {
      if (random.chance(0.006)) disturb(random, random.pick(services));
      const begun = work(random, services);
      if (begun !== undefined) pending.push(begun);
      if (random.chance(0.3)) await turn();
      if (random.chance(0.005)) await sleep(random.below(60));
      if (step % STEPS_BETWEEN_QUIETS > 0) continue;
      await quiet(services, pending);
      const { compared: more, found } = await differences(services);
      compared += more;
      expect(found, `seed ${seed}, step ${step}`).toEqual([]);
      expect(await redis.other.keys('zerohop:lease:*')).toEqual([]);
    }
    expect(compared).toBeGreaterThan(steps / 100); // L0 was not empty all the time
  },
  900_000,
);
