// cache.admin(): the commands of the command line on a cache inside a running program, by its unix socket.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, lstatSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { type Cache, float32, json, PUBLIC, utf8 } from 'zerohop';
import { report } from 'zerohop/report';
import { addUpstreams } from '../../dist/cache/upstreams.js';
import { program, typed } from '../fixtures/command-line.js';
import { ownFolder } from '../fixtures/folder.js';
import { errorOf, openCache, until } from '../fixtures/opened.js';

/** A cache with a socket, and its commands. */
function administered() {
  const cache = openCache();
  const socket = path.join(ownFolder(), 'admin.sock');
  const server = cache.admin({ path: socket });
  const run = (args: string[], env: NodeJS.ProcessEnv = {}) => typed(args, { ZEROHOP_URL: `unix:${socket}`, ...env });
  return { cache, socket, server, run };
}

const tagger = (cache: Cache, version = '1') =>
  cache.model({
    name: 'tagger',
    version,
    scope: PUBLIC,
    codec: utf8,
    async run(texts: string[]) {
      await new Promise((done) => setTimeout(done, 20));
      return texts.map((text) => text.toUpperCase());
    },
  });

describe('the socket', () => {
  test('is for this user alone, is removed on close, and its server ends with the cache', async () => {
    const { cache, socket, server } = administered();
    expect(lstatSync(socket).mode & 0o777).toBe(0o600);
    expect(server.addresses).toEqual([`redis+unix://${socket}`]);
    await server.close();
    expect(existsSync(socket)).toBe(false);
    cache.admin({ path: socket, pathMode: 0o660 });
    expect(lstatSync(socket).mode & 0o777).toBe(0o660);
    cache.close();
    await until(() => !existsSync(socket));
    expect(errorOf(() => cache.admin({ path: socket })).code).toBe('ERR_CACHE_CLOSED');
  });

  test('replaces one that a dead process left, and neither one in use nor another file', async () => {
    const { cache, socket } = administered();
    const again = errorOf(() => openCache().admin({ path: socket }));
    expect([again.code, again.message]).toEqual(['ERR_CACHE_IO', expect.stringContaining(socket)]);
    const stale = path.join(ownFolder(), 'stale.sock');
    const dies = `require('node:net').createServer().listen(${JSON.stringify(stale)}, () => process.kill(process.pid, 'SIGKILL'))`;
    await once(spawn(process.execPath, ['-e', dies]), 'exit');
    expect(existsSync(stale)).toBe(true);
    cache.admin({ path: stale });
    expect((await typed(['exists', 'nothing', '--url', `unix:${stale}`])).stdout).toBe('0\n');
    const file = path.join(ownFolder(), 'file');
    writeFileSync(file, '');
    expect(errorOf(() => cache.admin({ path: file })).code).toBe('ERR_CACHE_IO');
    expect(existsSync(file)).toBe(true);
    const other = createServer().listen(path.join(ownFolder(), 'other.sock'));
    await once(other, 'listening');
    expect(errorOf(() => cache.admin({ path: other.address() as string })).code).toBe('ERR_CACHE_IO');
    other.close();
  });

  test('is not made where everybody could replace it, nor without a path', () => {
    const cache = openCache();
    const folder = path.join(ownFolder(), 'open');
    mkdirSync(folder);
    chmodSync(folder, 0o777);
    const said = errorOf(() => cache.admin({ path: path.join(folder, 's.sock') }));
    expect([said.code, said.message]).toEqual(['ERR_OUT_OF_RANGE', expect.stringContaining('options.path')]);
    chmodSync(folder, 0o1777);
    cache.admin({ path: path.join(folder, 's.sock') });
    expect(errorOf(() => cache.admin({} as never)).code).toBe('ERR_INVALID_ARG_TYPE');
    expect(errorOf(() => cache.admin({ path: 'x', port: 1 } as never)).code).toBe('ERR_INVALID_ARG_TYPE');
    expect(errorOf(() => cache.admin({ path: path.join(folder, 'no/such/s.sock') })).code).toBe('ERR_CACHE_IO');
  });

  test('keeps no process alive', async () => {
    const socket = path.join(ownFolder(), 'brief.sock');
    const text = `const { open } = require('zerohop'); open({ maxBytes: '1MB' }).admin({ path: ${JSON.stringify(socket)} });`;
    const child = spawn(process.execPath, ['-e', text], { cwd: path.join(__dirname, '../..'), stdio: 'inherit' });
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(existsSync(socket)).toBe(false);
  });
});

