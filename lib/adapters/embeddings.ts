// embeddings.ts: what libraries give as arrays of numbers, kept as vectors of float32.

/**
 * A vector for each array of numbers. What is no array of finite numbers is left undefined, which a model's run reports as
 * missing: a null that became 0 would be served for ever. @internal
 */
export function vectorsOf(embeddings: unknown): Float32Array[] {
  if (!Array.isArray(embeddings)) return embeddings as Float32Array[];
  return embeddings.map((embedding) =>
    isVector(embedding) ? Float32Array.from(embedding) : undefined,
  ) as Float32Array[];
}

function isVector(embedding: unknown): embedding is ArrayLike<number> {
  return (Array.isArray(embedding) || embedding instanceof Float32Array) && embedding.every(Number.isFinite);
}

/** As the libraries want it: an array of the caller's own. @internal */
export function numbersOf(vector: ArrayLike<number>): number[] {
  return Array.from(vector);
}
