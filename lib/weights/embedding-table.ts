// embedding-table.ts: vectors by id, over a mapped safetensors file: one copy in memory for all workers and processes
// that open it.

import { availableParallelism } from 'node:os';
import { native } from '../addon/native.js';
import { brand, isFloat32Array, isTypedArray } from '../base/kinds.js';
import { countOption, optionsObject, rangeError, typeError } from '../base/options.js';
import type { ReadonlyFloat32Array } from '../base/views.js';
import type { KeyKind } from '../cache/keys.js';
import { WeightsError } from './error.js';
import type { CloseOptions } from './file.js';
import { type IdIndex, plainIds } from './id-index.js';
import type { FilePath } from './paths.js';
import { firstOf, type RowDType, type RowDTypeName, type RowDTypeOf } from './row-encoders.js';
import { openTable, type TableArray, type TableFile, type TableOptions, type TableRow } from './table-file.js';
import {
  type TableContents,
  type TableId,
  type TableIds,
  type TableRows,
  type TableWriteOptions,
  writeTable,
} from './table-write.js';
import type { Residency, WeightsOptions } from './weights.js';

/** What fills missing rows: zeros, the mean of the rows that are there, or nothing. */
export type Missing = 'zero' | 'mean' | 'leave';

const TABLE_OPTIONS = ['strategy', 'pages', 'signal', 'dtype', 'ids'] as const;

/** How many rows that were asked for lately are kept, by a hash of their id. */
const HOT_BITS = 12;
const HOT = 2 ** HOT_BITS;
const GOLDEN = 0x9e3779b1;

/**
 * Vectors by id. Made by {@link EmbeddingTable.open}.
 *
 * @typeParam D   the element type, if `open` was told it
 * @typeParam Id  the type of the ids, if `open` was told it
 */
export class EmbeddingTable<D extends RowDType = RowDType, Id extends TableId = TableId> {
  #file: TableFile;
  /** For `swap`. */
  readonly #pages: WeightsOptions;
  #askedIds = new Float64Array(HOT).fill(Number.NaN);
  #hotIds = new Float64Array(HOT).fill(Number.NaN);
  #hotRows: (TableRow<D> | undefined)[] = new Array<TableRow<D> | undefined>(HOT).fill(undefined);

  /**
   * Opens a table. With `dtype` and `ids` the types of its rows and ids are known.
   *
   * `pages: 'huge'` reads it into huge pages: rows at random places then take less time, but opening takes the time of
   * reading, and each open has a copy of its own ({@link WeightsOptions.pages}). It holds for `swap`, too.
   *
   * Rejects with a WeightsError that says what is wrong with the file; `ERR_WEIGHTS_TABLE`: it is not a table, or not
   * one with such elements or ids; with `signal`'s reason; with a TypeError for a wrong option.
   * @example const items = await EmbeddingTable.open('items.safetensors', { dtype: 'float32', ids: 'integer' })
   */
  static async open<Name extends RowDTypeName = RowDType, Kind extends KeyKind = KeyKind>(
    path: FilePath,
    options?: TableOptions<Name, Kind>,
  ): Promise<EmbeddingTable<RowDTypeOf<Name>, Kind extends 'integer' ? number : string>> {
    const { dtype, ids, signal, ...pages } = optionsObject('options', options, TABLE_OPTIONS) as TableOptions;
    const file = await openTable(path, { ...pages, signal }, { dtype, ids });
    return new EmbeddingTable<RowDTypeOf<Name>, Kind extends 'integer' ? number : string>(file, pages);
  }

