// Embeddings in three tiers: L0 in this process, a Redis that all processes share, and the model.
//
//   load(item) -> L0 -> what misses: Redis -> what misses: the model, one batch, whose results go into both
//
// Two processes work on one Redis: what one computed, the other finds. A third party, here redis-cli, changes a vector,
// and neither process serves the old one any more. Redis may fail: then the model answers.
//
// The version of the model is in the prefix of the keys. A new version finds nothing of the old one, and old vectors
// end by their time to live.
//
//   node examples/embedding-look-aside.mjs          with a Redis of its own, which is killed on the way
//   REDIS_URL=redis://localhost:6379 node …         with yours, which is not

import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { float32, open } from 'zerohop';
import { startRedis } from './redis-server.mjs';

const DIMENSIONS = 256;
const PREFIX = 'embedding:2026-11:';
const MODEL_MS = 5;

const isSecond = process.argv[2] === 'second';
const own = process.env.REDIS_URL === undefined ? await startRedis() : undefined;
const url = own?.url ?? process.env.REDIS_URL;

// A reply that is later than `timeout` is none. With a Redis near by, the default of 1 s is plenty.
const cache = open({ maxBytes: '64MB', upstream: { url, timeout: '5s' }, ttlJitter: 0.1 });
const embeddings = cache.keyspace('embeddings', {
  codec: float32(DIMENSIONS),
  ttl: '1d',
  upstream: { prefix: PREFIX, loader: embed },
});
await embeddings.ready(); // so that the counts below are certain

/** Stands in for the model. */
async function embed(items) {
  await sleep(MODEL_MS);
  return items.map((item) => {
    let state = 2166136261;
    for (const byte of Buffer.from(item)) state = Math.imul(state ^ byte, 16777619);
    return Float32Array.from({ length: DIMENSIONS }, () => {
      state = Math.imul(state, 1664525) + 1013904223;
      return (state >>> 8) / 2 ** 24 - 0.5;
    });
  });
}

/** Which tiers answered a request, and the first element of each vector. */
async function request(items) {
  const before = embeddings.stats();
  const vectors = await embeddings.loadMany(items);
  const after = embeddings.stats();
  return {
    l0: after.hits - before.hits,
    redis: after.upstream.hits - before.upstream.hits,
    model: after.upstream.loaded - before.upstream.loaded,
    commands: after.upstream.commands - before.upstream.commands,
    vectors: vectors.map((vector) => vector[0]),
  };
}

const items = Array.from({ length: 8 }, (_, i) => `item:${i}`);
if (isSecond) {
  process.on('message', async ({ asked, until }) => {
    if (until !== undefined) await changed(until);
    process.send(await request(asked));
  });
  process.on('disconnect', () => cache.close());
  process.send('ready');
} else {
  console.log(JSON.stringify(await story()));
  cache.close();
}

async function story() {
  // Of an earlier run.
  if (own === undefined) for (const item of [...items, 'item:8']) await embeddings.deleteAsync(item);
  const second = await startSecond();
  const facts = { first: await request(items) };
  await quiet(items);
  facts.again = await request(items);
  facts.second = await second.request({ asked: items });
  facts.partly = await request([...items.slice(4), 'item:8']);
  await quiet(['item:8']);

  // Somebody else changes a vector. Both processes hold the old one, and forget it.
  const vector = new Float32Array(DIMENSIONS).fill(0.75);
  await redisCli(['-x', 'SET', `${PREFIX}item:3`], Buffer.from(vector.buffer));
  await changed('item:3');
  facts.changed = await request(['item:3', 'item:4']);
  facts.changedInSecond = await second.request({ asked: ['item:3', 'item:4'], until: 'item:3' });

  // And the first process one of its own. The second forgets that too.
  await embeddings.setAsync('item:4', vector.fill(-0.75));
  facts.written = await request(['item:4']);
  facts.writtenInSecond = await second.request({ asked: ['item:4'], until: 'item:4' });
  await second.end();

  facts.medianMicroseconds = await latencies(); // for information: they depend on the machine
  await quiet(items); // what the model gave last is on its way to Redis
  if (own !== undefined) facts.gone = await outage();
  return facts;
}

/**
 * Until both tiers have what the model gave. `load` gives it before that, and whoever asks meanwhile joins in: only who
 * counts must wait.
 */
async function quiet(loaded) {
  const commands = () => embeddings.stats().upstream.commands;
  for (let before = -1; before !== commands() || !loaded.every((item) => embeddings.has(item)); ) {
    before = commands();
    await sleep(50);
  }
}

/** Until L0 was told that the key changed. Services need not wait for that: `load` asks again once they were. */
async function changed(item) {
  while (embeddings.has(item)) await sleep(1);
}

/** This program again, as a process that shares Redis. */
async function startSecond() {
  const child = fork(process.argv[1], ['second'], { env: { ...process.env, REDIS_URL: url } });
  const answer = async () => (await once(child, 'message'))[0];
  await answer();
  return {
    request(message) {
      child.send(message);
      return answer();
    },
    async end() {
      child.disconnect();
      await once(child, 'exit');
    },
  };
}

async function redisCli(args, input) {
  const place = url.startsWith('unix:') ? ['-s', url.slice('unix:'.length)] : ['-u', url];
  const child = spawn('redis-cli', [...place, ...args], { stdio: ['pipe', 'ignore', 'inherit'] });
  child.stdin.end(input);
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`redis-cli ended with ${code}`);
}

/** Median time of a load that each tier answers. */
async function latencies() {
  const loads = Array.from({ length: 100 }, (_, i) => items[i % items.length]);
  const median = (times) => Math.round(times.sort((x, y) => x - y)[times.length >> 1] / 100) / 10;
  async function times(load, prepare) {
    const taken = [];
    for (const item of loads) {
      await prepare(item);
      const start = process.hrtime.bigint();
      await load(item);
      taken.push(Number(process.hrtime.bigint() - start));
    }
    return median(taken);
  }
  const load = (item) => embeddings.load(item);
  return {
    l0: await times(load, load),
    redis: await times(load, () => embeddings.clear()), // of L0 alone
    model: await times(load, (item) => embeddings.deleteAsync(item)),
  };
}

/** Redis is killed. What it told L0 is forgotten with it; the model answers, and its vectors stay for a while. */
async function outage() {
  await own.kill();
  while (embeddings.stats().upstream.state !== 'down') await sleep(1);
  return { first: await request(items), again: await request(items) };
}
