// table-file.ts: opens a file of embeddings, and checks what is in it: where its rows lie, and which id each has.
//
//   vectors        [N, D] of F32, F16, BF16 or I8
//   scales         [N] of F32, for I8 vectors: the factor for the elements of each row
//   ids            [N] of U32 or I64; or the UTF-8 of texts, back to back, with
//   ids.ends       [N] of F64: where each text ends
//   index          [S, 2] of I32, if zerohop wrote the file: see id-index.ts. The metadata have its seed, as
//                  `index.seed`. If it is missing, it is made when the file is opened

import { type NativeVectors, ROW_TYPES } from '../addon/native.js';
import { choiceOption } from '../base/options.js';
import type { ReadonlyView } from '../base/views.js';
import { KEY_KINDS, type KeyKind } from '../cache/keys.js';
import { WeightsError } from './error.js';
import { WINDOW_BYTES } from './file.js';
import { areSlots, hasUpperHalf, type IdIndex, type IdSlots, IntegerIndex, isSeed, TextIndex } from './id-index.js';
import type { FilePath } from './paths.js';
import { type RowDType, type RowDTypeName, rowDTypeOf } from './row-encoders.js';
import { INDEX_SEED, type TableId } from './table-write.js';
import type { WeightTensor } from './tensor.js';
import { Weights, type WeightsOptions } from './weights.js';

/** A row of a table with these elements. Floats of 16 bits are shown as bits. */
export type TableRow<D extends RowDType = RowDType> = ReadonlyView<TableArray<D>>;

/** The typed array of a table's elements. */
export type TableArray<D extends RowDType = RowDType> = D extends 'F32'
  ? Float32Array
  : D extends 'I8'
    ? Int8Array
    : Uint16Array;

/** Options of `EmbeddingTable.open`: as of `Weights.open`, and what the table must be. */
export interface TableOptions<Name extends RowDTypeName = RowDTypeName, Kind extends KeyKind = KeyKind>
  extends Pick<WeightsOptions, 'strategy' | 'pages' | 'signal'> {
  /** The element type that it must have: then the types of its rows are known. */
  dtype?: Name | undefined;
  /** Which ids it must have: `'integer'`, or `'string'`. */
  ids?: Kind | undefined;
}

/** One file of a table. A call that began with it ends with it, even after `swap`. */
export interface TableFile {
  readonly weights: Weights;
  /** Of a row. */
  readonly array: new (
    buffer: ArrayBuffer,
    offset: number,
    length: number,
  ) => TableArray;
  readonly scales: Float32Array | undefined;
  readonly index: IdIndex<never>;
  /** Of all rows. */
  readonly bytes: number;
  readonly size: number;
  readonly dimensions: number;
  readonly dtype: RowDType;
  readonly texts: boolean;
  /** A view of a row. REQUIRES: the row exists. */
  readonly viewOf: (row: number) => TableRow;
  /** The id of a row. */
  readonly idOf: (row: number) => TableId;
  /** For native code; throws after `close`. */
  readonly native: () => NativeVectors;
}

const DTYPES: readonly string[] = ROW_TYPES;
/** The arrays of rows. Floats of 16 bits are shown as bits, on every Node. */
const ARRAYS: readonly TableFile['array'][] = [Float32Array, Uint16Array, Uint16Array, Int8Array];

/**
 * Opens a table's file. Rejects as `Weights.open`, and with `ERR_WEIGHTS_TABLE`: it is not such a table.
 *
 * @param wanted what it must be, unchecked
 */
export async function openTable(
  path: FilePath,
  options?: WeightsOptions,
  wanted?: Pick<TableOptions, 'dtype' | 'ids'>,
): Promise<TableFile> {
  const dtype = rowDTypeOf('options.dtype', wanted?.dtype);
  const ids = wanted?.ids === undefined ? undefined : choiceOption('options.ids', wanted.ids, KEY_KINDS);
  const weights = await Weights.open(path, options);
  try {
    const table = readTable(weights);
    const wrong = (message: string) => new WeightsError('ERR_WEIGHTS_TABLE', message, weights.path);
    if (dtype !== undefined && dtype !== table.dtype) throw wrong(`has vectors of ${table.dtype}, not ${dtype}`);
    const kind = table.texts ? 'string' : 'integer';
    if (ids !== undefined && ids !== kind) throw wrong(`has ids of the kind '${kind}', not '${ids}'`);
    return table;
  } catch (error) {
    weights.close({ now: true }); // nobody has seen a view of it
    throw error;
  }
}

