// gather.ts: values of many keys, copied side by side into an array of the caller's.

import { native } from '../addon/native.js';
import { rangeError, typeError } from '../base/options.js';
import { giveLocations, KeyBatch, takeLocations } from './batch.js';
import { type Codec, elementCount } from './codecs.js';
import type { Keys } from './keys.js';

/** See {@link Keyspace.gather}. @internal */
export function gatherRows(
  handle: number,
  { row, tag }: Codec<never, unknown, unknown>,
  keys: Keys,
  out: ArrayBufferView,
): { hits: number; missing: number[] } {
  if (row === undefined) throw typeError('codec', 'one of fixed dimensions, such as float32(1024)', tag);
  if (!row.accepts(out)) throw typeError('out', `a ${row.array.name}`, out);
  const batch = new KeyBatch(keys, true);
  const { length } = batch;
  const elements = elementCount(out, 'out');
  const wanted = (length * row.bytes) / row.array.BYTES_PER_ELEMENT;
  if (elements < wanted) throw rangeError('out.length', `at least ${wanted} elements`, elements);
  const rows = new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
  const places = takeLocations(length);
  const absent = native.gather(handle, batch.keys, rows, row.bytes, places, batch.ends, length);
  const missing = Array.from(places.subarray(0, absent));
  giveLocations(places);
  batch.release();
  return { hits: length - missing.length, missing };
}
