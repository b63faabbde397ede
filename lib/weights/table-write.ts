// table-write.ts: writes a file of embeddings from ids and vectors, row by row. At most some MiB of vectors are in
// memory, however many there are. Room is left for the header, and the vectors come right after it. So header and index
// can be made when the last row is known (D64 in docs/DECISIONS.md).

import { isFloat32Array, memberOf, typedArrayName } from '../base/kinds.js';
import { choiceOption, countOption, isWellFormed, optionsObject, rangeError, typeError } from '../base/options.js';
import type { ReadonlyFloat32Array, ReadonlyInt8Array, ReadonlyUint16Array } from '../base/views.js';
import { type GrowingFile, writeAtomically } from './atomic-file.js';
import { IntegerIndex, TextIndex } from './id-index.js';
import { type FilePath, pathOption, targetOf } from './paths.js';
import {
  firstOf,
  notFinite,
  numberOf,
  ROW_ENCODERS,
  type RowDType,
  type RowDTypeName,
  rowDTypeOf,
} from './row-encoders.js';
import { checkWritten, controlOf, headerOf, type TensorEntry } from './write.js';

export type TableId = number | string;

/** Ids of a table: a list, such as an array; of numbers also a BigInt64Array. */
export type TableIds<Id extends TableId = TableId> = ArrayLike<Id> | (number extends Id ? BigInt64Array : never);

/** The content of a table: ids and vectors, in the same order. */
export interface TableContents {
  ids: readonly (TableId | bigint)[] | Int32Array | Uint32Array | BigInt64Array;
  /** One array with all vectors, each of `dimensions`; or an array for each vector. */
  vectors: ReadonlyFloat32Array | ReadonlyInt8Array | ReadonlyUint16Array | readonly ArrayLike<number>[];
  /** Needed if `vectors` are one array. */
  dimensions?: number | undefined;
  /** For a Uint16Array: what its bits are. Default `'F16'`. For numbers see {@link TableWriteOptions}. */
  dtype?: RowDTypeName | undefined;
  /** For an Int8Array: the scale of each row. */
  scales?: ReadonlyFloat32Array | undefined;
}

/** Pairs of an id and a vector of numbers: a Map, a list, a generator, a cursor of a database. */
export type TableRows =
  | Iterable<readonly [TableId | bigint, ArrayLike<number>]>
  | AsyncIterable<readonly [TableId | bigint, ArrayLike<number>]>;

export interface TableWriteOptions {
  /**
   * The element type of the table. `'F32'`: the default. `'F16'`, `'BF16'`: rounded to the nearest. `'I8'`: bytes, with
   * a scale for each row, from its largest element.
   */
  dtype?: RowDTypeName | undefined;
  /**
   * What to do with vectors that have NaN, an Infinity, or a number that becomes one in the element type (70 000 as
   * F16, 1e300 as F32). They are refused by default. `'keep'` writes them as they are; no search finds such a row. I8
   * cannot hold them.
   */
  nonFinite?: 'refuse' | 'keep' | undefined;
  /** Called after every few MiB. It has `total` if that is known. */
  onProgress?: ((progress: { rows: number; total?: number }) => void) | undefined;
  /** Stops writing, and leaves nothing behind. */
  signal?: AbortSignal | undefined;
}

/** The name of the seed of `index` in the metadata. */
export const INDEX_SEED = 'index.seed';
const metadataOf = (seed: string) => ({ format: 'zerohop embedding table 1', [INDEX_SEED]: seed });
/** A seed as long as any. */
const SOME_SEED = '0'.repeat(16);
const PIECE_BYTES = 2 ** 22;

/** Some rows, as they are written. */
interface Piece {
  readonly ids: ArrayLike<TableId | bigint>;
  readonly elements: ArrayLike<number> & ArrayBufferView;
  readonly scales?: Float32Array | undefined;
}

/** How to encode numbers. */
interface Wanted {
  readonly dtype: RowDType | undefined;
  readonly keep: boolean;
}

interface Source {
  readonly dtype: RowDType;
  readonly dimensions: number;
  readonly total?: number | undefined;
  readonly scaled: boolean;
  readonly pieces: Iterable<Piece> | AsyncIterable<Piece>;
}

/** `EmbeddingTable.write`. */
export async function writeTable(
  path: FilePath,
  contents: TableContents | TableRows,
  options?: TableWriteOptions,
): Promise<void> {
  const given = optionsObject('options', options, ['dtype', 'nonFinite', 'onProgress', 'signal']);
  const { onProgress, signal } = controlOf<{ rows: number; total?: number }>(given);
  const { nonFinite } = given;
  const wanted: Wanted = {
    dtype: rowDTypeOf('options.dtype', given['dtype']),
    keep: nonFinite !== undefined && choiceOption('options.nonFinite', nonFinite, ['refuse', 'keep']) === 'keep',
  };
  const target = await targetOf(pathOption(path));
  // The iterator begins when there is a file for it. Otherwise it might be left open.
  const write = async (file: GrowingFile) => writeSource(file, await sourceOf(contents, wanted), onProgress);
  await writeAtomically(target.path, write, signal, undefined, target.kept);
}

