// row-encoders.ts: vectors of numbers as the elements of a table.

import { rangeError } from '../options.js';

export type RowDType = 'F32' | 'F16' | 'BF16' | 'I8';

type Elements = Float32Array | Uint16Array | Int8Array;

interface RowEncoder {
  readonly array: new (length: number) => Elements;
  /** As `Weights.write` calls it. */
  readonly bytes: number;
  /** Writes one vector's elements at `at`; returns what they are to be multiplied by. */
  encode(vector: ArrayLike<number>, out: Elements, at: number): number;
}

export const ROW_ENCODERS: Record<RowDType, RowEncoder> = {
  F32: { array: Float32Array, bytes: 4, encode: eachBy((x) => x) },
  F16: { array: Uint16Array, bytes: 2, encode: eachBy(halfOf) },
  BF16: { array: Uint16Array, bytes: 2, encode: eachBy(bfloatOf) },
  I8: { array: Int8Array, bytes: 1, encode: scaledBytes },
};

function eachBy(convert: (x: number) => number): RowEncoder['encode'] {
  return (vector, out, at) => {
    for (let i = 0; i < vector.length; ++i) out[at + i] = convert(vector[i]!);
    return 1;
  };
}

/** By the largest element, which becomes 127 or -127: an error of at most half of the scale an element. */
function scaledBytes(vector: ArrayLike<number>, out: Elements, at: number): number {
  let largest = 0;
  for (let i = 0; i < vector.length; ++i) largest = Math.max(largest, Math.abs(vector[i]!));
  if (!Number.isFinite(largest)) throw rangeError('vectors', 'finite numbers, for I8', largest);
  const scale = Math.fround(largest / 127);
  for (let i = 0; i < vector.length; ++i)
    out[at + i] = scale === 0 ? 0 : Math.max(-127, Math.min(127, Math.round(vector[i]! / scale)));
  return scale;
}

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The nearest bfloat16, even of two; a NaN stays one. */
function bfloatOf(x: number): number {
  float[0] = x;
  const word = bits[0]!;
  if (Number.isNaN(x)) return (word >>> 16) | 0x40;
  return (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
}

/** The nearest binary16, even of two (of the float32 that `x` is nearest to). */
function halfOf(x: number): number {
  float[0] = x;
  const sign = (bits[0]! >>> 16) & 0x8000;
  const magnitude = bits[0]! & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520 and more: Infinity
  if (magnitude >= 0x38800000) return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  // Below 2^-14 a multiple of 2^-24, which a float64 rounds to exactly.
  float[0] = Math.abs(x);
  const steps = float[0]! * 2 ** 24;
  const below = Math.floor(steps);
  const over = steps - below;
  return sign | (over > 0.5 || (over === 0.5 && below % 2 === 1) ? below + 1 : below);
}
