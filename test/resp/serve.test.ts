// What `serve` takes, what it gives, and who is let in.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { createClient, RESP_TYPES } from 'redis';
import { afterEach, describe, expect, test } from 'vitest';
import { bytes, float32, json, open, type ServeOptions, type Server, serve } from 'zerohop';
import { ownFolder } from '../fixtures/folder.js';
import { anything, errorOf, openCache, until, utf8Of } from '../fixtures/opened.js';

const servers: Server[] = [];
const clients: { destroy(): void; isOpen: boolean }[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) if (client.isOpen) client.destroy();
  for (const server of servers.splice(0)) await server.close();
});

function started(cache = openCache(), options: ServeOptions = {}): Server {
  const server = serve(cache, { port: 0, host: '127.0.0.1', ...options });
  servers.push(server);
  return server;
}

async function connected(server: Server, options: object = {}) {
  const client = createClient({ url: server.addresses[0]!, socket: { reconnectStrategy: false }, ...options });
  client.on('error', () => {});
  clients.push(client);
  return await client.connect();
}

test('what a client sets is a hit in the process, and the other way round', async () => {
  const cache = openCache();
  const client = await connected(started(cache));
  await client.set('from the client', 'héllo');
  expect(Buffer.from(cache.get('from the client')!).toString()).toBe('héllo');
  cache.set('from the process', utf8Of('wörld'));
  expect(await client.get('from the process')).toBe('wörld');
  cache.delete('from the client');
  expect(await client.get('from the client')).toBe(null);
});

test('many clients at once are served, with calls in batches and without', async () => {
  for (const ioUring of [true, false]) {
    const server = started(openCache(), { ioUring, threads: 1 });
    const many = await Promise.all(Array.from({ length: 40 }, () => connected(server)));
    for (let round = 0; round < 20; round++) {
      await Promise.all(many.map((client, i) => client.set(`key ${i}`, `value ${i} ${round}`)));
      const values = await Promise.all(many.map((client, i) => client.get(`key ${i}`)));
      expect(values).toEqual(many.map((_, i) => `value ${i} ${round}`));
    }
  }
});

test('a value that a client overwrites is not answered from a near cache', async () => {
  const cache = openCache();
  const client = await connected(started(cache));
  for (let i = 0; i < 300; ++i) {
    await client.set('key', `value ${i}`);
    for (let j = 0; j < 20; ++j) expect(Buffer.from(cache.get('key')!).toString()).toBe(`value ${i}`);
  }
});

test('a database is the keyspace that it is told, by name or itself', async () => {
  const cache = openCache();
  const vectors = cache.keyspace('vectors', { codec: float32(2) });
  const client = await connected(started(cache, { databases: { 0: vectors, 3: 'texts' } }));
  vectors.set('row', Float32Array.of(1.5, -2));
  const raw = await client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer }).get('row');
  expect(new Float32Array(new Uint8Array(raw as Buffer).buffer)).toEqual(Float32Array.of(1.5, -2));
  await client.select(3);
  await client.set('text', 'hello');
  expect(Buffer.from(cache.keyspace('texts', { codec: bytes }).get('text')!).toString()).toBe('hello');
  await client.select(5);
  await client.set('far', 'away');
  expect(cache.has('far')).toBe(false);
});

test('a keyspace of JSON is its text', async () => {
  const cache = openCache();
  const objects = cache.keyspace('objects', { codec: json });
  const client = await connected(started(cache, { databases: { 0: 'objects' } }));
  objects.set('one', { a: 1 });
  expect(await client.get('one')).toBe('{"a":1}');
  await client.set('two', '{"a":2}');
  expect(objects.get('two')).toEqual({ a: 2 });
});

test('entries that a client stores end when it says, also for the process', async () => {
  const cache = openCache();
  const client = await connected(started(cache));
  await client.set('key', 'value', { expiration: { type: 'PX', value: 50 } });
  expect(cache.has('key')).toBe(true);
  await until(() => !cache.has('key'));
  expect(await client.exists('key')).toBe(0);
});