async function writeSource(
  file: GrowingFile,
  source: Source,
  onProgress: TableWriteOptions['onProgress'],
): Promise<void> {
  const { dtype, dimensions, total } = source;
  const room = headerOf(entriesOf(source, Number.MAX_SAFE_INTEGER, true), metadataOf(SOME_SEED)).length;
  file.skip(room);
  const ids = new IdList();
  const scales: Float32Array[] = [];
  for await (const piece of source.pieces) {
    for (let i = 0; i < piece.ids.length; ++i) ids.add(piece.ids[i]!);
    if (piece.scales !== undefined) scales.push(piece.scales);
    await file.append(bytesOf(piece.elements));
    onProgress?.({ rows: ids.count, ...(total !== undefined && { total }) });
  }
  const { seed, parts } = ids.finish();
  for (const { bytes } of parts) await file.append(bytes);
  for (const part of scales) await file.append(bytesOf(part));
  const entries: TensorEntry[] = [
    vectorsOf(dtype, dimensions, ids.count),
    ...parts.map(({ bytes, ...entry }) => ({ ...entry, bytes: bytes.length })),
    ...(source.scaled ? [scalesOf(ids.count)] : []),
  ];
  if (ids.count !== (total ?? ids.count)) throw rangeError('ids', `${total} until all are written`, ids.count);
  const expected = entries.reduce((sum, { bytes }) => sum + bytes, 0);
  checkWritten('contents', file.end - room, expected);
  await file.writeAt(0, headerOf(entries, metadataOf(seed), room));
}

/** The entries of the longest header that may be needed. */
function entriesOf({ dtype, dimensions, scaled }: Source, most: number, texts: boolean): TensorEntry[] {
  const longest = (name: string): TensorEntry => ({ name, dtype: 'I64', shape: [most, most], bytes: most });
  return [
    { ...vectorsOf(dtype, dimensions, 0), shape: [most, dimensions], bytes: most },
    ...['index', 'ids', ...(texts ? ['ids.ends'] : []), ...(scaled ? ['scales'] : [])].map(longest),
  ];
}

const vectorsOf = (dtype: RowDType, dimensions: number, rows: number): TensorEntry => ({
  name: 'vectors',
  dtype,
  shape: [rows, dimensions],
  bytes: rows * dimensions * ROW_ENCODERS[dtype].bytes,
});
const scalesOf = (rows: number): TensorEntry => ({ name: 'scales', dtype: 'F32', shape: [rows], bytes: 4 * rows });

const MEMBERS = ['ids', 'vectors', 'dimensions', 'dtype', 'scales'];

async function sourceOf(contents: unknown, wanted: Wanted): Promise<Source> {
  if (typeof contents !== 'object' || contents === null)
    throw typeError('contents', 'ids and vectors, or pairs of them', contents);
  if (Symbol.iterator in contents || Symbol.asyncIterator in contents)
    return sourceOfRows(contents as TableRows, wanted);
  // Reads own members, each once.
  const [ids, vectors, dimensions, dtype, scales] = MEMBERS.map((name) => memberOf(contents, name));
  const lists = { ids, vectors, dimensions, dtype, scales } as TableContents;
  const both = { ...wanted, dtype: wanted.dtype ?? rowDTypeOf('dtype', lists.dtype) };
  if (typeof lists.ids !== 'object' || lists.ids === null) throw typeError('ids', 'a list of ids', lists.ids);
  return Array.isArray(lists.vectors) ? sourceOfVectors(lists, both) : sourceOfElements(lists, both);
}

async function sourceOfRows(rows: TableRows, { dtype = 'F32', keep }: Wanted): Promise<Source> {
  const iterator = Symbol.asyncIterator in rows ? rows[Symbol.asyncIterator]() : rows[Symbol.iterator]();
  // The first row decides how long all rows are.
  const first = await iterator.next();
  let dimensions = 1;
  try {
    if (!first.done) dimensions = dimensionsOf(pairOf(first.value, 0)[1].length);
  } catch (error) {
    await iterator.return?.();
    throw error;
  }
  async function* all() {
    let next = first;
    try {
      for (let row = 0; !next.done; next = await iterator.next(), ++row) yield pairOf(next.value, row);
    } finally {
      if (!next.done) await iterator.return?.(); // it is left early
    }
  }
  return { dtype, dimensions, scaled: dtype === 'I8', pieces: encoded(all(), dtype, dimensions, keep) };
}

