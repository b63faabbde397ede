// native-hasher.ts: SHA3-256 by the addon.

import { HASH_STATE_BYTES, native } from '../addon/native.js';
import type { Hasher } from './hasher.js';

const UNITS_TOGETHER = 2 ** 24;

export const nativeHasher: Hasher<Uint8Array> = {
  start(blocks) {
    // In an ArrayBuffer of its own: native code reads it at each call.
    const state = new Uint8Array(new ArrayBuffer(HASH_STATE_BYTES));
    native.hashStart(blocks, state);
    return state;
  },
  text: (state, kind, text, out) => native.hashText(state, kind, text, out),
  data: (state, head, data, nans, out) => native.hashData(state, head, data, nans, out),
  texts(state, texts, out) {
    for (let from = 0; from < texts.length; ) {
      // One string crosses into native code faster than many, but there is a longest one.
      const ends: number[] = [];
      let units = 0;
      for (let i = from; i < texts.length && (i === from || units + texts[i]!.length <= UNITS_TOGETHER); ++i) {
        units += texts[i]!.length;
        ends.push(units);
      }
      const together = ends.length === texts.length ? texts : texts.slice(from, from + ends.length);
      const malformed = native.hashTexts(state, together.join(''), Int32Array.from(ends), out.subarray(32 * from));
      if (malformed >= 0) return from + malformed;
      from += ends.length;
    }
    return -1;
  },
  manyData: (state, heads, data, nans, out) => native.hashManyData(state, heads, data, nans, out),
};
