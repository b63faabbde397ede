// vectors.ts: codecs of typed arrays of numbers: one for each type of element, for vectors of one length or of any.
//
// A hit is one typed-array constructor over the cache's memory. Each type of element has one function that calls it,
// which all keyspaces of the type share. So the engine compiles each function for one constructor.

import { typedArrayName } from '../base/kinds.js';
import { rangeError, typeError } from '../base/options.js';
import type {
  Float16OrBits,
  ReadonlyFloat16Array,
  ReadonlyUint16Array,
  ReadonlyView,
  TypedArray,
} from '../base/views.js';
import { builtIn, type Codec, elementCount, type Row } from './codecs.js';
import { Unreadable } from './unreadable.js';

/**
 * A codec that takes vectors of `T`, and views of such. It gives read-only views of the cache's memory, or copies with
 * their own buffer.
 */
export type VectorCodec<T extends TypedArray, Own> = Codec<ReadonlyView<T>, ReadonlyView<T>, Own>;

/** 2^28 dimensions are 2 GiB of float64: more than any model has, and no more than one value may hold. */
const DIMENSIONS_MAX = 2 ** 28;

/** Which lengths the values of a codec have. */
interface Lengths {
  /** Bytes of every value; -1: any multiple of `unit`. */
  readonly bytes: number;
  readonly unit: number;
}

/** A client of a server may have stored bytes of any length. */
function assertLength({ bytes, unit }: Lengths, length: number): void {
  if (bytes < 0 ? length % unit !== 0 : length !== bytes)
    throw new Unreadable(bytes < 0 ? `a multiple of ${unit} bytes` : `${bytes} bytes`, length);
}

/** A type of element. */
interface Kind<Out, Own> {
  readonly tag: string;
  /** What a value must be, in words, for errors. */
  readonly expected: string;
  readonly array: Row['array'];
  /** As in a codec. One function for all keyspaces of the type. */
  view(this: Lengths, buffer: ArrayBufferLike, offset: number, length: number): Out;
  own(buffer: ArrayBuffer): Own;
  accepts(value: unknown): boolean;
  /** A vector of `length` elements, in the form that native code takes. */
  raw?(vector: ArrayBufferView, length: number): ArrayBufferView;
}

function vectors<In, Out, Own>(kind: Kind<Out, Own>, dimensions: number | undefined): Codec<In, Out, Own> {
  if (dimensions !== undefined && !(Number.isInteger(dimensions) && dimensions >= 1 && dimensions <= DIMENSIONS_MAX))
    throw rangeError('dimensions', `a whole number from 1 to ${DIMENSIONS_MAX}`, dimensions);
  const { array, accepts, raw } = kind;
  const unit = array.BYTES_PER_ELEMENT;
  const codec: Codec<In, Out, Own> & Lengths = {
    bytes: dimensions === undefined ? -1 : dimensions * unit,
    unit,
    tag: dimensions === undefined ? kind.tag : `${kind.tag}(${dimensions})`,
    sharable: true,
    row: dimensions === undefined ? undefined : { bytes: dimensions * unit, array, accepts },
    encode(value) {
      if (!accepts(value)) throw typeError('value', kind.expected, value);
      const length = elementCount(value);
      if (dimensions !== undefined && length !== dimensions)
        throw rangeError('value.length', `${dimensions} (the keyspace's dimensions)`, length);
      const vector = value as ArrayBufferView;
      return raw === undefined ? vector : raw(vector, length);
    },
    view: kind.view,
    own(buffer) {
      assertLength(codec, buffer.byteLength);
      return kind.own(buffer);
    },
  };
  return builtIn(codec);
}

const FLOAT64: Kind<ReadonlyView<Float64Array>, Float64Array<ArrayBuffer>> = {
  tag: 'float64',
  expected: 'a Float64Array',
  array: Float64Array,
  view(buffer, offset, length) {
    if (length !== this.bytes) assertLength(this, length);
    return new Float64Array(buffer, offset, length >>> 3);
  },
  own: (buffer) => new Float64Array(buffer),
  accepts: (value) => typedArrayName(value) === 'Float64Array',
};

