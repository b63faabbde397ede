// `zerohop verify`: a sample of the cache is compared with a Redis, or with what an HTTP endpoint computes.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import type { Cache } from 'zerohop';
import { differenceOf } from '../../dist/cli/verify-compare.js';
import { KeySample } from '../../dist/cli/verify-sample.js';
import { RespClient } from '../../dist/resp/client.js';
import { serverPlace } from '../../dist/resp/url.js';
import { typed } from '../fixtures/command-line.js';
import { startRedis, startZerohop, type TestServer, type ZerohopServer } from '../fixtures/redis-servers.js';

let server: ZerohopServer;
let redis: TestServer;
let cache: Cache;
let right: RespClient;
beforeAll(async () => {
  [server, redis] = await Promise.all([startZerohop(), startRedis()]);
  ({ cache } = server);
  right = await RespClient.connect(serverPlace(redisUrl()), { timeoutMs: 10_000 });
});
afterAll(async () => {
  right?.close();
  await Promise.all([server?.stop(), redis?.stop()]);
});
beforeEach(async () => {
  cache.clear();
  await right.call('FLUSHALL');
});

const redisUrl = () => `redis://127.0.0.1:${redis.port}`;
const verify = (words: string[], env: NodeJS.ProcessEnv = {}) =>
  typed(['verify', ...words], { ZEROHOP_URL: `redis://127.0.0.1:${server.port}`, ...env });
const against = (...words: string[]) => verify(['--against', redisUrl(), ...words]);
const floats = (...numbers: number[]) => Buffer.from(Float32Array.from(numbers).buffer);

describe('with another server', () => {
  test('equal values are told, and how sure the rate is; a difference ends with 1 and shows where', async () => {
    for (let i = 0; i < 500; ++i) {
      cache.set(`k${i}`, Buffer.from(`value ${i}`));
      await right.call('SET', `k${i}`, `value ${i}`);
    }
    const good = await against('--sample', '400', '--seed', '7');
    expect(good).toMatchObject({ code: 0, stderr: '' });
    expect(good.stdout).toContain('400 of 500 keys, seed 7');
    expect(good.stdout).toContain('0, 0 %; of all keys 0 % to 0.951 % (95 %)');

    await right.call('SET', 'k3', 'value x');
    const bad = await against('--sample', '500', '--prefix', 'k');
    expect(bad).toMatchObject({ code: 1, stderr: 'zerohop: 0.2 % of the values differ\n' });
    expect(bad.stdout).toContain('k3: from byte 6, 33 is cached, right is 78');
    expect((await against('--sample', '500', '--max-difference', '0.002')).code).toBe(0);
    const told = JSON.parse((await against('--sample', '500', '--json')).stdout);
    expect(told).toMatchObject({
      compared: 500,
      same: 499,
      different: 1,
      differenceShare: 0.002,
      differences: [{ key: 'k3', what: 'byte', at: 6 }],
    });
    expect(told.confidence95[0]).toBeGreaterThan(0);
    expect(told.confidence95[1]).toBeLessThan(0.02);
  });

  test('values are bytes, JSON or float32, within a tolerance', async () => {
    const pairs: [string, Buffer, Buffer][] = [
      ['json:order', Buffer.from('{"a":1,"b":[2.5]}'), Buffer.from('{ "b": [2.5], "a": 1 }')],
      ['json:deep', Buffer.from('{"a":{"b~/":[1,2]}}'), Buffer.from('{"a":{"b~/":[1,3]}}')],
      ['f32:near', floats(1, 2, Number.NaN), floats(1.000001, 2, Number.NaN)],
      ['f32:far', floats(1, 2, 3), floats(1, 2.5, 3.25)],
    ];
    for (const [key, cached, other] of pairs) {
      cache.set(key, cached);
      await right.call('SET', key, other);
    }
    const json = await against('--prefix', 'json:', '--as', 'json');
    expect(json.code).toBe(1);
    expect(json.stdout).toContain('same       1');
    expect(json.stdout).toContain('json:deep: at /a/b~0~1/1, 2 is cached, right is 3');
    const f32 = await against('--prefix', 'f32:', '--as', 'float32');
    expect(f32.stdout).toContain('f32:far: 2 of 3 numbers; most at 1: 2 is cached, right is 2.5');
    expect((await against('--prefix', 'f32:', '--as', 'float32', '--tolerance', '0.3')).code).toBe(0);
    expect((await against('--prefix', 'json:', '--as', 'json', '--tolerance', '0.5')).code).toBe(0);
    expect((await against('--prefix', 'json:')).stdout).toContain('json:order: from byte 1');
  });

  test('a key that the other side lacks is told apart, unless it counts; keys and texts cannot command a terminal', async () => {
    cache.set('evil \x1b[31m', Buffer.from('a'));
    cache.set('there', Buffer.from('a'));
    await right.call('SET', 'there', 'a');
    const lax = await against();
    expect(lax).toMatchObject({ code: 0, stdout: expect.stringContaining('absent     1 that') });
    const strict = await against('--absent-differs');
    expect(strict).toMatchObject({ code: 1, stdout: expect.stringContaining('evil \\x1b[31m: the other side') });
    expect(strict.stdout).not.toContain('\x1b');
    await right.call('DEL', 'there');
    expect(await against()).toMatchObject({ code: 1, stderr: 'zerohop: nothing could be compared\n' });
    await right.call('RPUSH', 'there', 'x');
    expect((await against()).stdout).toMatch(/failed +1: WRONGTYPE/);
  });
});

