// Embeddings in three tiers: L0 in this process, L1 in a Redis that all processes share, and the model.
//
//   a request -> L0, one getMany -> what misses: L1, one MGET -> what misses: the model, one batch
//                 ^                               ^                              |
//                 +-------------------------------+------- written back ---------+
//
// L0 and its single flight are `cache.model`; L1 is asked in its `run`, where each missing text comes once however many
// requests want it. Both tiers know a text by its fingerprint, in which name and version of the model are: a new version
// finds nothing of the old one in either. L1 may fail at any time: what it does not answer is a miss.
//
//   node examples/embedding-look-aside.mjs          with a Redis of its own, which is killed on the way
//   REDIS_URL=redis://localhost:6379 node …         with yours, which is not

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { fingerprint, float32, open, PUBLIC } from 'zerohop';
import { startRedis } from './redis-server.mjs';

const DIMENSIONS = 256;

// Embeddings of one model version do not grow old; the ends are for what nobody asks for, and for mistakes to pass. What
// comes to L0 from L1 begins anew there, so the two together are the longest that a vector lasts.
const L0_TTL = '10m';
const L1_TTL_S = 24 * 3600;
const L1_PREFIX = Buffer.from('embedding:');

/** ms after which an answer of L1 is none. With a Redis near by a few will do; here it must only not hang. */
const L1_MS_MAX = 5000;

/** Vectors in Redis. Never throws: the model can answer too, and a request must not fail for a cache. */
class SharedTier {
  #redis;
  #writes = new Set();
  hits = 0;
  failures = 0;

  constructor(url) {
    this.#redis = new Redis(url, {
      commandTimeout: L1_MS_MAX,
      enableOfflineQueue: false, // without a connection a command fails at once
      maxRetriesPerRequest: 0, // and so does what was sent on one that breaks
    });
    this.#redis.on('error', () => {}); // it connects again by itself; commands tell that they failed
  }

  /** Until it is connected, or could not be. Requests need not wait for it. */
  tried() {
    return new Promise((resolve) => this.#redis.once('ready', resolve).once('error', resolve));
  }

  /** The vectors under these keys, undefined where there is none. */
  async getMany(keys) {
    try {
      const vectors = (await this.#redis.mgetBuffer(keys)).map(vectorOf);
      this.hits += vectors.filter((vector) => vector !== undefined).length;
      return vectors;
    } catch {
      this.failures++;
      return keys.map(() => undefined);
    }
  }

  /** Writes behind: nobody waits for it but `written`. */
  setMany(keys, vectors) {
    const pipeline = this.#redis.pipeline();
    for (const [i, key] of keys.entries()) pipeline.set(key, bytesOf(vectors[i]), 'EX', L1_TTL_S);
    const write = pipeline
      .exec()
      .then((answers) => {
        if (answers.some(([error]) => error)) this.failures++;
      })
      .catch(() => this.failures++)
      .finally(() => this.#writes.delete(write));
    this.#writes.add(write);
  }

  written() {
    return Promise.all(this.#writes);
  }

  deleteMany(keys) {
    return this.#redis.unlink(keys);
  }

  close() {
    this.#redis.disconnect();
  }
}

const bytesOf = ({ buffer, byteOffset, byteLength }) => Buffer.from(buffer, byteOffset, byteLength);

/** Of another length it is none of ours. Copied, since bytes of an answer begin where no float may. */
function vectorOf(bytes) {
  if (bytes?.length !== DIMENSIONS * Float32Array.BYTES_PER_ELEMENT) return undefined;
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
}

const own = process.env.REDIS_URL === undefined ? await startRedis() : undefined;
const url = own?.url ?? process.env.REDIS_URL;
const shared = new SharedTier(url);
await shared.tried(); // so that the counts below are certain

let computed = 0;
const cache = open({ maxBytes: '64MB', ttlJitter: 0.1 });
const encoder = cache.model({
  name: 'encoder',
  version: '2026-11',
  scope: PUBLIC,
  codec: float32(DIMENSIONS),
  ttl: L0_TTL,
  async run(texts) {
    const keys = texts.map(keyOf);
    const vectors = await shared.getMany(keys);
    const missing = vectors.flatMap((vector, i) => (vector === undefined ? [i] : []));
    if (missing.length === 0) return vectors;
    const results = await embed(missing.map((i) => texts[i]));
    for (const [j, i] of missing.entries()) vectors[i] = results[j];
    shared.setMany(
      missing.map((i) => keys[i]),
      results,
    );
    return vectors;
  },
});

/** In Redis: 32 bytes behind the prefix, not their digits. */
function keyOf(text) {
  return Buffer.concat([L1_PREFIX, encoder.fingerprint(text)]);
}

/** Stands in for the model. */
async function embed(texts) {
  computed += texts.length;
  return texts.map((text) => {
    let state = 2166136261;
    for (const byte of Buffer.from(text)) state = Math.imul(state ^ byte, 16777619);
    return Float32Array.from({ length: DIMENSIONS }, () => {
      state = Math.imul(state, 1664525) + 1013904223;
      return (state >>> 8) / 2 ** 24 - 0.5;
    });
  });
}

/** Which tiers answered a request, and one name for all that they answered. */
async function request(texts) {
  const before = [encoder.stats().hits, shared.hits, computed];
  const vectors = await encoder.predictMany(texts);
  const [l0, l1, model] = [encoder.stats().hits, shared.hits, computed].map((count, i) => count - before[i]);
  return { l0, l1, model, vectors: fingerprint({ scope: PUBLIC, model: 'vectors', input: vectors }).hex.slice(0, 8) };
}

const texts = Array.from({ length: 8 }, (_, i) => `sentence ${i}`);
if (process.argv[2] === 'second') {
  console.log(JSON.stringify(await request(texts)));
} else {
  if (own === undefined) await shared.deleteMany([...texts, 'a new one'].map(keyOf)); // of an earlier run
  const facts = { first: await request(texts), again: await request(texts) };
  facts.partly = await request([...texts.slice(4), 'a new one', 'a new one']);
  await shared.written();
  const env = { ...process.env, REDIS_URL: url };
  const second = await promisify(execFile)(process.execPath, [process.argv[1], 'second'], { env });
  facts.second = JSON.parse(second.stdout);
  if (own !== undefined) Object.assign(facts, await outage());
  console.log(JSON.stringify(facts));
}
shared.close();
cache.close();

/** Redis dies while a request waits for it, and is not there for the next ones. */
async function outage() {
  own.pause();
  encoder.clear();
  const waiting = request(texts);
  await own.kill();
  const broken = await waiting;
  const gone = await request(['one more', ...texts.slice(0, 4)]);
  await shared.written();
  return { broken, gone, failures: shared.failures };
}
