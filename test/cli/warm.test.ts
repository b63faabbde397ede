// `zerohop warm`: a running cache is filled from another server, a table, a list of keys, and an access log.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Cache, EmbeddingTable, float32, open, serve } from 'zerohop';
import { RespClient } from '../../dist/resp/client.js';
import { serverPlace } from '../../dist/resp/url.js';
import { program, typed } from '../fixtures/command-line.js';
import { ownFolder } from '../fixtures/folder.js';
import { until } from '../fixtures/opened.js';
import { startRedis, startZerohop, type TestServer, type ZerohopServer } from '../fixtures/redis-servers.js';

let server: ZerohopServer;
let redis: TestServer;
let cache: Cache;
let source: RespClient;
beforeAll(async () => {
  [server, redis] = await Promise.all([startZerohop(), startRedis()]);
  ({ cache } = server);
  source = await RespClient.connect(serverPlace(redisUrl()), { timeoutMs: 10_000 });
});
afterAll(async () => {
  source?.close();
  await Promise.all([server?.stop(), redis?.stop()]);
});
beforeEach(async () => {
  cache.clear();
  await source.call('FLUSHALL');
});

const redisUrl = () => `redis://127.0.0.1:${redis.port}`;
const env = () => ({ ZEROHOP_URL: `redis://127.0.0.1:${server.port}` });
const warm = (...words: string[]) => typed(['warm', ...words], env());
const told = async (...words: string[]) => JSON.parse((await warm(...words, '--json')).stdout);
const text = (key: string | Uint8Array) => {
  const value = cache.get(key);
  return value && Buffer.from(value).toString();
};

describe('from Redis', () => {
  test('all values come with their bytes and their ends; what is no value, or ended, is left out', async () => {
    const binary = Buffer.from([0, 255, 10, 13, 36]);
    await source.call('SET', binary, Buffer.concat([binary, binary]));
    await source.call('SET', 'ends', 'soon', 'PX', 3_600_000);
    await source.call('RPUSH', 'list', 'a');
    const many = Array.from({ length: 3000 }, (_, i) => [`many:${i}`, `value ${i}`]).flat();
    await source.call('MSET', ...many);
    const done = await warm(redisUrl());
    expect(done).toMatchObject({ code: 0, stderr: '' });
    expect(done.stdout).toContain('stored  3 002');
    expect(done.stdout).toContain('absent  1 without');
    expect(cache.get(binary)).toEqual(new Uint8Array([...binary, ...binary]));
    for (const i of [0, 1234, 2999]) expect(text(`many:${i}`)).toBe(`value ${i}`);
    const ttl = Number((await typed(['ttl', 'ends', '--json'], env())).stdout.match(/"ttlMs":(\d+)/)![1]);
    expect(ttl).toBeGreaterThan(3_500_000);
    expect(ttl).toBeLessThanOrEqual(3_600_000);
    expect((await typed(['ttl', 'many:0'], env())).stdout).toBe('for ever\n');
  });

  test('a pattern chooses; what is stored stays unless it is overwritten; --ttl and --tag are for what is stored', async () => {
    await source.call('MSET', 'a:1', 'new', 'a:2', 'new', 'b:1', 'new');
    cache.set('a:1', Buffer.from('mine'));
    const words = ['--match', 'a:*', '--ttl', '1h', '--tag', 'warmed'];
    expect(await told(redisUrl(), ...words)).toMatchObject({ keys: 2, stored: 1, present: 1, end: 'complete' });
    expect([text('a:1'), text('a:2'), text('b:1')]).toEqual(['mine', 'new', undefined]);
    expect((await typed(['ttl', 'a:2'], env())).stdout).toMatch(/^(1h|59m)/);
    expect(await told(redisUrl(), ...words, '--overwrite')).toMatchObject({ stored: 2, present: 0 });
    expect(text('a:1')).toBe('new');
    expect((await typed(['purge', '--tag', 'warmed'], env())).stdout).toBe('2\n');
  });

  test('a dry run tells what would be stored, and stores nothing', async () => {
    await source.call('MSET', 'a', 'xx', 'b', 'yyy');
    cache.set('b', Buffer.from('mine'));
    const state = path.join(ownFolder(), 'state');
    expect(await told(redisUrl(), '--dry-run', '--state', state)).toMatchObject({
      stored: 1,
      storedBytes: 2,
      present: 1,
      dryRun: true,
    });
    expect((await warm(redisUrl(), '--dry-run')).stdout).toContain('would store  1, 2 B');
    expect([text('a'), text('b'), existsSync(state)]).toEqual([undefined, 'mine', false]);
  });

  test('a list of keys, of lines or NULs, and an access log say which, the hottest first', async () => {
    const folder = ownFolder();
    const file = (name: string, content: string | Buffer) => {
      writeFileSync(path.join(folder, name), content);
      return path.join(folder, name);
    };
    await source.call('MSET', 'a', '1', 'b\nc', '2', 'd', '3', 'e', '4');
    expect(await told(redisUrl(), '--keys', file('lines', 'a\nnone\n'))).toMatchObject({ stored: 1, absent: 1 });
    expect(await told(redisUrl(), '--keys', file('nul', 'b\nc\0a\0'), '--null')).toMatchObject({
      stored: 1,
      present: 1,
    });
    expect(text('b\nc')).toBe('2');
    const log = ['d', 'e', 'e', 'none'].map((key) => JSON.stringify({ key })).join('\n');
    expect(await told(redisUrl(), '--log', file('log.gz', gzipSync(log)))).toMatchObject({ stored: 2, absent: 1 });
    expect([text('d'), text('e')]).toEqual(['3', '4']);
  });
});