  /**
   * Writes a table, atomically: whoever opens `path` sees the old file or the new one. At most some MiB of vectors are
   * in memory at a time. Ids stay in memory: some 30 bytes each, and the text itself. The contents must not change
   * until it is done.
   *
   * If `path` is a link, the file that it leads to is written. A file that is replaced keeps its permissions.
   *
   * Rejects with a TypeError or RangeError if the numbers of ids and vectors differ, if vectors have different
   * dimensions, for an id that comes twice, and for numbers that are not finite in the table's element type (see
   * `nonFinite`); with `signal`'s reason; with the error of the iterable; with errors of the file system as they are.
   * @example await EmbeddingTable.write('items.safetensors', { ids, vectors, dimensions: 384 })
   * @example await EmbeddingTable.write('items.safetensors', rowsOfTheDatabase(), { dtype: 'I8', onProgress })
   */
  static async write(path: FilePath, contents: TableContents | TableRows, options?: TableWriteOptions): Promise<void> {
    await writeTable(path, contents, options);
  }

  private constructor(file: TableFile, pages: WeightsOptions) {
    this.#file = file;
    this.#pages = pages;
  }

  get size(): number {
    return this.#file.size;
  }

  get dimensions(): number {
    return this.#file.dimensions;
  }

  /** The element type of the vectors, by its short name. */
  get dtype(): D {
    return this.#file.dtype as D;
  }

  /** How much of the file is in memory, and in huge pages, as {@link Weights.residency} says. */
  residency(): Residency {
    return this.#file.weights.residency();
  }

  has(id: Id): boolean {
    return this.#rowOf(id) >= 0;
  }

  /**
   * The vector of an id, over the file's own memory; undefined if there is none. It stays as it is for as long as you
   * hold it, also after `swap` and `close`. For F16 and BF16 it has the bits. Several calls may return the same view.
   */
  row(id: Id): TableRow<D> | undefined {
    const place = Math.imul(id as number, GOLDEN) >>> (32 - HOT_BITS); // 0 for a text: no number there equals it
    if (this.#hotIds[place] === id) return this.#hotRows[place];
    return this.#coldRow(id, place);
  }

  #coldRow(id: Id, place: number): TableRow<D> | undefined {
    const row = this.#rowOf(id);
    if (row < 0) return undefined;
    const found = this.#file.viewOf(row) as TableRow<D>;
    if (typeof id === 'number') {
      // Only a row that is asked for again is kept: views of other rows would make young collections slower.
      if (this.#askedIds[place] === id) {
        this.#hotIds[place] = id;
        this.#hotRows[place] = found;
      }
      this.#askedIds[place] = id;
    }
    return found;
  }

  rows(ids: TableIds<Id>): (TableRow<D> | undefined)[] {
    return Array.from(plainIds<Id>(ids), (id) => this.row(id));
  }

