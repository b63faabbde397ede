// trace.mts — the request trace that is checked in beside this file; README.md says where it is from.
//
// A trace is a list of ids in request order.  Ids are dense: 0 is the first key ever asked for, 1 the
// next new one, so `idCount` is all one needs to size a table by id.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { brotliDecompressSync } from 'node:zlib';
import { repositoryRoot } from '../harness/machine.mjs';

export interface Trace {
  readonly name: string;
  /** One id a request. */
  readonly requests: Uint32Array;
  /** Every id is below this, and each one occurs. */
  readonly idCount: number;
}

/** Of the unpacked file; a damaged workload would silently measure something else. */
const SCARAB_SHA256 = '9331d8b361eb48653c98c26a044e59cea17e698d1cce89a07007fd37b002e88d';

/** The first `limit` requests of the Scarab recommendation trace (300 000 are there). */
export function readScarabTrace(limit = Number.POSITIVE_INFINITY): Trace {
  // Named from the root: the compiled module lies in another folder than the data.
  const file = new URL('bench/workloads/scarab_recs_300k.u32.br', repositoryRoot);
  const bytes = brotliDecompressSync(readFileSync(file));
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (sha256 !== SCARAB_SHA256) throw new Error(`${file.pathname}: sha256 is ${sha256}, not ${SCARAB_SHA256}`);
  const requests = decodeIds(bytes).subarray(0, limit);
  return { name: 'scarab_recs', requests, idCount: requests.reduce((most, id) => Math.max(most, id), -1) + 1 };
}

function decodeIds(bytes: Buffer): Uint32Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Uint32Array.from({ length: bytes.byteLength / 4 }, (_, i) => view.getUint32(i * 4, true));
}