describe('a keyspace', () => {
  test('is reached by its name, whatever its codec, and by its number', async () => {
    const { cache, run, socket } = administered();
    const rows = cache.keyspace('rows', { codec: float32(2) });
    const objects = cache.keyspace('objects', { codec: json, scope: 'tenant' });
    rows.set('row', Float32Array.of(1.5, -2), { cost: 3 });
    expect((await run(['get', 'row', '--f32', '--keyspace', 'rows'])).stdout).toBe('1.5 -2\n');
    expect((await run(['explain', 'row', '--keyspace', 'rows'])).stdout).toContain('3 ms to compute it again');
    expect((await typed(['keys', '--url', `unix:${socket}?db=1`])).stdout).toBe('row\n');
    await run(['set', 'one', '{"a":1}', '--keyspace', 'objects', '--ttl', '1h', '--tag', 'x']);
    expect(objects.get('one')).toEqual({ a: 1 });
    await run(['set', 'one', '{"a":2}', '--keyspace', '["objects","tenant"]', '--tag', 'x']);
    expect(objects.get('one')).toEqual({ a: 2 });
    expect((await run(['top', '--keyspace', 'objects'])).stdout).toContain('one');
    expect((await run(['purge', '--tag', 'x', '--keyspace', 'objects'])).stdout).toBe('1\n');
    expect(objects.get('one')).toBeUndefined();
    expect(cache.get('row')).toBeUndefined();
    expect((await run(['del', 'row', '--keyspace', 'rows'])).stdout).toBe('1\n');
    expect(rows.get('row')).toBeUndefined();
  });

  test('whose name is wrong, or that of several, is not guessed', async () => {
    const { cache, run } = administered();
    for (const scope of ['a', 'b']) cache.keyspace('texts', { codec: utf8, scope });
    const wrong = await run(['get', 'k', '--keyspace', 'text\x1b[31m']);
    expect(wrong).toMatchObject({ code: 1, stdout: '' });
    expect(wrong.stderr).toContain('there is no keyspace text\\x1b[31m; there are ["texts","a"] (database 1)');
    const several = await run(['set', 'k', 'v', '--keyspace', 'texts']);
    expect(several).toMatchObject({ code: 1, stderr: expect.stringContaining('several keyspaces are texts') });
    await run(['set', 'k', 'v', '--keyspace', '["texts","b"]']);
    expect(cache.keyspace('texts', { codec: utf8, scope: 'b' }).get('k')).toBe('v');
  });

  test('of a model is purged by the name of the model, in all versions', async () => {
    const { cache, run } = administered();
    const [one, two] = [tagger(cache), tagger(cache, '2')];
    for (const model of [one, two]) await model.predict('text');
    cache.set('kept', Buffer.from('x'));
    expect((await run(['purge', '--model', 'tagger'])).stdout).toBe('2\n');
    expect([one.peek('text'), two.peek('text'), cache.has('kept')]).toEqual([undefined, undefined, true]);
  });
});

