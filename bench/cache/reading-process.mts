// reading-process.mts — a process with a cache of its own, which it reads and writes whenever it is told to.

import { fillShared, openShared, type ReaderOptions, SteadyReader, SteadyWriter } from './steady-reader.mjs';

export interface ProcessOptions extends ReaderOptions {
  readonly setsPerSecond: number;
}

const options = JSON.parse(process.argv[2] ?? '{}') as ProcessOptions;
const vectors = openShared(options.entries);
fillShared(vectors, options.entries);
const reader = new SteadyReader(vectors, options);
const writer = new SteadyWriter(vectors, options);
process.on('message', (ms: number) => {
  let done = 0;
  const figures = reader.readFor(ms, (elapsedMs) => {
    done = writer.catchUp(done, elapsedMs, options.setsPerSecond);
  });
  process.send?.(figures);
});
process.on('disconnect', () => process.exit(0)); // the suite is gone
process.send?.('ready');
