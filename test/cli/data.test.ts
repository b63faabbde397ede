// The commands that read and write a running server's data, as a user types them. One server for all of them.
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Cache, float32, json } from 'zerohop';
import { RespClient } from '../../dist/resp/client.js';
import { serverPlace } from '../../dist/resp/url.js';
import { typed, zerohop } from '../fixtures/command-line.js';
import { ownFolder } from '../fixtures/folder.js';
import { startZerohop, type ZerohopServer } from '../fixtures/redis-servers.js';

const PASSWORD = 's3cret';

let server: ZerohopServer;
let cache: Cache;
let url: string;
beforeAll(async () => {
  server = await startZerohop({ password: PASSWORD });
  ({ cache } = server);
  url = `redis://:${PASSWORD}@127.0.0.1:${server.port}`;
});
afterAll(() => server?.stop());
beforeEach(() => cache.clear());

const run = (args: string[]) => typed(args, { ZEROHOP_URL: url });

describe('values', () => {
  test('what set stores, get prints byte by byte, from the command line, standard input and files', async () => {
    const folder = ownFolder();
    const bytes = Buffer.from([0, 27, 91, 10, 255]);
    writeFileSync(path.join(folder, 'in'), bytes);
    expect(await run(['set', 'text', 'héllo'])).toMatchObject({ code: 0, stdout: '' });
    expect(await zerohop(['set', 'piped'], { env: { ZEROHOP_URL: url }, input: bytes })).toMatchObject({ code: 0 });
    expect(await run(['set', 'filed', '--file', path.join(folder, 'in')])).toMatchObject({ code: 0 });
    expect((await run(['get', 'text'])).stdout).toBe('héllo');
    expect((await run(['get', 'piped'])).bytes).toEqual(bytes);
    expect((await run(['get', 'filed', '--file', path.join(folder, 'out')])).stdout).toBe('');
    expect(readFileSync(path.join(folder, 'out'))).toEqual(bytes);
    expect((await run(['get', 'piped', '--hex'])).stdout).toBe('001b5b0aff\n');
    expect(JSON.parse((await run(['get', 'piped', '--json'])).stdout)).toEqual({
      key: 'piped',
      found: true,
      bytes: 5,
      value: { base64: bytes.toString('base64') },
    });
  });

  test('float32 numbers and hexadecimal digits are what code in the process sees', async () => {
    const rows = cache.keyspace('db1', { codec: float32(3) });
    await typed(['set', 'row', '--f32', '[1.5, -2 3e2]', '--url', `${url}/1`]);
    expect(rows.get('row')).toEqual(Float32Array.of(1.5, -2, 300));
    expect((await typed(['get', 'row', '--f32', '--url', `${url}/1`])).stdout).toBe('1.5 -2 300\n');
    await run(['set', '--key-hex', 'ff00', '--hex', '00 ff']);
    expect(cache.get(Buffer.from([255, 0]))).toEqual(Uint8Array.of(0, 255));
    await run(['set', '--key-integer', '--', '-7', 'seven']);
    const eight = Buffer.alloc(8);
    eight.writeBigInt64LE(-7n);
    expect(cache.has(eight)).toBe(true);
  });

  test('--json of set takes JSON alone, and stores what the codec does; get --pretty shows it indented', async () => {
    const objects = cache.keyspace('db2', { codec: json });
    const on2 = ['--url', `${url}/2`];
    const told = await typed(['set', 'k', '--json', '{ "a" : [1, {}], "é": "\\u001b[31m" }', ...on2]);
    expect(JSON.parse(told.stdout)).toEqual({ key: 'k', stored: true, bytes: 30 });
    expect(objects.get('k')).toEqual({ a: [1, {}], é: '\x1b[31m' });
    expect((await typed(['get', 'k', ...on2])).stdout).toBe('{"a":[1,{}],"é":"\\u001b[31m"}');
    const pretty = '{\n  "a": [\n    1,\n    {}\n  ],\n  "é": "\\u001b[31m"\n}\n';
    expect((await typed(['get', 'k', '--pretty', ...on2])).stdout).toBe(pretty);
    for (const wrong of ['{a: 1}', '', '1e999', '-0', '{"a":1} {']) {
      const refused = await typed(['set', 'k', '--json', wrong, ...on2]);
      expect(refused, wrong).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/^zerohop: value: /) });
    }
    expect(objects.get('k')).toHaveProperty('a');
    expect((await run(['set', 'f', '--json', '--f32', '1 2'])).stdout).toContain('"bytes":8');
    expect(await run(['get', 'f', '--pretty'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no JSON text'),
    });
    expect(await run(['get', 'f', '--pretty', '--json'])).toMatchObject({ code: 2 });
  });

  test('a value ends with its ttl, is found by its tag, and is not overwritten with --if-absent', async () => {
    await run(['set', 'key', 'value', '--ttl', '1h', '--tag', 'a', 'b', '--cost', '12.5']);
    expect(cache.entry('key')).toMatchObject({ cost: 12.5 });
    expect((await run(['ttl', 'key'])).stdout).toMatch(/^(1h|59m \d+s)\n$/);
    expect(JSON.parse((await run(['ttl', 'key', '--json'])).stdout).ttlMs).toBeGreaterThan(3_500_000);
    expect(await run(['set', 'key', 'other', '--if-absent'])).toMatchObject({ code: 1 });
    expect((await run(['get', 'key'])).stdout).toBe('value');
    expect((await run(['purge', '--tag', 'b'])).stdout).toBe('1\n');
    expect(await run(['get', 'key'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: 'zerohop: there is no value under key\n',
    });
    await run(['set', 'key', 'value']);
    expect((await run(['ttl', 'key'])).stdout).toBe('for ever\n');
  });

  test('del and exists tell how many there were; a key that is missing ends exists and ttl with 1', async () => {
    for (const key of ['a', 'b']) cache.set(key, Buffer.from('x'));
    expect(await run(['exists', 'a', 'b'])).toMatchObject({ code: 0, stdout: '2\n' });
    expect(await run(['exists', 'a', 'c'])).toMatchObject({ code: 1, stdout: '1\n', stderr: '' });
    expect(await run(['del', 'a', 'c'])).toMatchObject({ code: 0, stdout: '1\n' });
    expect(await run(['ttl', 'a'])).toMatchObject({ code: 1, stdout: '' });
    expect(JSON.parse((await run(['del', 'b', '--json'])).stdout)).toEqual({ deleted: 1 });
  });
});