  /** The factor for the elements of an I8 row; 1 for other types. */
  scale(id: Id): number | undefined {
    const row = this.#rowOf(id);
    return row < 0 ? undefined : (this.#file.scales?.[row] ?? 1);
  }

  /**
   * Copies the vectors of many ids side by side into `out`, an array of the table's element type.
   *
   * @throws {TypeError}  `out` is another kind of array.
   * @throws {RangeError} `out` is too short; nothing was written.
   * @throws {WeightsError} `ERR_WEIGHTS_CHANGED`: the file was cut; a part of `out` was written.
   */
  gather(
    ids: TableIds<Id>,
    out: TableArray<D>,
    options?: { missing?: Missing | undefined },
  ): { hits: number; missing: number[] } {
    const { array, dimensions } = this.#file;
    const how = optionsObject('options', options, ['missing'])['missing'] ?? 'leave';
    if (how !== 'zero' && how !== 'mean' && how !== 'leave')
      throw typeError('options.missing', "'zero', 'mean' or 'leave'", how);
    if (how === 'mean' && array !== Float32Array)
      throw rangeError('options.missing', "'zero' or 'leave' of what is not F32", how);
    if (!isTypedArray(out, array.name)) throw typeError('out', `a ${array.name}`, out);
    const least = countOf(ids) * dimensions;
    if (out.length < least) throw rangeError('out.length', `at least ${least}`, out.length);
    const missing: number[] = [];
    const places = this.#placesOf(ids);
    for (let i = 0; i < places.length; ++i) if (places[i]! < 0) missing.push(i);
    this.#watched(() => native.tableGather(...this.#file.native(), places, out));
    const hits = places.length - missing.length;
    if (how !== 'leave' && missing.length > 0) {
      const filling = how === 'mean' ? meanOf(out as Float32Array, places, dimensions) : undefined;
      for (const i of missing)
        if (filling === undefined) out.fill(0, i * dimensions, (i + 1) * dimensions);
        else out.set(filling, i * dimensions);
    }
    return { hits, missing };
  }

  /**
   * Dot products of `query` with the vectors of many ids, without a copy of them. `out[i]` belongs to `ids[i]`. It is
   * NaN if the id is missing or the product is not finite. For vectors of length 1 the product is the cosine. Elements
   * of I8 are multiplied by their scale.
   *
   * @throws {TypeError | RangeError} `query` has other dimensions, or a number that is not finite; `out` is too short.
   * @throws {WeightsError} `ERR_WEIGHTS_CHANGED`: the file was cut.
   */
  dot(query: ReadonlyFloat32Array, ids: TableIds<Id>, out = new Float32Array(countOf(ids))): Float32Array {
    this.#checkQuery(query);
    if (!isFloat32Array(out)) throw typeError('out', 'a Float32Array', out);
    if (out.length < countOf(ids)) throw rangeError('out.length', `at least ${countOf(ids)}`, out.length);
    const places = this.#placesOf(ids);
    const vectors = this.#file.native(); // after the ids were read: a getter of theirs may have closed the file
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
   * The `k` vectors with the highest dot product, best first, among all or some ids. The search is exact. Of equal
   * products the earlier row comes first. Vectors whose product is not finite are left out.
   *
   * `threads`: by default 1 for a table below 32 MB, otherwise as many as the machine runs at once, 8 at most. The
   * caller waits for them. A search among some ids uses one thread.
   *
   * @throws as {@link dot}. Cost: one pass over the vectors, at the speed of memory.
   */
  topK(
    query: ReadonlyFloat32Array,
    k: number,
    options?: { ids?: TableIds<Id> | undefined; threads?: number | undefined },
  ): { id: Id; score: number }[] {
    this.#checkQuery(query);
    countOption('k', k, 0, 2 ** 31 - 1);
    const given = optionsObject('options', options, ['ids', 'threads']);
    const ids = given['ids'] as TableIds<Id> | undefined;
    const threads =
      given['threads'] === undefined
        ? threadsFor(this.#file.bytes)
        : countOption('options.threads', given['threads'], 1, 64);
    if (ids !== undefined) {
      countOf(ids);
      const list = Array.from(plainIds<Id>(ids)); // read once: it may give others the next time
      const scores = this.dot(query, list);
      return list
        .map((id, i) => ({ id, score: scores[i]!, i }))
        .filter(({ score }) => !Number.isNaN(score))
        .sort((a, b) => b.score - a.score || a.i - b.i)
        .slice(0, k)
        .map(({ id, score }) => ({ id, score }));
    }
    const wanted = Math.min(k, this.size);
    const places = new Float64Array(wanted);
    const scores = new Float32Array(wanted);
    const vectors = this.#file.native(); // after the options, as in `dot`
    const found = this.#watched(() => native.tableTopK(...vectors, query, places, scores, threads));
    return Array.from({ length: found }, (_, i) => ({ id: this.#file.idOf(places[i]!) as Id, score: scores[i]! }));
  }

  #checkQuery(query: ReadonlyFloat32Array): asserts query is Float32Array {
    const { dimensions } = this.#file;
    if (!isFloat32Array(query)) throw typeError('query', 'a Float32Array', query);
    if (query.length !== dimensions) throw rangeError('query.length', `${dimensions}`, query.length);
    const wrong = firstOf(query, 0, dimensions, Number.isFinite);
    if (wrong >= 0) throw rangeError(`query[${wrong}]`, 'a finite number', query[wrong]);
  }

  /** Runs native code over the file's pages. The error names the file that was cut, or says that a getter closed it. */
  #watched<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      this.#file.native();
      if ((error as { code?: string }).code !== 'ERR_WEIGHTS_CHANGED' || error instanceof WeightsError) throw error;
      throw new WeightsError('ERR_WEIGHTS_CHANGED', (error as Error).message, this.#file.weights.path);
    }
  }

  #placesOf(ids: ArrayLike<unknown>): Int32Array {
    return this.#watched(() => this.#file.index.rowsOf(ids));
  }

  /**
   * Switches to another file: from then on every call answers from it. Rows that you hold stay as they are. They keep
   * the memory of their file until the last of them is collected.
   *
   * Rejects as `open`, or with a RangeError if the new file has other dimensions or elements. The table then keeps its
   * file. Rejects with `ERR_WEIGHTS_CLOSED` if the table was closed, even meanwhile.
   */
  async swap(path: FilePath): Promise<void> {
    this.#file.native();
    const next = await openTable(path, this.#pages);
    try {
      this.#checkSwap(next);
    } catch (error) {
      next.weights.close({ now: true }); // nobody has seen a view of it
      throw error;
    }
    const last = this.#file;
    this.#file = next;
    last.weights.close();
    this.#hotIds.fill(Number.NaN);
    this.#hotRows.fill(undefined);
  }

  #checkSwap(next: TableFile): void {
    this.#file.native();
    const { dimensions, dtype, texts } = this.#file;
    if (next.dimensions !== dimensions || next.dtype !== dtype || next.texts !== texts)
      throw rangeError(
        'path',
        `a table of ${dtype}[${dimensions}] by ${texts ? 'texts' : 'numbers'}`,
        `${next.dtype}[${next.dimensions}]`,
      );
  }

  /**
   * Closes the file: every call that needs it throws `ERR_WEIGHTS_CLOSED`. Rows that were handed out stay as they are,
   * and keep the memory until the last of them is collected. A second call does nothing.
   *
   * @throws {TypeError} an unknown option.
   */
  close(options?: CloseOptions): void {
    const { weights } = this.#file;
    weights.close(options);
    const closed = () => {
      throw new WeightsError('ERR_WEIGHTS_CLOSED', 'it was closed', weights.path);
    };
    const index = { slots: new Int32Array(0), seed: '', rowOf: closed, rowsOf: closed };
    // Keeps nothing that holds the memory.
    this.#file = { ...this.#file, index, scales: undefined, viewOf: closed, idOf: closed, native: closed };
    this.#hotIds.fill(Number.NaN);
    this.#hotRows.fill(undefined);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #rowOf(id: Id): number {
    const { index, texts } = this.#file;
    if (texts) {
      if (typeof id !== 'string') throw typeError('id', 'a string', id);
      return this.#watched(() => (index as IdIndex<string>).rowOf(id));
    }
    if (typeof id !== 'number') throw typeError('id', 'a number', id);
    if ((id | 0) !== id && !Number.isSafeInteger(id)) return -1;
    return (index as IdIndex<number>).rowOf(id);
  }
}

brand(EmbeddingTable.prototype, 'EmbeddingTable');

/** @throws {TypeError} the ids are not a list, such as a Set, which has no length. */
function countOf(ids: ArrayLike<unknown>): number {
  const count: unknown = (ids as ArrayLike<unknown> | null | undefined)?.length;
  if (typeof ids === 'function' || !Number.isSafeInteger(count) || (count as number) < 0)
    throw typeError('ids', 'a list of ids', ids);
  return count as number;
}

/** Bytes. For a smaller table, starting a thread takes longer than the search (D63 in docs/DECISIONS.md). */
const threadsFor = (bytes: number) => (bytes < 32e6 ? 1 : Math.min(8, availableParallelism()));

/** The mean of the rows that are there. */
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
