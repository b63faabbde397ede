// slots.ts: which of a cluster's 16 384 slots a key is in: CRC16 (XMODEM) of its hash tag, or of all of it.
//
// The hash tag is what stands between the first `{` and the first `}` behind it, if that is not empty.

import type { Argument } from './redis.js';

export const SLOTS = 16_384;

const CRC16 = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; ++bit) crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  return crc;
});

const OPEN = 0x7b; // {
const CLOSE = 0x7d; // }

const ASCII = /^[\0-\x7f]*$/;

export function slotOf(key: Argument): number {
  if (typeof key === 'string' && !ASCII.test(key)) return slotOf(Buffer.from(key));
  const { from, to } = tagOf(key);
  let crc = 0;
  if (typeof key === 'string')
    for (let i = from; i < to; ++i) crc = ((crc << 8) & 0xffff) ^ CRC16[((crc >> 8) ^ key.charCodeAt(i)) & 0xff]!;
  else for (let i = from; i < to; ++i) crc = ((crc << 8) & 0xffff) ^ CRC16[((crc >> 8) ^ key[i]!) & 0xff]!;
  return crc % SLOTS;
}

/** Where the part that counts begins and ends. */
function tagOf(key: Argument): { from: number; to: number } {
  const open = typeof key === 'string' ? key.indexOf('{') : key.indexOf(OPEN);
  if (open >= 0) {
    const close = typeof key === 'string' ? key.indexOf('}', open + 1) : key.indexOf(CLOSE, open + 1);
    if (close > open + 1) return { from: open + 1, to: close };
  }
  return { from: 0, to: key.length };
}
