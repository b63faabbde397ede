// packed.ts: answers as bytes: plain data, with dates, bytes, and members that are undefined, as V8 writes them for its
// own threads. Unlike JSON it loses nothing of that. Read by the process that wrote it, and by no other.

import { deserialize, serialize } from 'node:v8';
import { isPlain } from '../fingerprint/plain.js';

const DEPTH_MAX = 500;

/** The bytes of `value`; undefined if it is not plain data all through, and would not come back as it is. @internal */
export function pack(value: unknown): Uint8Array | undefined {
  return isData(value, 0) ? serialize(value) : undefined;
}

/**
 * A value of the caller's own. The bytes are copied first: what is unpacked may lie over them, and the cache's memory is not
 * to be written to. @internal
 */
export function unpack(bytes: ArrayLike<number>): unknown {
  return deserialize(new Uint8Array(bytes));
}

function isData(value: unknown, depth: number): boolean {
  if (typeof value === 'function' || typeof value === 'symbol') return false;
  if (typeof value !== 'object' || value === null) return true;
  if (value instanceof Date || value instanceof Uint8Array) return true;
  if (depth === DEPTH_MAX || !(Array.isArray(value) || isPlain(value))) return false; // a circle ends here, too
  return Object.values(value).every((each) => isData(each, depth + 1));
}
