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

/** What of a typed array only reads. Named interfaces, not this alias, are what editors show. */
type Readable<T> = Omit<T, Mutators | number>;

interface Shown<Self> {
  readonly [index: number]: number;
  readonly buffer: ArrayBufferLike;
  subarray(begin?: number, end?: number): Self;
}

/**
 * A Float32Array that may be read, not written. `subarray` gives a read-only view again; `slice` gives a copy, yours to
 * change. A Float32Array is one too. Where an API insists on the mutable type and only reads, cast: `view as
 * Float32Array`.
 */
export interface ReadonlyFloat32Array extends Readable<Float32Array>, Shown<ReadonlyFloat32Array> {}
/** A Float64Array that may be read, not written; see {@link ReadonlyFloat32Array}. */
export interface ReadonlyFloat64Array extends Readable<Float64Array>, Shown<ReadonlyFloat64Array> {}
/** A Float16Array, or the bits of one, that may be read, not written; see {@link ReadonlyFloat32Array}. */
export interface ReadonlyFloat16Array extends Readable<Float16OrBits>, Shown<ReadonlyFloat16Array> {}
/** A Uint8Array that may be read, not written; see {@link ReadonlyFloat32Array}. */
export interface ReadonlyUint8Array extends Readable<Uint8Array>, Shown<ReadonlyUint8Array> {}
/** A Uint16Array that may be read, not written; see {@link ReadonlyFloat32Array}. */
export interface ReadonlyUint16Array extends Readable<Uint16Array>, Shown<ReadonlyUint16Array> {}
/** An Int8Array that may be read, not written; see {@link ReadonlyFloat32Array}. */
export interface ReadonlyInt8Array extends Readable<Int8Array>, Shown<ReadonlyInt8Array> {}
/** An Int16Array that may be read, not written; see {@link ReadonlyFloat32Array}. */
export interface ReadonlyInt16Array extends Readable<Int16Array>, Shown<ReadonlyInt16Array> {}
/** An Int32Array that may be read, not written; see {@link ReadonlyFloat32Array}. */
export interface ReadonlyInt32Array extends Readable<Int32Array>, Shown<ReadonlyInt32Array> {}

/** The read-only view of a typed array. */
export type ReadonlyView<T extends TypedArray> = T extends Float32Array
  ? ReadonlyFloat32Array
  : T extends Uint8Array
    ? ReadonlyUint8Array
    : T extends Float64Array
      ? ReadonlyFloat64Array
      : T extends Int8Array
        ? ReadonlyInt8Array
        : T extends Int16Array
          ? ReadonlyInt16Array
          : T extends Int32Array
            ? ReadonlyInt32Array
            : T extends Uint16Array
              ? ReadonlyUint16Array
              : ReadonlyFloat16Array;

/** `T`; if it is a typed array, also a view of one. For what is only read, or copied before it is given on. */
export type OrView<T> = T extends TypedArray ? T | ReadonlyView<T> : T;
