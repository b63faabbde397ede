// tensors.ts: which values are tensors, and what counts of one: element type, shape and data, in that order.

import { type DType, type LongDType, longDType } from '../base/dtypes.js';
import { typedArrayName } from '../base/kinds.js';
import { NAN_KINDS } from '../base/nans.js';
import { rangeError, typeError } from '../base/options.js';
import { concat, framed, leftEncode, utf8 } from './framing.js';
import { builtInOf, getterOf, isPlain } from './plain.js';

/** A tensor in this library's form. Those of onnxruntime (`type`, `dims`, `data`) are taken too. */
export interface TensorLike {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: ArrayBufferView;
}

/** The kind of NaNs of an element type: a place in NAN_KINDS. */
export type Nans = 0 | 1 | 2 | 3 | 4;
export const NO_NANS: Nans = 0;

const ELEMENT_BYTES: Record<LongDType, number> = {
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

/** Of one element. */
export const elementBytes = (dtype: LongDType): number => ELEMENT_BYTES[dtype];

const nansOf = (dtype: LongDType) => Math.max(NO_NANS, (NAN_KINDS as readonly string[]).indexOf(dtype)) as Nans;

const OF_ARRAYS: Record<string, LongDType> = {
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
  readonly dtype: LongDType;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
  readonly nans: Nans;
}

const TENSOR = 'T'.charCodeAt(0);
const BYTES_KIND = 'b'.charCodeAt(0);
/** A path is made only for errors. */
type Path = () => string;

const PLAIN_KEYS = ['data,dtype,shape', 'data,dims,type'];

/** The most dimensions: as many as files of weights may have. */
const DIMENSIONS_MAX = 64;

/** Own members of onnxruntime's tensors. Those after `data` say where else the data are, and do not count. */
const INSTANCE_MEMBERS = new Set([
  ...['type', 'dims', 'size', 'data', 'cpuData', 'dataLocation', 'gpuTextureData', 'gpuBufferData', 'mlTensorData'],
  ...['downloader', 'isDownloading', 'disposer'],
]);

/** The tensor that the value is, or undefined. */
export function tensorOf(value: object, path: Path): Tensor | undefined {
  if (ArrayBuffer.isView(value)) return typedTensorOf(value, path);
  if (Array.isArray(value)) return undefined;
  if (!isPlain(value)) return builtInOf(value) === undefined ? instanceTensorOf(value, path) : undefined;
  const names = Object.keys(value);
  if (names.length !== 3 || !PLAIN_KEYS.includes(names.sort().join())) return undefined;
  const of = value as Record<string, unknown>;
  return names.includes('dtype')
    ? tensorOfParts(of['dtype'], of['shape'], of['data'], path)
    : tensorOfParts(of['type'], of['dims'], of['data'], path);
}

/** A typed array as a tensor of one dimension; undefined: its elements are bytes. */
export function typedTensorOf(value: ArrayBufferView, path: Path): Tensor | undefined {
  const array = typedArrayName(value);
  const dtype = array === undefined ? undefined : OF_ARRAYS[array];
  if (dtype === undefined) return undefined;
  const bytes = bytesOf(value, path);
  return { dtype, shape: [bytes.length / ELEMENT_BYTES[dtype]], bytes, nans: nansOf(dtype) };
}

/** The tensor with these parts; undefined if members of these names are something else. */
export function tensorOfParts(name: unknown, dims: unknown, data: unknown, path: Path): Tensor | undefined {
  if (!(typeof name === 'string' && Array.isArray(dims) && ArrayBuffer.isView(data))) return undefined;
  const dtype = longDType(name);
  if (dtype === undefined) throw rangeError(`${path()}.dtype`, `one of ${Object.keys(ELEMENT_BYTES).join(', ')}`, name);
  const held = typedArrayName(data);
  const holds = held === undefined ? undefined : OF_ARRAYS[held];
  // Bytes may hold any type. Half floats may also be in an array of whole numbers.
  if (holds !== undefined && holds !== dtype && !(holds === 'uint16' && /^b?float16$/.test(dtype)))
    throw rangeError(`${path()}.data`, `elements of ${dtype}, or bytes`, holds);
  const shape = shapeOf(dims, path);
  const bytes = bytesOf(data, () => `${path()}.data`);
  const wanted = shape.reduce((product, dim) => product * dim, ELEMENT_BYTES[dtype]);
  if (bytes.length !== wanted)
    throw rangeError(`${path()}.data`, `${wanted} bytes for ${dtype}[${shape.join(', ')}]`, bytes.length);
  return { dtype, shape, bytes, nans: nansOf(dtype) };
}

function shapeOf(dims: readonly unknown[], path: Path): number[] {
  const { length } = dims;
  if (length > DIMENSIONS_MAX) throw rangeError(`${path()}.shape`, `at most ${DIMENSIONS_MAX} dimensions`, length);
  const shape: number[] = [];
  for (let i = 0; i < length; ++i) {
    const dim: unknown = dims[i];
    if (typeof dim !== 'number') throw typeError(`${path()}.shape`, 'whole numbers', dim);
    if (!Number.isSafeInteger(dim) || dim < 0) throw rangeError(`${path()}.shape`, 'whole numbers', dim);
    shape.push(dim);
  }
  return shape;
}

/**
 * An instance of a class: a tensor of onnxruntime; or of transformers.js, which holds one of onnxruntime. It must have
 * only known own members: another one, such as a scale, might change what the tensor means.
 */
function instanceTensorOf(value: object, path: Path): Tensor | undefined {
  const names = Object.keys(value);
  // Also members that are not enumerable, or named by symbols. No known tensor has one.
  const all = Reflect.ownKeys(value);
  if (all.length === 1 && names[0] === 'ort_tensor') {
    const held: unknown = (value as { ort_tensor: unknown }).ort_tensor;
    return typeof held === 'object' && held !== null ? instanceTensorOf(held, path) : undefined;
  }
  const own = (name: string) => (names.includes(name) ? (value as Record<string, unknown>)[name] : undefined);
  const type = own('type');
  const dims = own('dims');
  const data = own('cpuData') ?? own('data');
  if (!(typeof type === 'string' && Array.isArray(dims) && ArrayBuffer.isView(data))) return undefined;
  const stranger =
    all.length === names.length
      ? names.find((name) => !INSTANCE_MEMBERS.has(name))
      : all.find((name) => typeof name === 'symbol' || !names.includes(name));
  if (stranger !== undefined)
    throw typeError(`${path()}.${String(stranger)}`, `a tensor with no members but ${KNOWN_MEMBERS}`, value);
  const dataLocation = own('dataLocation') ?? 'cpu';
  if (dataLocation !== 'cpu' && dataLocation !== 'cpu-pinned')
    throw typeError(`${path()}.dataLocation`, 'a tensor whose data are in memory (getData)', dataLocation);
  return tensorOfParts(type, dims, data, path);
}

const KNOWN_MEMBERS = [...INSTANCE_MEMBERS].join(', ');

/** Bytes: of a Uint8Array, Buffer, Uint8ClampedArray, DataView, ArrayBuffer or SharedArrayBuffer. */
export function rawBytesOf(value: object, path: Path): Uint8Array | undefined {
  if (ArrayBuffer.isView(value)) return bytesOf(value, path);
  const kind = builtInOf(value);
  if (kind !== 'ArrayBuffer' && kind !== 'SharedArrayBuffer') return undefined;
  return bytesFrom(() => new Uint8Array(value as ArrayBuffer), value, path);
}

/** Where a view lies, by the language's own getters: own members of these names may say something else. */
const PLACE_OF_ARRAYS = placeGetters(Object.getPrototypeOf(Uint8Array.prototype));
const PLACE_OF_DATA_VIEWS = placeGetters(DataView.prototype);
const elementAt = Uint8Array.prototype.at as (this: unknown, i: number) => unknown;

function placeGetters(prototype: object) {
  const [buffer, byteOffset, byteLength] = ['buffer', 'byteOffset', 'byteLength'].map((name) =>
    getterOf(prototype, name),
  ) as [(this: unknown) => ArrayBuffer, (this: unknown) => number, (this: unknown) => number];
  return { buffer, byteOffset, byteLength };
}

function bytesOf(view: ArrayBufferView, path: Path): Uint8Array {
  const isTyped = typedArrayName(view) !== undefined;
  const { buffer, byteOffset, byteLength } = isTyped ? PLACE_OF_ARRAYS : PLACE_OF_DATA_VIEWS;
  return bytesFrom(
    () => {
      const length = byteLength.call(view);
      // An array whose memory shrank has the length 0. It would be hashed as if it were empty.
      if (length === 0 && isTyped) elementAt.call(view, 0);
      return new Uint8Array(buffer.call(view), byteOffset.call(view), length);
    },
    view,
    path,
  );
}

function bytesFrom(make: () => Uint8Array, of: object, path: Path): Uint8Array {
  try {
    return make();
  } catch {
    throw typeError(path(), 'memory that is not detached, and has not shrunk', of);
  }
}

/** Heads of tensors, by element type and shape. A model sees few kinds. */
const heads = new Map<string, Uint8Array>();
const HEADS_MAX = 256;

/** The head of a tensor: what stands before its data. */
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

/** The head of bytes: what stands before them. */
export function bytesHead(bytes: Uint8Array): Uint8Array {
  return concat([Uint8Array.of(BYTES_KIND), leftEncode(bytes.length * 8)]);
}
