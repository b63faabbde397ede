// row-encoders.ts: from vectors of numbers to the elements of a table.

import { longDType, shortDType } from '../base/dtypes.js';
import { rangeError, typeError } from '../base/options.js';

/** The element type of a table. */
export type RowDType = 'F32' | 'F16' | 'BF16' | 'I8';

/** The same, by its short name or its long one. */
export type RowDTypeName = RowDType | 'float32' | 'float16' | 'bfloat16' | 'int8';

/** The short name. */
export type RowDTypeOf<Name extends RowDTypeName> = Name extends 'float32'
  ? 'F32'
  : Name extends 'float16'
    ? 'F16'
    : Name extends 'bfloat16'
      ? 'BF16'
      : Name extends 'int8'
        ? 'I8'
        : Extract<Name, RowDType>;

const ROW_DTYPES: readonly RowDType[] = ['F32', 'F16', 'BF16', 'I8'];

/** The element type of this name; undefined if none was given. @param option its name, for errors */
export function rowDTypeOf(option: string, name: unknown): RowDType | undefined {
  if (name === undefined) return undefined;
  const long = longDType(name);
  const found = long && ROW_DTYPES.find((one) => one === shortDType(long));
  if (found === undefined) throw typeError(option, ROW_DTYPES.map((one) => `'${one}'`).join(' or '), name);
  return found;
}

type Elements = Float32Array | Uint16Array | Int8Array;

export interface RowEncoder {
  readonly array: new (length: number) => Elements;
  /** The name of the type for `Weights.write`. */
  readonly bytes: number;
  /** Writes the elements of one vector at `at`, and returns their scale. */
  encode(vector: ArrayLike<number>, out: Elements, at: number): number;
  /** Whether an element stands for a finite number. */
  finite(element: number): boolean;
}

export const ROW_ENCODERS: Record<RowDType, RowEncoder> = {
  F32: { array: Float32Array, bytes: 4, encode: eachBy((x) => x), finite: Number.isFinite },
  F16: { array: Uint16Array, bytes: 2, encode: eachBy(halfOf), finite: (bits) => (bits & 0x7c00) !== 0x7c00 },
  BF16: { array: Uint16Array, bytes: 2, encode: eachBy(bfloatOf), finite: (bits) => (bits & 0x7f80) !== 0x7f80 },
  I8: { array: Int8Array, bytes: 1, encode: scaledBytes, finite: () => true },
};

function eachBy(convert: (x: number) => number): RowEncoder['encode'] {
  return (vector, out, at) => {
    for (let i = 0; i < vector.length; ++i) out[at + i] = convert(vector[i]!);
    return 1;
  };
}

/**
 * The largest element becomes 127 or -127. The error of an element is at most half of the scale. The scale is not
 * finite if an element, or the scale itself, is not.
 */
function scaledBytes(vector: ArrayLike<number>, out: Elements, at: number): number {
  let largest = 0;
  for (let i = 0; i < vector.length; ++i) largest = Math.max(largest, Math.abs(vector[i]!));
  const scale = Math.fround(largest / 127);
  for (let i = 0; i < vector.length; ++i)
    out[at + i] = scale === 0 ? 0 : Math.max(-127, Math.min(127, Math.round(vector[i]! / scale)));
  return scale;
}

/** The first place from `from` to `to` that is not `good`; -1: all are. */
export function firstOf(
  elements: ArrayLike<number>,
  from: number,
  to: number,
  good: (element: number) => boolean,
): number {
  for (let i = from; i < to; ++i) if (!good(elements[i]!)) return i;
  return -1;
}

/** The number of an element that is not finite. */
export function numberOf(element: number, dtype: RowDType): number {
  if (dtype === 'F32') return element;
  if ((element & (dtype === 'F16' ? 0x03ff : 0x7f)) !== 0) return Number.NaN;
  return element < 0x8000 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
}

export function notFinite(name: string, dtype: RowDType, id: unknown, value: number): RangeError {
  const instead = dtype === 'I8' ? '' : "; { nonFinite: 'keep' } writes others";
  return rangeError(name, `a number that is finite as ${dtype} for the id ${String(id).slice(0, 80)}${instead}`, value);
}

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The nearest bfloat16; of two, the even one. A NaN stays a NaN. */
function bfloatOf(x: number): number {
  float[0] = x;
  const word = bits[0]!;
  if (Number.isNaN(x)) return (word >>> 16) | 0x40;
  return (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
}

/** The nearest binary16 of the float32 nearest to `x`; of two, the even one. */
function halfOf(x: number): number {
  float[0] = x;
  const sign = (bits[0]! >>> 16) & 0x8000;
  const magnitude = bits[0]! & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00; // NaN
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520 and more: Infinity
  if (magnitude >= 0x38800000) return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13);
  // Below 2^-14 the result is a multiple of 2^-24, to which a float64 rounds exactly.
  float[0] = Math.abs(x);
  const steps = float[0]! * 2 ** 24;
  const below = Math.floor(steps);
  const over = steps - below;
  return sign | (over > 0.5 || (over === 0.5 && below % 2 === 1) ? below + 1 : below);
}