function pairOf(pair: unknown, row: number): readonly [TableId | bigint, ArrayLike<number>] {
  if (!Array.isArray(pair) || pair.length !== 2) throw typeError(`rows[${row}]`, '[id, vector]', pair);
  const [id, vector] = pair as [TableId | bigint, ArrayLike<number>];
  if (typeof vector?.length !== 'number') throw typeError(`vectors[${row}]`, 'a list of numbers', vector);
  return [id, vector];
}

function sourceOfVectors(contents: TableContents, { dtype = 'F32', keep }: Wanted): Source {
  const vectors = contents.vectors as readonly ArrayLike<number>[];
  const { ids } = contents;
  const dimensions = dimensionsOf(contents.dimensions ?? vectors[0]?.length ?? 1);
  checkLength(vectors.length, ids.length, 1);
  function* all() {
    for (let row = 0; row < ids.length; ++row) yield pairOf([ids[row]!, vectors[row]], row);
  }
  const pieces = encoded(all(), dtype, dimensions, keep);
  return { dtype, dimensions, total: ids.length, scaled: dtype === 'I8', pieces };
}

/** Vectors in one array, as they are, or from float32 to a narrower type. */
function sourceOfElements(contents: TableContents, wanted: Wanted): Source {
  const { ids } = contents;
  const scales = contents.scales as Float32Array | undefined;
  const vectors = contents.vectors as Float32Array | Int8Array | Uint16Array;
  const natural = naturalOf(vectors);
  const dimensions = dimensionsOf(contents.dimensions);
  checkLength(vectors.length, ids.length, dimensions);
  const dtype = wanted.dtype ?? natural[0]!;
  if (scales !== undefined && (!isFloat32Array(scales) || scales.length !== ids.length))
    throw rangeError('scales', `a Float32Array of ${ids.length}`, (scales as Float32Array).length ?? scales);
  const common = { dtype, dimensions, total: ids.length };
  if (natural.includes(dtype)) {
    const scaled = scales !== undefined && dtype === 'I8';
    const pieces = slices(ids, vectors, dimensions, scaled ? scales : undefined);
    return { ...common, scaled, pieces: wanted.keep ? pieces : checked(pieces, dtype, dimensions) };
  }
  if (!isFloat32Array(vectors)) throw typeError('dtype', `${natural.join(' or ')} of such vectors`, dtype);
  function* all(): Generator<readonly [TableId | bigint, ArrayLike<number>]> {
    for (let row = 0; row < ids.length; ++row)
      yield [ids[row]!, vectors.subarray(row * dimensions, (row + 1) * dimensions)];
  }
  return { ...common, scaled: dtype === 'I8', pieces: encoded(all(), dtype, dimensions, wanted.keep) };
}

const NATURAL: Record<string, readonly RowDType[] | undefined> = {
  Float32Array: ['F32'],
  Int8Array: ['I8'],
  Uint16Array: ['F16', 'BF16'],
};

/** The element types that an array has without a conversion. */
function naturalOf(vectors: unknown): readonly RowDType[] {
  const natural = NATURAL[typedArrayName(vectors) ?? ''];
  if (natural !== undefined) return natural;
  throw typeError('vectors', 'a Float32Array, Int8Array or Uint16Array, or a list of vectors', vectors);
}

function dimensionsOf(dimensions: unknown): number {
  return countOption('dimensions', dimensions, 1, 2 ** 31 - 1);
}

function checkLength(elements: number, rows: number, dimensions: number): void {
  if (elements === rows * dimensions) return;
  throw rangeError(
    'vectors',
    `${rows * dimensions} ${dimensions === 1 ? 'of them' : 'elements'} for ${rows} ids`,
    elements,
  );
}

const bytesOf = ({ buffer, byteOffset, byteLength }: ArrayBufferView) => new Uint8Array(buffer, byteOffset, byteLength);

function* slices(
  ids: TableContents['ids'],
  vectors: Float32Array | Int8Array | Uint16Array,
  dimensions: number,
  scales: Float32Array | undefined,
): Generator<Piece> {
  const rows = Math.max(1, Math.floor(PIECE_BYTES / (dimensions * vectors.BYTES_PER_ELEMENT)));
  for (let from = 0; from < ids.length; from += rows) {
    const to = Math.min(ids.length, from + rows);
    yield {
      ids: ids.slice(from, to),
      elements: vectors.subarray(from * dimensions, to * dimensions),
      scales: scales?.subarray(from, to),
    };
  }
}