const FLOAT32: Kind<ReadonlyView<Float32Array>, Float32Array<ArrayBuffer>> = {
  tag: 'float32',
  expected: 'a Float32Array',
  array: Float32Array,
  view(buffer, offset, length) {
    if (length !== this.bytes) assertLength(this, length);
    return new Float32Array(buffer, offset, length >>> 2);
  },
  own: (buffer) => new Float32Array(buffer),
  accepts: (value) => typedArrayName(value) === 'Float32Array',
};

// Node 20 and 22 have no Float16Array. A Uint16Array has the same shape; only the meaning of its elements differs.
const Float16 = (globalThis as { Float16Array?: Uint16ArrayConstructor }).Float16Array ?? Uint16Array;

const FLOAT16: Kind<ReadonlyView<Uint16Array>, Uint16Array<ArrayBuffer>> = {
  tag: 'float16',
  expected: 'a Float16Array, or a Uint16Array of the bits',
  array: Float16,
  view(buffer, offset, length) {
    if (length !== this.bytes) assertLength(this, length);
    return new Float16(buffer, offset, length >>> 1);
  },
  own: (buffer) => new Float16(buffer),
  accepts(value) {
    const name = typedArrayName(value);
    return name === 'Float16Array' || name === 'Uint16Array';
  },
  // The Node-API of Node 24.0 does not know Float16Array, so native code would store half of it.
  raw: (vector, length) =>
    typedArrayName(vector) === 'Uint16Array' ? vector : new Uint16Array(vector.buffer, vector.byteOffset, length),
};

const INT32: Kind<ReadonlyView<Int32Array>, Int32Array<ArrayBuffer>> = {
  tag: 'int32',
  expected: 'an Int32Array',
  array: Int32Array,
  view(buffer, offset, length) {
    if (length !== this.bytes) assertLength(this, length);
    return new Int32Array(buffer, offset, length >>> 2);
  },
  own: (buffer) => new Int32Array(buffer),
  accepts: (value) => typedArrayName(value) === 'Int32Array',
};

const INT16: Kind<ReadonlyView<Int16Array>, Int16Array<ArrayBuffer>> = {
  tag: 'int16',
  expected: 'an Int16Array',
  array: Int16Array,
  view(buffer, offset, length) {
    if (length !== this.bytes) assertLength(this, length);
    return new Int16Array(buffer, offset, length >>> 1);
  },
  own: (buffer) => new Int16Array(buffer),
  accepts: (value) => typedArrayName(value) === 'Int16Array',
};

const INT8: Kind<ReadonlyView<Int8Array>, Int8Array<ArrayBuffer>> = {
  tag: 'int8',
  expected: 'an Int8Array',
  array: Int8Array,
  view(buffer, offset, length) {
    if (length !== this.bytes) assertLength(this, length);
    return new Int8Array(buffer, offset, length);
  },
  own: (buffer) => new Int8Array(buffer),
  accepts: (value) => typedArrayName(value) === 'Int8Array',
};

/**
 * Vectors of float64: `dimensions` of them exactly; without `dimensions`, any number of them, also none.
 *
 * Shape [dimensions], 8 bytes an element in the machine's byte order (little-endian on every supported platform), every
 * bit kept; aligned to 64 bytes from 32 elements up, otherwise to 8.
 *
 * `set` throws TypeError for anything but a Float64Array, and for one whose buffer was detached; RangeError for other
 * dimensions.
 *
 * @throws {RangeError} `dimensions` is not a whole number from 1 to 268 435 456.
 * @example const series = cache.keyspace('series', { codec: float64() })
 */
export function float64(dimensions?: number): VectorCodec<Float64Array, Float64Array<ArrayBuffer>> {
  return vectors(FLOAT64, dimensions);
}