describe('what stops it', () => {
  test('SIGINT ends it in good order, and the same command goes on where it was', async () => {
    const state = path.join(ownFolder(), 'state.json');
    const keys = 4000;
    await source.call('MSET', ...Array.from({ length: keys }, (_, i) => [`k${i}`, 'v']).flat());
    const words = ['warm', redisUrl(), '--state', state];
    const child = spawn(process.execPath, [program, ...words, '--rate', '1500'], {
      env: { ...process.env, ...env() },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (part: string) => {
      said += part;
    });
    await until(() => cache.stats().entries > 1200, 20);
    child.kill('SIGINT');
    const [code] = await once(child, 'close');
    expect(code).toBe(1);
    expect(said).toBe('zerohop: stopped before the end; the same command goes on there\n');
    const kept = JSON.parse(readFileSync(state, 'utf8'));
    expect(kept.counts.keys).toBeGreaterThan(0);
    expect(kept.counts.keys).toBeLessThan(keys);
    expect(JSON.stringify(kept)).not.toContain('v"');

    const rest = await typed([...words, '--json'], env());
    expect(rest).toMatchObject({ code: 0, stderr: '' });
    const { resumedAt, keys: looked, stored, present } = JSON.parse(rest.stdout);
    expect(resumedAt).toBe(kept.counts.keys);
    expect(looked).toBe(keys);
    expect(stored + present).toBe(keys);
    expect(cache.stats().entries).toBe(keys);
    expect(existsSync(state)).toBe(false);
  });

  test('a state of another warm-up, of a list that changed, or of nothing is refused', async () => {
    const folder = ownFolder();
    const [state, list] = [path.join(folder, 'state'), path.join(folder, 'list')];
    await source.call('SET', 'a', '1');
    writeFileSync(list, 'a\n');
    writeFileSync(state, '{}');
    expect(await warm(redisUrl(), '--state', state)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is no state of a warm-up'),
    });
    const counts = { keys: 1, stored: 1, storedBytes: 1, present: 0, absent: 0, refused: 0 };
    writeFileSync(state, JSON.stringify({ format: 'zerohop-warm-up', of: 'another', place: '1', counts }));
    utimesSync(list, 1, 1);
    expect(await warm(redisUrl(), '--keys', list, '--state', state)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is the state of another warm-up'),
    });
    expect(text('a')).toBeUndefined();
  });

  test('a cache that is full stops it, unless it may evict', async () => {
    const small = open({ maxBytes: '2MB' });
    const other = serve(small, { port: 0, host: '127.0.0.1' });
    try {
      const value = Buffer.alloc(2000);
      for (let from = 0; from < 4000; from += 500)
        await source.call('MSET', ...Array.from({ length: 500 }, (_, i) => [`k${from + i}`, value]).flat());
      const words = [redisUrl(), '--url', other.addresses[0]!, '--rate', '20000'];
      const { end, keys } = await told(...words);
      expect(end).toBe('full');
      expect(keys).toBeLessThan(4000);
      expect((await warm(...words)).stdout).toContain('the cache is full');
      expect(await told(...words, '--evict')).toMatchObject({ end: 'complete', keys: 4000 });
    } finally {
      await other.close();
      small.close();
    }
  });

  test('what is wrong with the command line, the source or the server is said', async () => {
    for (const [words, code, said] of [
      [[redisUrl(), '--keys', 'a', '--log', 'b'], 2, 'cannot be given together'],
      [[redisUrl(), '--rate', 'much'], 2, '--rate'],
      [[redisUrl(), '--keys', '-', '--state', 's'], 2, 'standard input'],
      [[redisUrl(), '--raw'], 2, 'for tables'],
      [['redis://:pw@127.0.0.1:1'], 1, 'nobody listens there'],
      [['nothing.safetensors'], 1, 'nothing.safetensors'],
      [[redisUrl(), '--url', 'redis://127.0.0.1:1'], 1, 'nobody listens there'],
    ] as const) {
      const done = await warm(...words);
      expect(done, words.join(' ')).toMatchObject({ code, stderr: expect.stringContaining(said) });
      expect(done.stderr).not.toContain('pw@');
    }
  });
});