describe('with an endpoint', () => {
  interface Posted {
    readonly body: string;
    readonly headers: IncomingMessage['headers'];
  }

  async function endpoint(answer: (posted: Posted, response: ServerResponse) => void) {
    const posted: Posted[] = [];
    const http = createServer(async (request, response) => {
      let body = '';
      for await (const part of request) body += part;
      posted.push({ body, headers: request.headers });
      answer(posted.at(-1)!, response);
    }).listen(0, '127.0.0.1');
    await once(http, 'listening');
    onTestFinished(() => {
      http.closeAllConnections();
      http.close();
    });
    return { posted, url: `http://127.0.0.1:${(http.address() as AddressInfo).port}/embed` };
  }

  const asJson = (response: ServerResponse, value: unknown) =>
    response.setHeader('content-type', 'application/json').end(JSON.stringify(value));

  test('keys are posted in a body of the user, and the value is found in the answer', async () => {
    const { posted, url } = await endpoint(({ body }, response) => {
      const { input } = JSON.parse(body) as { input: string };
      asJson(response, { data: [{ embedding: [input.length, 0.5] }] });
    });
    for (const text of ['one', 'three "quoted"']) cache.set(`embed:${text}`, floats(text.length, 0.5));
    const words = ['--endpoint', url, '--prefix', 'embed:', '--body', '{"input":{rest},"key":{key}}'];
    words.push('--pointer', '/data/0/embedding', '--as', 'float32');
    const good = await verify(words, { ZEROHOP_ENDPOINT_TOKEN: 's3cret' });
    expect(good).toMatchObject({ code: 0, stdout: expect.stringContaining('2 of 2 keys') });
    expect(posted.map(({ body }) => JSON.parse(body)).sort((a, b) => a.key.localeCompare(b.key))).toEqual([
      { input: 'one', key: 'embed:one' },
      { input: 'three "quoted"', key: 'embed:three "quoted"' },
    ]);
    expect(posted[0]!.headers).toMatchObject({ 'content-type': 'application/json', authorization: 'Bearer s3cret' });
    expect(good.stdout).not.toContain('s3cret');
    cache.set('embed:one', floats(4, 0.5));
    expect((await verify(words)).stdout).toContain('embed:one: 1 of 2 numbers; most at 0: 4 is cached, right is 3');
  });

  test('bytes, JSON and float32 are answered as they are; 404 is absent; other answers are told', async () => {
    const { url } = await endpoint(({ body }, response) => {
      const { key } = JSON.parse(body) as { key: string };
      if (key === 'bytes') response.setHeader('content-type', 'application/octet-stream').end(Buffer.from([0, 255]));
      else if (key === 'json') asJson(response, { a: 1 });
      else if (key === 'gone') response.writeHead(404).end();
      else if (key === 'moved') response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
      else if (key === 'text') asJson(response, ['héllo']);
      else response.writeHead(500).end();
    });
    const only = (key: string, value: Buffer | string, ...words: string[]) => {
      cache.clear();
      cache.set(key, Buffer.from(value));
      return verify(['--endpoint', url, ...words]);
    };
    expect((await only('bytes', Buffer.from([0, 255]))).code).toBe(0);
    expect((await only('json', '{ "a": 1 }', '--as', 'json')).code).toBe(0);
    expect((await only('json', '{"a":1}')).code).toBe(0);
    expect((await only('text', 'héllo', '--pointer', '/0')).code).toBe(0);
    expect((await only('text', 'x', '--as', 'float32')).stdout).toContain('no array of numbers');
    expect((await only('text', 'x', '--pointer', '/1')).stdout).toContain('nothing at /1');
    expect((await only('gone', 'x')).stdout).toContain('absent');
    expect((await only('moved', 'x')).stdout).toMatch(/failed +1: /);
    expect(await only('other', 'x')).toMatchObject({ code: 1, stdout: expect.stringContaining('it answered 500') });
  });

  test('an endpoint that hangs is given up, and no more keys than said are asked at a time', async () => {
    let now = 0;
    let most = 0;
    const { url } = await endpoint(({ body }, response) => {
      most = Math.max(most, ++now);
      if (body.includes('"hangs"')) return;
      setTimeout(() => {
        now--;
        response.end('v');
      }, 5);
    });
    for (let i = 0; i < 40; ++i) cache.set(`k${i}`, Buffer.from('v'));
    expect((await verify(['--endpoint', url, '--concurrency', '3'])).code).toBe(0);
    expect(most).toBe(3);
    cache.set('hangs', Buffer.from('v'));
    const words = ['--endpoint', url, '--prefix', 'hangs', '--endpoint-timeout', '50ms'];
    expect(await verify(words)).toMatchObject({ code: 1, stdout: expect.stringContaining('no answer within 0.05 s') });
    const nobody = await verify(['--endpoint', 'http://127.0.0.1:2/', '--prefix', 'hangs']);
    expect(nobody).toMatchObject({ code: 1, stdout: expect.stringContaining('ECONNREFUSED') });
  });
});

