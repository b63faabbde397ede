// dtypes.ts: which typed array shows which element type.

import type { Float16OrBits } from '../base/views.js';

/** The elements of a tensor, over the mapping of its file. */
export type TensorArray =
  | Float64Array<ArrayBuffer>
  | Float32Array<ArrayBuffer>
  | Float16OrBits
  | BigInt64Array<ArrayBuffer>
  | Int32Array<ArrayBuffer>
  | Int16Array<ArrayBuffer>
  | Int8Array<ArrayBuffer>
  | BigUint64Array<ArrayBuffer>
  | Uint32Array<ArrayBuffer>
  | Uint16Array<ArrayBuffer>
  | Uint8Array<ArrayBuffer>;

type ArrayOver = new (buffer: ArrayBuffer, offset: number, length: number) => TensorArray;

const float16 = (globalThis as { Float16Array?: ArrayOver }).Float16Array;

const ARRAYS: Record<string, { array: ArrayOver; bytes: number }> = {
  F64: { array: Float64Array, bytes: 8 },
  F32: { array: Float32Array, bytes: 4 },
  F16: { array: float16 ?? Uint16Array, bytes: 2 },
  BF16: { array: Uint16Array, bytes: 2 },
  I64: { array: BigInt64Array, bytes: 8 },
  I32: { array: Int32Array, bytes: 4 },
  I16: { array: Int16Array, bytes: 2 },
  I8: { array: Int8Array, bytes: 1 },
  U64: { array: BigUint64Array, bytes: 8 },
  U32: { array: Uint32Array, bytes: 4 },
  U16: { array: Uint16Array, bytes: 2 },
  C64: { array: Float32Array, bytes: 4 },
};

/** The typed array for this element type. Types without one (booleans, 8-bit floats, blocks) are shown as bytes. */
export function arrayOf(dtype: string): { array: ArrayOver; bytes: number } {
  return Object.hasOwn(ARRAYS, dtype) ? ARRAYS[dtype]! : { array: Uint8Array, bytes: 1 };
}
