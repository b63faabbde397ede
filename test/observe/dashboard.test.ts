// The dashboard over HTTP: its files, who is let in, and the stream of figures. test/observe/page.test.ts has a browser.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Cache, json, PUBLIC, type ServeOptions, serve, utf8 } from 'zerohop';
import { type Dashboard, type DashboardOptions, serveDashboard } from 'zerohop/dashboard';
import { refusalOf, serverGuard } from '../../dist/observe/access.js';
import { Endpoint } from '../../dist/observe/endpoint.js';
import { Feed, READERS_MAX } from '../../dist/observe/feed.js';
import { answerOf, EventReader, textOfAnswer } from '../fixtures/event-stream.js';
import { anything, errorOf, openCache, turn, until } from '../fixtures/opened.js';

const built = path.join(__dirname, '../../dist/observe/page');

async function dashboardOf(cache: Cache, options: DashboardOptions = {}): Promise<Dashboard> {
  const one = await serveDashboard(cache, { port: 0, ...options });
  onTestFinished(() => one.close());
  return one;
}

const basic = (password: string, user = 'default') => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});

/** The status of what is sent as it is. */
async function statusOf(url: string, text: string): Promise<number> {
  const { hostname, port } = new URL(url);
  const socket = createConnection(Number(port), hostname);
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {}).write(text);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  return Number(/^HTTP\/1\.1 (\d+)/.exec(answer.toString())?.[1]);
}

describe('the page', () => {
  test('takes at most 80 KB compressed, with its script, its style and its icon', () => {
    const files = readdirSync(built);
    expect(files.sort()).toEqual(['icon.svg', 'index.html', 'page.css', 'page.js']);
    const bytes = files.reduce((sum, file) => sum + gzipSync(readFileSync(path.join(built, file))).length, 0);
    expect(bytes).toBeLessThanOrEqual(80 * 1024);
  });

  test('names no other host, and has the licence of what it contains', () => {
    for (const file of readdirSync(built)) {
      const text = readFileSync(path.join(built, file), 'utf8').replaceAll('http://www.w3.org/2000/svg', '');
      expect(text.match(/(https?:)?\/\/[a-z][\w.-]*\.[a-z]{2,}/gi) ?? [], file).toEqual([]);
    }
    expect(readFileSync(path.join(built, 'page.js'), 'utf8')).toContain('Leon Sorokin');
    expect(readFileSync(path.join(built, 'index.html'), 'utf8')).not.toMatch(/<script>|<style|\son\w+=|style=/);
  });

  test('comes with a policy that lets it load nothing else, and is not kept', async () => {
    const { url } = await dashboardOf(openCache());
    const { status, headers, text } = await textOfAnswer(url);
    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/);
    expect(headers['content-security-policy']).not.toMatch(/unsafe|\*|data:/);
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(text).toBe(readFileSync(path.join(built, 'index.html'), 'utf8'));
  });

  test.each([
    ['gzip, deflate, br', 'gzip'],
    ['identity', undefined],
    ['gzip;q=0', undefined],
    [undefined, undefined],
  ])('is compressed for who takes it so: %s', async (accepted, encoding) => {
    const { url } = await dashboardOf(openCache());
    const response = await answerOf(`${url}page.js`, accepted === undefined ? {} : { 'accept-encoding': accepted });
    expect(response.headers['content-encoding']).toBe(encoding);
    expect(response.headers['content-type']).toBe('text/javascript; charset=utf-8');
    let bytes = 0;
    for await (const chunk of response) bytes += chunk.length;
    expect(bytes).toBe(Number(response.headers['content-length']));
  });

  test.each([
    ['GET / HTTP/1.1\r\nHost: localhost', 200],
    ['HEAD / HTTP/1.1\r\nHost: 127.0.0.1:1', 200],
    ['HEAD /events HTTP/1.1\r\nHost: [::1]:80', 200],
    ['GET /?x=1 HTTP/1.1\r\nHost: LOCALHOST:9464', 200],
    ['POST / HTTP/1.1\r\nHost: localhost', 405],
    ['PUT /events HTTP/1.1\r\nHost: localhost', 405],
    ['OPTIONS /page.js HTTP/1.1\r\nHost: localhost', 405],
    ['GET /../page.js HTTP/1.1\r\nHost: localhost', 404],
    ['GET /page/../../families.js HTTP/1.1\r\nHost: localhost', 404],
    ['GET /%2e%2e/families.js HTTP/1.1\r\nHost: localhost', 404],
    ['GET /index.html HTTP/1.1\r\nHost: localhost', 404],
    ['GET /constructor HTTP/1.1\r\nHost: localhost', 404],
    ['GET //evil.example/ HTTP/1.1\r\nHost: localhost', 404],
    [`GET /${'x'.repeat(4000)} HTTP/1.1\r\nHost: localhost`, 404],
    [`GET /${'x'.repeat(100_000)} HTTP/1.1\r\nHost: localhost`, 431],
    ['GET / HTTP/1.1\r\nHost:', 421],
    ['GET / HTTP/1.0', 421],
    ['GET / HTTP/1.1', 400],
    ['nonsense', 400],
  ])('answers %j with %i', async (request, status) => {
    const { url } = await dashboardOf(openCache());
    expect(await statusOf(url, `${request}\r\nConnection: close\r\n\r\n`)).toBe(status);
  });
});

