// slab.ts: hits whose segment is not exposed are copied to a slab: one buffer for many copies. Native code allocates in
// it, and keeps its cursor in the first bytes of the slab.
//
// A buffer for every copy would cost 600 ns in V8. A slab costs that once for sixteen vectors of 1 024 float32. A view
// keeps its slab, as it keeps a segment. A slab belongs to one keyspace, so `.buffer` shows no other keyspace's values.
import { native, SLAB_HEADER_BYTES } from '../addon/native.js';

const SLAB_BYTES = 64 * 1024;
const OWN_SLAB_ABOVE = SLAB_BYTES / 4; // larger values would leave much of a slab unused

// A slab is the same kind of buffer as an exposed segment (D6 in docs/DECISIONS.md). From Node 22 on, V8 counts young
// ArrayBuffers as external memory, and collects the whole heap for every 64 MiB of them. It does not count the bytes of
// SharedArrayBuffers at all. So they are counted here, and the young generation is collected when they add up.
const { backend } = native.environment();
const UNCOUNTED_BYTES_MAX = 32 * 1024 * 1024;
let uncountedBytes = 0;

// Both kinds are zeroed: `.buffer` also shows bytes that are no copy yet, and a cursor of 0 means the start.
function slabOf(bytes: number): Uint8Array {
  if (backend !== 'shared') return new Uint8Array(bytes);
  uncountedBytes += bytes;
  if (uncountedBytes > UNCOUNTED_BYTES_MAX) {
    uncountedBytes = 0;
    native.collect();
  }
  return new Uint8Array(new SharedArrayBuffer(bytes));
}

/** A new slab with room for a copy of `bytes`; `keep` tells whether there will be room for others after it. */
export function slabFor(bytes: number): { slab: Uint8Array; keep: boolean } {
  const keep = bytes <= OWN_SLAB_ABOVE;
  return { slab: slabOf(keep ? SLAB_BYTES : SLAB_HEADER_BYTES + bytes), keep };
}
