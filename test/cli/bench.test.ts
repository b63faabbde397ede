// `zerohop bench`: compares a Redis that the user names with zerohop on this machine. What it measures is not judged here.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { startOwnServer } from '../../dist/cli/own-server.js';
import { RespClient } from '../../dist/resp/client.js';
import { serverPlace } from '../../dist/resp/url.js';
import { program, typed } from '../fixtures/command-line.js';
import { ownFolder } from '../fixtures/folder.js';
import { until } from '../fixtures/opened.js';
import { startRedis, type TestServer } from '../fixtures/redis-servers.js';

let redis: TestServer;
let client: RespClient;
const url = () => `redis://127.0.0.1:${redis.port}`;
beforeAll(async () => {
  redis = await startRedis();
  client = await RespClient.connect(serverPlace(url()), { timeoutMs: 10_000 });
  await client.call('SET', 'mine', 'stays');
});
afterAll(async () => {
  client?.close();
  await redis?.stop();
});

test('every way has its times and their spread, and nothing is left in the Redis but what was there', async () => {
  const done = await typed(['bench', '--against', `${url()}/3`, '--quick', '--keys', '40', '--bytes', '256', '--json']);
  expect(done).toMatchObject({ code: 0, stderr: '' });
  const { redis: at, rows } = JSON.parse(done.stdout);
  expect(at).toMatch(/^Redis [\d.]+ at redis:\/\/127\.0\.0\.1:\d+$/);
  expect(rows.map(({ name, batch }: { name: string; batch: number }) => [name, batch])).toEqual([
    ['one', 1],
    ['pipelined-100', 100],
    ['mget-1000', 1000],
  ]);
  for (const { times, batch } of rows) {
    expect(Object.keys(times)).toEqual(
      batch === 1 ? ['redis', 'resp', 'any', 'hot'] : ['redis', 'resp', 'many', 'gather'],
    );
    for (const { median, p5, p95 } of Object.values<Record<string, number>>(times)) {
      expect(p5).toBeGreaterThan(0);
      expect(median).toBeGreaterThanOrEqual(p5!);
      expect(p95).toBeGreaterThanOrEqual(median!);
    }
  }
  await client.call('SELECT', 3);
  expect(await client.count('DBSIZE')).toBe(0);
  await client.call('SELECT', 0);
  expect(await client.count('DBSIZE')).toBe(1);
});

test('the table fits into its terminal, and has no colours in a pipe', async () => {
  const { stdout, code } = await typed(['bench', '--against', url(), '--quick', '--keys', '20', '--bytes', '64'], {
    COLUMNS: '60',
  });
  expect(code).toBe(0);
  for (const part of ['Redis', 'Every answer was', 'a value of 64 bytes', '1 000 of them, one MGET'])
    expect(stdout.replaceAll('\n', ' ')).toContain(part);
  for (const line of stdout.split('\n')) expect(line.length, line).toBeLessThanOrEqual(60);
  expect(stdout).not.toContain('\x1b');
});

test('an interrupt ends it, and what it stored is deleted', async () => {
  const child = spawn(process.execPath, [program, 'bench', '--against', url()], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    said += part;
  });
  let keys = 0;
  const count = setInterval(async () => {
    keys = await client.count('DBSIZE');
  }, 10);
  await until(() => keys > 1000, 30);
  clearInterval(count);
  child.kill('SIGINT');
  const [code] = await once(child, 'close');
  expect(code).toBe(1);
  expect(said).toContain('stopped before the end');
  expect(await client.count('DBSIZE')).toBe(1);
});

test('the password of the Redis may be in the environment, and is sent to nobody else', async () => {
  await client.call('CONFIG', 'SET', 'requirepass', 'known');
  onTestFinished(() => client.call('CONFIG', 'SET', 'requirepass', ''));
  const words = ['bench', '--against', url(), '--quick', '--keys', '20', '--bytes', '64', '--json'];
  expect(await typed(words, { ZEROHOP_OTHER_PASSWORD: 'known' })).toMatchObject({ code: 0, stderr: '' });
});

test('a server of its own that is killed before it serves is an error, and leaves no folder', async () => {
  const folder = ownFolder();
  const dies = path.join(folder, 'dies.cjs');
  writeFileSync(dies, "process.kill(process.pid, 'SIGKILL');");
  const temporary = path.join(folder, 'temporary');
  mkdirSync(temporary);
  vi.stubEnv('TMPDIR', temporary);
  vi.stubEnv('NODE_OPTIONS', `--require ${dies}`);
  onTestFinished(() => void vi.unstubAllEnvs());
  await expect(startOwnServer(2 ** 20, false)).rejects.toThrow('zerohop serve did not start: SIGKILL');
  expect(readdirSync(temporary)).toEqual([]);
});

test('a server that gives another answer than was stored ends it with 1', async () => {
  const proxy = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      const text = bytes.toString('latin1');
      if (text.includes('INFO')) socket.write('$19\r\nredis_version:0.0.0\r\n');
      else if (text.includes('$3\r\nGET')) socket.write('$4\r\nlies\r\n');
      else if (text.includes('UNLINK')) socket.write(':0\r\n');
      else socket.write('+OK\r\n'.repeat(text.split('$3\r\nSET').length - 1));
    });
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  const { port } = proxy.address() as { port: number };
  const done = await typed([
    'bench',
    '--against',
    `redis://127.0.0.1:${port}`,
    '--quick',
    '--keys',
    '1',
    '--bytes',
    '4',
  ]);
  proxy.close();
  expect(done).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining('WRONG ANSWER from redis') });
});

test('what is wrong with the command line or the server is said', async () => {
  for (const [words, code] of [
    [[], 2],
    [['--against', 'http://x'], 2],
    [['--against', 'redis://:pw@127.0.0.1:1'], 1],
    [['--against', url(), '--bytes', '6'], 2],
    [['--against', url(), '--keys', '0'], 2],
  ] as const) {
    const done = await typed(['bench', ...words]);
    expect(done.code, words.join(' ')).toBe(code);
    expect(done.stderr).not.toBe('');
    expect(done.stderr).not.toContain('pw');
  }
});
