// embedding-table.ts: vectors by id, read-only, over a mapped safetensors file: one copy in memory for every worker and
// process that opens it.
//
//   vectors        [N, D] of F32, F16, BF16 or I8
//   scales         [N] of F32, of I8 vectors: what each element is to be multiplied by
//   ids            [N] of U32 or I64; or the UTF-8 of texts, back to back, with
//   ids.ends       [N] of F64: where each ends
//   index          [S, 2] of I32, if the file was written here: id-index.ts; else it is made when the file is opened

import { availableParallelism } from 'node:os';
import { type NativeVectors, native } from '../native.js';
import { countOption, isWellFormed, optionsObject, rangeError, typeError } from '../options.js';
import { WeightsError } from './error.js';
import { areSlots, type IdIndex, IntegerIndex, TextIndex } from './id-index.js';
import { Weights, type WeightTensor } from './weights.js';
import { type WritableTensor, writeWeights } from './write.js';

export type TableId = number | string;
export type TableRow = Float32Array | Uint16Array | Int8Array;

/** What a table is written from: ids and vectors in one order. */
export interface TableContents {
  ids: readonly TableId[] | Int32Array | Uint32Array | BigInt64Array;
  /** One after the other, of `dimensions` each; or one each. */
  vectors: Float32Array | Int8Array | Uint16Array | readonly ArrayLike<number>[];
  /** Where `vectors` are one array. */
  dimensions?: number;
  /** Of Uint16Array: what its bits are. Default `'F16'`. */
  dtype?: 'F16' | 'BF16';
  /** Of Int8Array. */
  scales?: Float32Array;
}

/** What rows that are not there are filled with: zeros, the mean of those that are, or nothing. */
export type Missing = 'zero' | 'mean' | 'leave';

/** As much of a table as one file holds: readers that began with it go on with it. */
interface Version {
  readonly weights: Weights;
  readonly vectors: TableRow;
  readonly scales: Float32Array | undefined;
  readonly index: IdIndex<never>;
  readonly size: number;
  readonly dimensions: number;
  readonly dtype: string;
  readonly texts: boolean;
  /** A view of a row that there is. */
  readonly viewOf: (row: number) => TableRow;
  /** The id of a row. */
  readonly idOf: (row: number) => TableId;
  /** For native code; throws after `close`. */
  readonly native: () => NativeVectors;
}

/** As native code numbers them. */
const DTYPES = ['F32', 'F16', 'BF16', 'I8'];
/** Rows that were asked for lately, by a hash of their id. */
const HOT_BITS = 12;
const HOT = 2 ** HOT_BITS;
const GOLDEN = 0x9e3779b1;

export class EmbeddingTable {
  #version: Version;
  #hotIds = new Float64Array(HOT).fill(Number.NaN);
  #hotRows: (TableRow | undefined)[] = new Array<TableRow | undefined>(HOT).fill(undefined);

  /**
   * Opens a table.
   *
   * Rejects with a WeightsError: what is wrong with the file; `ERR_WEIGHTS_TABLE`: it is no table.
   * @example const items = await EmbeddingTable.open('items.safetensors')
   */
  static async open(path: string): Promise<EmbeddingTable> {
    return new EmbeddingTable(await versionOf(path));
  }

  /**
   * Writes a table, atomically.
   *
   * @throws {TypeError | RangeError} ids and vectors of different numbers, vectors of different dimensions, an id twice.
   * @example EmbeddingTable.write('items.safetensors', { ids, vectors, dimensions: 384 })
   */
  static write(path: string, contents: TableContents | Iterable<readonly [TableId, ArrayLike<number>]>): void {
    writeWeights(path, tensorsOf(listed(contents)), { metadata: { format: 'zerohop embedding table 1' } });
  }

  private constructor(version: Version) {
    this.#version = version;
  }

  get size(): number {
    return this.#version.size;
  }

  get dimensions(): number {
    return this.#version.dimensions;
  }

  get dtype(): string {
    return this.#version.dtype;
  }

  has(id: TableId): boolean {
    return this.#rowOf(id) >= 0;
  }

  /**
   * The vector of an id, over the file's own memory, or undefined. It stays as it is for as long as it is held, also after
   * `swap`; after `close` it is empty. Of F16 and BF16 the bits. One view may be given out several times.
   */
  row(id: TableId): TableRow | undefined {
    const place = Math.imul(id as number, GOLDEN) >>> (32 - HOT_BITS); // 0 for a text, which no number there equals
    if (this.#hotIds[place] === id) return this.#hotRows[place];
    return this.#coldRow(id, place);
  }

  #coldRow(id: TableId, place: number): TableRow | undefined {
    const row = this.#rowOf(id);
    if (row < 0) return undefined;
    const found = this.#version.viewOf(row);
    if (typeof id === 'number') {
      this.#hotIds[place] = id;
      this.#hotRows[place] = found;
    }
    return found;
  }

