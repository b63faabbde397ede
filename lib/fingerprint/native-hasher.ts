// native-hasher.ts: SHA3-256 by the addon.

import { native } from '../native.js';
import type { Hasher } from './hasher.js';

const STATE_BYTES = 200;

export const nativeHasher: Hasher<Uint8Array> = {
  start(blocks) {
    // In an ArrayBuffer of its own: native code reads it at each call.
    const state = new Uint8Array(new ArrayBuffer(STATE_BYTES));
    native.hashStart(blocks, state);
    return state;
  },
  text: (state, kind, text, out) => native.hashText(state, kind, text, out),
  data: (state, head, data, nans, out) => native.hashData(state, head, data, nans, out),
  texts(state, texts, out) {
    // One string crosses into native code faster than many.
    const ends = new Int32Array(texts.length);
    let end = 0;
    for (let i = 0; i < texts.length; ++i) ends[i] = end += texts[i]!.length;
    return native.hashTexts(state, texts.join(''), ends, out);
  },
  manyData: (state, heads, data, nans, out) => native.hashManyData(state, heads, data, nans, out),
};
