// pure-hasher.ts: SHA3-256 in TypeScript, for places without the addon.

import { isWellFormed } from '../base/options.js';
import { concat, leftEncode, utf8 } from './framing.js';
import type { Hasher } from './hasher.js';
import { Sha3 } from './sha3.js';
import { type Nans, NO_NANS } from './tensors.js';

interface PureState {
  readonly blocks: Uint8Array;
  /** The hash that has absorbed the blocks. It is copied for each input. */
  readonly hash: Sha3;
}

const TEXT = 's'.charCodeAt(0);

export const pureHasher: Hasher<PureState> = {
  start(blocks) {
    return { blocks, hash: new Sha3().update(blocks) };
  },
  text(state, kind, text, out) {
    if (!isWellFormed(text)) return false;
    const bytes = utf8(text);
    finish(state, concat([Uint8Array.of(kind), leftEncode(bytes.length * 8), bytes]), out);
    return true;
  },
  data(state, head, data, nans, out) {
    finish(state, concat([head, unified(data, nans)]), out);
  },
  texts(state, texts, out) {
    for (const [i, text] of texts.entries())
      if (!pureHasher.text(state, TEXT, text, out.subarray(32 * i, 32 * i + 32))) return i;
    return -1;
  },
  manyData(state, heads, data, nans, out) {
    for (const [i, each] of data.entries()) {
      const head = heads instanceof Uint8Array ? heads : heads[i]!;
      pureHasher.data(state, head, each, nans, out.subarray(32 * i, 32 * i + 32));
    }
  },
  views: () => false,
};

function finish({ hash }: PureState, tail: Uint8Array, out: Uint8Array): void {
  hash.copy().update(tail).digestInto(out);
}

/** The data, with every NaN replaced by the quiet one without sign and payload; the data itself if it has no other. */
function unified(data: Uint8Array, nans: Nans): Uint8Array {
  if (nans === NO_NANS) return data;
  // A copy, because elements must be aligned.
  const copy = data.slice();
  if (nans === 1) {
    const words = new BigUint64Array(copy.buffer);
    for (let i = 0; i < words.length; ++i)
      if ((words[i]! & 0x7fff_ffff_ffff_ffffn) > 0x7ff0_0000_0000_0000n) words[i] = 0x7ff8_0000_0000_0000n;
  } else if (nans === 2) {
    const words = new Uint32Array(copy.buffer);
    for (let i = 0; i < words.length; ++i) if ((words[i]! & 0x7fff_ffff) > 0x7f80_0000) words[i] = 0x7fc0_0000;
  } else {
    const [infinity, nan] = nans === 3 ? [0x7c00, 0x7e00] : [0x7f80, 0x7fc0];
    const words = new Uint16Array(copy.buffer);
    for (let i = 0; i < words.length; ++i) if ((words[i]! & 0x7fff) > infinity!) words[i] = nan!;
  }
  return copy;
}
