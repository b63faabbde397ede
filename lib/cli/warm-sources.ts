// warm-sources.ts: where `zerohop warm` gets values: a server, or a table of embeddings; all keys of it, or a list.
//
// A source gives pages of entries. With each page comes a place behind it, from which another run may go on: the cursor
// of a SCAN, the number of a row, or that of a key in the list. A page of SCAN comes in several batches, of which only
// the last one has a place: so a run that was stopped within it begins the page again, which does no harm.

import { now } from '../base/time.js';
import type { RespClient } from '../resp/client.js';
import { RespError } from '../resp/error.js';

export interface WarmEntry {
  readonly key: Uint8Array;
  /** Without values, when nothing is stored: how long it is. */
  readonly value: Uint8Array | number;
  /** Undefined: it does not end. */
  readonly ttlMs: number | undefined;
}

export interface WarmBatch {
  readonly entries: readonly WarmEntry[];
  /** When they were read, on the clock of base/time.ts: what is left of a ttl counts from here. */
  readonly readMs: number;
  /** Keys that have no value, or none that is bytes. */
  readonly absent: number;
  /** Where to go on behind it; undefined: no place. */
  readonly place: string | undefined;
}

export interface WarmOptions {
  /** At most so many entries in a batch. */
  readonly count: number;
  /** Only sizes are read. */
  readonly sizesOnly: boolean;
}

export interface WarmSource {
  /** What tells it from others: a place belongs to one source. */
  readonly identity: string;
  /** How many keys there are; undefined: not known. */
  readonly total: number | undefined;
  /** @param place where to begin; undefined: at the beginning. */
  batches(place: string | undefined, options: WarmOptions): AsyncIterable<WarmBatch>;
  close(): void;
}

/** Values of a batch together, roughly. */
const BATCH_BYTES = 4 * 2 ** 20;
const SCAN_COUNT = 1000;
/** Where a SCAN begins and ends. */
const SCAN_END = '0';
/** Until the size of values is known. */
const FIRST_COUNT = 16;

/** All keys of a server that match a pattern; or those of a list. */
export class ServerSource implements WarmSource {
  readonly identity: string;
  readonly total: number | undefined;
  readonly #client: RespClient;
  readonly #keys: readonly Uint8Array[] | undefined;
  readonly #pattern: string;
  #bytes = 0;
  #values = 0;

  /** @param keys with what tells the list from others. */
  static async of(
    client: RespClient,
    database: string,
    pattern: string,
    keys: { readonly list: readonly Uint8Array[]; readonly identity: string } | undefined,
  ): Promise<ServerSource> {
    // Cursors are good for the process that gave them.
    const info = (await client.bytes('INFO', 'server')).toString();
    const run = /^run_id:(\S+)/m.exec(info)?.[1] ?? '';
    const what = keys?.identity ?? `${run} ${pattern}`;
    const total = keys === undefined && pattern === '*' ? await client.count('DBSIZE') : keys?.list.length;
    return new ServerSource(client, `${client.shown}/${database} ${what}`, total, pattern, keys?.list);
  }

  private constructor(
    client: RespClient,
    identity: string,
    total: number | undefined,
    pattern: string,
    keys: readonly Uint8Array[] | undefined,
  ) {
    this.#client = client;
    this.identity = identity;
    this.total = total;
    this.#pattern = pattern;
    this.#keys = keys;
  }

