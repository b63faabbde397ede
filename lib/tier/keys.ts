// keys.ts: one key in its three forms: the user's, the one by which this room knows it, and Redis's.
//
// The second is the key's bytes, each a character: two keys are the same in L0 exactly if these strings are.

import type { Key } from '../cache/keys.js';
import type { Argument } from './redis.js';

const ASCII = /^[\0-\x7f]*$/;

export function idOf(key: Key): string {
  if (typeof key === 'string') return ASCII.test(key) ? key : Buffer.from(key).toString('latin1');
  if (typeof key === 'number') return String(Object.is(key, -0) ? 0 : key);
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1');
}

/** The id of what Redis calls a key, without the prefix. */
export const idOfBytes = (key: Buffer): string => key.toString('latin1');

const INTEGER = /^-?[1-9]\d{0,15}$/;

/** The key that L0 knows; undefined if L0 has no such keys. */
export function keyOf(id: string, integers: boolean): Key | undefined {
  if (!integers) return ASCII.test(id) ? id : Buffer.from(id, 'latin1');
  const number = id === '0' ? 0 : INTEGER.test(id) ? Number(id) : Number.NaN;
  return Number.isSafeInteger(number) ? number : undefined;
}

/** Redis's key for an id. */
export function redisKeyOf(prefix: string, prefixIsAscii: boolean, prefixBytes: Buffer, id: string): Argument {
  if (prefixIsAscii && ASCII.test(id)) return prefix + id;
  return Buffer.concat([prefixBytes, Buffer.from(id, 'latin1')]);
}

export const isAscii = (text: string): boolean => ASCII.test(text);