describe('from a table', () => {
  test('rows are float32 under their ids, whatever the file has; --raw leaves them as they are', async () => {
    const folder = ownFolder();
    const rows: [string, number[]][] = [
      ['a', [1, -0.5, 0.25]],
      ['b', [2, 4, -8]],
    ];
    const embeddings = cache.keyspace('db1', { codec: float32(3) });
    const url = `${env().ZEROHOP_URL}/1`;
    for (const dtype of ['F32', 'F16', 'BF16', 'I8'] as const) {
      const file = path.join(folder, `${dtype}.safetensors`);
      await EmbeddingTable.write(file, rows, { dtype });
      embeddings.clear();
      expect(await told(file, '--prefix', 'item:', '--url', url)).toMatchObject({ stored: 2, storedBytes: 24 });
      for (const [id, vector] of rows)
        for (const [i, x] of embeddings.get(`item:${id}`)!.entries()) expect(x).toBeCloseTo(vector[i]!, 1);
      if (dtype === 'F32') expect(embeddings.get('item:a')).toEqual(Float32Array.of(1, -0.5, 0.25));
      const raw = await warm(file, '--raw', '--prefix', 'raw:');
      expect(raw.code).toBe(dtype === 'I8' ? 1 : 0);
    }
    expect(cache.get('raw:a')).toHaveLength(12);
  });

  test('numbers are keys as texts, or as integers of the process, and a list of ids chooses', async () => {
    const folder = ownFolder();
    const file = path.join(folder, 'items.safetensors');
    await EmbeddingTable.write(file, [
      [7, [1, 2]],
      [-9, [3, 4]],
    ]);
    const list = path.join(folder, 'ids');
    writeFileSync(list, '7\n8\nx\n');
    expect(await told(file, '--keys', list)).toMatchObject({ keys: 3, stored: 1, absent: 2 });
    expect(cache.get('7')).toHaveLength(8);
    const byNumber = cache.keyspace('db2', { codec: float32(2), keys: 'integer' });
    await warm(file, '--key-integer', '--url', `${env().ZEROHOP_URL}/2`);
    expect(byNumber.get(-9)).toEqual(Float32Array.of(3, 4));
  });
});
