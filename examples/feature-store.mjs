// Features of many entities, as one batch for a model: L0 in this process, a Redis that all services share, and a
// feature server with Feast's wire form (feature-server.mjs).
//
//   gatherAsync(ids, matrix) -> L0 -> what misses: Redis, one command -> what misses: the feature server, one request
//
// A row is float32, a place for each feature. NaN is a feature without a value. An entity that the store does not know
// is a row of NaN: that it has none is remembered too, and not asked for again and again. While the feature server is
// away, known rows go on to be served; `missing` says which rows of the batch nobody has.
//
//   node examples/feature-store.mjs                     with a Redis of its own
//   REDIS_URL=redis://localhost:6379 node …             with yours

import { setTimeout as sleep } from 'node:timers/promises';
import { float32, open } from 'zerohop';
import { startFeatureServer } from './feature-server.mjs';
import { startRedis } from './redis-server.mjs';

const ENTITY = 'user_id';
const FEATURES = ['user_stats:orders', 'user_stats:spent', 'user_stats:country', 'user_stats:days'];
const WIDTH = FEATURES.length;

/** Of the definitions above. Services with others have other keys in the same Redis. */
const DEFINITIONS = 'user_stats:v3';

const userFeatures = (id) => ({ orders: id % 7, spent: id % 4 === 0 ? null : id / 4, country: id % 3, days: id });
const row = (features) => ({ at: '2026-11-30T00:00:00Z', features });

// The feature store: users 1 to 999, and none that divides by 10.
const ids = Array.from({ length: 999 }, (_, i) => i + 1).filter((id) => id % 10 !== 0);
const store = new Map(ids.map((id) => [id, row(userFeatures(id))]));
const server = await startFeatureServer(ENTITY, store);
const own = process.env.REDIS_URL === undefined ? await startRedis() : undefined;
const url = own?.url ?? process.env.REDIS_URL;

/** One instance of a service. In production it is a process. */
function startService() {
  // A reply that is later than `timeout` is none. With a Redis near by, the default of 1 s is plenty.
  const cache = open({ maxBytes: '64MB', upstream: { url, timeout: '5s' } });
  let failures = 0;
  const features = cache.keyspace('features', {
    keys: 'integer',
    codec: float32(WIDTH),
    ttl: '5m', // as old as a feature may be
    upstream: {
      prefix: `${DEFINITIONS}:`,
      stale: '1h', // so much older while a new one is asked for, or while nobody has one
      // An error would reject the whole batch, with the rows that are known. So the rows are missing instead.
      loader: (missing, { signal }) =>
        rowsOf(missing, signal).catch(() => {
          failures++;
          return missing.map(() => undefined);
        }),
    },
  });

  /** A batch for the model, and who answered for it. */
  async function request(users) {
    const before = features.stats();
    const calls = server.calls.length;
    const matrix = new Float32Array(users.length * WIDTH);
    const { missing } = await features.gatherAsync(users, matrix);
    for (const i of missing) matrix.fill(Number.NaN, i * WIDTH, (i + 1) * WIDTH);
    const after = features.stats();
    return {
      l0: after.hits - before.hits,
      redis: after.upstream.hits - before.upstream.hits,
      commands: after.upstream.commands - before.upstream.commands,
      server: server.calls.slice(calls),
      missing: missing.map((i) => users[i]),
      scores: scoresOf(matrix),
    };
  }

  /**
   * Until both tiers have what the server gave. A batch comes before that, and whoever asks meanwhile joins in: only
   * who counts must wait.
   */
  async function quiet(loaded) {
    const commands = () => features.stats().upstream.commands;
    for (let before = -1; before !== commands() || !loaded.every((id) => features.has(id)); ) {
      before = commands();
      await sleep(50);
    }
  }

  return { features, request, quiet, failures: () => failures, close: () => cache.close() };
}

/** One request for all of them. */
async function rowsOf(users, signal) {
  const response = await fetch(`${server.url}/get-online-features`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ features: FEATURES, entities: { [ENTITY]: users } }),
    signal,
  });
  if (!response.ok) throw new Error(`the feature server answers ${response.status}`);
  const { metadata, results } = await response.json();
  const columns = FEATURES.map((feature) => results[metadata.feature_names.indexOf(feature.split(':')[1])]);
  return users.map((_, i) =>
    Float32Array.from(columns, ({ values, statuses }) =>
      statuses[i] === 'PRESENT' && values[i] !== null ? values[i] : Number.NaN,
    ),
  );
}

/** Stands in for the model: it takes 0 for what has no value. */
function scoresOf(matrix) {
  const weights = [0.5, 0.01, 0.1, 0.001];
  return Array.from({ length: matrix.length / WIDTH }, (_, i) =>
    weights.reduce((sum, weight, j) => sum + weight * (matrix[i * WIDTH + j] || 0), 0),
  );
}

const range = (from, to) => Array.from({ length: to - from }, (_, i) => from + i);

/** Whether the scores are those of what the store has now. */
function isRight(users, { scores, missing }) {
  const nothing = { orders: null, spent: null, country: null, days: null };
  const known = users.map((id) => (missing.includes(id) ? nothing : (store.get(id)?.features ?? nothing)));
  return `${scores}` === `${scoresOf(Float32Array.from(known.flatMap((one) => Object.values(one))))}`;
}

const [a, b] = [startService(), startService()];
const facts = {};
async function step(name, service, users) {
  const { scores, ...counts } = await service.request(users);
  facts[name] = { ...counts, right: isRight(users, { scores, ...counts }) };
  await service.quiet(users.filter((id) => !counts.missing.includes(id)));
}
await Promise.all([a, b].map(({ features }) => features.ready())); // so that the counts below are certain
if (own === undefined) for (const id of range(0, 600)) await a.features.deleteAsync(id); // of an earlier run

await step('first', a, range(1, 65));
await step('again', a, range(1, 65));
await step('otherService', b, range(1, 65));
await step('partly', b, range(33, 97));

// Two services want the same users at once: one of them asks, the other waits for what it stores.
const calls = server.calls.length;
const users = range(200, 232);
const [fromA, fromB] = await Promise.all([a.request(users), b.request(users)]);
await Promise.all([a.quiet(users), b.quiet(users)]);
facts.together = { server: server.calls.slice(calls), same: `${fromA.scores}` === `${fromB.scores}` };

// A job writes new features into the store. It deletes the rows in Redis; every service's L0 hears of it.
store.set(40, row({ orders: 1, spent: 8, country: 2, days: 3 })); // had none
store.set(41, row({ orders: 6, spent: 9, country: 1, days: 41 }));
for (const id of [40, 41]) await a.features.deleteAsync(id);
while (b.features.has(40) || b.features.has(41)) await sleep(1);
await step('changed', b, [40, 41, 42]);

// The feature server goes away. L0 and Redis go on.
await server.stop();
await step('serverGone', a, [...range(33, 97), 501, 502]);
facts.failures = a.failures();
await server.start();
await step('serverBack', a, [...range(33, 97), 501, 502]);
await server.stop();

console.log(JSON.stringify(facts));
for (const { close } of [a, b]) close();