/**
 * Vectors of float32: `dimensions` of them exactly; without `dimensions`, any number of them, also none.
 *
 * Shape [dimensions], 4 bytes an element in the machine's byte order (little-endian on every supported platform), every
 * bit kept, a NaN's payload included; aligned to 64 bytes from 64 elements up, otherwise to 8.
 *
 * `set` throws TypeError for anything but a Float32Array, and for one whose buffer was detached; RangeError for other
 * dimensions.
 *
 * @throws {RangeError} `dimensions` is not a whole number from 1 to 268 435 456.
 * @example const embeddings = cache.keyspace('embeddings', { codec: float32(1024) })
 */
export function float32(dimensions?: number): VectorCodec<Float32Array, Float32Array<ArrayBuffer>> {
  return vectors(FLOAT32, dimensions);
}

/**
 * Vectors of float16 (IEEE 754 binary16): `dimensions` of them exactly; without `dimensions`, any number of them.
 *
 * `set` takes a Float16Array, or a Uint16Array of the bits. `get` gives a Float16Array where the runtime has one (Node
 * 24 and later), and on Node 20 and 22 a Uint16Array of the bits: there `view[0]` is 15360 where the value is 1.
 *
 * Shape [dimensions], 2 bytes an element in the machine's byte order (little-endian on every supported platform), every
 * bit kept; aligned to 64 bytes from 128 elements up, otherwise to 8.
 *
 * `set` throws TypeError for anything but these arrays, and for one whose buffer was detached; RangeError for other
 * dimensions.
 *
 * @throws {RangeError} `dimensions` is not a whole number from 1 to 268 435 456.
 * @example const halves = cache.keyspace('halves', { codec: float16(768) })
 */
export function float16(
  dimensions?: number,
): Codec<
  ReadonlyFloat16Array | ReadonlyUint16Array,
  ReadonlyFloat16Array,
  Float16OrBits & { readonly buffer: ArrayBuffer }
> {
  return vectors(FLOAT16, dimensions);
}

/**
 * Vectors of whole numbers of 32 bits, such as token ids: `dimensions` of them exactly; without `dimensions`, any
 * number of them.
 *
 * Shape [dimensions], 4 bytes an element, signed, in the machine's byte order (little-endian on every supported
 * platform); aligned to 64 bytes from 64 elements up, otherwise to 8.
 *
 * `set` throws TypeError for anything but an Int32Array, and for one whose buffer was detached; RangeError for other
 * dimensions.
 *
 * @throws {RangeError} `dimensions` is not a whole number from 1 to 268 435 456.
 * @example const tokens = cache.keyspace('tokens', { codec: int32() })
 */
export function int32(dimensions?: number): VectorCodec<Int32Array, Int32Array<ArrayBuffer>> {
  return vectors(INT32, dimensions);
}

/**
 * Vectors of whole numbers of 16 bits: `dimensions` of them exactly; without `dimensions`, any number of them.
 *
 * Shape [dimensions], 2 bytes an element, signed, in the machine's byte order (little-endian on every supported
 * platform); aligned to 64 bytes from 128 elements up, otherwise to 8.
 *
 * `set` throws TypeError for anything but an Int16Array, and for one whose buffer was detached; RangeError for other
 * dimensions.
 *
 * @throws {RangeError} `dimensions` is not a whole number from 1 to 268 435 456.
 * @example const samples = cache.keyspace('samples', { codec: int16(16_000) })
 */
export function int16(dimensions?: number): VectorCodec<Int16Array, Int16Array<ArrayBuffer>> {
  return vectors(INT16, dimensions);
}

/**
 * Vectors of whole numbers of 8 bits, such as quantised embeddings: `dimensions` of them exactly; without `dimensions`,
 * any number of them. The caller keeps the scale of a quantised vector.
 *
 * Shape [dimensions], 1 byte an element, signed; aligned to 64 bytes from 256 elements up, otherwise to 8.
 *
 * `set` throws TypeError for anything but an Int8Array, and for one whose buffer was detached; RangeError for other
 * dimensions.
 *
 * @throws {RangeError} `dimensions` is not a whole number from 1 to 268 435 456.
 * @example const quantised = cache.keyspace('quantised', { codec: int8(1024) })
 */
export function int8(dimensions?: number): VectorCodec<Int8Array, Int8Array<ArrayBuffer>> {
  return vectors(INT8, dimensions);
}