test('clients and the process count the same lookups', async () => {
  const cache = openCache();
  const client = await connected(started(cache));
  await client.set('key', 'value');
  await client.get('key');
  await client.get('nothing');
  cache.get('key');
  expect(cache.stats()).toMatchObject({ hits: 2, misses: 1, sets: 1 });
});

test('a server tells what it did', async () => {
  const server = started();
  const client = await connected(server);
  await client.set('key', 'value');
  await expect(client.sendCommand(['NOSUCH'])).rejects.toThrow('unknown command');
  expect(server.stats()).toMatchObject({ clients: 1, connections: 1, refusedConnections: 0 });
  expect(server.stats().commands).toBeGreaterThan(1);
  expect(server.stats().errors).toBeGreaterThan(0);
  expect(server.stats().bytesIn).toBeGreaterThan(20);
  expect(server.stats().bytesOut).toBeGreaterThan(5);
});

test('a unix socket is for this user alone, is served, and is gone afterwards', async () => {
  const file = path.join(ownFolder(), 'zerohop.sock');
  const server = started(openCache(), { port: false, path: file });
  expect(server.addresses).toEqual([`redis+unix://${file}`]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const client = await connected(server, { url: undefined, socket: { path: file, tls: false } });
  expect(await client.ping()).toBe('PONG');
  client.destroy();
  await server.close();
  expect(() => statSync(file)).toThrow(/ENOENT/);
});

test('a socket whose server was killed is taken over, and one in use is not', async () => {
  const file = path.join(ownFolder(), 'zerohop.sock');
  const leave = `require('node:net').createServer().listen(${JSON.stringify(file)}, () => process.kill(process.pid, 9))`;
  await once(spawn(process.execPath, ['-e', leave], { stdio: 'ignore' }), 'exit');
  expect(statSync(file).isSocket()).toBe(true);
  const first = started(openCache(), { port: false, path: file });
  const error = errorOf(() => started(openCache(), { port: false, path: file }));
  expect(error).toMatchObject({ name: 'CacheError', code: 'ERR_CACHE_IO' });
  expect(error.message).toContain(file);
  await until(() => first.stats().clients === 0); // whoever asked whether somebody listens is gone
});

test('a port in use is an error that names it', () => {
  const server = started();
  const port = Number(new URL(server.addresses[0]!).port);
  const error = errorOf(() => started(openCache(), { port }));
  expect(error).toMatchObject({ name: 'CacheError', code: 'ERR_CACHE_IO' });
  expect(error.message).toContain(`127.0.0.1:${port}`);
});

describe('who is let in', () => {
  test('with a password, only those who say it', async () => {
    const server = started(openCache(), { password: 's3cret' });
    await expect(connected(server)).rejects.toThrow(/NOAUTH/);
    await expect(connected(server, { password: 'wrong' })).rejects.toThrow(/WRONGPASS/);
    const client = await connected(server, { password: 's3cret' });
    expect(await client.ping()).toBe('PONG');
  });

  test('a user may do what the rules say', async () => {
    const server = started(openCache(), { users: ['reader on >pass ~public:* +get +ping +hello +client'] });
    const client = await connected(server, { username: 'reader', password: 'pass' });
    expect(await client.get('public:key')).toBe(null);
    await expect(client.get('private:key')).rejects.toThrow(/NOPERM/);
    await expect(client.set('public:key', 'x')).rejects.toThrow(/NOPERM/);
  });

  test('as many as maxClients says', async () => {
    const server = started(openCache(), { maxClients: 2 });
    await connected(server);
    await connected(server);
    await expect(connected(server)).rejects.toThrow();
    expect(server.stats().refusedConnections).toBe(1);
  });

  test('no rule and no password is shown by an error', () => {
    for (const options of [
      { password: 'x'.repeat(600) },
      { users: ['someone on >s3cret nonsense'] },
      { users: ['x s3cret'] },
    ]) {
      const error = errorOf(() => started(openCache(), options));
      expect(error.code).toBe('ERR_OUT_OF_RANGE');
      expect(error.message).not.toMatch(/s3cret|xxx/);
    }
  });
});

describe('the end', () => {
  test('close disconnects clients and settles; again, it is the same', async () => {
    const server = started();
    const client = await connected(server);
    const ended = new Promise((resolve) => client.once('end', resolve).once('error', resolve));
    await Promise.all([server.close(), server.close()]);
    await ended;
    expect(errorOf(() => server.stats())).toMatchObject({ code: 'ERR_CACHE_CLOSED' });
  });

  test('close with time to drain sends what clients asked for, however late they read', async () => {
    const cache = openCache();
    cache.set('value', new Uint8Array(100_000));
    const server = started(cache);
    const socket = connect(Number(new URL(server.addresses[0]!).port), '127.0.0.1');
    const asked = 6;
    socket.pause().write('*2\r\n$3\r\nGET\r\n$5\r\nvalue\r\n'.repeat(asked));
    await until(() => server.stats().commands === asked);
    const closed = server.close({ drain: '30s' });
    let received = 0;
    socket.on('data', (chunk) => (received += chunk.byteLength));
    await once(socket.resume(), 'close');
    expect(received).toBe(asked * '$100000\r\n'.length + asked * 100_002);
    await closed;
  });

  test('closing the cache with time to drain tells whether clients were cut', async () => {
    const idle = openCache();
    await connected(started(idle));
    expect(await idle.close({ drain: '1m' })).toBe(true);
    const cache = openCache();
    cache.set('value', new Uint8Array(100_000));
    const server = started(cache);
    const socket = connect(Number(new URL(server.addresses[0]!).port), '127.0.0.1').on('error', () => {});
    socket.pause().write('*2\r\n$3\r\nGET\r\n$5\r\nvalue\r\n'.repeat(500));
    await until(() => server.stats().commands > 0);
    expect(await cache.close({ drain: 50 })).toBe(false);
    socket.destroy();
  });

  test('closing the cache ends its servers', async () => {
    const cache = open({ maxBytes: '4MB' });
    const server = started(cache);
    await connected(server);
    cache.close();
    expect(errorOf(() => server.stats())).toMatchObject({ code: 'ERR_CACHE_CLOSED' });
  });

  test('a server may be started again at once on the same port', async () => {
    const cache = openCache();
    const first = started(cache);
    const port = Number(new URL(first.addresses[0]!).port);
    await (await connected(first)).set('key', 'value');
    await first.close();
    expect(await (await connected(started(cache, { port }))).get('key')).toBe('value');
  });
});

describe('a mistake', () => {
  test.each([
    ['port', { port: -1 }, 'ERR_OUT_OF_RANGE'],
    ['port', { port: '6380' }, 'ERR_INVALID_ARG_TYPE'],
    ['port', { port: false }, 'ERR_OUT_OF_RANGE'],
    ['host', { host: [] }, 'ERR_OUT_OF_RANGE'],
    ['host[0]', { host: 'two words' }, 'ERR_OUT_OF_RANGE'],
    ['path', { path: '/'.padEnd(200, 'x') }, 'ERR_OUT_OF_RANGE'],
    ['threads', { threads: 0 }, 'ERR_OUT_OF_RANGE'],
    ['ioUring', { ioUring: 'yes' }, 'ERR_INVALID_ARG_TYPE'],
    ['databases', { databases: { 16: 'x' } }, 'ERR_OUT_OF_RANGE'],
    ['databases.1', { databases: { 1: {} } }, 'ERR_INVALID_ARG_TYPE'],
    ['tls.key', { tls: { cert: '-----BEGIN CERTIFICATE-----', key: 'nonsense' } }, 'ERR_OUT_OF_RANGE'],
    ['nonsense', { nonsense: 1 }, 'ERR_INVALID_ARG_TYPE'],
  ])('in %s is named: %o', (name, options, code) => {
    const error = errorOf(() => started(openCache(), anything(options)));
    expect(error).toMatchObject({ code });
    expect(error.message).toContain(`options.${name}`);
  });

  test('a cache that is none, or closed, is an error', () => {
    expect(errorOf(() => serve(anything({})))).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
    const cache = open({ maxBytes: '4MB' });
    cache.close();
    expect(errorOf(() => serve(cache))).toMatchObject({ code: 'ERR_CACHE_CLOSED' });
  });
});
