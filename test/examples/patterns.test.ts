// The patterns of examples/: each prints what happened as one line of JSON.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { glibc } from '../fixtures/child.js';

const folder = join(__dirname, '..', '..', 'examples');

/** What the program prints. */
// biome-ignore lint/suspicious/noExplicitAny: each example's facts have a form of their own, read where asserted
async function factsOf(file: string, args: string[] = [], url?: string): Promise<any> {
  const { REDIS_URL: _, ...env } = process.env;
  const { stdout } = await promisify(execFile)(process.execPath, [join(folder, file), ...args], {
    env: { ...env, ...(url !== undefined && { REDIS_URL: url }) },
    timeout: 45_000,
    killSignal: 'SIGKILL',
  });
  expect(stdout.trimEnd().split('\n')).toHaveLength(1);
  return JSON.parse(stdout);
}

describe('embeddings in three tiers', () => {
  const FILE = 'embedding-look-aside.mjs';
  const tiers = (l0: number, l1: number, model: number) => expect.objectContaining({ l0, l1, model });

  test('are asked in order, filled from the one behind, and none fails for Redis', async () => {
    const { first, again, partly, second, broken, gone, failures } = await factsOf(FILE);
    expect(first).toEqual(tiers(0, 0, 8));
    expect(again).toEqual(tiers(8, 0, 0));
    expect(partly).toEqual(tiers(4, 0, 1)); // the new one was asked for twice
    expect(second).toEqual(tiers(0, 8, 0)); // another process, whose L0 was empty
    expect(broken).toEqual(tiers(0, 0, 8));
    expect(gone).toEqual(tiers(4, 0, 1));
    expect(failures).toBe(4); // reading and writing, twice
    for (const { vectors } of [again, second, broken]) expect(vectors).toBe(first.vectors);
    expect(partly.vectors).not.toBe(first.vectors);
  });

  describe('in a Redis that is given', () => {
    let server: { url: string; kill(): Promise<void> };
    let redis: Redis;

    beforeAll(async () => {
      const { startRedis } = await import(pathToFileURL(join(folder, 'redis-server.mjs')).href);
      server = await startRedis();
      redis = new Redis(server.url);
    });

    afterAll(async () => {
      redis?.disconnect();
      await server?.kill();
    });

    test('lie under the bytes of their fingerprints, and end', async () => {
      for (const run of [1, 2]) {
        const { first, second, broken } = await factsOf(FILE, [], server.url);
        expect([first, second, broken], `run ${run}`).toEqual([tiers(0, 0, 8), tiers(0, 8, 0), undefined]);
      }
      const keys = await redis.keysBuffer('*');
      expect(keys).toHaveLength(9);
      for (const key of keys) {
        expect([key.subarray(0, 10).toString(), key.length]).toEqual(['embedding:', 10 + 32]);
        expect(await redis.strlen(key)).toBe(256 * 4);
        const seconds = await redis.ttl(key);
        expect(seconds).toBeGreaterThan(3600);
        expect(seconds).toBeLessThanOrEqual(24 * 3600);
      }
    });

    test('are computed where Redis holds something else under their key, or is not there', async () => {
      const keys = await redis.keysBuffer('*');
      const { vectors } = await factsOf(FILE, ['second'], server.url);
      for (const key of keys) await redis.set(key, 'not a vector');
      expect(await factsOf(FILE, ['second'], server.url)).toEqual({ l0: 0, l1: 0, model: 8, vectors });
      expect(await factsOf(FILE, ['second'], server.url)).toEqual({ l0: 0, l1: 8, model: 0, vectors });
      const nowhere = join(folder, 'nowhere.sock');
      expect(await factsOf(FILE, ['second'], nowhere)).toEqual({ l0: 0, l1: 0, model: 8, vectors });
    });
  });
});