describe('keys', () => {
  test('keys are one a line, in escapes where they could command a terminal, and as they are for xargs', async () => {
    const keys = ['plain', 'red \x1b[31m', 'two\nlines', 'back\\slash', 'bidi \u202e', 'C1 \u009b'].map((key) =>
      Buffer.from(key),
    );
    keys.push(Buffer.from([0x66, 0xff, 0x0a]));
    for (const key of keys) cache.set(key, Buffer.from('x'));
    const { stdout } = await run(['keys']);
    const expected = [
      'plain',
      'red \\x1b[31m',
      'two\\nlines',
      'back\\\\slash',
      'bidi \\u{202e}',
      'C1 \\u{9b}',
      'f\\xff\\n',
    ];
    expect(stdout.trimEnd().split('\n').sort()).toEqual(expected.sort());
    const { bytes } = await run(['keys', '--null']);
    expect(bytes.toString('latin1').split('\0').sort()).toEqual(
      ['', ...keys.map((key) => key.toString('latin1'))].sort(),
    );
    const json = (await run(['keys', '--json'])).stdout;
    for (const character of '\x1b\u009b\u202e') expect(json).not.toContain(character);
    const told = json
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as string | { base64: string });
    const asBytes = told.map((key) => (typeof key === 'string' ? Buffer.from(key) : Buffer.from(key.base64, 'base64')));
    expect(asBytes.map((key) => key.toString('hex')).sort()).toEqual(keys.map((key) => key.toString('hex')).sort());
    const missing = await run(['get', '\x1b]0;title\x07']);
    expect(missing.stderr).toContain('\\x1b]0;title\\x07');
  });

  test('a pattern, a limit and a prefix choose among many keys', async () => {
    for (let i = 0; i < 5000; ++i) cache.set(`many:${i}`, Buffer.from('x'));
    for (const key of ['a*:1', 'a*:2', 'ab:3']) cache.set(key, Buffer.from('x'));
    expect((await run(['keys', 'many:123?'])).stdout.split('\n')).toHaveLength(11);
    expect((await run(['keys', '--limit', '1234'])).stdout.split('\n')).toHaveLength(1235);
    expect((await run(['purge', '--prefix', 'a*'])).stdout).toBe('2\n');
    expect((await run(['purge', '--prefix', 'many:'])).stdout).toBe('5000\n');
    expect((await run(['keys'])).stdout).toBe('ab:3\n');
  });
});

