// tensors.ts: what is a tensor, and what of it counts: element type, shape and data, in that order.

import { rangeError, typeError } from '../options.js';
import { concat, framed, leftEncode, utf8 } from './framing.js';

/** An element type by its usual name. */
export type DType =
  | 'float64'
  | 'float32'
  | 'float16'
  | 'bfloat16'
  | 'int64'
  | 'int32'
  | 'int16'
  | 'int8'
  | 'uint64'
  | 'uint32'
  | 'uint16'
  | 'uint8'
  | 'bool';

/** As this library writes tensors. Those of onnxruntime (`type`, `dims`, `data`) are taken as well. */
export interface TensorLike {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
}

/** Which of its NaNs are to be made one (native/fingerprint/nans.h): none, or those of float64, 32, 16, bfloat16. */
export type Nans = 0 | 1 | 2 | 3 | 4;
export const NO_NANS: Nans = 0;

const ELEMENT_BYTES: Record<DType, number> = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint64: 8,
  uint32: 4,
  uint16: 2,
  uint8: 1,
  bool: 1,
};

const NANS: Partial<Record<DType, Nans>> = {
  float64: 1,
  float32: 2,
  float16: 3,
  bfloat16: 4,
};

const OF_ARRAYS: Record<string, DType> = {
  Float64Array: 'float64',
  Float32Array: 'float32',
  Float16Array: 'float16',
  BigInt64Array: 'int64',
  Int32Array: 'int32',
  Int16Array: 'int16',
  Int8Array: 'int8',
  BigUint64Array: 'uint64',
  Uint32Array: 'uint32',
  Uint16Array: 'uint16',
};

/** A tensor as it is hashed. */
export interface Tensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
  readonly nans: Nans;
}

const TENSOR = 'T'.charCodeAt(0);
const BYTES_KIND = 'b'.charCodeAt(0);
const typedArrayName = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)!
  .get as (this: unknown) => string | undefined;

/** The tensor that the value is, or undefined. `path` names it in errors. */
export function tensorOf(value: object, path: string): Tensor | undefined {
  const array = typedArrayName.call(value);
  const plain = array === undefined ? undefined : OF_ARRAYS[array];
  if (plain !== undefined) {
    const view = value as Float32Array;
    return { dtype: plain, shape: [view.length], bytes: bytesOf(view, path), nans: NANS[plain] ?? NO_NANS };
  }
  if (array !== undefined || ArrayBuffer.isView(value)) return undefined;
  const { dtype, type, shape, dims, data } = value as Record<string, unknown>;
  const [name, extent] = dtype !== undefined && shape !== undefined ? [dtype, shape] : [type, dims];
  if (typeof name !== 'string' || !Array.isArray(extent) || !ArrayBuffer.isView(data)) return undefined;
  const element = ELEMENT_BYTES[name as DType];
  if (element === undefined || !Object.hasOwn(ELEMENT_BYTES, name))
    throw rangeError(`${path}.dtype`, `one of ${Object.keys(ELEMENT_BYTES).join(', ')}`, name);
  let count = 1;
  for (const dim of extent as unknown[]) {
    if (typeof dim !== 'number') throw typeError(`${path}.shape`, 'whole numbers', dim);
    if (!Number.isSafeInteger(dim) || dim < 0) throw rangeError(`${path}.shape`, 'whole numbers', dim);
    count *= dim;
  }
  const bytes = bytesOf(data, `${path}.data`);
  if (bytes.length !== count * element)
    throw rangeError(`${path}.data`, `${count * element} bytes for ${name}[${extent.join(', ')}]`, bytes.length);
  return { dtype: name as DType, shape: [...extent], bytes, nans: NANS[name as DType] ?? NO_NANS };
}

/** Bytes that are nothing else: a Uint8Array, Buffer, ArrayBuffer or DataView. */
export function rawBytesOf(value: object, path: string): Uint8Array | undefined {
  if (ArrayBuffer.isView(value)) return bytesOf(value, path);
  if (value instanceof ArrayBuffer || (typeof SharedArrayBuffer === 'function' && value instanceof SharedArrayBuffer))
    return new Uint8Array(value as ArrayBuffer);
  return undefined;
}

function bytesOf(view: ArrayBufferView, path: string): Uint8Array {
  try {
    return new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);
  } catch {
    // It was detached, or shrank: it would be hashed as if it were empty.
    throw typeError(path, 'memory that is not detached', view);
  }
}

/** Heads of tensors, of which a model sees few kinds; by element type and shape. */
const heads = new Map<string, Uint8Array>();
const HEADS_MAX = 256;

/** What stands before the data of a tensor. */
export function tensorHead(tensor: Tensor): Uint8Array {
  const { dtype, shape } = tensor;
  const kind = shape.length === 1 ? `${dtype} ${shape[0]}` : `${dtype} ${shape.join(' ')}`;
  let head = heads.get(kind);
  if (head === undefined) {
    head = newHead(tensor);
    if (heads.size === HEADS_MAX) heads.clear();
    heads.set(kind, head);
  }
  return head;
}

function newHead({ dtype, shape, bytes }: Tensor): Uint8Array {
  return concat([
    Uint8Array.of(TENSOR),
    framed(utf8(dtype)),
    leftEncode(shape.length),
    ...shape.map(leftEncode),
    leftEncode(bytes.length * 8),
  ]);
}

/** What stands before bytes. */
export function bytesHead(bytes: Uint8Array): Uint8Array {
  return concat([Uint8Array.of(BYTES_KIND), leftEncode(bytes.length * 8)]);
}
