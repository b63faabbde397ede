// codecs.ts: how the values of a keyspace lie in memory.
import { rangeError, typeError } from './options.js';
import type { ReadonlyFloat32Array, ReadonlyUint8Array } from './views.js';

/**
 * Turns values into bytes and bytes into views.
 *
 * @typeParam In   what `set` takes
 * @typeParam Out  what `get` gives: a view of the cache's memory
 * @typeParam Own  what `getCopy` gives: the same, in memory of its own
 */
export interface Codec<In, Out, Own> {
  /** Names the layout; a keyspace opened twice must be opened with the same. */
  readonly tag: string;
  /** The bytes to store; read during the call. Throws for a value that is none. */
  encode(value: In): ArrayBufferView;
  /** The value at `offset`, `length` bytes long. Called for every hit. */
  view(buffer: ArrayBufferLike, offset: number, length: number): Out;
  own(buffer: ArrayBuffer): Own;
}

export const bytes: Codec<Uint8Array | ReadonlyUint8Array, ReadonlyUint8Array, Uint8Array<ArrayBuffer>> = {
  tag: 'bytes',
  encode(value) {
    if (!(value instanceof Uint8Array && ArrayBuffer.isView(value))) throw typeError('value', 'a Uint8Array', value);
    if (value.length === 0) assertInBounds(value);
    return value;
  },
  view: (buffer, offset, length) => new Uint8Array(buffer, offset, length),
  own: (buffer) => new Uint8Array(buffer),
};

/** A view whose resizable buffer has shrunk under it, or was detached, has length 0 like an empty one: no value. */
function assertInBounds(value: Uint8Array | ReadonlyUint8Array): void {
  try {
    Uint8Array.prototype.keys.call(value);
  } catch {
    throw Object.assign(new TypeError('value: its buffer was detached (transferred elsewhere), or shrank under it'), {
      code: 'ERR_INVALID_ARG_TYPE',
    });
  }
}

/** 2^28 dimensions are a gibibyte a vector: beyond any model, and within what one value may hold. */
const DIMENSIONS_MAX = 2 ** 28;

/**
 * Vectors of exactly `dimensions` float32 in the machine's byte order (little-endian on every supported platform),
 * aligned to 64 bytes from 64 dimensions up.
 *
 * @throws {RangeError} `dimensions` is no whole number from 1 to 268 435 456.
 */
export function float32(
  dimensions: number,
): Codec<Float32Array | ReadonlyFloat32Array, ReadonlyFloat32Array, Float32Array<ArrayBuffer>> {
  if (!Number.isInteger(dimensions) || dimensions < 1 || dimensions > DIMENSIONS_MAX) {
    throw rangeError('dimensions', `a whole number from 1 to ${DIMENSIONS_MAX}`, dimensions);
  }
  return {
    tag: `float32(${dimensions})`,
    encode(value) {
      if (!(value instanceof Float32Array && ArrayBuffer.isView(value)))
        throw typeError('value', 'a Float32Array', value);
      if (value.length !== dimensions)
        throw rangeError('value.length', `${dimensions} (the keyspace's dimensions)`, value.length);
      return value;
    },
    view: (buffer, offset, length) => new Float32Array(buffer, offset, length >> 2),
    own: (buffer) => new Float32Array(buffer),
  };
}
