// hasher.ts: SHA3-256 as fingerprints need it. One over native code (native-hasher.ts), one in TypeScript alone
// (pure-hasher.ts), with the same results.

import type { Nans } from './tensors.js';

/** What whole blocks have left behind; 200 bytes of native code's, or whatever the hasher likes. */
export type HashState = Uint8Array | { readonly blocks: Uint8Array };

export interface Hasher<State extends HashState = HashState> {
  /** The state after whole blocks of 136 bytes. */
  start(blocks: Uint8Array): State;
  /** The digest of that, and a text behind its kind and length; `out` has 32 bytes. False: it has a lone surrogate. */
  text(state: State, kind: number, text: string, out: Uint8Array): boolean;
  /** The same of data behind its head, its NaNs made one. */
  data(state: State, head: Uint8Array, data: Uint8Array, nans: Nans, out: Uint8Array): void;
  /** Many texts; `out` has 32 bytes of each. The first that has a lone surrogate, or -1. */
  texts(state: State, texts: readonly string[], out: Uint8Array): number;
  /** Many data of one kind: with one head, or one each. */
  manyData(
    state: State,
    heads: Uint8Array | readonly Uint8Array[],
    data: readonly Uint8Array[],
    nans: Nans,
    out: Uint8Array,
  ): void;
}
