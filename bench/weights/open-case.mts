// open-case.mts — opening a checkpoint and taking every tensor, against reading one file of 32 MB, in a process of its
// own, whose resident memory tells what opening took. Prints its figures as one line of JSON.

import { readFileSync } from 'node:fs';
import { Weights, type WeightTensor } from 'zerohop';

export interface OpenCaseOptions {
  readonly checkpoint: string;
  readonly tensors: number;
  readonly file: string;
  readonly fileBytes: number;
  readonly rounds: number;
}

export interface OpenCaseFigures {
  readonly openNs: number[];
  readonly readNs: number[];
  /** Of resident memory, from before the first open to when every tensor of it was taken. */
  readonly grownBytes: number;
  readonly collections: number;
  readonly wrong?: string;
}

const options = JSON.parse(process.argv[2] ?? '{}') as OpenCaseOptions;
const openNs: number[] = [];
const readNs: number[] = [];
let wrong: string | undefined;
let collections = 0;
const { PerformanceObserver } = await import('node:perf_hooks');
const observer = new PerformanceObserver((list) => {
  collections += list.getEntries().length;
});

// What a first open loads and compiles is not the checkpoint's.
const warm = await Weights.open(options.file);
warm.close();
const before = process.memoryUsage.rss();
const first = await openAll();
const grownBytes = process.memoryUsage.rss() - before;
first.close();
observer.observe({ entryTypes: ['gc'] });
for (let round = 0; round < options.rounds; ++round) {
  const begun = process.hrtime.bigint();
  const weights = await openAll();
  openNs.push(Number(process.hrtime.bigint() - begun));
  weights.close();
  await new Promise((resolve) => setImmediate(resolve));
  if (round === 0) {
    for (const entry of observer.takeRecords()) if (entry !== undefined) ++collections;
    observer.disconnect();
  }
  const read = process.hrtime.bigint();
  const bytes = readFileSync(options.file);
  readNs.push(Number(process.hrtime.bigint() - read));
  if (bytes.length < options.fileBytes) wrong = 'the file of 32 MB';
}
const figures: OpenCaseFigures = { openNs, readNs, grownBytes, collections, ...(wrong !== undefined && { wrong }) };
process.stdout.write(`${JSON.stringify(figures)}\n`);

async function openAll(): Promise<Weights> {
  const weights = await Weights.open(options.checkpoint);
  let elements = 0;
  for (const tensor of weights as Iterable<WeightTensor>) elements += tensor.data.byteLength / 2;
  if (weights.tensors.size !== options.tensors || elements !== weights.tensors.size * 4096 * 4096)
    wrong = `${weights.tensors.size} tensors of ${elements} elements`;
  return weights;
}