describe('status', () => {
  test('status tells hits, memory, clients and the hottest databases, also in 40 columns and as JSON', async () => {
    await run(['set', 'key', 'value']);
    await run(['get', 'key']);
    const { stdout, code } = await run(['status']);
    expect(code).toBe(0);
    for (const part of ['hit rate', '64 MB', 'evicted', 'clients', 'database']) expect(stdout).toContain(part);
    expect(stdout).not.toContain(PASSWORD);
    expect(stdout).not.toContain('\x1b');
    const narrow = await typed(['status'], { ZEROHOP_URL: url, COLUMNS: '40' });
    for (const line of narrow.stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(40);
    const status = JSON.parse((await run(['status', '--json'])).stdout);
    expect(status).toMatchObject({ clients: 1, cache: { entries: 1, evictedBy: { capacity: 0 } } });
    expect(status.hitRate).toBeGreaterThan(0);
  });

  test('a server that hangs, is absent, or wants a password is told apart, and the password is not told', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const port = (silent.address() as { port: number }).port;
    const status = (given: string, ...more: string[]) => typed(['status', '--url', given, ...more]);
    const hangs = await status(`redis://:pw@127.0.0.1:${port}`, '--timeout', '300ms');
    const absent = await status('redis://:pw@127.0.0.1:1');
    const stranger = await status(`redis://127.0.0.1:${server.port}`);
    const wrong = await status(`redis://:pw@127.0.0.1:${server.port}`);
    const unclear = await status('http://:pw@127.0.0.1');
    silent.close();
    expect(hangs).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('does not answer: nothing came for 0.3 s'),
    });
    expect(absent).toMatchObject({ code: 1, stderr: expect.stringContaining('nobody listens') });
    expect(stranger).toMatchObject({ code: 1, stderr: expect.stringContaining('ZEROHOP_PASSWORD') });
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('WRONGPASS') });
    expect(unclear).toMatchObject({ code: 2, stderr: expect.stringContaining('redis://') });
    for (const { stdout, stderr } of [hangs, absent, stranger, wrong, unclear])
      expect(stdout + stderr).not.toContain('pw');
  });
});

describe('what is asked for most, and why', () => {
  test('top tells the keys that were asked for most, and that it looked at a part', async () => {
    const cold = Array.from({ length: 3000 }, (_, i) => `cold:${i}`);
    for (const key of cold) cache.set(key, Buffer.from('x'));
    cache.set('hot \x1b[31m', Buffer.from('xyz'), { ttl: '1h' });
    const client = await RespClient.connect(serverPlace(url), { timeoutMs: 10_000 });
    // The policy counts a key that is asked for again after others were.
    for (let i = 0; i < 10; ++i) {
      await client.call('GET', 'hot \x1b[31m');
      await client.call('MGET', ...cold.slice(i * 300, i * 300 + 300));
    }
    for (let i = 0; i < 3; ++i) await client.call('GET', 'hot \x1b[31m');
    client.close();
    const { stdout } = await run(['top', '--count', '3']);
    expect(stdout.split('\n')[1]).toMatch(/^ +\d+ {2}hot \\x1b\[31m +3 B +(1h|59m)/);
    expect(stdout.trimEnd().split('\n')).toHaveLength(4);
    expect((await run(['top', '--scan', '500'])).stdout).toContain('of 500 keys of 3 001');
    const told = JSON.parse((await run(['top', '--json', '--count', '1'])).stdout);
    expect(told).toMatchObject({ looked: 3001, keys: [{ key: 'hot \x1b[31m', bytes: 3 }] });
  });

  test('explain tells of a key that is kept, that was evicted, and that never was', async () => {
    await run(['set', 'kept', 'value', '--cost', '12.5']);
    const kept = await run(['explain', 'kept']);
    expect(kept).toMatchObject({ code: 0, stderr: '' });
    for (const part of ['there is room for all', '5 B', 'does not end', '12.5 ms']) expect(kept.stdout).toContain(part);
    expect(JSON.parse((await run(['explain', 'kept', '--json'])).stdout)).toMatchObject({
      key: 'kept',
      entry: { size: 5, ttlMs: null, cost: 12.5, frequency: cache.entry('kept')!.frequency },
      evicting: false,
    });
    const never = await run(['explain', 'never']);
    expect(never).toMatchObject({ code: 1, stderr: '', stdout: expect.stringContaining('never was') });
    // Fills the cache more than once over, so that what came first goes.
    const block = Buffer.alloc(2 ** 20);
    for (let i = 0; i < 150; ++i) cache.set(`block ${i}`, block);
    const gone = Array.from({ length: 150 }, (_, i) => `block ${i}`).find(
      (key) => cache.eviction(key) !== undefined && !cache.has(key),
    );
    const evicted = await run(['explain', gone!]);
    expect(evicted).toMatchObject({ code: 1, stdout: expect.stringContaining('evicted, since room was needed') });
  });
});
