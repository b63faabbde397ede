// reading-worker.mts — a worker thread that reads the cache of its process whenever it is told to.

import { parentPort, workerData } from 'node:worker_threads';
import { openShared, type ReaderOptions, SteadyReader } from './steady-reader.mjs';

const options = workerData as ReaderOptions;
const reader = new SteadyReader(openShared(options.entries), options);
parentPort?.on('message', (ms: number) => parentPort?.postMessage(reader.readFor(ms)));
parentPort?.postMessage('ready');
