// hasher.ts: the interface to SHA3-256 that fingerprints use. There is one over native code (native-hasher.ts), and one
// in TypeScript alone (pure-hasher.ts). Their results are the same.

import type { Nans } from './tensors.js';

/** The state after whole blocks. For native code 200 bytes; another hasher may use anything. */
export type HashState = Uint8Array | { readonly blocks: Uint8Array };

export interface Hasher<State extends HashState = HashState> {
  /** The state after whole blocks of 136 bytes. */
  start(blocks: Uint8Array): State;
  /** Writes the digest of the state and the framed text to `out`, 32 bytes. False: the text has a lone surrogate. */
  text(state: State, kind: number, text: string, out: Uint8Array): boolean;
  /** The same for a head and data, with all NaNs made one. */
  data(state: State, head: Uint8Array, data: Uint8Array, nans: Nans, out: Uint8Array): void;
  /** The same for many texts; `out` has 32 bytes for each. Gives the first that has a lone surrogate, or -1. */
  texts(state: State, texts: readonly string[], out: Uint8Array): number;
  /** The same for many data of one kind, with one head for all, or one for each. */
  manyData(
    state: State,
    heads: Uint8Array | readonly Uint8Array[],
    data: readonly Uint8Array[],
    nans: Nans,
    out: Uint8Array,
  ): void;
  /**
   * The same for many typed arrays, which are tensors of one dimension, or bytes. False: nothing was hashed, because one
   * of them is empty, or of a kind that this hasher does not know. Runs no code of the caller's.
   */
  views(state: State, views: readonly ArrayBufferView[], out: Uint8Array): boolean;
}
