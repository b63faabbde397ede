// store.mts — what the main job asks of a store, whatever it is made of.
//
// Each store reads in loops of its own, textually alike.  One shared loop that called `store.get` would
// see four kinds of store at one call site, and V8 would then inline none of them.

export type StoreName = 'zerohop' | 'lru-cache' | 'lmdb' | 'redis';

/** Reads prepared in advance: what to ask for, and enough to see whether the answer is the right one. */
export interface Probes {
  readonly keys: readonly string[];
  /** The same keys, in the same order, cut into batches. */
  readonly batches: readonly (readonly string[])[];
  /** Element `i % DIMENSIONS` of the value under `keys[i]`. */
  readonly expected: Floats;
}

/** Returned by a reading loop when no answer was wrong; otherwise it returns the index of the first that was. */
export const ALL_RIGHT = -1;

/** What a store gives back: to be read, and compared. */
export type Floats = ArrayLike<number>;
type Values = (Floats | undefined)[];

/** In this process: answers before the call returns. */
export interface LocalStore {
  readonly kind: 'local';
  readonly name: StoreName;
  get(key: string): Floats | undefined;
  getMany(keys: readonly string[]): Values;
  /** False where the store would not take it. */
  set(key: string, value: Float32Array): boolean;
  readSingles(probes: Probes): number;
  readBatches(probes: Probes): number;
  close(): void | Promise<void>;
}

/** In another process: everything is a message. */
export interface RemoteStore {
  readonly kind: 'remote';
  readonly name: StoreName;
  getMany(keys: readonly string[]): Promise<Values>;
  setMany(keys: readonly string[], values: readonly Float32Array[]): Promise<void>;
  clear(): Promise<void>;
  readSingles(probes: Probes): Promise<number>;
  readBatches(probes: Probes): Promise<number>;
  close(): void | Promise<void>;
}

export type Store = LocalStore | RemoteStore;

/**
 * The floats in `bytes`, without a copy where their place in memory allows it. Goes by `length` and not by
 * `byteLength`: lmdb answers out of one large buffer whose `length` it sets to that of the value.
 */
export function asFloats(bytes: Uint8Array): Float32Array {
  const { length } = bytes;
  const aligned = bytes.byteOffset % Float32Array.BYTES_PER_ELEMENT === 0;
  // Not bytes.slice(): that of a Buffer is a view, at the same place.
  const from = aligned ? bytes : Uint8Array.prototype.slice.call(bytes, 0, length);
  return new Float32Array(from.buffer, from.byteOffset, length / Float32Array.BYTES_PER_ELEMENT);
}

export function asBytes(floats: Float32Array): Buffer {
  return Buffer.from(floats.buffer, floats.byteOffset, floats.byteLength);
}
