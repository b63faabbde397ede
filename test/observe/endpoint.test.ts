// `zerohop serve --metrics`: what a scraper gets over HTTP, and where it listens.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createConnection, Server } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { type Cache, json, PUBLIC } from 'zerohop';
import { passwordGuard } from '../../dist/observe/access.js';
import { addressOption, Endpoint, formatFor } from '../../dist/observe/endpoint.js';
import { errorOf, openCache } from '../fixtures/opened.js';
import { hasPromtool, promtool, samplesOf, withoutPromtool } from '../fixtures/promtool.js';

const program = path.join(__dirname, '../../dist/cli/zerohop.js');

describe('zerohop serve --metrics', () => {
  let child: ChildProcess;
  let redisUrl: string;
  let url: string;

  beforeAll(async () => {
    const args = ['serve', '--port', '0', '--host', '127.0.0.1', '--memory-limit', '16MB', '--metrics', '0'];
    child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    let printed = '';
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
    });
    while (!/http:\S+\n/.test(printed)) await once(child.stdout!, 'data');
    redisUrl = /redis:\S+/.exec(printed)![0];
    url = `${/http:\S+/.exec(printed)![0]}metrics`;
  });
  afterAll(() => child.kill('SIGKILL'));

  test('shows what clients of the server did', async () => {
    const client = await createClient({ url: redisUrl }).connect();
    await client.set('key', 'value');
    await client.get('key');
    await client.get('absent');
    const shown = samplesOf(await (await fetch(url)).text());
    client.destroy();
    expect(shown.get('zerohop_lookups_total{cache="default",keyspace="",result="hit"}')).toBe(1);
    expect(shown.get('zerohop_lookups_total{cache="default",keyspace="",result="miss"}')).toBe(1);
    expect(shown.get(`zerohop_server_clients{cache="default",server="${redisUrl}"}`)).toBe(1);
    expect(shown.get(`zerohop_server_commands_total{cache="default",server="${redisUrl}"}`)).toBeGreaterThan(2);
  });

  test('shows how long commands took, and a client cannot set that back', async () => {
    const client = await createClient({ url: redisUrl }).connect();
    for (let i = 0; i < 300; ++i) await client.set(`${i}`, 'value');
    const count = async (command: string) =>
      samplesOf(await (await fetch(url)).text()).get(
        `zerohop_server_command_duration_seconds_count{cache="default",server="${redisUrl}",command="${command}"}`,
      );
    const sets = (await count('set'))!;
    expect(sets).toBeGreaterThanOrEqual(256);
    expect(sets).toBeLessThanOrEqual(384);
    await Promise.all(Array.from({ length: 640 }, (_, i) => client.get(`${i}`)));
    expect(await count('get')).toBeGreaterThanOrEqual(512);
    await client.sendCommand(['CONFIG', 'RESETSTAT']);
    expect(await count('set')).toBe(sets);
    expect(await count('config|resetstat')).toBe(1);
    client.destroy();
  });

  test('listens on loopback if only a port is given', () => {
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/metrics$/);
  });

  test('ends with the server, also while a scraper holds a connection', async () => {
    const { hostname, port } = new URL(url);
    const socket = createConnection(Number(port), hostname).on('error', () => {});
    await once(socket, 'connect');
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
    socket.destroy();
  });

  test.each(['0.0.0.0', ':9464', 'localhost', '9464x', '127.0.0.1:', '127.0.0.1:65536', 'example.com:1', '::1:9464'])(
    'refuses %s with exit code 2',
    async (address) => {
      expect(errorOf(() => addressOption('--metrics', address)).code).toBe('ERR_OUT_OF_RANGE');
      if (address !== ':9464') return;
      const failed = promisify(execFile)(process.execPath, [program, 'serve', '--port', '0', '--metrics', address]);
      await expect(failed).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining('0.0.0.0:9464') });
    },
  );

  test.each([
    ['9464', '127.0.0.1', 9464],
    ['127.0.0.1:0', '127.0.0.1', 0],
    ['0.0.0.0:9464', '0.0.0.0', 9464],
    ['[::1]:9464', '::1', 9464],
    ['localhost:80', 'localhost', 80],
  ])('takes %s', (text, host, port) => {
    expect(addressOption('--metrics', text)).toEqual({ host, port });
  });
});

/** An endpoint over a cache with some of everything. */
async function endpoint(): Promise<{ url: string }> {
  const cache = openCache();
  const one = await listening(cache);
  const model = cache.model({ name: 'm "1"\\', version: '1', scope: PUBLIC, codec: json, run: (all: number[]) => all });
  await model.predict(1);
  return { url: `${one.url}metrics` };
}

/** An endpoint for everybody. */
async function listening(cache: Cache, port = 0): Promise<Endpoint> {
  const guard = passwordGuard(undefined);
  const one = await Endpoint.listen(cache, { host: '127.0.0.1', port, guard: () => guard });
  onTestFinished(() => one.close());
  return one;
}

