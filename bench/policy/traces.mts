// traces.mts — cache traces from a folder: NAME.u64.zst (one 64-bit key a request) and NAME.u64u32.zst (a size after
// each key), little-endian, or the same without `.zst`. Without a folder: the trace that comes with the benchmarks.

import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { readScarabTrace } from '../workloads/trace.mjs';
import { readTrace, type Trace } from './simulator.mjs';

const FORM = /^(.+)\.(u64|u64u32)(\.zst)?$/;

export function tracesOf(folder: string | undefined): Trace[] {
  if (folder === undefined) return [ownTrace()];
  const traces = readdirSync(folder)
    .sort()
    .flatMap((file) => {
      const form = FORM.exec(file);
      if (form === null) return [];
      const [, name, record, packed] = form;
      const whole = path.join(folder, file);
      const bytes = packed === undefined ? readFileSync(whole) : unpack(whole);
      return [{ name: name!, ...readTrace(bytes, record === 'u64' ? 8 : 12) }];
    });
  if (traces.length === 0) throw new Error(`${folder}: expected files NAME.u64.zst or NAME.u64u32.zst, found none`);
  return traces;
}

function unpack(file: string): Buffer {
  return execFileSync('zstd', ['-dcq', '--long=27', file], { maxBuffer: 2 ** 31 });
}

function ownTrace(): Trace {
  const { name, requests, idCount } = readScarabTrace();
  return { name, ids: requests, unique: idCount };
}
