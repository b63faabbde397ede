// keys.ts: what a value is stored under.

/**
 * A string stands for its UTF-8 bytes: 1 to 65 535 of them. Strings that differ only in normalisation differ. A safe
 * integer, and nothing else, in a keyspace opened with `keys: 'integer'`.
 */
export type Key = string | Uint8Array | number;

/** Keys of a batch: an array, or of an integer keyspace also a typed array. */
export type Keys = readonly Key[] | Int32Array | Uint32Array | Float64Array;
