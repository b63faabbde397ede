// slab.ts: where hits are copied to when their segment is not shown: one buffer for many copies, bump-allocated by
// native code, which keeps its cursor in the first bytes of the slab itself.
//
// A buffer for every copy would cost 600 ns in V8; a slab costs that once for sixteen vectors of 1 024 float32. As with
// a segment, a view that is kept keeps its slab. Slabs belong to one keyspace, so that `.buffer` shows nobody else's.
import { native, SLAB_HEADER_BYTES } from '../addon/native.js';

const SLAB_BYTES = 64 * 1024;
const OWN_SLAB_ABOVE = SLAB_BYTES / 4; // larger values would leave much of a slab unused

// The same kind of buffer as a shown segment has. From Node 22 on V8 counts ArrayBuffers towards its external memory
// even while they are young, and collects the whole heap for every 64 MiB of them; it does not count the bytes of
// SharedArrayBuffers at all. So those are counted here, and the young generation collected when they add up.
const { backend } = native.environment();
const UNCOUNTED_BYTES_MAX = 32 * 1024 * 1024;
let uncountedBytes = 0;

// Zeroed, either way: what is not a copy yet is seen through `.buffer` too, and an empty cursor means the start.
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
