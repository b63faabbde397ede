// keys.ts: what a value is stored under.

/**
 * A string stands for its UTF-8 bytes: 1 to 65 535 of them. Strings that differ only in normalisation differ. A safe
 * integer, and nothing else, in a keyspace opened with `keys: 'integer'`.
 */
export type Key = string | Uint8Array | number;

/** Which keys a keyspace has: the option `keys`. Also which ids a table has. */
export type KeyKind = 'string' | 'integer';

/** @internal */
export const KEY_KINDS: readonly KeyKind[] = ['string', 'integer'];

/** The keys of a keyspace, by its option `keys`. */
export type KeyOf<Kind extends KeyKind> = Kind extends 'integer' ? number : string | Uint8Array;

/** Keys of a batch: an array, or of an integer keyspace also a typed array. */
export type Keys<K extends Key = Key> = readonly K[] | (number extends K ? IntegerKeys : never);

/** Integers side by side, such as ids from a model's input. Those of a BigInt64Array must be safe integers. */
export type IntegerKeys = Int32Array | Uint32Array | Float64Array | BigInt64Array;