function readTable(weights: Weights): TableFile {
  const wrong = (message: string) => new WeightsError('ERR_WEIGHTS_TABLE', message, weights.path);
  const vectors = weights.tensors.get('vectors');
  const ids = weights.tensors.get('ids');
  if (vectors === undefined || ids === undefined)
    throw wrong('is no embedding table: it needs the tensors ids and vectors');
  const [size = -1, dimensions = 0] = vectors.shape;
  if (vectors.shape.length !== 2 || dimensions < 1 || !DTYPES.includes(vectors.dtype))
    throw wrong(
      `vectors: expected [N, D] of ${DTYPES.join(', ')}, found ${vectors.dtype} [${vectors.shape.join(', ')}]`,
    );
  const scales = scalesOf(weights.tensors.get('scales'), vectors.dtype, size, wrong);
  const given = slotsOf(weights, wrong);
  const type = DTYPES.indexOf(vectors.dtype);
  const { begin } = vectors.place;
  const scaled = scales === undefined ? 0 : weights.tensor('scales').place.begin;
  const forNative = (): NativeVectors => [vectors.file.handle, begin, type, dimensions, size, scaled];
  const common = {
    weights,
    array: ARRAYS[type]!,
    viewOf: viewsOf(vectors, ARRAYS[type]!, size, dimensions),
    scales,
    bytes: vectors.bytes,
    size,
    dimensions,
    dtype: vectors.dtype as RowDType,
    native: forNative,
  };
  const ends = weights.tensors.get('ids.ends');
  if (ends === undefined) {
    const words = wordsOf(ids, size, wrong);
    const index = indexOf(() => integerIndexOver(ids, words, given), wrong);
    return { ...common, texts: false, idOf: numbersFrom(ids), index };
  }
  checkTexts(ids, ends, size, wrong);
  const index = indexOf(() => textIndexOver(ids, ends, given), wrong);
  return { ...common, texts: true, idOf: textsFrom(ids, ends), index };
}

/**
 * A copy of a tensor's bytes. A tensor that is read from end to end is copied first: if the file is cut meanwhile,
 * reading its pages would end the process.
 *
 * @throws {WeightsError} `ERR_WEIGHTS_CHANGED`
 */
function copyOf(tensor: WeightTensor, from = 0, to = tensor.bytes): ArrayBuffer {
  const bytes = new Uint8Array(new ArrayBuffer(to - from));
  tensor.file.copy(tensor.place.begin + from, bytes);
  return bytes.buffer;
}

/** The index is filled from a copy. From then on it uses the pages, which all processes share. */
function integerIndexOver(ids: WeightTensor, words: Int32Array, given: IdSlots | undefined): IntegerIndex {
  const copied = ids.dtype === 'I64' ? new Int32Array(copyOf(ids)) : words;
  const wide = hasUpperHalf(copied);
  return new IntegerIndex(words, given ?? new IntegerIndex(copied, undefined, wide), wide);
}

function textIndexOver(ids: WeightTensor, ends: WeightTensor, given: IdSlots | undefined): TextIndex {
  const slots = given ?? new TextIndex(new Uint8Array(copyOf(ids)), new Float64Array(copyOf(ends)));
  return new TextIndex(ids.data as Uint8Array, ends.data as Float64Array, slots);
}

/** For integers: the id of a row, from the file. */
function numbersFrom(ids: WeightTensor): TableFile['idOf'] {
  const bytes = ids.dtype === 'U32' ? 4 : 8;
  return (row) => {
    const words = new DataView(copyOf(ids, row * bytes, (row + 1) * bytes));
    return (bytes === 4 ? 0 : words.getInt32(4, true)) * 2 ** 32 + words.getUint32(0, true);
  };
}

function textsFrom(ids: WeightTensor, ends: WeightTensor): TableFile['idOf'] {
  const endOf = (row: number) => (row < 0 ? 0 : new Float64Array(copyOf(ends, 8 * row, 8 * row + 8))[0]!);
  return (row) => {
    const [begin, end] = [endOf(row - 1), endOf(row)];
    if (!(begin <= end && end <= ids.bytes))
      throw new WeightsError('ERR_WEIGHTS_CHANGED', 'its ids.ends are not what they were', ids.place.path);
    return Buffer.from(copyOf(ids, begin, end)).toString();
  };
}