  async *batches(place: string | undefined, options: WarmOptions): AsyncGenerator<WarmBatch> {
    if (this.#keys === undefined) yield* this.#scanned(place ?? SCAN_END, options);
    else yield* this.#listed(this.#keys, Number(place ?? 0), options);
  }

  async *#listed(keys: readonly Uint8Array[], first: number, options: WarmOptions): AsyncGenerator<WarmBatch> {
    for (let from = first; from < keys.length; ) {
      const to = Math.min(keys.length, from + this.#countFor(options));
      yield await this.#batch(keys.slice(from, to), String(to), options);
      from = to;
    }
  }

  async *#scanned(first: string, options: WarmOptions): AsyncGenerator<WarmBatch> {
    let cursor = first;
    do {
      const page = await this.#client.call('SCAN', cursor, 'MATCH', this.#pattern, 'COUNT', SCAN_COUNT);
      const [next, keys] = page as [Buffer, Buffer[]];
      cursor = next.toString();
      let from = 0;
      do {
        const to = Math.min(keys.length, from + this.#countFor(options));
        const place = to === keys.length && cursor !== SCAN_END ? cursor : undefined;
        yield await this.#batch(keys.slice(from, to), place, options);
        from = to;
      } while (from < keys.length);
    } while (cursor !== SCAN_END);
  }

  /** So many that their values take about {@link BATCH_BYTES}. */
  #countFor({ count, sizesOnly }: WarmOptions): number {
    if (sizesOnly) return count;
    if (this.#values === 0) return Math.min(count, FIRST_COUNT);
    return Math.max(1, Math.min(count, Math.floor(BATCH_BYTES / Math.max(1, this.#bytes / this.#values))));
  }

  async #batch(keys: readonly Uint8Array[], place: string | undefined, { sizesOnly }: WarmOptions): Promise<WarmBatch> {
    const readMs = now();
    const replies = await Promise.all(
      keys.map((key) => Promise.all([this.#value(key, sizesOnly), this.#client.count('PTTL', key)])),
    );
    const entries: WarmEntry[] = [];
    for (const [i, [value, ttlMs]] of replies.entries()) {
      if (value === undefined || ttlMs === GONE) continue;
      entries.push({ key: keys[i]!, value, ttlMs: ttlMs < 0 ? undefined : ttlMs });
      this.#values++;
      this.#bytes += typeof value === 'number' ? value : value.length;
    }
    return { entries, readMs, absent: keys.length - entries.length, place };
  }

  /** Undefined: there is none, or it is a list, a hash or another thing that is no value here. */
  async #value(key: Uint8Array, sizesOnly: boolean): Promise<Uint8Array | number | undefined> {
    try {
      if (sizesOnly) return await this.#client.count('STRLEN', key);
      return ((await this.#client.call('GET', key)) as Buffer | null) ?? undefined;
    } catch (error) {
      if (error instanceof RespError && error.reply === 'WRONGTYPE') return undefined;
      throw error;
    }
  }

  close(): void {
    this.#client.close();
  }
}

/** What PTTL says of a key that is not there. */
const GONE = -2;

/** How ids of a table become keys, and rows values. */
export interface TableForm {
  /** The key of an id. */
  readonly keyOf: (id: number | string) => Uint8Array;
  /** Stores rows as they lie in the file; otherwise as float32. */
  readonly raw: boolean;
}

/** The rows of a table; or those of a list of ids. */
export async function tableSource(
  path: string,
  { keyOf, raw }: TableForm,
  ids: { readonly list: readonly string[]; readonly identity: string } | undefined,
): Promise<WarmSource> {
  const { statSync } = await import('node:fs');
  const { openTable } = await import('../weights/table-file.js');
  const table = await openTable(path);
  const { size, dimensions, dtype, scales, weights, texts } = table;
  const vectors = weights.tensor('vectors');
  const rowBytes = size === 0 ? 0 : vectors.bytes / size;
  const valueBytes = raw ? rowBytes : dimensions * FLOAT_BYTES;
  if (raw && dtype === 'I8')
    throw new Error(`${path}: its rows are bytes with a scale each, which they would be stored without`);
  const { mtimeMs } = statSync(weights.path);

  const rowOf = (row: number): Uint8Array => {
    const [begin, end] = [row * rowBytes, (row + 1) * rowBytes];
    if (raw) return bytesOf(table.viewOf(row));
    const floats = vectors.toFloat32(undefined, begin, end);
    const scale = scales?.[row];
    if (scale !== undefined) for (let i = 0; i < floats.length; ++i) floats[i]! *= scale;
    return bytesOf(floats);
  };
  const placeOf = (text: string): number => {
    if (texts) return (table.index as unknown as { rowOf(id: string): number }).rowOf(text);
    const id = Number(text);
    return Number.isSafeInteger(id) ? (table.index as unknown as { rowOf(id: number): number }).rowOf(id) : -1;
  };

  return {
    identity: `${weights.path} ${size} ${mtimeMs} ${ids?.identity ?? ''}`,
    total: ids?.list.length ?? size,
    async *batches(place, { count, sizesOnly }) {
      const most = Math.max(1, Math.min(count, Math.floor(BATCH_BYTES / Math.max(1, valueBytes))));
      const last = ids?.list.length ?? size;
      for (let from = Number(place ?? 0); from < last; from += most) {
        const to = Math.min(last, from + most);
        const entries: WarmEntry[] = [];
        for (let i = from; i < to; ++i) {
          const row = ids === undefined ? i : placeOf(ids.list[i]!);
          if (row < 0) continue;
          entries.push({
            key: keyOf(table.idOf(row)),
            value: sizesOnly ? valueBytes : rowOf(row),
            ttlMs: undefined,
          });
        }
        yield { entries, readMs: now(), absent: to - from - entries.length, place: String(to) };
      }
    },
    close: () => weights.close(),
  };
}

const FLOAT_BYTES = 4;

const bytesOf = (view: ArrayBufferView) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
