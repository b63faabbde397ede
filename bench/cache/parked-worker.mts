// parked-worker.mts — reads every key of the cache, keeps what it got, and then waits for ever without running
// anything.
import { parentPort, workerData } from 'node:worker_threads';
import { float32, open } from 'zerohop';

const { keys } = workerData as { keys: string[] };
const cache = open({ name: 'reclaim', maxBytes: 256 * 2 ** 20 });
const vectors = cache.keyspace('vectors', { codec: float32(1024) });
const views = keys.filter((_, i) => i % 16 === 0).map((key) => vectors.get(key));
parentPort?.postMessage(views.length);
Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
