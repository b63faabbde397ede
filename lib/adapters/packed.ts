// packed.ts: answers as bytes: plain data with dates, bytes, and members that are undefined, as V8 writes them for its
// own threads. JSON would lose some of that. Only the process that wrote the bytes reads them.

import { deserialize, serialize } from 'node:v8';
import { isDate, isUint8Array } from '../base/kinds.js';
import { isPlain } from '../fingerprint/plain.js';

const DEPTH_MAX = 500;

/** The bytes of `value`; undefined if it is not plain data throughout, and would not come back as it is. @internal */
export function pack(value: unknown): Uint8Array | undefined {
  return isData(value, 0) ? serialize(value) : undefined;
}

/**
 * A value that belongs to the caller. The bytes are copied first: an unpacked value may lie over them, and nobody may
 * write to the cache's memory. @internal
 */
export function unpack(bytes: ArrayLike<number>): unknown {
  return deserialize(new Uint8Array(bytes));
}

/**
 * A copy for one caller of a value that several callers get, and that cannot be packed as a whole. Its arrays, plain
 * objects, dates and bytes belong to the caller. Functions and instances of other classes are shared. @internal
 */
export function copied(value: unknown, made = new Map<object, unknown>()): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (made.has(value)) return made.get(value);
  if (isUint8Array(value) || isDate(value)) {
    const packed = pack(value);
    return packed === undefined ? value : unpack(packed);
  }
  const isArray = Array.isArray(value);
  if (isArray ? prototypesOf(value) !== 2 : !isPlain(value)) return value;
  const copy = (isArray ? Object.assign([], value) : { ...value }) as Record<string | symbol, unknown>;
  made.set(value, copy);
  for (const name of Reflect.ownKeys(copy)) if (name !== 'length' || !isArray) copy[name] = copied(copy[name], made);
  return copy;
}

/**
 * Whether two values are the same plain data, of any realms. A member that is undefined equals a missing one. @internal
 */
export function isSameData(one: unknown, other: unknown, depth = 0): boolean {
  if (Object.is(one, other)) return true;
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  if (depth === DEPTH_MAX) return false;
  if (isUint8Array(one)) return isUint8Array(other) && Buffer.compare(one, other) === 0;
  if (isDate(one)) return isDate(other) && one.getTime() === other.getTime();
  const areAlike = Array.isArray(one)
    ? Array.isArray(other) && one.length === other.length
    : isPlain(one) && !Array.isArray(other) && isPlain(other);
  if (!areAlike) return false;
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].every((name) => isSameData(one[name as never], other[name as never], depth + 1));
}

function isData(value: unknown, depth: number): boolean {
  if (typeof value === 'function' || typeof value === 'symbol') return false;
  if (typeof value !== 'object' || value === null) return true;
  // An instance of a subclass, which has more prototypes, would come back as one of the base class.
  if (isUint8Array(value)) return Buffer.isBuffer(value) || prototypesOf(value) === 3;
  if (isDate(value)) return prototypesOf(value) === 2 && Reflect.ownKeys(value).length === 0;
  if (depth === DEPTH_MAX || prototypesOf(value) === 0) return false; // this ends a circle too
  if (Array.isArray(value) ? prototypesOf(value) !== 2 : !isPlain(value)) return false;
  const hidden = Array.isArray(value) ? 1 : 0; // its length
  const names = Object.keys(value);
  return (
    Reflect.ownKeys(value).length === names.length + hidden &&
    names.every((name) => isData(value[name as never], depth + 1))
  );
}

function prototypesOf(value: object): number {
  let count = 0;
  for (let at = Object.getPrototypeOf(value); at !== null; at = Object.getPrototypeOf(at)) count++;
  return count;
}