describe('who is let in', () => {
  test.each(['evil.example', 'evil.example:80', 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1'])(
    'on loopback, a Host of %j is refused: a site may have given its name this address',
    async (host) => {
      const { url } = await dashboardOf(openCache());
      for (const place of ['', 'events', 'metrics', 'page.js']) {
        const { status, text } = await textOfAnswer(`${url}${place}`, { host });
        expect(status, place).toBe(421);
        expect(text).not.toContain('zerohop_');
      }
      expect((await textOfAnswer(`${url}healthz`, { host })).status).toBe(200);
    },
  );

  test('another site’s page cannot read, but may link here', async () => {
    const { url } = await dashboardOf(openCache());
    for (const site of ['cross-site', 'same-site']) {
      const headers = { 'sec-fetch-site': site, 'sec-fetch-mode': 'cors' };
      expect((await textOfAnswer(`${url}events`, headers)).status).toBe(403);
      expect((await textOfAnswer(url, { ...headers, 'sec-fetch-mode': 'navigate' })).status).toBe(200);
    }
    const own = { 'sec-fetch-site': 'same-origin', 'sec-fetch-mode': 'cors' };
    expect((await textOfAnswer(`${url}page.js`, own)).status).toBe(200);
  });

  test('with a password, whoever says it; the user’s name does not matter', async () => {
    const { url } = await dashboardOf(openCache(), { password: 'p:ä s' });
    for (const place of ['', 'events', 'metrics', 'page.css']) {
      const { status, headers } = await textOfAnswer(`${url}${place}`);
      expect(status, place).toBe(401);
      expect(headers['www-authenticate']).toBe('Basic realm="zerohop", charset="UTF-8"');
      for (const wrong of ['', 'p', 'p:ä s ', 'P:Ä S', 'x'.repeat(1000)])
        expect((await textOfAnswer(`${url}${place}`, basic(wrong))).status, wrong).toBe(401);
    }
    for (const wrong of ['Basic', 'Basic !!!', 'Bearer cDrDpCBz', `Basic ${'A'.repeat(7000)}`, 'basic '])
      expect((await textOfAnswer(url, { authorization: wrong })).status, wrong).toBe(401);
    for (const user of ['', 'default', 'anybody'])
      expect((await textOfAnswer(url, basic('p:ä s', user))).status).toBe(200);
    expect((await textOfAnswer(`${url}healthz`)).status).toBe(200);
    const reader = await EventReader.of(url, basic('p:ä s'));
    expect(await reader.first('history')).toEqual([[]]);
  });

  test('a password is in no error, whatever is wrong with it', async () => {
    const cache = openCache();
    for (const wrong of ['', 'secret'.repeat(100)]) {
      const error = await serveDashboard(cache, { password: wrong }).then(undefined, (one) => one);
      expect(error).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
      expect(error.message).not.toContain('secret');
    }
  });

  test('beside a server it is the server’s password, as it is now', async () => {
    const cache = openCache();
    const { url, server } = await besideServer(cache, { password: 'first' });
    expect((await textOfAnswer(url)).status).toBe(401);
    expect((await textOfAnswer(url, basic('first'))).status).toBe(200);
    const { createClient } = await import('redis');
    const client = await createClient({ url: server.addresses[0]!, password: 'first' }).connect();
    await client.configSet('requirepass', 'second');
    expect((await textOfAnswer(url, basic('first'))).status).toBe(401);
    expect((await textOfAnswer(`${url}metrics`, basic('second'))).status).toBe(200);
    await client.sendCommand(['ACL', 'SETUSER', 'default', 'off']);
    expect((await textOfAnswer(url, basic('second'))).status).toBe(401);
    client.destroy();
    await server.close();
    expect((await textOfAnswer(url, basic('second'))).status).toBe(503);
  });

  const request = (remoteAddress: string, localAddress = '10.0.0.1', headers = {}) =>
    anything({ headers: { host: 'cache.internal:9464', ...headers }, socket: { remoteAddress, localAddress } });

  test.each([
    [true, {}, 403],
    [true, { password: 'known' }, 401],
    [false, {}, undefined],
  ])(
    'another machine sees the page as it may use the server: protected mode %s, %j',
    async (protectedMode, more, status) => {
      const server = serve(openCache(), { port: 0, protectedMode, ...more });
      const guard = serverGuard(server);
      for (const peer of ['10.0.0.7', '::ffff:10.0.0.7', 'fd00::7', '128.0.0.1'])
        expect(refusalOf(request(peer), guard, true)?.status).toBe(status);
      expect(refusalOf(request('10.0.0.7', '10.0.0.1', basic('known')), guard, true)?.status).toBe(
        status === 401 ? undefined : status,
      );
      // Scrapers of other machines need no password where there is none.
      expect(refusalOf(request('10.0.0.7'), guard, false)?.status).toBe(status === 401 ? 401 : undefined);
      expect(refusalOf(request('127.0.0.1', '127.0.0.1'), guard, true)?.status).toBe(421);
      await server.close();
    },
  );
});

async function besideServer(cache: Cache, options: ServeOptions = {}) {
  const server = serve(cache, { port: 0, ...options });
  const guard = serverGuard(server);
  const endpoint = await Endpoint.listen(cache, { host: '127.0.0.1', port: 0, guard: () => guard });
  onTestFinished(() => endpoint.close());
  onTestFinished(() => server.close());
  return { url: endpoint.url, server };
}

describe('the stream', () => {
  test('tells the past, then the present, and once a second what is new', async () => {
    const cache = openCache();
    const { url } = await dashboardOf(cache, { name: 'embeddings' });
    const reader = await EventReader.of(url);
    expect(reader.response.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    expect(await reader.first('history')).toEqual([[]]);
    const [first] = await reader.first('snapshot');
    expect(first).toMatchObject({ cache: 'embeddings', entries: 0, money: null, latency: null, upstreams: [] });
    expect(first.hitRate).toEqual({ minute: null, total: null });
    cache.set('key', new Uint8Array(8));
    for (let i = 0; i < 3; ++i) cache.get('key');
    cache.get('absent');
    const [, second] = await reader.first('snapshot', 2);
    expect(second.entries).toBe(1);
    expect(second.hitRate).toEqual({ minute: 0.75, total: 0.75 });
    expect(second.point).toMatchObject({ hitRate: 0.75 });
    expect(second.point.lookups).toBeGreaterThan(0);
    const later = await EventReader.of(url);
    const [history] = await later.first('history');
    expect(history.slice(0, 2)).toEqual([first.point, second.point]);
    expect((await later.first('snapshot'))[0].point).toEqual(history.at(-1)); // at once
  });

  test('is made once for all readers, not more often for more of them, and not at all for none', async () => {
    let made = 0;
    const feed = new Feed({ history: [], snapshot: async () => anything({ made: ++made }) }, 50);
    const url = await listening(feed);
    const readers = await Promise.all(Array.from({ length: 20 }, () => EventReader.of(url)));
    const all = await Promise.all(readers.map((reader) => reader.first('snapshot', 5)));
    for (const of of all) expect(of.map((one) => one.made)).toEqual([0, 1, 2, 3, 4].map((i) => of[0].made + i));
    for (const { response } of readers) response.destroy();
    await until(() => feed.readers === 0);
    const before = made;
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(made).toBe(before);
  });

  test('says that it lives while a snapshot takes long, and goes on after one that failed', async () => {
    let made = 0;
    const wait = new Promise((resolve) => setTimeout(resolve, 300));
    const snapshot = async () => {
      if (++made === 1) await wait;
      if (made === 2) throw new Error('not now');
      return anything({ made });
    };
    const reader = await EventReader.of(await listening(new Feed({ history: [], snapshot }, 20)));
    expect((await reader.first('snapshot', 2)).map((one) => one.made)).toEqual([1, 3]);
    expect(reader.comments).toBeGreaterThan(3);
  });

  test('is for so many at a time; the others are told to come later', async () => {
    const { url } = await dashboardOf(openCache());
    const answers = await Promise.all(Array.from({ length: 100 }, () => answerOf(`${url}events`)));
    const [served, refused] = [200, 503].map((status) => answers.filter((one) => one.statusCode === status));
    expect([served!.length, refused!.length]).toEqual([READERS_MAX, 100 - READERS_MAX]);
    expect(refused![0]!.headers['retry-after']).toBe('5');
    expect((await textOfAnswer(`${url}metrics`)).status).toBe(200);
    served![0]!.destroy();
    for (let status = 503; status !== 200; await turn()) status = (await answerOf(`${url}events`)).statusCode!;
  });

  test('drops who does not read, and nobody else', async () => {
    const large = 'x'.repeat(2 ** 22); // more than the system buffers
    const feed = new Feed({ history: [], snapshot: async () => anything({ large }) }, 100);
    const url = await listening(feed);
    (await answerOf(`${url}events`)).on('error', () => {}).pause();
    const reader = await answerOf(`${url}events`);
    let bytes = 0;
    reader.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    await until(() => feed.readers === 1, 30);
    const before = bytes;
    await until(() => bytes > before + 3 * large.length, 30);
    expect(feed.readers).toBe(1);
  });

  test('keeps no process alive', async () => {
    const program = path.join(__dirname, '../fixtures/watched.mjs');
    const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] });
    const ended = once(child, 'exit');
    const [url] = (await once(child.stdout, 'data')) as [Buffer];
    const reader = await EventReader.of(`${url}`);
    await reader.first('snapshot');
    child.stdin.end();
    expect(await ended).toEqual([0, null]);
    await until(() => reader.ended);
  });

  test('survives readers that come and go', async () => {
    const { url } = await dashboardOf(openCache());
    for (let i = 0; i < 50; ++i) (await answerOf(`${url}events`)).destroy();
    await (await EventReader.of(url)).first('snapshot');
  });

  test('ends when the cache is closed, also while it is read', async () => {
    const cache = openCache();
    for (let i = 0; i < 1000; ++i) cache.keyspace(`k${i}`, { codec: json });
    const { url } = await dashboardOf(cache);
    const reader = await EventReader.of(url);
    await reader.first('history');
    cache.close();
    await reader.first('closed');
    await until(() => reader.ended);
    expect((await textOfAnswer(`${url}events`)).status).toBe(503);
    expect((await textOfAnswer(url)).status).toBe(200); // the page says so
  });

  test('ends with the dashboard', async () => {
    const one = await serveDashboard(openCache(), { port: 0 });
    const reader = await EventReader.of(one.url);
    await reader.first('snapshot');
    await one.close();
    await until(() => reader.ended);
    await one.close();
  });
});

