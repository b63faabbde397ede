// views.ts: the types of what a hit gives: a typed array without its mutators. The memory behind it is the cache's own,
// shared by every reader; the type system is what keeps an honest program from writing to it.

type Mutators = 'set' | 'fill' | 'copyWithin' | 'reverse' | 'sort' | 'subarray' | 'buffer';

/**
 * A Float16Array where the program's `lib` has one (esnext.float16, with Node 24 and later), else a Uint16Array of the
 * raw bits, as Node 20 and 22 have it. Asked of globalThis, because naming the type would not compile without that lib.
 */
export type Float16OrBits = typeof globalThis extends { Float16Array: { prototype: infer T } } ? T : Uint16Array;

export type TypedArray =
  | Uint8Array
  | Int8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Float16OrBits
  | Float32Array
  | Float64Array;

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
export type ReadonlyInt8Array = ReadonlyView<Int8Array>;
export type ReadonlyInt16Array = ReadonlyView<Int16Array>;
export type ReadonlyInt32Array = ReadonlyView<Int32Array>;
export type ReadonlyFloat16Array = ReadonlyView<Float16OrBits>;
export type ReadonlyFloat32Array = ReadonlyView<Float32Array>;
export type ReadonlyFloat64Array = ReadonlyView<Float64Array>;
