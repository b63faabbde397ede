// Model files of transformers.js as blobs: what the library asks of a cache, and the library itself with a model from a
// server that then goes.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, truncateSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { Blobs, open } from 'zerohop';
import { transformersCache } from 'zerohop/transformers';
import { answer, glibc } from '../fixtures/child.js';
import { ownFolder } from '../fixtures/folder.js';
import { onnxModel } from '../fixtures/onnx.mjs';
import { anything, errorOf } from '../fixtures/opened.js';

const URL_OF_A = 'https://models.example/somebody/tiny/resolve/main/onnx/model.onnx';
const CONTENT = new Uint8Array(3_000_000).map((_, i) => (i * 7919) % 256); // more than a chunk, and no whole number of them
const ended: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ended.splice(0)) await end();
});

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const fresh = (options?: { version?: string }, folder = ownFolder()) =>
  transformersCache(new Blobs({ folder }), options);
const bytesFrom = async (response: Response | undefined) => new Uint8Array(await response!.arrayBuffer());

/** A body that comes in three parts, and what becomes of it. */
function comingBody(end: (controller: ReadableStreamDefaultController) => void = (controller) => controller.close()) {
  const seen = { pulls: 0, cancelled: false };
  const body = new ReadableStream(
    {
      pull(controller) {
        const at = seen.pulls++ * 1_000_000;
        if (at === CONTENT.length) return end(controller);
        controller.enqueue(CONTENT.slice(at, at + 1_000_000));
      },
      cancel() {
        seen.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { body, seen };
}

describe('a cache for transformers.js', () => {
  test('has what was put, in whatever way it is read, also by another one', async () => {
    const folder = ownFolder();
    const cache = fresh({}, folder);
    expect(await cache.match(URL_OF_A)).toBeUndefined();
    await cache.put(URL_OF_A, new Response(CONTENT));
    await cache.put(`${URL_OF_A}.json`, new Response('{"größe": 1}'));
    await cache.put(`${URL_OF_A}.none`, new Response(new Uint8Array(0)));
    for (const one of [cache, cache, fresh({}, folder)]) {
      const response = (await one.match(URL_OF_A))!;
      expect(response).toBeInstanceOf(Response);
      expect([response.status, response.headers.get('content-length')]).toEqual([200, '3000000']);
      expect(hashOf(await bytesFrom(response))).toBe(hashOf(CONTENT));
      const parts = [];
      for await (const part of (await one.match(URL_OF_A))!.body!) parts.push(part);
      expect(parts.length).toBeGreaterThan(1);
      expect(hashOf(Buffer.concat(parts))).toBe(hashOf(CONTENT));
      expect(await (await one.match(`${URL_OF_A}.json`))!.json()).toEqual({ größe: 1 });
      expect(await bytesFrom(await one.match(`${URL_OF_A}.json`))).toHaveLength(14);
      expect(await bytesFrom(await one.match(`${URL_OF_A}.none`))).toHaveLength(0);
      expect(await (await one.match(`${URL_OF_A}.none`))!.text()).toBe('');
    }
  });

  test('gives each reader a mapping of its own', async () => {
    const folder = ownFolder();
    const cache = fresh({}, folder);
    await cache.put(URL_OF_A, new Response(CONTENT));
    const mappings = () => readFileSync('/proc/self/maps', 'utf8').split(folder).length - 1;
    const responses = [await cache.match(URL_OF_A), await cache.match(URL_OF_A)];
    const [first, second] = await Promise.all(responses.map(bytesFrom));
    expect(mappings()).toBe(2);
    first!.fill(0);
    expect(hashOf(second!)).toBe(hashOf(CONTENT));
    expect(hashOf(await bytesFrom(await cache.match(URL_OF_A)))).toBe(hashOf(CONTENT));
    expect(first!.byteLength + second!.byteLength).toBe(2 * CONTENT.length); // both still held by this test
  });

  test('opens a file once for all who ask whether it is there', async () => {
    const folder = ownFolder();
    const cache = fresh({}, folder);
    await cache.put(URL_OF_A, new Response(CONTENT));
    const other = fresh({}, folder);
    await other.match(URL_OF_A);
    const [file] = readdirSync(folder);
    truncateSync(join(folder, file!), 0); // whoever opens it from now on finds nothing
    expect(await fresh({}, folder).match(URL_OF_A)).toBeUndefined();
    expect(await other.match(URL_OF_A)).toBeDefined();
  });

  test('keeps a file mapped as long as somebody has its bytes', async () => {
    const folder = ownFolder();
    const cache = fresh({}, folder);
    await cache.put(URL_OF_A, new Response(CONTENT));
    const isMapped = () => readFileSync('/proc/self/maps', 'utf8').includes(folder);
    const collect = async (rounds: number) => {
      for (let i = 0; i < rounds && isMapped(); ++i) {
        globalThis.gc!();
        await turn();
      }
    };
    const readers = [await bytesFrom(await cache.match(URL_OF_A))];
    await collect(10);
    expect(isMapped()).toBe(true); // a copy would not keep it
    expect(hashOf(readers.pop()!)).toBe(hashOf(CONTENT));
    await collect(100);
    expect(isMapped()).toBe(false);
  });

  test('gives responses that are read once, by one reader', async () => {
    const cache = fresh();
    await cache.put(URL_OF_A, new Response(CONTENT));
    const response = (await cache.match(URL_OF_A))!;
    await response.arrayBuffer();
    await expect(response.arrayBuffer()).rejects.toThrow(TypeError);
    await expect(response.text()).rejects.toThrow(TypeError);
    const locked = (await cache.match(URL_OF_A))!;
    locked.body!.getReader();
    await expect(locked.arrayBuffer()).rejects.toThrow(TypeError);
  });

  test('tells how far a body has come', async () => {
    const told: unknown[] = [];
    const headers = { 'content-length': `${CONTENT.length}` };
    await fresh().put(URL_OF_A, new Response(comingBody().body, { headers }), (progress) => told.push(progress));
    const total = CONTENT.length;
    expect(told).toEqual([1, 2, 3].map((part) => ({ progress: (100 * part) / 3, loaded: (part * total) / 3, total })));
    const untold: unknown[] = [];
    await fresh().put(URL_OF_A, new Response(comingBody().body), (progress) => untold.push(progress));
    expect(untold.at(-1)).toEqual({ progress: 0, loaded: total, total: 0 });
  });

  test('stores nothing of a body that ends too early, too late or badly, nor of a part', async () => {
    const folder = ownFolder();
    const cache = fresh({}, folder);
    const of = (body: ReadableStream, length: number) =>
      new Response(body, { headers: { 'content-length': `${length}` } });
    for (const length of [CONTENT.length + 1, CONTENT.length - 1])
      await expect(cache.put(URL_OF_A, of(comingBody().body, length))).rejects.toThrow(/3000000 bytes came/);
    const reason = new Error('the network went');
    const { body } = comingBody((controller) => controller.error(reason));
    await expect(cache.put(URL_OF_A, of(body, CONTENT.length))).rejects.toBe(reason);
    for (const status of [206, 404])
      await expect(cache.put(URL_OF_A, new Response(CONTENT, { status }))).rejects.toThrow(TypeError);
    expect(readdirSync(folder)).toEqual([]);
    expect(await cache.match(URL_OF_A)).toBeUndefined();
    // Its length is that of what was compressed.
    const headers = { 'content-length': '17', 'content-encoding': 'gzip' };
    await cache.put(URL_OF_A, new Response(comingBody().body, { headers }));
    expect(hashOf(await bytesFrom(await cache.match(URL_OF_A)))).toBe(hashOf(CONTENT));
  });

  test('keeps what is there, and does not read the body of another', async () => {
    const cache = fresh();
    await cache.put(URL_OF_A, new Response('first'));
    const { body, seen } = comingBody();
    await cache.put(URL_OF_A, new Response(body));
    expect(seen).toEqual({ pulls: 0, cancelled: true });
    expect(await (await cache.match(URL_OF_A))!.text()).toBe('first');
  });

  test('waits for another that is storing the same file, and does not read its own body', async () => {
    const folder = ownFolder();
    const first = comingBody();
    const second = comingBody();
    const putting = fresh({}, folder).put(URL_OF_A, new Response(first.body));
    while (first.seen.pulls === 0) await turn(); // it holds the lock
    await Promise.all([putting, fresh({}, folder).put(URL_OF_A, new Response(second.body))]);
    expect([first.seen, second.seen]).toEqual([
      { pulls: 4, cancelled: false },
      { pulls: 0, cancelled: true },
    ]);
    expect(hashOf(await bytesFrom(await fresh({}, folder).match(URL_OF_A)))).toBe(hashOf(CONTENT));
  });

  test('deletes a file, and whoever has a response still reads it', async () => {
    const cache = fresh();
    await cache.put(URL_OF_A, new Response('content'));
    const [one, other] = [await cache.match(URL_OF_A), await cache.match(URL_OF_A)];
    expect(await cache.delete(URL_OF_A)).toBe(true);
    expect(await cache.delete(URL_OF_A)).toBe(false);
    expect(await cache.match(URL_OF_A)).toBeUndefined();
    expect(await one!.text()).toBe('content');
    await expect(other!.arrayBuffer()).rejects.toThrow('was deleted before it was read');
  });

  test('tells apart versions, and requests however long', async () => {
    const folder = ownFolder();
    const long = `https://models.example/${'x'.repeat(300)}`;
    const requests = [URL_OF_A, long, `${long}y`];
    for (const version of ['1', '2'])
      for (const request of requests)
        await fresh({ version }, folder).put(request, new Response(`${request.length} ${version}`));
    for (const version of ['1', '2'])
      for (const request of requests)
        expect(await (await fresh({ version }, folder).match(request))!.text()).toBe(`${request.length} ${version}`);
    expect(await fresh({}, folder).match(URL_OF_A)).toBeUndefined();
  });

  test('is made of the blobs of a cache, and outlives it', async () => {
    const cache = open({ maxBytes: '1MB', blobs: { folder: ownFolder() } });
    const files = transformersCache(cache.blobs);
    cache.close();
    await files.put(URL_OF_A, new Response('content'));
    expect(await (await files.match(URL_OF_A))!.text()).toBe('content');
  });

  test('is made of blobs alone, and takes no option that it does not know', () => {
    for (const wrong of [undefined, {}, ownFolder()])
      expect(errorOf(() => transformersCache(anything(wrong))).message).toMatch(
        /^blobs: expected the blobs of a cache/,
      );
    const blobs = new Blobs({ folder: ownFolder() });
    expect(errorOf(() => transformersCache(blobs, anything({ revision: 'main' }))).name).toBe('TypeError');
    expect(errorOf(() => transformersCache(blobs, { version: 'x'.repeat(256) })).name).toBe('RangeError');
  });
});

/** A hub with one model, the weights of which are a file of their own. */
async function hub() {
  const weights = Float32Array.from({ length: 300_000 }, (_, i) => i);
  const place = { path: 'model.onnx_data', begin: 4000, end: 4016 };
  const model = onnxModel({
    inputs: { input_ids: [4] },
    outputs: { y: [4] },
    nodes: [['Add', ['input_ids', 'w'], 'y']],
    initializers: { w: { shape: [4], place } },
  });
  const config = { model_type: 'bert', 'transformers.js_config': { use_external_data_format: true } };
  const files = new Map<string, Uint8Array>([
    ['/config.json', Buffer.from(JSON.stringify(config))],
    ['/onnx/model.onnx', model],
    ['/onnx/model.onnx_data', new Uint8Array(weights.buffer)],
  ]);
  const downloads: string[] = [];
  const server = createServer((request, response) => {
    const name = request.url!.replace('/somebody/tiny/resolve/main', '');
    const file = files.get(name);
    if (file === undefined) return response.writeHead(404).end();
    // The library asks for a first byte to learn the size.
    const part = request.headers.range === 'bytes=0-0';
    if (!part) downloads.push(name);
    response.writeHead(part ? 206 : 200, {
      'content-length': part ? 1 : file.length,
      ...(part && { 'content-range': `bytes 0-0/${file.length}` }),
    });
    return response.end(part ? file.subarray(0, 1) : file);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    if (!server.listening) return;
    server.close();
    server.closeAllConnections();
    await once(server, 'close');
  };
  ended.push(close);
  const { port } = server.address() as AddressInfo;
  return { host: `http://127.0.0.1:${port}/`, files: [...files.keys()], downloads, close };
}

// Its own code for finding and loading files, and onnxruntime-node.
describe.skipIf(!glibc)('transformers.js', () => {
  const RIGHT = [1001, 1003, 1005, 1007]; // 1 to 4, and what lies from byte 4000 on

  test('downloads a model once, and has it in other processes when the server is gone', async () => {
    const { host, files, downloads, close } = await hub();
    const folder = ownFolder();
    const load = (wish?: string) => answer('transformers.mjs', { args: [folder, host, ...(wish ? [wish] : [])] });
    const remote = files.map((name) => `/resolve/main${name}`).sort();

    const first = await load();
    expect(first.y).toEqual(RIGHT);
    expect([downloads.sort(), first.puts.sort()]).toEqual([files, remote]);
    const loaded = { 'onnx/model.onnx_data': [1_200_000, 1_200_000] };
    expect(first.loaded).toMatchObject(loaded);
    expect(readdirSync(folder)).toHaveLength(3);

    await close();
    const second = await load();
    expect(second.y).toEqual(RIGHT);
    expect([second.puts, [...new Set(second.hits)].sort(), downloads]).toEqual([[], remote, files]);
    expect(second.loaded).toEqual(first.loaded);

    expect(await load('clear')).toEqual({ filesDeleted: 3 });
    const third = await load();
    expect([third.error, third.hits]).toEqual(['fetch failed', []]);
  });
});