test('what is wrong with the command line is said', async () => {
  for (const words of [
    [],
    ['--against', 'http://x'],
    ['--against', 'redis://x', '--endpoint', 'http://x'],
    ['--endpoint', 'ftp://x'],
    ['--endpoint', 'http://user:pw@x'],
    ['--endpoint', 'http://x', '--pointer', 'a'],
    ['--against', 'redis://x', '--as', 'text'],
    ['--against', 'redis://x', '--sample', '0'],
    ['--against', 'redis://x', '--max-difference', '2'],
  ]) {
    const done = await verify(words);
    expect(done.code, words.join(' ')).toBe(2);
    expect(done.stderr).not.toContain('pw');
  }
});

describe('the sample', () => {
  const keys = Array.from({ length: 10_000 }, (_, i) => Buffer.from(`key:${i}`));
  const drawn = (seed: number, from: readonly Buffer[], count = 1000) => {
    const sample = new KeySample(count, seed);
    for (const key of from) sample.add(key);
    return sample.drawn().map(String);
  };

  test('depends on the seed and the keys, and not on their order', () => {
    expect(drawn(1, keys)).toEqual(drawn(1, [...keys].reverse()));
    expect(drawn(1, keys)).not.toEqual(drawn(2, keys));
    expect(new Set(drawn(1, keys)).size).toBe(1000);
    expect(drawn(1, keys.slice(0, 3)).sort()).toEqual(['key:0', 'key:1', 'key:2']);
  });

  test('has each key as often as any other', () => {
    const times = new Map<string, number>();
    const few = keys.slice(0, 200);
    for (let seed = 0; seed < 2000; ++seed)
      for (const key of drawn(seed, few, 20)) times.set(key, (times.get(key) ?? 0) + 1);
    // 200 of 2 000 draws each; the sum of squares is that of a fair draw.
    const chi2 = few.reduce((sum, key) => sum + ((times.get(String(key)) ?? 0) - 200) ** 2 / (200 * 0.9), 0);
    expect(chi2).toBeGreaterThan(130);
    expect(chi2).toBeLessThan(280);
  });
});

test('numbers that are not finite, other lengths and what cannot be read are differences', () => {
  const differ = (a: Buffer, b: Buffer) => differenceOf('float32', a, b, 1e-5);
  expect(differ(floats(Number.NaN), floats(Number.NaN))).toBeUndefined();
  expect(differ(floats(Infinity, 0), floats(Infinity, -0))).toBeUndefined();
  expect(differ(floats(1, Number.NaN), floats(1, 2))).toMatchObject({ what: 'numbers', count: 1, at: 1 });
  expect(differ(floats(1), floats(1, 2))).toEqual({ what: 'length', cached: 4, reference: 8 });
  expect(differ(Buffer.from('abc'), floats(1))).toEqual({ what: 'unreadable', side: 'cached' });
  expect(differenceOf('json', Buffer.from('['), Buffer.from('[]'), 0)).toEqual({ what: 'unreadable', side: 'cached' });
  expect(differenceOf('json', Buffer.from('[1]'), Buffer.from('{"0":1}'), 0)).toMatchObject({
    what: 'member',
    path: '',
  });
});
