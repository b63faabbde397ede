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
  findDigests(
    handle: number,
    digests: Uint8Array,
    count: number,
    slab: Uint8Array | undefined,
    locations: Int32Array,
    buffers: ArrayBufferLike[],
  ): number;
}

/** The same names, for the check at the start. */
export const INFERENCE_FUNCTIONS = {
  findText: true,
  findData: true,
  findDigests: true,
} satisfies Record<keyof NativeInference, true>;