/** Refuses numbers that are not finite. */
function* checked(pieces: Iterable<Piece>, dtype: RowDType, dimensions: number): Generator<Piece> {
  const { finite } = ROW_ENCODERS[dtype];
  let row = 0;
  for (const piece of pieces) {
    const { ids, elements, scales } = piece;
    const wrong = firstOf(elements, 0, elements.length, finite);
    const at = Math.floor(wrong / dimensions);
    if (wrong >= 0)
      throw notFinite(`vectors[${row + at}][${wrong % dimensions}]`, dtype, ids[at], numberOf(elements[wrong]!, dtype));
    const scale = scales === undefined ? -1 : firstOf(scales, 0, scales.length, Number.isFinite);
    if (scale >= 0) throw notFinite(`scales[${row + scale}]`, 'F32', ids[scale], scales![scale]!);
    row += ids.length;
    yield piece;
  }
}

async function* encoded(
  rows:
    | Iterable<readonly [TableId | bigint, ArrayLike<number>]>
    | AsyncIterable<readonly [TableId | bigint, ArrayLike<number>]>,
  dtype: RowDType,
  dimensions: number,
  keep: boolean,
): AsyncGenerator<Piece> {
  const { array, bytes, encode, finite } = ROW_ENCODERS[dtype];
  const most = Math.max(1, Math.floor(PIECE_BYTES / (dimensions * bytes)));
  let elements = new array(most * dimensions);
  let ids: (TableId | bigint)[] = [];
  let scales: number[] = [];
  let row = 0;
  const piece = () => ({
    ids,
    elements: elements.subarray(0, ids.length * dimensions),
    scales: dtype === 'I8' ? Float32Array.from(scales) : undefined,
  });
  for await (const [id, vector] of rows) {
    if (vector.length !== dimensions) throw rangeError(`vectors[${row}].length`, `${dimensions}`, vector.length);
    const at = ids.length * dimensions;
    const scale = encode(vector, elements, at);
    const wrong = Number.isFinite(scale)
      ? firstOf(elements, at, at + (keep ? 0 : dimensions), finite) - at
      : firstOf(vector, 0, dimensions, (x) => Number.isFinite(Math.fround(x)));
    if (wrong >= 0) throw notFinite(`vectors[${row}][${wrong}]`, dtype, id, vector[wrong]!);
    scales.push(scale);
    ids.push(id);
    ++row;
    if (ids.length < most) continue;
    yield piece();
    elements = new array(most * dimensions);
    ids = [];
    scales = [];
  }
  if (ids.length > 0) yield piece();
}

/** The ids of a table, in order: either all numbers, or all texts. */
class IdList {
  count = 0;
  #words = new Int32Array(2048);
  #texts: Buffer[] | undefined;

  add(id: unknown): void {
    const row = this.count++;
    if (typeof id === 'string') {
      if (row === 0) this.#texts = [];
      if (this.#texts === undefined) throw typeError(`ids[${row}]`, 'a number, as the others', id);
      if (!isWellFormed(id)) throw typeError(`ids[${row}]`, 'a text that UTF-8 can carry', id);
      this.#texts.push(Buffer.from(id));
      return;
    }
    if (this.#texts !== undefined) throw typeError(`ids[${row}]`, 'a text, as the others', id);
    const number = Number(typeof id === 'bigint' ? id : (id as number));
    if (typeof id !== 'number' && typeof id !== 'bigint') throw typeError(`ids[${row}]`, 'a number or a text', id);
    if (!Number.isSafeInteger(number)) throw rangeError(`ids[${row}]`, 'a safe integer', id);
    if (2 * row === this.#words.length) {
      const more = new Int32Array(2 * this.#words.length);
      more.set(this.#words);
      this.#words = more;
    }
    this.#words[2 * row] = number | 0;
    this.#words[2 * row + 1] = Math.floor(number / 2 ** 32);
  }

  /** The tensors for the ids and their index. @throws {RangeError} an id comes twice. */
  finish(): { seed: string; parts: { name: string; dtype: string; shape: number[]; bytes: Uint8Array }[] } {
    const texts = this.#texts;
    if (texts === undefined) {
      const words = this.#words.subarray(0, 2 * this.count);
      const ids = { name: 'ids', dtype: 'I64', shape: [this.count], bytes: bytesOf(words) };
      const { seed, slots } = new IntegerIndex(words);
      return { seed, parts: [indexOf(slots), ids] };
    }
    const bytes = new Uint8Array(Buffer.concat(texts));
    let at = 0;
    const ends = Float64Array.from(texts, ({ length }) => {
      at += length;
      return at;
    });
    const { seed, slots } = new TextIndex(bytes, ends);
    const parts = [
      indexOf(slots),
      { name: 'ids', dtype: 'U8', shape: [bytes.length], bytes },
      { name: 'ids.ends', dtype: 'F64', shape: [this.count], bytes: bytesOf(ends) },
    ];
    return { seed, parts };
  }
}

const indexOf = (slots: Int32Array) => ({
  name: 'index',
  dtype: 'I32',
  shape: [slots.length / 2, 2],
  bytes: bytesOf(slots),
});
