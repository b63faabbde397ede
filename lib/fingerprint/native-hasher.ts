// native-hasher.ts: SHA3-256 by the addon.
//
// A batch of texts crosses into native code as one string and the places where texts end: that is faster than many
// strings. It goes in parts that fit the processor's second cache, since the string is copied there twice.

import { HASH_STATE_BYTES, native } from '../addon/native.js';
import type { Hasher } from './hasher.js';

/** Choices. A part ends after so many texts; or after so many UTF-16 units, but not before all lanes are used twice. */
const TEXTS_TOGETHER = 256;
const UNITS_TOGETHER = 2 ** 15;
const TEXTS_TOGETHER_MIN = 16;
/** Of a part, whatever its texts. The longest string has some 2^29. */
const UNITS_MAX = 2 ** 24;

/** Where the texts of a part end. Native code reads it before any other code runs. */
const ends = new Int32Array(new ArrayBuffer(4 * TEXTS_TOGETHER));

/** @param known  whether the thread remembers digests of long inputs that come in batches (D54 in docs/DECISIONS.md) */
function hasherOf(known: boolean): Hasher<Uint8Array> {
  return {
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
        const to = endOfPart(texts, from);
        const part = texts.slice(from, to).join('');
        const malformed = native.hashTexts(state, part, ends, to - from, known, out, from);
        if (malformed >= 0) return from + malformed;
        from = to;
      }
      return -1;
    },
    manyData: (state, heads, data, nans, out) => native.hashManyData(state, heads, data, nans, known, out),
    views: (state, views, out) => native.hashViews(state, views, known, out),
  };
}

/** Where the part that begins at `from` ends. Writes the ends of its texts. */
function endOfPart(texts: readonly string[], from: number): number {
  const most = Math.min(texts.length, from + TEXTS_TOGETHER);
  let units = 0;
  for (let at = from; at < most; ++at) {
    const count = at - from;
    const next = units + texts[at]!.length;
    if (count > 0 && (next > UNITS_MAX || (next > UNITS_TOGETHER && count >= TEXTS_TOGETHER_MIN))) return at;
    units = next;
    ends[count] = units;
  }
  return most;
}

export const nativeHasher = hasherOf(false);
export const rememberingHasher = hasherOf(true);