/** If an id comes twice, that is the file's fault here, not the caller's. */
function indexOf<Index>(make: () => Index, wrong: (message: string) => WeightsError): Index {
  try {
    return make();
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_OUT_OF_RANGE') throw error;
    throw wrong((error as Error).message);
  }
}

/**
 * Views of rows, made by the array's constructor: `subarray` takes longer. Several windows if one cannot show all rows.
 */
function viewsOf(
  vectors: WeightTensor,
  array: TableFile['array'],
  size: number,
  dimensions: number,
): (row: number) => TableRow {
  const rowBytes = vectors.bytes / Math.max(1, size);
  if (vectors.bytes <= WINDOW_BYTES) {
    const { buffer, byteOffset } = vectors.data as { buffer: ArrayBuffer; byteOffset: number };
    return (row) => new array(buffer, byteOffset + row * rowBytes, dimensions);
  }
  const rowsAtOnce = Math.floor(WINDOW_BYTES / rowBytes);
  const windows: ({ buffer: ArrayBuffer; byteOffset: number } | undefined)[] = [];
  return (row) => {
    const place = Math.floor(row / rowsAtOnce);
    const from = place * rowsAtOnce;
    windows[place] ??= vectors.part(from * rowBytes, Math.min(size, from + rowsAtOnce) * rowBytes) as never;
    const { buffer, byteOffset } = windows[place]!;
    return new array(buffer, byteOffset + (row - from) * rowBytes, dimensions);
  };
}

function wordsOf(ids: WeightTensor, size: number, wrong: (message: string) => WeightsError): Int32Array {
  if (ids.shape.length !== 1 || ids.shape[0] !== size)
    throw wrong(`ids: expected [${size}], found [${ids.shape.join(', ')}]`);
  if (ids.dtype === 'I64') {
    const { buffer, byteOffset, byteLength } = ids.data; // has a window of its own if it lies at no multiple of 8
    return new Int32Array(buffer, byteOffset, byteLength / 4);
  }
  if (ids.dtype !== 'U32')
    throw wrong(`ids: expected U32 or I64, or the bytes of texts with ids.ends, found ${ids.dtype}`);
  const lower = new Uint32Array(copyOf(ids));
  const words = new Int32Array(2 * size);
  for (let row = 0; row < size; ++row) words[2 * row] = lower[row]!;
  return words;
}

function checkTexts(
  ids: WeightTensor,
  ends: WeightTensor,
  size: number,
  wrong: (message: string) => WeightsError,
): void {
  if (ids.dtype !== 'U8' || ends.dtype !== 'F64' || ends.shape.length !== 1 || ends.shape[0] !== size)
    throw wrong(
      `ids of texts: expected U8 with ids.ends, F64 [${size}], found ${ids.dtype} and ${ends.dtype} [${ends.shape.join(', ')}]`,
    );
  const places = new Float64Array(copyOf(ends));
  let before = 0;
  for (let row = 0; row < size; ++row) {
    const end = places[row]!;
    if (!(Number.isInteger(end) && end >= before && end <= ids.bytes))
      throw wrong(`ids.ends[${row}]: ${end} is no place in ids after ${before}`);
    before = end;
  }
}

function scalesOf(
  scales: WeightTensor | undefined,
  dtype: string,
  size: number,
  wrong: (message: string) => WeightsError,
): Float32Array | undefined {
  if (scales === undefined || dtype !== 'I8') return undefined;
  if (scales.dtype !== 'F32' || scales.shape.length !== 1 || scales.shape[0] !== size)
    throw wrong(`scales: expected F32 [${size}], found ${scales.dtype} [${scales.shape.join(', ')}]`);
  return scales.data as Float32Array;
}

/** The slots of the file; undefined if there are none, or if it does not say by which seed they were filled. */
function slotsOf(weights: Weights, wrong: (message: string) => WeightsError): IdSlots | undefined {
  const index = weights.tensors.get('index');
  const seed = weights.metadata[INDEX_SEED];
  if (index === undefined || !isSeed(seed)) return undefined;
  const words = index.bytes / 4;
  if (index.dtype !== 'I32' || index.shape.length !== 2 || index.shape[1] !== 2 || !areSlots(words))
    throw wrong(`index: expected I32 [a power of two, 2], found ${index.dtype} [${index.shape.join(', ')}]`);
  return { slots: index.data as Int32Array, seed };
}