  rows(ids: ArrayLike<TableId>): (TableRow | undefined)[] {
    return Array.from(ids, (id) => this.row(id));
  }

  /** What the elements of an I8 row are to be multiplied by; 1 of other types. */
  scale(id: TableId): number | undefined {
    const row = this.#rowOf(id);
    return row < 0 ? undefined : (this.#version.scales?.[row] ?? 1);
  }

  /**
   * Copies the vectors of many ids side by side into `out`, of the table's own elements.
   *
   * @throws {TypeError}  `out` is another kind of array.
   * @throws {RangeError} `out` is too short; nothing was written.
   * @throws {WeightsError} `ERR_WEIGHTS_CHANGED`: the file was cut; a part of `out` was written.
   */
  gather(ids: ArrayLike<TableId>, out: TableRow, options?: { missing?: Missing }): { hits: number; missing: number[] } {
    const { vectors, dimensions } = this.#version;
    const how = optionsObject('options', options, ['missing'])['missing'] ?? 'leave';
    if (how !== 'zero' && how !== 'mean' && how !== 'leave')
      throw typeError('options.missing', "'zero', 'mean' or 'leave'", how);
    if (how === 'mean' && !(vectors instanceof Float32Array))
      throw rangeError('options.missing', "'zero' or 'leave' of what is not F32", how);
    if (Object.getPrototypeOf(out) !== Object.getPrototypeOf(vectors))
      throw typeError('out', `a ${vectors.constructor.name}`, out);
    if (out.length < ids.length * dimensions)
      throw rangeError('out.length', `at least ${ids.length * dimensions}`, out.length);
    const missing: number[] = [];
    const places = this.#placesOf(ids);
    for (let i = 0; i < places.length; ++i) if (places[i]! < 0) missing.push(i);
    this.#watched(() => native.tableGather(...this.#version.native(), places, out));
    const hits = ids.length - missing.length;
    if (how !== 'leave' && missing.length > 0) {
      const filling = how === 'mean' ? meanOf(out as Float32Array, places, dimensions) : undefined;
      for (const i of missing)
        if (filling === undefined) out.fill(0, i * dimensions, (i + 1) * dimensions);
        else out.set(filling, i * dimensions);
    }
    return { hits, missing };
  }

  /**
   * Dot products of `query` with the vectors of many ids, computed where those lie; `out[i]` is that of `ids[i]`, NaN if it is
   * missing. With lengths of 1, the cosine. Of I8 they are of the elements times their scale.
   *
   * @throws {TypeError | RangeError} `query` has other dimensions; `out` is too short.
   * @throws {WeightsError} `ERR_WEIGHTS_CHANGED`: the file was cut.
   */
  dot(query: Float32Array, ids: ArrayLike<TableId>, out = new Float32Array(ids.length)): Float32Array {
    const vectors = this.#scored(query);
    if (!(out instanceof Float32Array)) throw typeError('out', 'a Float32Array', out);
    if (out.length < ids.length) throw rangeError('out.length', `at least ${ids.length}`, out.length);
    const places = this.#placesOf(ids);
    if (!places.includes(-1)) {
      this.#watched(() => native.tableDot(...vectors, query, places, out));
      return out;
    }
    const known = places.filter((place) => place >= 0);
    const scores = new Float32Array(known.length);
    this.#watched(() => native.tableDot(...vectors, query, known, scores));
    for (let i = 0, n = 0; i < places.length; ++i) out[i] = places[i]! < 0 ? Number.NaN : scores[n++]!;
    return out;
  }

  /**
   * The `k` vectors with the highest dot product, best first, of all or of some ids: exact. Of equal ones the earlier row.
   *
   * `threads`: by default as many as the machine runs at once, 8 at most, where all of a table of 32 MB and more is scored;
   * the caller waits for them.
   *
   * @throws as {@link dot}. Cost: one pass over the vectors, at the speed of memory.
   */
  topK(
    query: Float32Array,
    k: number,
    options?: { ids?: ArrayLike<TableId>; threads?: number },
  ): { id: TableId; score: number }[] {
    const vectors = this.#scored(query);
    countOption('k', k, 0, 2 ** 31 - 1);
    const given = optionsObject('options', options, ['ids', 'threads']);
    const ids = given['ids'] as ArrayLike<TableId> | undefined;
    const threads =
      given['threads'] === undefined
        ? threadsFor(this.size * this.#version.vectors.BYTES_PER_ELEMENT * this.dimensions)
        : countOption('options.threads', given['threads'], 1, 64);
    if (ids !== undefined) {
      const scores = this.dot(query, ids);
      return Array.from(ids, (id, i) => ({ id, score: scores[i]!, i }))
        .filter(({ score }) => !Number.isNaN(score))
        .sort((a, b) => b.score - a.score || a.i - b.i)
        .slice(0, k)
        .map(({ id, score }) => ({ id, score }));
    }
    const wanted = Math.min(k, this.size);
    const places = new Float64Array(wanted);
    const scores = new Float32Array(wanted);
    const found = this.#watched(() => native.tableTopK(...vectors, query, places, scores, threads));
    return Array.from({ length: found }, (_, i) => ({ id: this.#version.idOf(places[i]!), score: scores[i]! }));
  }

  /** The vectors as native code takes them. */
  #scored(query: Float32Array): NativeVectors {
    const { dimensions, native: vectors } = this.#version;
    if (!(query instanceof Float32Array)) throw typeError('query', 'a Float32Array', query);
    if (query.length !== dimensions) throw rangeError('query.length', `${dimensions}`, query.length);
    return vectors();
  }

  /** Runs native code over the file's pages; says which file was cut. */
  #watched<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_WEIGHTS_CHANGED' || error instanceof WeightsError) throw error;
      throw new WeightsError('ERR_WEIGHTS_CHANGED', (error as Error).message, this.#version.weights.path);
    }
  }

  #placesOf(ids: ArrayLike<TableId>): Int32Array {
    return this.#watched(() => this.#version.index.rowsOf(ids));
  }

  /**
   * Goes over to another file: from now on every call answers from it. Rows that are held stay as they are, and their file
   * stays mapped until the last of them goes.
   *
   * Rejects as `open`, or with a RangeError for other dimensions or elements; the table stays what it was then.
   */
  async swap(path: string): Promise<void> {
    const next = await versionOf(path);
    const { dimensions, dtype, texts } = this.#version;
    if (next.dimensions !== dimensions || next.dtype !== dtype || next.texts !== texts) {
      next.weights.close();
      throw rangeError(
        'path',
        `a table of ${dtype}[${dimensions}] by ${texts ? 'texts' : 'numbers'}`,
        `${next.dtype}[${next.dimensions}]`,
      );
    }
    this.#version = next;
    this.#hotIds.fill(Number.NaN);
    this.#hotRows.fill(undefined);
  }

  /** Empties all rows of the file that is in use, and gives its address space back. */
  close(): void {
    const { weights } = this.#version;
    weights.close();
    const closed = () => {
      throw new WeightsError('ERR_WEIGHTS_CLOSED', 'it was closed', weights.path);
    };
    const index = { slots: new Int32Array(0), rowOf: closed, rowsOf: closed };
    this.#version = { ...this.#version, index, native: closed };
    this.#hotIds.fill(Number.NaN);
    this.#hotRows.fill(undefined);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #rowOf(id: TableId): number {
    const { index, texts } = this.#version;
    if (texts) {
      if (typeof id !== 'string') throw typeError('id', 'a string', id);
      return (index as IdIndex<string>).rowOf(id);
    }
    if (typeof id !== 'number') throw typeError('id', 'a number', id);
    if ((id | 0) !== id && !Number.isSafeInteger(id)) return -1;
    return (index as IdIndex<number>).rowOf(id);
  }
}

/** Below some MB a thread takes longer to start than the work. */
const threadsFor = (bytes: number) => (bytes < 32e6 ? 1 : Math.min(8, availableParallelism()));

/** Of the rows that are there. */
function meanOf(rows: Float32Array, places: Int32Array, dimensions: number): Float32Array {
  const sums = new Float64Array(dimensions);
  let count = 0;
  for (let i = 0; i < places.length; ++i) {
    if (places[i]! < 0) continue;
    ++count;
    for (let d = 0; d < dimensions; ++d) sums[d]! += rows[i * dimensions + d]!;
  }
  return Float32Array.from(sums, (sum) => (count === 0 ? 0 : sum / count));
}

async function versionOf(path: string): Promise<Version> {
  const weights = await Weights.open(path);
  try {
    return readVersion(weights);
  } catch (error) {
    weights.close();
    throw error;
  }
}

function readVersion(weights: Weights): Version {
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
  const given = slotsOf(weights.tensors.get('index'), wrong);
  const rows = rowsOf(vectors);
  const type = DTYPES.indexOf(vectors.dtype);
  const { begin } = vectors.place;
  const scaled = scales === undefined ? 0 : weights.tensor('scales').place.begin;
  const forNative = (): NativeVectors => [vectors.file.handle, begin, type, dimensions, size, scaled];
  const common = {
    weights,
    vectors: rows,
    viewOf: viewsOf(rows, dimensions),
    scales,
    size,
    dimensions,
    dtype: vectors.dtype,
    native: forNative,
  };
  const ends = weights.tensors.get('ids.ends');
  if (ends === undefined) {
    const words = wordsOf(ids, size, wrong);
    const idOf = (row: number) => words[2 * row + 1]! * 2 ** 32 + (words[2 * row]! >>> 0);
    return { ...common, texts: false, idOf, index: indexOf(() => new IntegerIndex(words, given), wrong) };
  }
  const [bytes, places] = textsOf(ids, ends, size, wrong);
  const idOf = (row: number) => Buffer.from(bytes.subarray(row === 0 ? 0 : places[row - 1]!, places[row]!)).toString();
  return { ...common, texts: true, idOf, index: indexOf(() => new TextIndex(bytes, places, given), wrong) };
}

/** An id twice is the file's fault here, not the caller's. */
function indexOf<Index>(make: () => Index, wrong: (message: string) => WeightsError): Index {
  try {
    return make();
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_OUT_OF_RANGE') throw error;
    throw wrong((error as Error).message);
  }
}

/** The elements; of F16 their bits, on every Node. */
function rowsOf(vectors: WeightTensor): TableRow {
  const { data } = vectors;
  if (data instanceof Float32Array || data instanceof Int8Array || data instanceof Uint16Array) return data;
  return new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2);
}

/** The constructor itself: `subarray` takes twice as long. */
function viewsOf(rows: TableRow, dimensions: number): (row: number) => TableRow {
  const { buffer, byteOffset, BYTES_PER_ELEMENT } = rows;
  const rowBytes = dimensions * BYTES_PER_ELEMENT;
  if (rows instanceof Float32Array) return (row) => new Float32Array(buffer, byteOffset + row * rowBytes, dimensions);
  if (rows instanceof Int8Array) return (row) => new Int8Array(buffer, byteOffset + row * rowBytes, dimensions);
  return (row) => new Uint16Array(buffer, byteOffset + row * rowBytes, dimensions);
}

function wordsOf(ids: WeightTensor, size: number, wrong: (message: string) => WeightsError): Int32Array {
  if (ids.shape.length !== 1 || ids.shape[0] !== size)
    throw wrong(`ids: expected [${size}], found [${ids.shape.join(', ')}]`);
  const { buffer, byteOffset, byteLength } = ids.data;
  if (ids.dtype === 'I64' && byteOffset % 4 === 0) return new Int32Array(buffer, byteOffset, byteLength / 4);
  const words = new Int32Array(2 * size);
  if (ids.dtype === 'U32') {
    const lower = ids.data as Uint32Array;
    for (let row = 0; row < size; ++row) words[2 * row] = lower[row]!;
    return words;
  }
  if (ids.dtype === 'I64') {
    new Uint8Array(words.buffer).set(new Uint8Array(buffer, byteOffset, byteLength));
    return words;
  }
  throw wrong(`ids: expected U32 or I64, or the bytes of texts with ids.ends, found ${ids.dtype}`);
}

function textsOf(
  ids: WeightTensor,
  ends: WeightTensor,
  size: number,
  wrong: (message: string) => WeightsError,
): [Uint8Array, Float64Array] {
  if (ids.dtype !== 'U8' || ends.dtype !== 'F64' || ends.shape.length !== 1 || ends.shape[0] !== size)
    throw wrong(
      `ids of texts: expected U8 with ids.ends, F64 [${size}], found ${ids.dtype} and ${ends.dtype} [${ends.shape.join(', ')}]`,
    );
  const places = ends.data as Float64Array;
  let before = 0;
  for (let row = 0; row < size; ++row) {
    const end = places[row]!;
    if (!(Number.isInteger(end) && end >= before && end <= ids.bytes))
      throw wrong(`ids.ends[${row}]: ${end} is no place in ids after ${before}`);
    before = end;
  }
  return [ids.data as Uint8Array, places];
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

function slotsOf(index: WeightTensor | undefined, wrong: (message: string) => WeightsError): Int32Array | undefined {
  if (index === undefined) return undefined;
  const words = index.bytes / 4;
  if (index.dtype !== 'I32' || index.shape.length !== 2 || index.shape[1] !== 2 || !areSlots(words))
    throw wrong(`index: expected I32 [a power of two, 2], found ${index.dtype} [${index.shape.join(', ')}]`);
  return index.data as Int32Array;
}

function listed(contents: TableContents | Iterable<readonly [TableId, ArrayLike<number>]>): TableContents {
  if (typeof contents !== 'object' || contents === null)
    throw typeError('contents', 'ids and vectors, or pairs of them', contents);
  if (!(Symbol.iterator in contents)) return contents;
  const ids: TableId[] = [];
  const vectors: ArrayLike<number>[] = [];
  for (const [id, vector] of contents) {
    ids.push(id);
    vectors.push(vector);
  }
  return { ids, vectors };
}

function tensorsOf(contents: TableContents): [string, WritableTensor][] {
  const { ids, scales } = contents;
  const { data, dimensions, dtype } = elementsOf(contents);
  const size = ids.length;
  if (data.length !== size * dimensions)
    throw rangeError('vectors', `${size * dimensions} elements for ${size} ids`, data.length);
  const tensors: [string, WritableTensor][] = [['vectors', { dtype, shape: [size, dimensions], data }]];
  if (scales !== undefined) {
    if (!(scales instanceof Float32Array) || scales.length !== size)
      throw rangeError('scales', `${size} of them`, scales.length);
    tensors.push(['scales', scales]);
  }
  const { named, slots } = idsOf(ids);
  tensors.push(...named, ['index', { dtype: 'int32', shape: [slots.length / 2, 2], data: slots }]);
  return tensors;
}

function elementsOf({ vectors, dimensions, dtype }: TableContents): {
  data: Float32Array | Int8Array | Uint16Array;
  dimensions: number;
  dtype: 'float32' | 'int8' | 'float16' | 'bfloat16';
} {
  if (Array.isArray(vectors)) {
    const wide = dimensions ?? (vectors[0] as ArrayLike<number> | undefined)?.length ?? 1;
    const data = new Float32Array(vectors.length * wide);
    for (const [i, vector] of (vectors as ArrayLike<number>[]).entries()) {
      if (vector?.length !== wide) throw rangeError(`vectors[${i}].length`, `${wide}`, vector?.length);
      data.set(vector, i * wide);
    }
    return { data, dimensions: wide, dtype: 'float32' };
  }
  if (typeof dimensions !== 'number' || !Number.isInteger(dimensions) || dimensions < 1)
    throw rangeError('dimensions', 'a whole number, 1 at least', dimensions);
  if (vectors instanceof Float32Array) return { data: vectors, dimensions, dtype: 'float32' };
  if (vectors instanceof Int8Array) return { data: vectors, dimensions, dtype: 'int8' };
  if (vectors instanceof Uint16Array)
    return { data: vectors, dimensions, dtype: dtype === 'BF16' ? 'bfloat16' : 'float16' };
  throw typeError('vectors', 'a Float32Array, Int8Array or Uint16Array, or an array of vectors', vectors);
}

function idsOf(ids: TableContents['ids']): { named: [string, WritableTensor][]; slots: Int32Array } {
  if (Array.isArray(ids) && ids.some((id) => typeof id === 'string')) {
    const texts = (ids as TableId[]).map((id, row) => {
      if (typeof id !== 'string' || !isWellFormed(id)) throw typeError(`ids[${row}]`, 'a text, as the others', id);
      return Buffer.from(id);
    });
    const bytes = new Uint8Array(Buffer.concat(texts));
    let at = 0;
    const ends = Float64Array.from(texts, ({ length }) => {
      at += length;
      return at;
    });
    const { slots } = new TextIndex(bytes, ends);
    return {
      named: [
        ['ids', bytes],
        ['ids.ends', ends],
      ],
      slots,
    };
  }
  const wide = new BigInt64Array(ids.length);
  for (let row = 0; row < ids.length; ++row) {
    const id = ids[row] as number | bigint;
    if (typeof id !== 'bigint' && !Number.isSafeInteger(id)) throw typeError(`ids[${row}]`, 'a safe integer', id);
    wide[row] = BigInt(id);
  }
  const { slots } = new IntegerIndex(new Int32Array(wide.buffer));
  return { named: [['ids', wide]], slots };
}
