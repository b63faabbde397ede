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

/** A Redis that the examples are given, and a client of it. */
function useRedis(): { url(): string; redis(): Redis } {
  let server: { url: string; kill(): Promise<void> };
  let redis: Redis;
  beforeAll(async () => {
    const { startRedis } = await import(pathToFileURL(join(folder, 'redis-server.mjs')).href);
    server = await startRedis();
    redis = new Redis(server.url.slice('unix:'.length));
  });
  afterAll(async () => {
    redis?.disconnect();
    await server?.kill();
  });
  return { url: () => server.url, redis: () => redis };
}

describe('embeddings in three tiers', () => {
  const FILE = 'embedding-look-aside.mjs';
  const tiers = (l0: number, redis: number, model: number) => expect.objectContaining({ l0, redis, model });

  test('are asked in order, and filled from the one behind, in two processes', async () => {
    const { first, again, second, partly, gone } = await factsOf(FILE);
    expect(first).toEqual(tiers(0, 0, 8));
    expect(again).toEqual(tiers(8, 0, 0));
    expect([again.commands, second.commands]).toEqual([0, 1]);
    expect(second).toEqual(tiers(0, 8, 0)); // another process, whose L0 was empty
    expect(partly).toEqual(tiers(4, 0, 1));
    for (const { vectors } of [again, second, gone.first]) expect(vectors).toEqual(first.vectors);
    expect(new Set(first.vectors).size).toBe(8);
    expect([gone.first, gone.again]).toEqual([tiers(0, 0, 8), tiers(8, 0, 0)]); // Redis was killed
  });

  describe('in a Redis that is given', () => {
    const { url, redis } = useRedis();

    test('follow what redis-cli and the other process change', async () => {
      for (const run of [1, 2]) {
        const facts = await factsOf(FILE, [], url());
        expect([facts.first, facts.second, facts.gone], `run ${run}`).toEqual([
          tiers(0, 0, 8),
          tiers(0, 8, 0),
          undefined,
        ]);
        const untouched = facts.first.vectors[4];
        for (const { vectors, ...counts } of [facts.changed, facts.changedInSecond]) {
          expect(vectors).toEqual([0.75, untouched]);
          expect(counts).toEqual({ l0: 1, redis: 1, model: 0, commands: 1 });
        }
        expect(facts.written).toEqual({ l0: 1, redis: 0, model: 0, commands: 0, vectors: [-0.75] });
        expect(facts.writtenInSecond).toEqual({ l0: 0, redis: 1, model: 0, commands: 1, vectors: [-0.75] });
      }
    });

    test('lie as bytes under the version of the model, and end', async () => {
      const keys = (await redis().keys('embedding:2026-11:item:*')).sort();
      expect(keys).toHaveLength(9);
      for (const key of keys) expect(await redis().strlen(key)).toBe(256 * 4);
      const seconds = await redis().ttl('embedding:2026-11:item:4');
      expect(seconds).toBeGreaterThan(3600);
      expect(seconds).toBeLessThanOrEqual(24 * 3600);
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
  const served = (l0: number, redis: number, server: number[], missing: number[] = []) =>
    expect.objectContaining({ l0, redis, server, missing, right: true });

  test('asks its server once for all that is missing, and what is absent no more', async () => {
    const { first, again, otherService, partly, together } = await factsOf('feature-store.mjs');
    expect(first).toEqual(served(0, 0, [64]));
    expect(again).toEqual(served(64, 0, [])); // those without features too
    expect(again.commands).toBe(0);
    expect(otherService).toEqual(served(0, 64, []));
    expect(otherService.commands).toBeLessThanOrEqual(4); // one transaction, not 64
    expect(partly).toEqual(served(32, 0, [32]));
    expect(together).toEqual({ server: [32], same: true });
  });

  test('serves rows that were changed elsewhere, and goes on without its server', async () => {
    const facts = await factsOf('feature-store.mjs');
    expect(facts.changed).toEqual(served(1, 0, [2]));
    expect(facts.serverGone).toEqual(served(30, 34, [], [501, 502]));
    expect(facts.failures).toBe(1);
    expect(facts.serverBack).toEqual(served(64, 0, [2]));
  });

  describe('in a Redis that is given', () => {
    const { url, redis } = useRedis();

    test('lies as rows of float32, with NaN where there is no value', async () => {
      for (const run of [1, 2])
        expect((await factsOf('feature-store.mjs', [], url())).first, `run ${run}`).toEqual(served(0, 0, [64]));
      const row = async (id: number) => {
        const bytes = (await redis().getBuffer(`user_stats:v3:${id}`))!;
        return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readFloatLE(i * 4));
      };
      const seconds = await redis().ttl('user_stats:v3:41');
      expect(seconds).toBeGreaterThan(3600); // for `stale`, beyond its 5 minutes
      expect(seconds).toBeLessThanOrEqual(3600 + 300);
      expect(await row(41)).toEqual([6, 9, 1, 41]);
      expect(await row(4)).toEqual([4, Number.NaN, 1, 4]);
      expect(await row(10)).toEqual(new Array(4).fill(Number.NaN));
    });
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
