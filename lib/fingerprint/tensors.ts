// tensors.ts: what is a tensor, and what of it counts: element type, shape and data, in that order.

import { rangeError, typeError } from '../options.js';
import { concat, framed, leftEncode, utf8 } from './framing.js';
import { isPlain } from './plain.js';

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

const PLAIN_KEYS = ['data,dtype,shape', 'data,dims,type'];

/** The tensor that the value is, or undefined. `path` names it in errors. */
export function tensorOf(value: object, path: string): Tensor | undefined {
  const array = typedArrayName.call(value);
  const plain = array === undefined ? undefined : OF_ARRAYS[array];
  if (plain !== undefined) {
    const bytes = bytesOf(value as Float32Array, path);
    return { dtype: plain, shape: [bytes.length / ELEMENT_BYTES[plain]], bytes, nans: NANS[plain] ?? NO_NANS };
  }
  if (array !== undefined || ArrayBuffer.isView(value) || Array.isArray(value)) return undefined;
  const found = partsOf(value);
  if (found === undefined) return undefined;
  const [name, extent, data] = found;
  const element = Object.hasOwn(ELEMENT_BYTES, name) ? ELEMENT_BYTES[name as DType] : undefined;
  if (element === undefined) throw rangeError(`${path}.dtype`, `one of ${Object.keys(ELEMENT_BYTES).join(', ')}`, name);
  const dtype = name as DType;
  const held = typedArrayName.call(data);
  const holds = held === undefined ? undefined : OF_ARRAYS[held];
  // Bytes may be of any type; half floats are kept as whole numbers, too.
  if (holds !== undefined && holds !== dtype && !(holds === 'uint16' && /^b?float16$/.test(dtype)))
    throw rangeError(`${path}.data`, `elements of ${dtype}, or bytes`, holds);
  const shape: number[] = [];
  for (let i = 0; i < extent.length; ++i) {
    const dim: unknown = extent[i];
    if (typeof dim !== 'number') throw typeError(`${path}.shape`, 'whole numbers', dim);
    if (!Number.isSafeInteger(dim) || dim < 0) throw rangeError(`${path}.shape`, 'whole numbers', dim);
    shape.push(dim);
  }
  const bytes = bytesOf(data, `${path}.data`);
  const wanted = shape.reduce((product, dim) => product * dim, element);
  if (bytes.length !== wanted)
    throw rangeError(`${path}.data`, `${wanted} bytes for ${dtype}[${shape.join(', ')}]`, bytes.length);
  return { dtype, shape, bytes, nans: NANS[dtype] ?? NO_NANS };
}

/** Type, shape and data, where these are all that there is to it. */
function partsOf(value: object): [string, readonly unknown[], ArrayBufferView] | undefined {
  const { dtype, shape, type, dims, data, stride, strides, offset } = value as Record<string, unknown>;
  if (!ArrayBuffer.isView(data)) return undefined;
  const isOwn = Object.hasOwn(value, 'data') && PLAIN_KEYS.includes(Object.keys(value).sort().join());
  // Of a class: onnxruntime's. One that steps through its data has another order than they have.
  const isOnnx =
    typeof type === 'string' &&
    stride === undefined &&
    strides === undefined &&
    offset === undefined &&
    !isPlain(value);
  if (isOwn && dtype !== undefined && typeof dtype === 'string' && Array.isArray(shape)) return [dtype, shape, data];
  return (isOwn || isOnnx) && typeof type === 'string' && Array.isArray(dims) ? [type, dims, data] : undefined;
}

/** Bytes that are nothing else: a Uint8Array, Buffer, Uint8ClampedArray, DataView, ArrayBuffer or SharedArrayBuffer. */
export function rawBytesOf(value: object, path: string): Uint8Array | undefined {
  if (ArrayBuffer.isView(value)) return bytesOf(value, path);
  for (const lengthOf of BUFFER_LENGTHS) {
    let length: number;
    try {
      length = lengthOf.call(value) as number;
    } catch {
      continue; // none of these
    }
    return bytesOf({ buffer: value as ArrayBuffer, byteOffset: 0, byteLength: length }, path);
  }
  return undefined;
}

const BUFFER_LENGTHS = [ArrayBuffer, ...(typeof SharedArrayBuffer === 'function' ? [SharedArrayBuffer] : [])].map(
  (each) => Object.getOwnPropertyDescriptor(each.prototype, 'byteLength')!.get!,
);
const elementAt = Uint8Array.prototype.at as (this: unknown, i: number) => unknown;

function bytesOf(view: ArrayBufferView, path: string): Uint8Array {
  try {
    // Of memory that shrank under an array the length is 0: it would be hashed as if it were empty.
    if (view.byteLength === 0 && typedArrayName.call(view) !== undefined) elementAt.call(view, 0);
    return new Uint8Array(view.buffer as ArrayBuffer, view.byteOffset, view.byteLength);
  } catch {
    throw typeError(path, 'memory that is not detached, and has not shrunk', view);
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
