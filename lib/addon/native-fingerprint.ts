// native-fingerprint.ts: the functions behind lib/fingerprint. native/binding/fingerprint_binding.cc says what each
// does.

export interface NativeFingerprint {
  hashStart(blocks: Uint8Array, state: Uint8Array): void;
  hashText(state: Uint8Array, kind: number, text: string, out: Uint8Array): boolean;
  hashData(state: Uint8Array, head: Uint8Array, data: Uint8Array, nans: number, out: Uint8Array): void;
  hashTexts(
    state: Uint8Array,
    texts: string,
    ends: Int32Array,
    count: number,
    known: boolean,
    out: Uint8Array,
    from: number,
  ): number;
  hashManyData(
    state: Uint8Array,
    heads: Uint8Array | readonly Uint8Array[],
    data: readonly Uint8Array[],
    nans: number,
    known: boolean,
    out: Uint8Array,
  ): void;
  hashViews(state: Uint8Array, views: readonly ArrayBufferView[], known: boolean, out: Uint8Array): boolean;
}

/** The same names, for the check at the start. */
export const FINGERPRINT_FUNCTIONS = {
  hashStart: true,
  hashText: true,
  hashData: true,
  hashTexts: true,
  hashManyData: true,
  hashViews: true,
} satisfies Record<keyof NativeFingerprint, true>;
