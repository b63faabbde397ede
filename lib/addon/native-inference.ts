// native-inference.ts: the lookups behind lib/model. native/binding/inference_binding.cc says what each does.

export interface NativeInference {
  findText(
    handle: number,
    state: Uint8Array,
    kind: number,
    text: string,
    slab: Uint8Array | undefined,
    digest: Uint8Array,
  ): ArrayBufferLike | number | undefined;
  findData(
    handle: number,
    state: Uint8Array,
    head: Uint8Array,
    data: Uint8Array,
    nans: number,
    slab: Uint8Array | undefined,
    digest: Uint8Array,
  ): ArrayBufferLike | number;
  findTexts(
    handle: number,
    state: Uint8Array,
    texts: string,
    ends: Int32Array,
    unused: undefined,
    digests: Uint8Array,
    slab: Uint8Array | undefined,
    locations: Int32Array,
    buffers: ArrayBufferLike[],
  ): number;
  findManyData(
    handle: number,
    state: Uint8Array,
    heads: readonly Uint8Array[] | Uint8Array,
    data: readonly Uint8Array[],
    nans: number,
    digests: Uint8Array,
    slab: Uint8Array | undefined,
    locations: Int32Array,
    buffers: ArrayBufferLike[],
  ): number;
}

/** The same names, for the check at the start. */
export const INFERENCE_FUNCTIONS = {
  findText: true,
  findData: true,
  findTexts: true,
  findManyData: true,
} satisfies Record<keyof NativeInference, true>;
