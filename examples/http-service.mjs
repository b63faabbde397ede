// An embedding service in one process.  The main thread answers what is in the cache; what is not, a worker thread
// computes and stores.  Both opened the cache by the same name: it is one cache, and nothing is sent between them but keys.
//
//   node examples/http-service.mjs [PORT]
//   curl localhost:8080/embed/hello            4 KiB of float32, little endian; x-cache says hit or miss
//   curl localhost:8080/stats

import { once } from 'node:events';
import { createServer } from 'node:http';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { float32, open } from 'zerohop';

const DIMENSIONS = 1024;

const cache = open({ name: 'embedding service', maxBytes: '256MB', ttl: '1h' });
const embeddings = cache.keyspace('embeddings', { codec: float32(DIMENSIONS) });

/** Worker threads, and who waits for which text: however many callers ask for one text, one worker computes it. */
class Pool {
  #waiting = new Map(); // text → { promise, resolve, reject, place }
  #workers = [];
  #next = 0;
  #closing = false;

  constructor(size) {
    for (let place = 0; place < size; ++place) this.#start(place);
  }

  compute(text) {
    const known = this.#waiting.get(text);
    if (known !== undefined) return known.promise;
    const place = this.#next++ % this.#workers.length;
    const caller = { place };
    caller.promise = new Promise((resolve, reject) => Object.assign(caller, { resolve, reject }));
    this.#waiting.set(text, caller);
    this.#workers[place].postMessage(text);
    return caller.promise;
  }

  close() {
    this.#closing = true;
    return Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  /** A worker that ends, whatever of, fails those who wait for it, and is followed by another. */
  #start(place) {
    const worker = new Worker(new URL(import.meta.url));
    worker.on('message', ({ text, error }) => this.#settle(text, error));
    worker.on('error', (error) => console.error(error));
    worker.on('exit', () => {
      const lost = [...this.#waiting].filter(([, caller]) => caller.place === place);
      for (const [text] of lost) this.#settle(text, new Error('the worker ended'));
      if (!this.#closing) this.#start(place);
    });
    this.#workers[place] = worker;
  }

  #settle(text, error) {
    const caller = this.#waiting.get(text);
    this.#waiting.delete(text);
    if (error === undefined) caller?.resolve();
    else caller?.reject(error);
  }
}

if (isMainThread) {
  const pool = new Pool(Math.max(1, availableParallelism() - 1));
  const server = createServer(async ({ url = '' }, response) => {
    try {
      if (url === '/stats') return response.end(JSON.stringify(cache.stats()));
      const text = /^\/embed\/(.+)$/.exec(decodeURIComponent(url))?.[1];
      if (text === undefined) return response.writeHead(404).end();
      let vector = embeddings.get(text);
      response.setHeader('x-cache', vector === undefined ? 'miss' : 'hit');
      if (vector === undefined) {
        await pool.compute(text);
        vector = embeddings.get(text);
      }
      if (vector === undefined) return response.writeHead(503).end(); // refused, or over already
      // Sockets take a view of the cache's memory as it is: no copy between the cache and the kernel.
      response.end(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength));
    } catch (error) {
      response.writeHead(error instanceof URIError || error instanceof RangeError ? 400 : 500).end(String(error));
    }
  });
  server.listen(Number(process.argv[2] ?? 8080), () => console.log(`listening on ${server.address().port}`));
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  server.close();
  server.closeAllConnections();
  await pool.close();
  cache.close();
} else {
  parentPort.on('message', async (text) => {
    try {
      // Another worker may have computed it since it was asked for.
      if (!embeddings.has(text)) embeddings.set(text, await embed(text));
      parentPort.postMessage({ text });
    } catch (error) {
      parentPort.postMessage({ text, error });
    }
  });
}

/** Stands in for the model: 20 ms, and a vector that depends on the text. */
async function embed(text) {
  await sleep(20);
  let state = 2166136261;
  for (const byte of Buffer.from(text)) state = Math.imul(state ^ byte, 16777619);
  return Float32Array.from({ length: DIMENSIONS }, () => {
    state = Math.imul(state, 1664525) + 1013904223;
    return (state >>> 8) / 2 ** 24 - 0.5;
  });
}
