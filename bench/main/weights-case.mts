// weights-case.mts — a checkpoint in memory, in a process of its own: mapped by zerohop, or read file by file. Takes
// every tensor as a typed array and reads one element of each; prints its figures as one line of JSON.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { EmbeddingTable, Weights } from 'zerohop';
import { uniformStream } from '../workloads/random.mjs';

export interface WeightsCaseOptions {
  readonly how: 'zerohop' | 'readFile';
  readonly checkpoint: string;
  readonly table: string;
  readonly rows: number;
  readonly tensors: number;
}

export interface WeightsCaseFigures {
  readonly openMs: number;
  /** Of resident memory. */
  readonly grownBytes: number;
  readonly tableOpenMs: number;
  readonly rowNs: number;
  readonly gatherNs: number;
  readonly wrong?: string;
}

const { how, checkpoint, table, rows, tensors } = JSON.parse(process.argv[2] ?? '{}') as WeightsCaseOptions;
const BATCH = 1000;
const LOOKUPS = 200_000;
/** What was read, so that it stays. */
const kept: Buffer[] = [];

const before = process.memoryUsage.rss();
const begun = performance.now();
const [count, sum] = how === 'zerohop' ? await mapped() : read();
const openMs = performance.now() - begun;
const grownBytes = process.memoryUsage.rss() - before;
// Element 1 of tensor i is i.
let wrong = count !== tensors || sum !== (tensors * (tensors - 1)) / 2 ? `${count} tensors, sum ${sum}` : undefined;
const lookups = how === 'zerohop' ? await lookUp() : { tableOpenMs: 0, rowNs: 0, gatherNs: 0 };
const figures: WeightsCaseFigures = { openMs, grownBytes, ...lookups, ...(wrong !== undefined && { wrong }) };
process.stdout.write(`${JSON.stringify(figures)}\n`);

async function mapped(): Promise<[number, number]> {
  const weights = await Weights.open(checkpoint);
  let sum = 0;
  for (const tensor of weights) sum += (tensor.data as Float32Array)[1]!;
  return [weights.tensors.size, sum];
}

/** As a program without a library would: the index, the files, their headers, arrays over what was read. */
function read(): [number, number] {
  const index = JSON.parse(readFileSync(path.join(checkpoint, 'model.safetensors.index.json'), 'utf8')) as {
    weight_map: Record<string, string>;
  };
  let count = 0;
  let sum = 0;
  for (const file of new Set(Object.values(index.weight_map))) {
    const bytes = readFileSync(path.join(checkpoint, file));
    const data = 8 + Number(bytes.readBigUInt64LE());
    const header = JSON.parse(bytes.toString('utf8', 8, data)) as Record<string, { data_offsets: [number, number] }>;
    kept.push(bytes);
    for (const [name, { data_offsets }] of Object.entries(header)) {
      if (name === '__metadata__') continue;
      const [begin, end] = data_offsets;
      const tensor = new Float32Array(bytes.buffer, bytes.byteOffset + data + begin, (end - begin) / 4);
      sum += tensor[1]!;
      ++count;
    }
  }
  return [count, sum];
}

async function lookUp(): Promise<{ tableOpenMs: number; rowNs: number; gatherNs: number }> {
  const begun = performance.now();
  const embeddings = await EmbeddingTable.open(table);
  const tableOpenMs = performance.now() - begun;
  const ids = uniformStream(rows, LOOKUPS, 9);
  const timeOf = (work: () => void) => {
    work(); // once untimed: brings the pages in, and compiles
    const from = process.hrtime.bigint();
    work();
    return Number(process.hrtime.bigint() - from) / LOOKUPS;
  };
  const rowNs = timeOf(() => {
    for (let i = 0; i < LOOKUPS; ++i) if (embeddings.row(ids[i]! * 7)?.[0] !== ids[i]) wrong ??= `row ${ids[i]}`;
  });
  const out = new Float32Array(BATCH * embeddings.dimensions);
  const batches = Array.from({ length: LOOKUPS / BATCH }, (_, i) =>
    ids.subarray(i * BATCH, (i + 1) * BATCH).map((id) => id * 7),
  );
  const gatherNs = timeOf(() => {
    for (const [i, batch] of batches.entries())
      if (embeddings.gather(batch, out).hits !== BATCH || out[0] !== ids[i * BATCH]) wrong ??= `batch ${i}`;
  });
  return { tableOpenMs, rowNs, gatherNs };
}