/** A stream of its own. */
async function listening(feed: Feed): Promise<string> {
  const { createServer } = await import('node:http');
  const server = createServer((_, response) => void feed.add(response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close().closeAllConnections());
  return `http://127.0.0.1:${(server.address() as { port: number }).port}/`;
}

describe('options', () => {
  test.each([
    [{ port: -1 }, RangeError],
    [{ port: '9464' }, TypeError],
    [{ host: 'a b' }, RangeError],
    [{ host: 1 }, TypeError],
    [{ password: 1 }, TypeError],
    [{ name: '' }, RangeError],
    [{ money: { otherwise: { instance: 'none' } } }, TypeError],
    [{ prot: 1 }, TypeError],
  ])('%j is refused', async (options, kind) => {
    await expect(serveDashboard(openCache(), anything(options))).rejects.toThrow(kind);
  });

  test('nothing but a cache has a dashboard', async () => {
    await expect(serveDashboard(anything({}))).rejects.toThrow(TypeError);
    expect(errorOf(() => new Endpoint(anything({}), anything({}))).name).toBe('TypeError');
  });

  test('a port that is taken is named', async () => {
    const { url } = await dashboardOf(openCache());
    const port = Number(new URL(url).port);
    await expect(serveDashboard(openCache(), { port })).rejects.toMatchObject({
      code: 'ERR_CACHE_IO',
      message: expect.stringContaining(`${port}`),
    });
  });
});

test('what it shows is in the words of nobody: a model of any name and a value’s text stay text', async () => {
  const cache = openCache();
  const { url } = await dashboardOf(cache, { name: '</script>\r\n\r\nevent: snapshot\ndata: {}' });
  const hostile = 'a\r\n\r\nevent: closed\ndata: null\n\n<img src=x onerror=alert(1)>\u2028\u202e';
  cache.keyspace(hostile, { codec: utf8, scope: 'the tenant' }).set('the key', 'the value');
  await cache
    .model({ name: hostile, version: '1', scope: PUBLIC, codec: json, run: (all: number[]) => all })
    .predict(1);
  const reader = await EventReader.of(url);
  await reader.first('snapshot', 2);
  expect(reader.events.map(({ event }) => event)).toEqual(['history', 'snapshot', 'snapshot']);
  const text = JSON.stringify(reader.events);
  expect(text).toContain('<img src=x onerror=alert(1)>');
  expect(text).not.toMatch(/the (key|value|tenant)/);
});
