// versioned-embeddings.mts — embeddings that are set again and again, such that a reader in another thread can tell
// whether what it was given is whole: element 0 names the version, and all others follow from the id and that version.

import { DIMENSIONS, embeddingElement, fillEmbedding } from './embeddings.mjs';

const VERSIONS = 4;

export function fillVersion(out: Float32Array, id: number, version: number): Float32Array {
  fillEmbedding(out, id * VERSIONS + (version % VERSIONS));
  out[0] = version % VERSIONS;
  return out;
}

/** Looks at two elements, of which the second is another for every id. */
export function isSomeVersion(value: ArrayLike<number>, id: number): boolean {
  const at = 1 + (id % (DIMENSIONS - 1));
  return value[at] === embeddingElement(id * VERSIONS + (value[0] as number), at);
}
