// A cache and a keyspace have the same terms wherever they are opened: another codec, ttl or limit is an error, which
// names only what differs.
import { Worker } from 'node:worker_threads';
import { createClient } from 'redis';
import { describe, expect, test } from 'vitest';
import { bytes, json, open, serve, utf8 } from 'zerohop';
import { anything, closeLater, errorOf, openCache, uniqueName } from '../fixtures/opened.js';

describe('a keyspace that is opened again', () => {
  test('on the same terms has the same entries, however they are written', () => {
    const cache = openCache({ ttl: '1h' });
    cache.keyspace('a', { codec: utf8, ttl: '1m', ttlJitter: 0.1 }).set('k', 'v');
    expect(cache.keyspace('a', { codec: utf8, ttl: 60_000, ttlJitter: 0.1 }).get('k')).toBe('v');
    cache.keyspace('b', { codec: utf8 }).set('k', 'v');
    expect(cache.keyspace('b', { codec: utf8, ttl: '60m' }).get('k')).toBe('v');
  });

  test('may be read in other ways', () => {
    const cache = openCache();
    cache.keyspace('a', { codec: utf8 }).set('k', 'v');
    expect(cache.keyspace('a', { codec: utf8, copy: true }).get('k')).toBe('v');
    expect(cache.keyspace('a', { codec: utf8, near: false }).get('k')).toBe('v');
  });

  test.each([
    [{ ttl: '2s' }, 'ttl 1000 ms, not ttl 2000 ms'],
    [{ ttl: '1s', ttlJitter: 0.5 }, 'ttlJitter 0, not ttlJitter 0.5'],
    [{}, 'ttl 1000 ms, not ttl Infinity ms'],
    [{ ttl: 5, ttlJitter: 0.5 }, 'ttl 1000 ms, ttlJitter 0, not ttl 5 ms, ttlJitter 0.5'],
    [{ ttl: '1s', codec: json }, 'codec utf8, not json'],
    [{ ttl: '1s', keys: 'integer' }, 'codec utf8, not integer keys, utf8'],
  ])('with %j is an error that names what differs', (over, what) => {
    const cache = openCache();
    cache.keyspace('a', { codec: utf8, ttl: '1s' }).set('k', 'v');
    const error = errorOf(() => cache.keyspace('a', anything({ codec: utf8, ...over })));
    expect(error).toMatchObject({ name: 'CacheError', code: 'ERR_CACHE_OPTIONS' });
    expect(error.message).toBe(`keyspace 'a' is open with ${what}; give one of the two another name`);
    expect(cache.keyspace('a', { codec: utf8, ttl: '1s' }).get('k')).toBe('v');
  });

  test('has the terms of the first who gives some, after a server that has none', async () => {
    const cache = openCache();
    const server = serve(cache, { port: 0, databases: { 1: 'a' } });
    const client = await createClient({ url: server.addresses[0]!, database: 1 }).connect();
    await client.ping();
    client.destroy();
    await server.close();
    cache.keyspace('a', { codec: bytes, ttl: '1s' });
    expect(errorOf(() => cache.keyspace('a', { codec: bytes, ttl: '2s' })).message).toContain(
      'ttl 1000 ms, not ttl 2000 ms',
    );
  });

  test('in another thread has the same terms too', async () => {
    const name = uniqueName();
    openCache({ name }).keyspace('a', { codec: utf8, ttl: '1s' });
    const code = `
      const { parentPort, workerData: { entry, name } } = require('node:worker_threads');
      const { open, utf8 } = require(entry);
      const cache = open({ name, maxBytes: '4MB' });
      try { cache.keyspace('a', { codec: utf8, ttl: '2s' }); } catch ({ code, message }) {
        parentPort.postMessage({ code, message });
      }
      cache.close();`;
    const entry = new URL('../../dist/index.js', import.meta.url).pathname;
    const worker = new Worker(code, { eval: true, workerData: { entry, name } });
    const told = new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    expect(await told).toMatchObject({
      code: 'ERR_CACHE_OPTIONS',
      message: expect.stringContaining('ttl 1000 ms, not ttl 2000 ms'),
    });
  });
});

describe('a cache that is opened again', () => {
  test.each([
    [{ maxBytes: '8MB' }, 'maxBytes 4194304, not maxBytes 8388608'],
    [{ ttl: '5s' }, 'ttl Infinity ms, not ttl 5000 ms'],
    [{ maxEntries: 5 }, 'maxEntries Infinity, not maxEntries 5'],
    [
      { policy: 'score', admission: false, verify: 'off' },
      'verify sample, policy learned, not verify off, policy score',
    ],
  ] as const)('with %j is an error that names what differs', (over, what) => {
    const name = uniqueName();
    openCache({ name });
    const error = errorOf(() => closeLater(open({ name, maxBytes: '4MB', ...over })));
    expect(error.code).toBe('ERR_CACHE_OPTIONS');
    expect(error.message).toBe(`cache '${name}' is open with ${what}; close it first or use another name`);
  });
});
