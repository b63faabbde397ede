// keys.ts: one key in its three forms: the user's, the one by which this room knows it, and Redis's.
//
// The second is the key's bytes, each a character; of a fingerprint, its bytes in hex. Two keys are the same in L0
// exactly if these strings are.

import type { Key } from '../cache/keys.js';
import type { Argument, Octets } from './redis.js';

const ASCII = /^[\0-\x7f]*$/;

/** What a keyspace's keys are. Those of a model are fingerprints. */
export type KeyKind = 'string' | 'integer' | 'fingerprint';

export function idOf(key: Key, kind: KeyKind): string {
  if (kind === 'fingerprint') return bytesOf(key as Uint8Array).toString('hex');
  if (typeof key === 'string') return ASCII.test(key) ? key : Buffer.from(key).toString('latin1');
  if (typeof key === 'number') return String(Object.is(key, -0) ? 0 : key);
  return bytesOf(key).toString('latin1');
}

const bytesOf = (key: Uint8Array) => Buffer.from(key.buffer, key.byteOffset, key.byteLength);

/** The id of what Redis calls a key, without the prefix. */
export const idOfBytes = (key: Octets): string => key.toString('latin1');

const INTEGER = /^-?[1-9]\d{0,15}$/;
const FINGERPRINT = /^[0-9a-f]{64}$/;

/** The key that L0 knows; undefined if L0 has no such keys. */
export function keyOf(id: string, kind: KeyKind): Key | undefined {
  if (kind === 'fingerprint') return FINGERPRINT.test(id) ? Buffer.from(id, 'hex') : undefined;
  if (kind === 'string') return ASCII.test(id) ? id : Buffer.from(id, 'latin1');
  const number = id === '0' ? 0 : INTEGER.test(id) ? Number(id) : Number.NaN;
  return Number.isSafeInteger(number) ? number : undefined;
}

/** Redis's key for an id. */
export function redisKeyOf(prefix: string, prefixIsAscii: boolean, prefixBytes: Octets, id: string): Argument {
  if (prefixIsAscii && ASCII.test(id)) return prefix + id;
  return Buffer.concat([prefixBytes, Buffer.from(id, 'latin1')]);
}

export const isAscii = (text: string): boolean => ASCII.test(text);
