// close() of weights, tables and blobs: while Node works on their views, and while they work themselves.
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { Blobs, EmbeddingTable, Weights } from 'zerohop';
import { answer, similar } from '../fixtures/child.js';
import { ownFolder } from '../fixtures/folder.js';
import { errorOf } from '../fixtures/opened.js';

const FIXTURE = 'closed-under-work.mjs';
const CLOSED = { code: 'ERR_WEIGHTS_CLOSED' };

describe('work of Node on a view ends as if nobody had closed', () => {
  const KINDS = [
    'weights that are read',
    'weights that are disposed of',
    'table',
    'blob',
    'table that goes over to another file',
    'weights',
  ];
  test.each(similar(2, KINDS))('%s', async (kind) => {
    expect(await answer(FIXTURE, { args: [kind] })).toEqual({
      gzip: 'right',
      deflate: 'right',
      'fs.writeFile': 'right',
      'crypto.subtle.digest': 'right',
      'a socket': 'right',
      'the body of a fetch': 'right',
      'a worker': 'right',
    });
  });
});

test.runIf(process.platform === 'linux')(
  'closing gives the descriptor back at once, and the memory with the last view; or that at once, too',
  async () => {
    expect(await answer(FIXTURE, { args: ['memory'] })).toEqual({
      unseen: 'not open, not mapped',
      viewed: 'not open, mapped',
      right: true,
      dropped: 'not open, not mapped',
      now: 'not open, not mapped',
      sizes: [expect.any(Number), expect.any(Number)],
      view: 0,
    });
  },
);

test('closing now under work leaves zeros to it, and never shows it another file', async () => {
  expect(await answer(FIXTURE, { args: ['now'] })).toEqual({ length: 4_000_000, others: -1, views: [0, 0], kept: 2 });
});

/** A file of one tensor of 1 TiB, of which nothing is on the disk: no work on all of it ends by itself. */
function endless(): string {
  const bytes = 2 ** 40;
  const header = Buffer.from(JSON.stringify({ w: { dtype: 'U8', shape: [bytes], data_offsets: [0, bytes] } }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const path = join(ownFolder(), 'endless.safetensors');
  writeFileSync(path, Buffer.concat([length, header]));
  truncateSync(path, 8 + header.length + bytes);
  return path;
}

describe('closing', () => {
  test.each(['prefetch', 'computeDigest'] as const)('ends a %s that is under way, which says so', async (work) => {
    for (const now of [false, true]) {
      const weights = await Weights.open(endless());
      const onProgress = () => weights.close({ now });
      const ended =
        work === 'prefetch' ? weights.prefetch(['w'], { onProgress }) : weights.computeDigest({ onProgress });
      await expect(ended).rejects.toMatchObject(CLOSED);
    }
  });

  test('also ends work that has not begun', async () => {
    const weights = await Weights.open(endless());
    const [warm, digest] = [weights.prefetch(), weights.computeDigest()];
    weights.close();
    const ends = [warm, digest].map((work) => expect(work).rejects.toMatchObject(CLOSED)); // either may be the first
    await Promise.all(ends);
  });

  test('leaves rows and bytes that were handed out as they are, and gives no new ones', async () => {
    const path = join(ownFolder(), 'table.safetensors');
    await EmbeddingTable.write(path, { ids: [1, 2], vectors: Float32Array.of(1, 2, 3, 4), dimensions: 2 });
    const table = await EmbeddingTable.open(path);
    const row = table.row(2)!;
    table.row(2);
    table.close();
    table.close({ now: false });
    expect([...row]).toEqual([3, 4]);
    for (const ask of [
      () => table.row(2),
      () => table.has(2),
      () => table.scale(2),
      () => table.rows([2]),
      () => table.topK(Float32Array.of(1, 1), 1),
    ])
      expect(errorOf(ask)).toMatchObject(CLOSED);

    const blob = await new Blobs({ folder: ownFolder() }).open('a', '1', () => 'text');
    const { bytes } = blob;
    blob.close();
    expect(Buffer.from(bytes).toString()).toBe('text');
    for (const ask of [() => blob.bytes, () => blob.text(), () => blob.ownBuffer()])
      expect(errorOf(ask)).toMatchObject(CLOSED);
  });

  test('takes the option now, and nothing else', async () => {
    const path = join(ownFolder(), 'a.safetensors');
    await Weights.write(path, { a: Uint8Array.of(7) });
    const weights = await Weights.open(path);
    const { data } = weights.tensor('a');
    for (const wrong of [5, { now: 1 }, { later: true }])
      expect(errorOf(() => weights.close(wrong as never))).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
    expect((data as Uint8Array)[0]).toBe(7); // what was refused closed nothing
    weights.close({ now: true });
    weights.close({ now: true });
    expect((data as Uint8Array).length).toBe(0);
  });
});

test('a worker that is terminated while it compresses a view of a closed file does not end the process', async () => {
  const path = join(ownFolder(), 'a.safetensors');
  await Weights.write(path, { a: new Float32Array(1_000_000).map((_, i) => Math.sin(i)) });
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { Weights } = require('zerohop');
    Weights.open(workerData).then((weights) => {
      const { buffer, byteOffset, byteLength } = weights.tensor('a').data;
      for (let i = 0; i < 4; ++i)
        require('node:zlib').gzip(new Uint8Array(buffer, byteOffset, byteLength), { level: 9 }, () => {});
      weights.close();
      parentPort.postMessage('closed');
    });`;
  for (let round = 0; round < 3; ++round) {
    const worker = new Worker(program, { eval: true, workerData: path });
    await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    expect(await worker.terminate()).toBe(1);
  }
});
