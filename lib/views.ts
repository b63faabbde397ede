// views.ts: the types of what a hit gives: a typed array without its mutators. The memory behind it is the cache's own,
// shared by every reader; the type system is what keeps an honest program from writing to it.

type Mutators = 'set' | 'fill' | 'copyWithin' | 'reverse' | 'sort' | 'subarray' | 'buffer';

type TypedArray = Uint8Array | Float32Array;

/**
 * A typed array that may be read, not written. `subarray` gives a read-only view again; `slice` gives a copy, yours to
 * change. Where an API insists on the mutable type and only reads, cast: `view as Float32Array`.
 */
export type ReadonlyView<T extends TypedArray> = Omit<T, Mutators | number> & {
  readonly [index: number]: number;
  readonly buffer: ArrayBufferLike;
  subarray(begin?: number, end?: number): ReadonlyView<T>;
};

export type ReadonlyUint8Array = ReadonlyView<Uint8Array>;
export type ReadonlyFloat32Array = ReadonlyView<Float32Array>;
