// forms.ts: how the values of a codec lie in Redis.
//
//   number                      decimal text, as INCRBYFLOAT and other languages read and write it: 0.5, -0, inf, nan
//   bytes, utf8, json           as they are
//   float32(n), int8(n), …      the elements side by side, little-endian: what numpy's tobytes() and frombuffer() mean
//   a codec of the user's own   what its `encode` gives

import { Unreadable } from '../cache/unreadable.js';
import type { Octets } from './redis.js';

/** Between the bytes that L0 holds and those that Redis holds. */
export interface Form {
  /** Bytes that nobody changes any more. */
  toRedis(stored: ArrayBufferView): Octets;
  /** Perhaps the same bytes, which are not aligned. @throws {Unreadable} */
  fromRedis(bytes: Octets): Uint8Array;
}

const AS_IT_IS: Form = {
  toRedis: (stored) => Buffer.from(copied(stored).buffer),
  fromRedis: (bytes) => bytes,
};

const NUMBER: Form = {
  toRedis(stored) {
    const number = new DataView(stored.buffer, stored.byteOffset, 8).getFloat64(0, true);
    return Buffer.from(textOf(number));
  },
  fromRedis(bytes) {
    const number = numberOf(bytes.toString('latin1'));
    if (number === undefined) throw new Unreadable('a number as decimal text', bytes.length);
    return new Uint8Array(new Float64Array([number]).buffer);
  },
};

export const formOf = (codecTag: string): Form => (codecTag === 'number' ? NUMBER : AS_IT_IS);

/** The same bytes in memory of their own. */
export function copied(view: ArrayBufferView): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(view.byteLength);
  copy.set(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
  return copy;
}

function textOf(number: number): string {
  if (Object.is(number, -0)) return '-0';
  if (Number.isNaN(number)) return 'nan';
  return Number.isFinite(number) ? String(number) : number > 0 ? 'inf' : '-inf';
}

const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

function numberOf(text: string): number | undefined {
  if (DECIMAL.test(text)) return Number(text);
  const word = text.toLowerCase().replace(/^\+/, '');
  if (word === 'nan') return Number.NaN;
  if (word === 'inf' || word === 'infinity') return Number.POSITIVE_INFINITY;
  return word === '-inf' || word === '-infinity' ? Number.NEGATIVE_INFINITY : undefined;
}

/** A time to live as Redis takes it. */
export const wholeMs = (ttlMs: number): string => `${Math.max(1, Math.ceil(ttlMs))}`;

/** The option of SET for a time to live; none if that is for ever. */
export const px = (ttlMs: number): string[] => (ttlMs === Number.POSITIVE_INFINITY ? [] : ['PX', wholeMs(ttlMs)]);