describe('the endpoint', () => {
  test('writes Prometheus text that promtool takes for clean', async ({ skip }) => {
    const { url } = await endpoint();
    const response = await fetch(url);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const text = await response.text();
    expect(samplesOf(text).size).toBeGreaterThan(50);
    if (!hasPromtool) return withoutPromtool(skip);
    promtool(['check', 'metrics'], text);
  });

  test('writes OpenMetrics for who asks for it, with the same samples', async () => {
    const { url } = await endpoint();
    const accept = 'application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1';
    const response = await fetch(url, { headers: { accept } });
    expect(response.headers.get('content-type')).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    const text = await response.text();
    expect(text.endsWith('\n# EOF\n')).toBe(true);
    expect(text).toContain('# TYPE zerohop_lookups counter\n');
    const names = (of: string) => [...samplesOf(of).keys()];
    expect(names(text)).toEqual(names(await (await fetch(url)).text()));
  });

  test('every family stands together, with help and type before it, and buckets that grow', async () => {
    const { url } = await endpoint();
    const text = await (await fetch(url)).text();
    const families = text.split(/^# HELP /m).slice(1);
    expect(new Set(families.map((family) => family.split(' ')[0])).size).toBe(families.length);
    for (const family of families) {
      const name = family.split(' ')[0]!;
      expect(family).toContain(`\n# TYPE ${name} `);
      for (const series of samplesOf(family.slice(family.indexOf('\n') + 1)).keys())
        expect(series.startsWith(name)).toBe(true);
    }
    const buckets = [...text.matchAll(/_bucket\{.*le="([^"]+)"\} (\d+)/g)];
    const bounds = buckets.map(([, le]) => (le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le)));
    const counts = buckets.map(([, , count]) => Number(count));
    expect(bounds).toEqual([...bounds].sort((a, b) => a - b));
    expect(counts).toEqual([...counts].sort((a, b) => a - b));
    expect(counts.at(-1)).toBe(1);
  });

  test('escapes quotes and backslashes of names', async () => {
    const { url } = await endpoint();
    expect(await (await fetch(url)).text()).toContain(
      'zerohop_model_inputs_total{cache="default",model="m \\"1\\"\\\\"} 1\n',
    );
  });

  test.each([
    ['GET', '/metrics', 200],
    ['HEAD', '/metrics', 200],
    ['GET', '/metrics?name=x', 200],
    ['POST', '/metrics', 405],
    ['DELETE', '/healthz', 405],
    ['GET', '/metrics/', 404],
    ['GET', '/../metrics', 404],
    ['GET', '/healthz', 200],
  ])('answers %s %s with %i', async (method, place, status) => {
    const { url } = await endpoint();
    const { port } = new URL(url);
    const socket = createConnection(Number(port), '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.write(`${method} ${place} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    let answer = '';
    for await (const chunk of socket) answer += chunk;
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    const body = answer.slice(answer.indexOf('\r\n\r\n') + 4);
    expect(body === '').toBe(method === 'HEAD');
    if (status === 405) expect(answer).toContain('Allow: GET, HEAD');
  });

  test('answers 503 once the cache is closed', async () => {
    const cache = openCache();
    const one = await listening(cache);
    expect(await (await fetch(`${one.url}healthz`)).text()).toBe('ok\n');
    cache.close();
    for (const place of ['metrics', 'healthz']) expect((await fetch(`${one.url}${place}`)).status).toBe(503);
  });

  test('goes on after connections that could not be accepted', async () => {
    const listen = vi.spyOn(Server.prototype, 'listen');
    onTestFinished(() => listen.mockRestore());
    const one = await listening(openCache());
    const server = listen.mock.contexts[0] as Server;
    for (let i = 0; i < 2; ++i) server.emit('error', new Error('too many open files'));
    expect((await fetch(`${one.url}healthz`)).status).toBe(200);
  });

  test('says which port it cannot have', async () => {
    const { url } = await endpoint();
    const port = Number(new URL(url).port);
    const second = listening(openCache(), port);
    await expect(second).rejects.toMatchObject({ code: 'ERR_CACHE_IO', message: expect.stringContaining(`${port}`) });
  });

  test.each([
    ['', 'prometheus'],
    ['*/*', 'prometheus'],
    ['text/plain', 'prometheus'],
    ['application/openmetrics-text', 'openmetrics'],
    ['Application/OpenMetrics-Text; version=1.0.0; Q=0.7, text/plain;q=0.5', 'openmetrics'],
    ['application/openmetrics-text;q=0.4, text/plain;q=0.5', 'prometheus'],
    ['application/openmetrics-text;q=0', 'prometheus'],
    [`${'text/plain;q=x,'.repeat(1000)}`, 'prometheus'],
  ])('for %j writes %s', (accept, format) => {
    expect(formatFor(accept)).toBe(format);
  });
});
