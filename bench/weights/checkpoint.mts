// checkpoint.mts — files of weights to measure on: real ones, and sparse ones, whose data are holes that take no disk.

import { closeSync, ftruncateSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import path from 'node:path';

const SHARD_BYTES = 3.5e9;
const SHARDS = 4;
/** Four tensors a layer, as wide as those of a model of 7 billion parameters in bfloat16. */
const WIDTH = 4096;
const TENSOR_BYTES = 2 * WIDTH * WIDTH;

/** 14 GB in four shards with an index, and no byte of it on the disk but the headers. Returns how many tensors. */
export function makeSparseCheckpoint(folder: string): number {
  mkdirSync(folder, { recursive: true });
  const weightMap: Record<string, string> = {};
  const perShard = Math.floor(SHARD_BYTES / TENSOR_BYTES);
  for (let shard = 0; shard < SHARDS; ++shard) {
    const file = `model-${pad(shard + 1)}-of-${pad(SHARDS)}.safetensors`;
    const header: Record<string, object> = {};
    for (let i = 0; i < perShard; ++i) {
      const name = `model.layers.${shard * perShard + i}.weight`;
      header[name] = {
        dtype: 'BF16',
        shape: [WIDTH, WIDTH],
        data_offsets: [i * TENSOR_BYTES, (i + 1) * TENSOR_BYTES],
      };
      weightMap[name] = file;
    }
    writeHeader(path.join(folder, file), header, perShard * TENSOR_BYTES);
  }
  const metadata = { total_size: SHARDS * perShard * TENSOR_BYTES };
  writeFileSync(path.join(folder, 'model.safetensors.index.json'), JSON.stringify({ metadata, weight_map: weightMap }));
  return SHARDS * perShard;
}

const pad = (number: number) => String(number).padStart(5, '0');

function writeHeader(file: string, header: object, dataBytes: number): void {
  const text = JSON.stringify(header);
  const padded = text.padEnd(Math.ceil((8 + text.length) / 64) * 64 - 8);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const handle = openSync(file, 'w');
  writeSync(handle, Buffer.concat([length, Buffer.from(padded)]));
  ftruncateSync(handle, 8 + padded.length + dataBytes);
  closeSync(handle);
}

/** Numbers that no compression, in a disk or under it, makes less of. */
export function noise(out: Uint32Array, seed: number): Uint32Array {
  let state = seed | 1;
  for (let i = 0; i < out.length; ++i) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    out[i] = state;
  }
  return out;
}

/** A file of one tensor, `data`, of so many bytes of noise; written piece by piece and synchronised. */
export function makeNoiseFile(file: string, bytes: number): void {
  const piece = noise(new Uint32Array(2 ** 22), 7);
  writeHeader(file, { data: { dtype: 'U32', shape: [bytes / 4], data_offsets: [0, bytes] } }, bytes);
  const handle = openSync(file, 'r+');
  let at = headerBytes(bytes);
  for (let left = bytes; left > 0; ) {
    piece[0] = left; // no two pieces alike
    const step = Math.min(left, piece.byteLength);
    writeSync(handle, new Uint8Array(piece.buffer, 0, step), 0, step, at);
    at += step;
    left -= step;
  }
  closeSync(handle);
}

function headerBytes(bytes: number): number {
  const text = JSON.stringify({ data: { dtype: 'U32', shape: [bytes / 4], data_offsets: [0, bytes] } });
  return Math.ceil((8 + text.length) / 64) * 64;
}
