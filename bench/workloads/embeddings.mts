// embeddings.mts — the stand-in for a model: an embedding that follows from its id alone.
//
//   element(id, i) = 1 + mix(id, i) / 2^23        23 random bits: exact in a float32
//
// Anyone can tell at any time what a store has to answer, so every answer can be checked.  All elements
// lie in [1, 2): neither NaN nor a zero of either sign, so `===` on the elements is equality of the bytes.

/** Elements in an embedding: 4 KiB of float32. */
export const DIMENSIONS = 1024;
export const EMBEDDING_BYTES = DIMENSIONS * Float32Array.BYTES_PER_ELEMENT;

export function makeEmbedding(id: number): Float32Array {
  return fillEmbedding(new Float32Array(DIMENSIONS), id);
}

export function fillEmbedding(out: Float32Array, id: number): Float32Array {
  for (let i = 0; i < DIMENSIONS; i++) out[i] = embeddingElement(id, i);
  return out;
}

export function embeddingElement(id: number, i: number): number {
  // The finalizer of MurmurHash3: every input bit reaches every output bit, in five cheap steps.
  let mixed = Math.imul(id, DIMENSIONS) + i;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  mixed ^= mixed >>> 16;
  return 1 + (mixed >>> 9) * 2 ** -23;
}

/** Whether `value` is the embedding of `id`, byte for byte. `scratch` is overwritten; it saves an allocation. */
export function isEmbedding(value: ArrayLike<number>, id: number, scratch: Float32Array): boolean {
  if (value.length !== DIMENSIONS) return false;
  fillEmbedding(scratch, id);
  for (let i = 0; i < DIMENSIONS; i++) if (value[i] !== scratch[i]) return false;
  return true;
}