describe('fraud scores', () => {
  test('are computed once for all who ask about a context, until they end or are deleted', async () => {
    const facts = await factsOf('fraud-score.mjs', ['100ms']);
    expect(facts.crowd).toEqual({ runs: 1, joined: 31, computed: 1, scores: [0.75] });
    expect(facts.again).toEqual({ score: 0.75, computed: 0 });
    expect(facts.otherAmount).toEqual({ score: 0.5, computed: 1 });
    expect(facts.otherBank).toEqual({ score: 0.75, computed: 1 });
    expect(facts.explained.computed).toBe(1);
    expect(facts.explained.score).toEqual({ score: 0.75, reasons: ['new device', 'far from home', 'large amount'] });
    expect(facts.zero).toEqual([
      { score: 0, computed: 1 },
      { score: 0, computed: 0 },
    ]);
    expect(facts.forgotten).toBe(true);
    expect(facts.afterReport).toEqual({ score: 1, computed: 1 });
    expect(facts.expiry).toEqual([
      { score: 0.9, computed: 1 },
      { score: 0.9, computed: 1 },
    ]);
  });
});

describe('a feature store', () => {
  test('loads what is missing at once, and remembers what is absent', async () => {
    const facts = await factsOf('feature-store.mjs');
    expect(facts.first).toEqual({ queries: [50], hits: 0, absent: 5, right: true });
    expect(facts.again).toEqual({ queries: [], hits: 50, absent: 5, right: true });
    expect(facts.partly).toEqual({ queries: [25], hits: 25, absent: 5, right: true });
    expect(facts.absentAgain).toEqual({ queries: [], hits: 5, absent: 5, right: true });
    expect(facts.many).toEqual({ queries: [100, 100, 50], hits: 0, absent: 25, right: true });
    expect(facts.both).toEqual({ queries: [20, 10], same: true });
    expect(facts.streamed).toEqual({ queries: [], hits: 2, absent: 0, right: true });
    expect([facts.numbers, facts.refused]).toEqual([true, 'TypeError']);
  });
});

describe('token ids', () => {
  test('are kept by part, and by what the vocabulary is', async () => {
    const facts = await factsOf('tokenizer-state.mjs');
    expect(facts.parts).toEqual({ hits: 4, computed: 5 });
    expect(facts).toMatchObject({ whole: true, text: true, shorter: true, emptyComputed: 0 });
    expect(facts).toMatchObject({ cutWithinWord: true, unseen: true });
    expect(facts.other).toEqual({ differs: true, text: true, firstStays: true });
    expect(facts.rebuilt).toEqual({ same: true, known: true });
  });
});

describe('search results', () => {
  test('are those of the index there is, and computed once of it', async () => {
    const facts = await factsOf('search-results.mjs');
    const two = ['a cache keeps what was computed', 'a cache in front of a database'];
    expect(facts.first).toEqual({ texts: two, scans: 1, embedded: 1 });
    expect(facts.again).toEqual({ texts: two, scans: 0, embedded: 0 });
    expect(facts.more).toMatchObject({ scans: 1, embedded: 0 });
    expect(facts.more.texts).toHaveLength(3);
    expect(facts.nothing).toEqual([
      { texts: [], scans: 1, embedded: 1 },
      { texts: [], scans: 0, embedded: 0 },
    ]);
    expect(facts.sameIndex).toEqual({ forgotten: 0, texts: two, scans: 0, embedded: 0 });
    expect([facts.forgotten, facts.late]).toEqual([3, false]);
    const [added, known] = facts.newIndex;
    expect(added).toMatchObject({ scans: 1, embedded: 0 });
    expect(added.texts[0]).toBe('a cache for search results');
    expect(known).toEqual({ texts: two, scans: 1, embedded: 0 });
    expect(facts.kept).toBe(3);
  });
});

describe.skipIf(!glibc)('an ONNX model', () => {
  test('is given each new row once, and rows of another type or shape as other rows', async () => {
    const facts = await factsOf('onnx-model-cache.mjs');
    expect(facts).toMatchObject({ batches: [6], right: true, sameAgain: true, ofTheCache: true, later: [2, 2] });
    expect(facts).toMatchObject({ keys: 5, tensor: { right: true, calls: 4 }, tensorAgain: { calls: 4 } });
    expect(facts.refused).toEqual(['TypeError', 'TypeError', 'TypeError']);
    expect(facts.otherWeights).toEqual({ unseen: true, right: true, differ: true });
  });

  test('finds its weights in a safetensors file, from bytes and from a path', async () => {
    const { modelBytes, right } = await factsOf('onnx-weights.mjs');
    expect(right).toEqual([true, true]);
    expect(modelBytes).toBeLessThan(64 * 8 * 4); // they are not in it
  });
});
