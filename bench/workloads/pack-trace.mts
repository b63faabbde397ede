// pack-trace.mts — makes a checked-in workload from the beginning of a trace of 64-bit keys.
//
//   node dist-bench/bench/workloads/pack-trace.mjs TRACE REQUESTS OUT
//
// TRACE holds little-endian u64 keys, plain or packed by zstd (then the zstd command unpacks it).  OUT
// becomes brotli over little-endian u32 ids, numbered by first appearance: what Node unpacks by itself.
// Prints the sha256 of both ends for workloads/README.md.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { brotliCompressSync, constants } from 'node:zlib';

const KEY_BYTES = 8;
const UNPACKED_BYTES_MAX = 2 ** 30;

function readKeys(file: string): Buffer {
  if (!file.endsWith('.zst')) return readFileSync(file);
  return execFileSync('zstd', ['-d', '--long=27', '-c', file], { maxBuffer: UNPACKED_BYTES_MAX });
}

function numberByFirstAppearance(keys: Buffer): { ids: Buffer; idCount: number } {
  const idOf = new Map<bigint, number>();
  const ids = Buffer.alloc((keys.length / KEY_BYTES) * 4);
  for (let request = 0; request < keys.length / KEY_BYTES; request++) {
    const key = keys.readBigUInt64LE(request * KEY_BYTES);
    const id = idOf.get(key) ?? idOf.size;
    idOf.set(key, id);
    ids.writeUInt32LE(id, request * 4);
  }
  return { ids, idCount: idOf.size };
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

const [source, requests, out] = process.argv.slice(2);
if (source === undefined || requests === undefined || out === undefined) {
  console.error('usage: pack-trace.mjs TRACE REQUESTS OUT');
  process.exit(2);
}
const keys = readKeys(source).subarray(0, Number(requests) * KEY_BYTES);
const { ids, idCount } = numberByFirstAppearance(keys);
const { BROTLI_PARAM_QUALITY, BROTLI_PARAM_LGWIN, BROTLI_MAX_QUALITY, BROTLI_MAX_WINDOW_BITS } = constants;
const packed = brotliCompressSync(ids, {
  params: { [BROTLI_PARAM_QUALITY]: BROTLI_MAX_QUALITY, [BROTLI_PARAM_LGWIN]: BROTLI_MAX_WINDOW_BITS },
});
writeFileSync(out, packed);
console.log(`${keys.length / KEY_BYTES} requests, ${idCount} keys, ${packed.length} bytes packed`);
console.log(`sha256 of the keys  ${sha256(keys)}`);
console.log(`sha256 of the ids   ${sha256(ids)}`);
