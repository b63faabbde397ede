// Windows over more than the heap may hold: what V8 is told of them is taken back with them.
import { closeSync, ftruncateSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Weights } from 'zerohop';
import { ownFolder } from '../fixtures/folder.js';

const TENSOR_BYTES = 2 ** 28;
const PER_SHARD = 12;
const SHARDS = 3; // 9 GiB, and no byte of it on the disk but the headers

function sparseCheckpoint(): string {
  const folder = ownFolder();
  const weightMap: Record<string, string> = {};
  for (let shard = 0; shard < SHARDS; ++shard) {
    const name = `${shard}.safetensors`;
    const entries = Array.from({ length: PER_SHARD }, (_, i) => {
      weightMap[`${shard}/${i}`] = name;
      const shape = [TENSOR_BYTES / 4];
      return [`${shard}/${i}`, { dtype: 'F32', shape, data_offsets: [i * TENSOR_BYTES, (i + 1) * TENSOR_BYTES] }];
    });
    const text = JSON.stringify(Object.fromEntries(entries)).padEnd(4088);
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(text.length));
    const file = openSync(join(folder, name), 'w');
    writeSync(file, Buffer.concat([length, Buffer.from(text)]));
    ftruncateSync(file, 4096 + PER_SHARD * TENSOR_BYTES);
    // Each tensor ends with its number.
    for (let i = 0; i < PER_SHARD; ++i)
      writeSync(file, Float32Array.of(shard * PER_SHARD + i), 0, 4, 4096 + (i + 1) * TENSOR_BYTES - 4);
    closeSync(file);
  }
  writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: weightMap }));
  return folder;
}

/** How many there are, when every tensor was looked at. */
function windowsOf(weights: Weights): number {
  const buffers = new Set<ArrayBufferLike>();
  for (const [number, tensor] of [...weights].entries()) {
    const data = tensor.data as Float32Array;
    buffers.add(data.buffer);
    expect([data.length, data[0], data.at(-1)]).toEqual([TENSOR_BYTES / 4, 0, number]);
  }
  return buffers.size;
}

async function settled(): Promise<number> {
  for (let i = 0; i < 3; ++i) {
    globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().external;
}

test('memory of misaligned parts goes with their views, which are empty when the file is closed now', async () => {
  const text = '{"w":{"dtype":"F32","shape":[32768],"data_offsets":[0,131072]}}';
  const odd = text.padEnd(text.length + ((1 - text.length) & 3)); // data begin at 1 more than a multiple of 4
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(odd.length));
  const path = join(ownFolder(), 'odd.safetensors');
  writeFileSync(path, Buffer.concat([length, Buffer.from(odd), Buffer.alloc(131_072)]));
  const weights = await Weights.open(path);
  const tensor = weights.tensor('w');
  expect(tensor.aligned).toBe(false);
  const before = await settled();
  for (let i = 0; i < 1000; ++i) expect((tensor.part(0, 131_072) as Float32Array).length).toBe(32_768);
  expect((await settled()) - before).toBeLessThan(8 * 2 ** 20); // of 125 MiB
  const held = Array.from({ length: 200 }, () => tensor.part(4, 131_072) as Float32Array);
  weights.close({ now: true });
  expect(held.every((one) => one.length === 0)).toBe(true);
});

test('every tensor lies whole in one window, and V8 counts the windows once, until they are gone', async () => {
  const folder = sparseCheckpoint();
  const before = await settled();
  for (let round = 0; round < 3; ++round) {
    const weights = await Weights.open(folder);
    const windows = windowsOf(weights);
    const counted = process.memoryUsage().external - before;
    // A window begins at a multiple of 64, so neighbours may share some bytes.
    expect(Math.abs(counted - weights.bytes)).toBeLessThan(2 ** 20);
    expect(windows).toBeLessThan(12);
    weights.close({ now: round === 0 });
    expect(Math.abs((await settled()) - before)).toBeLessThan(2 ** 20);
  }
});