describe('status', () => {
  test('tells what models saved as a report does, with the money if there is a price', async () => {
    const { cache, run } = administered();
    expect((await run(['status'])).stdout).toContain('not known: no model runs in this process');
    const model = tagger(cache);
    for (let i = 0; i < 300; ++i) await model.predict(`text ${i % 3}`);
    const told = async (...args: string[]) => JSON.parse((await run(['status', '--json', ...args])).stdout);
    await expect.poll(async () => (await told()).saved?.report.models[0]?.hits, { timeout: 30_000 }).toBe(297);
    const { saved } = await told('--price', '3600');
    const seconds = report(cache).total.seconds.saved[0];
    expect(seconds).toBeGreaterThan(4);
    expect(saved.report.total.seconds.saved[0]).toBeCloseTo(seconds, 3);
    expect(saved.report.total.usd.saved[0]).toBeCloseTo(seconds, 3);
    expect(saved.elsewhere.hits).toBe(0);
    const { stdout } = await run(['status', '--price', '3600']);
    expect(stdout).toMatch(/saved +at least \d+\.\d{3} s of GPU time, \d+\.\d\d USD\n/);
    expect(stdout).toMatch(/\ntagger 1 +297 +\d+\.\d{3} s +\d+\.\d\d USD\n/);
    expect(stdout).toMatch(/\n1 model tagger +300 +99\.0 %/);
    expect((await run(['status'])).stdout).toContain('--price or --instance tells the money');
    expect(await run(['status', '--price', 'much'])).toMatchObject({ code: 2 });
  });

  test('tells hits of models in other threads apart, and what they saved as an estimate', async () => {
    const cache = openCache({ name: `admin ${process.pid}` });
    const socket = path.join(ownFolder(), 'admin.sock');
    cache.admin({ path: socket });
    const worker = `const { open, PUBLIC, utf8 } = require('zerohop'); const { name } = require('node:worker_threads').workerData;
      const cache = open({ name, maxBytes: '4MB' });
      const model = cache.model({ name: 'tagger', version: '1', scope: PUBLIC, codec: utf8, run: (texts) => texts });
      (async () => { for (let i = 0; i < 11; ++i) await model.predict('text'); require('node:worker_threads').parentPort.postMessage(0); })();`;
    const other = new Worker(worker, { eval: true, workerData: { name: `admin ${process.pid}` } });
    await once(other, 'message');
    const status = async () => (await typed(['status', '--url', `unix:${socket}`])).stdout;
    expect(await status()).toContain('not counted: 10 hits of other threads\n');
    const model = tagger(cache);
    for (let i = 0; i < 4; ++i) await model.predict('other text');
    await expect
      .poll(status, { timeout: 30_000 })
      .toMatch(/;\s+not counted: 10 hits of other threads, by estimate 0\.\d+ s/);
    await other.terminate();
  });

  test('fits into 40 columns, also again and again', async () => {
    const { cache, socket } = administered();
    const model = tagger(cache);
    cache.keyspace('a keyspace with a name of many words', { codec: utf8 }).set('key', 'value');
    for (let i = 0; i < 5; ++i) await model.predict('text');
    const args = [program, 'status', '--watch', '100ms', '--price', '1', '--url', `unix:${socket}`];
    const child = spawn(process.execPath, args, {
      env: { ...process.env, COLUMNS: '40' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let printed = '';
    for await (const chunk of child.stdout) {
      printed += String(chunk);
      if (printed.includes('saved  ') && printed.includes('lately') && printed.includes('\nmodel ')) break;
    }
    child.kill();
    for (const line of printed.split('\n')) expect(line.length, line).toBeLessThanOrEqual(40);
    expect(printed).toMatch(/2 a key\S+…/);
    expect(printed).not.toContain('\x1b');
  });

  test('shows what stands behind the cache, as the server tells of it', async () => {
    const { cache, run } = administered();
    const state = 'down: \x1b[31m';
    addUpstreams(cache, () => [{ name: 'redis://h:6379', healthy: false, state, requests: 1234, errors: 5 }]);
    await expect
      .poll(async () => (await run(['status'])).stdout)
      .toContain('upstream  redis://h:6379: down: \\x1b[31m; 1 234 requests, 5 errors\n');
    const { upstreams } = JSON.parse((await run(['status', '--json'])).stdout).cache;
    expect(upstreams).toEqual([{ name: 'redis://h:6379', healthy: false, state, requests: 1234, errors: 5 }]);
  });
});
