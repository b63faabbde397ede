// `zerohop replay`: hit rates and money by an access log; the caches that it compares with; and who writes such a log.
import { statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { PUBLIC, utf8 } from 'zerohop';
import { accessLog } from 'zerohop/report';
import { readAccessLog } from '../../dist/cli/access-log.js';
import { type Simple, simpleCache } from '../../dist/cli/replay-policies.js';
import { typed, zerohop } from '../fixtures/command-line.js';
import { ownFolder } from '../fixtures/folder.js';
import { openCache } from '../fixtures/opened.js';

interface Line {
  time?: number | string;
  key: string | { base64: string };
  bytes?: number;
  cost?: number;
  ttl?: number;
}

function logOf(lines: readonly Line[], name = 'log.jsonl'): string {
  const file = path.join(ownFolder(), name);
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  writeFileSync(file, name.endsWith('.gz') ? gzipSync(text) : text);
  return file;
}

async function replayed(file: string, ...words: string[]) {
  const done = await typed(['replay', file, '--json', ...words]);
  expect(done).toMatchObject({ code: 0, stderr: '' });
  const { log, results } = JSON.parse(done.stdout);
  const of = (policy: string, size = results[0].bytes) =>
    results.find((one: { policy: string; bytes: number }) => one.policy === policy && one.bytes === size);
  return { log, results, of };
}

function randomly(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Some keys are asked for often, and in between comes what is asked for once. */
function skewed(requests: number, keys: number): Line[] {
  const random = randomly(7);
  return Array.from({ length: requests }, (_, i) => {
    const key = i % 4 === 0 ? `once ${i}` : `key ${Math.floor(keys ** random())}`;
    return { key, bytes: 1000, cost: 0.5 };
  });
}

describe('what is told', () => {
  test('where all has room, every repeat is a hit, and saves its cost and its money', async () => {
    const lines = ['a', 'b', 'a', 'a', 'c', 'b'].map((key, i) => ({
      time: 1_764_480_000 + i,
      key,
      bytes: 1000,
      cost: key === 'a' ? 1.5 : 0.25,
    }));
    const { log, of } = await replayed(
      logOf(lines),
      '--size',
      '16MB',
      '--price',
      '7200',
      '--policy',
      'zerohop',
      'lru',
      'all',
    );
    expect(log).toMatchObject({ requests: 6, keys: 3, spanMs: 5000, costMs: 5250, sizesKnown: 1, costsKnown: 1 });
    for (const policy of ['zerohop', 'lru', 'all']) {
      expect(of(policy)).toMatchObject({ hitRate: 0.5, savedMs: 3250, playedRequests: 6 });
      expect(of(policy).savedUsd).toBeCloseTo(6.5, 9);
    }
    const { stdout } = await typed(['replay', logOf(lines), '--size', '16MB', '--instance', 'aws g5.xlarge']);
    expect(stdout).toContain('6 requests of 3 keys in 5s');
    expect(stdout).toMatch(/16 MB +zerohop +50\.0 % +3\.250 s +0\.0009/);
  });

  test('the engine keeps what is asked for again, where fifo and lru do not, and nothing beats a cache of all', async () => {
    const file = logOf(skewed(60_000, 5000));
    const { of } = await replayed(
      file,
      '--size',
      '1MB',
      '2MB',
      '--policy',
      'zerohop',
      'score',
      'lru',
      'lfu',
      'fifo',
      'all',
    );
    for (const bytes of [2 ** 20, 2 ** 21]) {
      const rate = (policy: string) => of(policy, bytes).hitRate as number;
      expect(rate('zerohop')).toBeGreaterThan(rate('lru'));
      expect(rate('lru')).toBeGreaterThan(rate('fifo'));
      for (const policy of ['zerohop', 'score', 'lfu']) expect(rate('all')).toBeGreaterThan(rate(policy));
    }
    expect(of('zerohop', 2 ** 21).hitRate).toBeGreaterThan(of('zerohop', 2 ** 20).hitRate);
  });

  test('a cache larger than the memory is played in small, and the figures stay near', async () => {
    const file = logOf(skewed(200_000, 20_000));
    const words = ['--size', '16MB', '--policy', 'zerohop', 'lru'];
    const whole = await replayed(file, ...words, '--memory', '16MB');
    const small = await replayed(file, ...words, '--memory', '4MB');
    expect(whole.of('lru').playedRequests).toBe(200_000);
    expect(small.of('lru').playedRequests).toBeLessThan(120_000);
    for (const policy of ['zerohop', 'lru']) {
      expect(Math.abs(small.of(policy).hitRate - whole.of(policy).hitRate)).toBeLessThan(0.1);
      expect(small.of(policy).savedMs / whole.of(policy).savedMs).toBeCloseTo(1, 0);
    }
    const { stdout } = await typed(['replay', file, ...words, '--memory', '4MB']);
    expect(stdout).toContain('those of a sample of the keys');
  });

  test('values end on the clock of the log, by their own ttl or by the one that is tried', async () => {
    const ask = (time: number, key: string, ttl?: number) => ({
      time,
      key,
      bytes: 10,
      ...(ttl !== undefined && { ttl }),
    });
    const file = logOf([ask(0, 'a', 50), ask(0, 'b'), ask(10, 'a'), ask(100, 'a'), ask(1e6, 'b'), ask(1e6, 'a')]);
    const rates = async (...words: string[]) => {
      const { of } = await replayed(file, '--size', '1MB', '--policy', 'zerohop', 'lfu', 'all', ...words);
      return ['zerohop', 'lfu', 'all'].map((policy) => of(policy).hitRate * 6);
    };
    expect(await rates()).toEqual([2, 2, 2]);
    expect(await rates('--ttl', '95s')).toEqual([1, 1, 1].map((hits) => hits));
    expect(await rates('--ttl', '20d')).toEqual([4, 4, 4]);
    const timeless = logOf([{ key: 'a', bytes: 1 }]);
    expect(await typed(['replay', timeless, '--ttl', '1h'])).toMatchObject({ code: 2 });
  });

  test('what the log does not know is said, and filled in', async () => {
    const file = logOf([{ key: 'a', bytes: 100 }, { key: 'b' }, { key: 'a' }, { key: 'b' }]);
    const { log, of } = await replayed(file, '--size', '1MB', '--cost', '2s', '--policy', 'all');
    expect(log).toMatchObject({ sizesKnown: 0.5, costsKnown: 0, costMs: 8000 });
    expect(of('all')).toMatchObject({ hitRate: 0.5, savedMs: 4000 });
    expect((await typed(['replay', file, '--size', '1MB'])).stdout).toContain('known of 50.0 %');
    const unsized = logOf([{ key: 'a' }]);
    expect(await typed(['replay', unsized])).toMatchObject({ code: 1, stderr: expect.stringContaining('--bytes') });
    expect((await replayed(unsized, '--bytes', '4KB')).log.bytes).toBe(4096 + 1 + 64);
  });

  test('a value for which a cache is too small is a miss, and that is told', async () => {
    const file = logOf([
      { key: 'a', bytes: 900_000 },
      { key: 'a', bytes: 900_000 },
    ]);
    expect((await replayed(file, '--size', '1MB')).of('zerohop')).toMatchObject({ hitRate: 0, tooLarge: 2 });
    expect((await typed(['replay', file, '--size', '1MB'])).stdout).toContain('larger than half');
  });
});

describe('a log', () => {
  const requestsIn = async (file: string) => {
    const requests: unknown[] = [];
    const head = await readAccessLog(file, (request) => requests.push(request));
    return { head, requests };
  };

  test('is JSON lines or CSV, packed or not, with dates or seconds, and keys of any bytes', async () => {
    const folder = ownFolder();
    const file = (name: string, content: string | Buffer) => {
      writeFileSync(path.join(folder, name), content);
      return path.join(folder, name);
    };
    const json =
      '{"format":"zerohop-access-log","share":0.25}\n{"time":1.5,"key":"a","bytes":3,"cost":0.002,"ttl":60}\n';
    const first = { key: 'a', timeMs: 1500, bytes: 3, costMs: 2, ttlMs: 60_000 };
    for (const packed of [json, gzipSync(json)])
      expect(await requestsIn(file('json', packed))).toEqual({ head: { share: 0.25 }, requests: [first] });
    const csv = '\ufeffkey,time,cost,bytes\r\n"a ""b"", c",1970-01-01T00:00:01.5Z,,3\r\nd,,,\r\n';
    const unknown = { timeMs: undefined, bytes: undefined, costMs: undefined, ttlMs: undefined };
    expect((await requestsIn(file('csv', csv))).requests).toEqual([
      { ...unknown, key: 'a "b", c', timeMs: 1500, bytes: 3 },
      { ...unknown, key: 'd' },
    ]);
    expect((await requestsIn(file('bytes', '{"key":{"base64":"/wA="}}\n'))).requests).toEqual([
      { ...unknown, key: Buffer.from([255, 0]) },
    ]);
    expect((await requestsIn(file('cut', `${json}{"key":"b`))).requests).toEqual([first]);
    const piped = await zerohop(['replay', '-', '--json', '--policy', 'all'], { input: gzipSync(json) });
    expect(JSON.parse(piped.stdout).log).toMatchObject({ requests: 1, share: 0.25, bytes: 4 * (3 + 1 + 64) });
  });

  test('that is wrong is told with its line, in escapes', async () => {
    for (const [text, said] of [
      ['{"key":"a","bytes":1}\n{"key":7}\n', ':2: key: expected a text'],
      ['{"key":"a","bytes":-1}\n', ':1: bytes: expected a number'],
      ['{"key":"a","time":"soon"}\n', ':1: time: expected seconds'],
      ['{"key":"a"\n', ':1: expected a JSON object'],
      ['{"format":"zerohop-access-log","share":2}\n', ':1: share: expected'],
      ['time,bytes\n1,2\n', 'one of them "key"'],
      ['key,bytes\na,1,2\n', ':2: expected 2 fields, found 3'],
      ['key,bytes\n"a,1\n', ':2: a quote'],
      ['', 'there is no request in it'],
    ] as const) {
      const file = path.join(ownFolder(), 'evil\x1b[31m.log');
      writeFileSync(file, text);
      const done = await typed(['replay', file]);
      expect(done, text).toMatchObject({ code: 1, stderr: expect.stringContaining(said) });
      expect(done.stderr).not.toContain('\x1b');
    }
    for (const words of [
      ['--policy', 'best'],
      ['--size', '1KB'],
      ['--price', 'x'],
      ['--instance', 'a toaster'],
    ])
      expect((await typed(['replay', logOf([{ key: 'a', bytes: 1 }]), ...words])).code, words.join(' ')).toBe(2);
    expect(await typed(['replay', 'none.log'])).toMatchObject({ code: 1, stderr: expect.stringContaining('none.log') });
  });

  test('of models has a sample of the inputs, each with all its requests, and never an input', async () => {
    const file = path.join(ownFolder(), 'access.jsonl');
    const cache = openCache({ maxBytes: '16MB' });
    const run = async (texts: string[]) => {
      await new Promise((done) => setTimeout(done, 5));
      return texts.map((text) => text.toUpperCase());
    };
    const model = cache.model({ name: 'tagger', version: '1', scope: PUBLIC, codec: utf8, run });
    const texts = Array.from({ length: 2000 }, (_, i) => `secret ${i}`);
    await model.predictMany(texts); // before: nobody listens
    const log = accessLog(file, { maxBytes: '1MB' });
    for (let round = 0; round < 3; ++round) {
      for (const text of texts.slice(0, 200)) await model.predict(text);
      await model.predictMany(texts);
    }
    await log.close();
    await model.predictMany(texts);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const { head, requests } = await requestsIn(file);
    expect(head.share).toBe(1 / 64);
    const counts = new Map<string, number>();
    for (const { key, bytes, costMs } of requests as { key: string; bytes: number; costMs: number }[]) {
      counts.set(key, (counts.get(key) ?? 0) + 1);
      expect(key).toMatch(/^tagger@1:[0-9a-f]{64}$/);
      expect(bytes).toBeGreaterThanOrEqual('SECRET 0'.length);
      expect(costMs).toBeGreaterThan(0);
    }
    expect(counts.size).toBeGreaterThan(5);
    expect(counts.size).toBeLessThan(80);
    for (const count of counts.values()) expect([3, 6]).toContain(count);
    expect(log.dropped).toBe(0);
    const { log: told, of } = await replayed(file, '--size', '1GB', '--policy', 'zerohop', 'all');
    expect(told.share).toBe(1 / 64);
    expect(of('zerohop').hitRate).toBe(of('all').hitRate);
  });

  test('of models is bounded, and what the disk refuses is counted', async () => {
    const file = path.join(ownFolder(), 'access.jsonl');
    const cache = openCache();
    const model = cache.model({
      name: 'm'.repeat(200),
      version: '1',
      scope: PUBLIC,
      codec: utf8,
      run: async (t: string[]) => t,
    });
    const texts = Array.from({ length: 3000 }, (_, i) => `${i}`);
    for (let i = 0; i < 4; ++i) {
      const log = accessLog(file, { maxBytes: '1MB' });
      for (let round = 0; round < 15; ++round) await model.predictMany(texts);
      await log.close();
    }
    const [now, before] = [statSync(file).size, statSync(`${file}.1`).size];
    expect(now + before).toBeLessThanOrEqual(2 ** 20);
    expect((await requestsIn(file)).head.share).toBe(1 / 64);
    const lost = accessLog(path.join(ownFolder(), 'no', 'such', 'folder'));
    await model.predictMany(texts);
    await lost.close();
    expect(lost.dropped).toBeGreaterThan(0);
    expect(() => accessLog('')).toThrow(RangeError);
    expect(() => accessLog(file, { maxBytes: 5 })).toThrow(RangeError);
  });
});

test.each<Simple>(['fifo', 'lru', 'lfu'])('%s keeps what a plain list would', (policy) => {
  const random = randomly(policy.length);
  const ids = 60;
  const sizes = Array.from({ length: ids }, () => 1 + Math.floor(random() * 9));
  const capacity = 60;
  const cache = simpleCache(policy, ids, sizes, capacity);
  /** First what goes first. */
  let list: { id: number; count: number; used: number }[] = [];
  const order = {
    fifo: () => 0,
    lru: (a: (typeof list)[0], b: (typeof list)[0]) => a.used - b.used,
    lfu: (a: (typeof list)[0], b: (typeof list)[0]) => a.count - b.count || a.used - b.used,
  }[policy as 'fifo'];
  for (let now = 0; now < 20_000; ++now) {
    const id = Math.floor(random() ** 2 * ids);
    if (now % 17 === 0) {
      cache.forget(id);
      list = list.filter((one) => one.id !== id);
      continue;
    }
    const known = list.find((one) => one.id === id);
    expect(cache.request(id)).toBe(known !== undefined);
    if (known !== undefined) {
      known.count++;
      known.used = now;
    } else {
      const room = () => capacity - list.reduce((sum, one) => sum + sizes[one.id]!, 0);
      while (room() < sizes[id]!) list = [...list].sort(order as never).slice(1);
      list.push({ id, count: 1, used: now });
    }
    if (policy !== 'fifo') list.sort(order as never);
  }
});
