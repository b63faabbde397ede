// access-log.ts: reads access logs: what was asked of a cache, a line a request, as docs/CLI.md specifies it.
//
//   JSON lines   {"time":1764480000.5,"key":"prompt:17","bytes":4096,"cost":0.12,"ttl":3600}
//   CSV          time,key,bytes,cost,ttl       the first line names the columns, in any order
//
// Either may be packed by gzip. Only `key` must be there. The first line of JSON may be a head, which says what share of
// all keys the log has. A log is read as a stream; a last line without an end is one that was being written, and left
// out.

import { createReadStream } from 'node:fs';
import { pipeline, Readable } from 'node:stream';
import { shown } from './print.js';

export const STANDARD_INPUT = '-';
const LOG_FORMAT = 'zerohop-access-log';

/** One request. What is undefined is not known. Times are in ms. */
export interface LoggedRequest {
  readonly key: string | Buffer;
  readonly timeMs: number | undefined;
  readonly bytes: number | undefined;
  readonly costMs: number | undefined;
  readonly ttlMs: number | undefined;
}

export interface LogHead {
  /** The share of all keys that the log has; each with all its requests. */
  readonly share: number;
}

const LINE_BYTES_MAX = 2 ** 20;
const GZIP = [0x1f, 0x8b];
const LF = 0x0a;

type Raw = Readonly<Record<string, unknown>>;

/**
 * Reads a log, and gives each request to `take`. Returns what its head says.
 *
 * @throws {Error} a line is no request: the message has the file and the line.
 */
export async function readAccessLog(file: string, take: (request: LoggedRequest) => void): Promise<LogHead> {
  let share = 1;
  let line = 0;
  let parse: ((text: string) => Raw | undefined) | undefined;
  for await (const { text, ended } of linesOf(file)) {
    ++line;
    if (text.trim() === '') continue;
    try {
      parse ??= text.startsWith('{') ? parseJson : csvBy(text);
      const raw = parse(text);
      if (raw === undefined) continue;
      if (raw['format'] === LOG_FORMAT) share = shareOf(raw);
      else take(requestOf(raw));
    } catch (error) {
      if (!ended) break;
      throw new Error(`${shown(file)}:${line}: ${(error as Error).message}`);
    }
  }
  return { share };
}

function parseJson(text: string): Raw {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('expected a JSON object on each line');
  }
  if (typeof value !== 'object' || value === null) throw new Error('expected a JSON object on each line');
  return value as Raw;
}

/** A reader of lines with the columns of the first one, which itself is no request. */
function csvBy(head: string): (text: string) => Raw | undefined {
  const columns = fieldsOf(head.replace(/^\ufeff/, '')).map((name) => name.trim().toLowerCase());
  if (!columns.includes('key'))
    throw new Error('expected JSON lines, or CSV whose first line names its columns, one of them "key"');
  let first = true;
  return (text) => {
    if (first) {
      first = false;
      return undefined;
    }
    const fields = fieldsOf(text);
    if (fields.length !== columns.length) throw new Error(`expected ${columns.length} fields, found ${fields.length}`);
    return Object.fromEntries(
      columns.map((name, i) => [name, fields[i] === '' && name !== 'key' ? undefined : fields[i]]),
    );
  };
}

const FIELD = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;

/** The fields of a line, as RFC 4180 quotes them. A field has no line end. */
function fieldsOf(line: string): string[] {
  const fields: string[] = [];
  FIELD.lastIndex = 0;
  for (;;) {
    const found = FIELD.exec(line);
    if (found === null) throw new Error('a quote that is not closed, or within a field');
    fields.push(found[1]?.replaceAll('""', '"') ?? found[2]!);
    if (found[3] === '') return fields;
  }
}

function shareOf({ share }: Raw): number {
  const number = share === undefined ? 1 : Number(share);
  if (!(number > 0 && number <= 1)) throw new Error('share: expected a number above 0, 1 at most');
  return number;
}

function requestOf(raw: Raw): LoggedRequest {
  return {
    key: keyOf(raw['key']),
    timeMs: timeOf(raw['time']),
    bytes: amountOf('bytes', raw['bytes'], 1),
    costMs: amountOf('cost', raw['cost'], 1000),
    ttlMs: amountOf('ttl', raw['ttl'], 1000),
  };
}

/** A text, or `{"base64": "…"}`, as all commands print keys that are no UTF-8. */
function keyOf(key: unknown): string | Buffer {
  if (typeof key === 'string' && key !== '') return key;
  const base64 = (key as { base64?: unknown } | null | undefined)?.base64;
  if (typeof base64 === 'string' && base64 !== '') return Buffer.from(base64, 'base64');
  throw new Error('key: expected a text that is not empty, or {"base64": "…"}');
}

function timeOf(time: unknown): number | undefined {
  if (time === undefined || time === null) return undefined;
  const ms = Number(time) * 1000;
  const read = Number.isFinite(ms) ? ms : Date.parse(String(time));
  if (!Number.isFinite(read)) throw new Error('time: expected seconds since 1970, or an ISO date');
  return read;
}

function amountOf(name: string, value: unknown, unit: number): number | undefined {
  if (value === undefined || value === null) return undefined;
  const amount = Number(value) * unit;
  if (!(amount >= 0 && amount < Number.POSITIVE_INFINITY)) throw new Error(`${name}: expected a number, 0 or more`);
  return amount;
}

/** Lines, unpacked. `ended`: false for one that the file ends in. */
async function* linesOf(file: string): AsyncGenerator<{ text: string; ended: boolean }> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of await unpacked(file)) {
    const bytes = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
    let from = 0;
    for (let end = bytes.indexOf(LF); end >= 0; end = bytes.indexOf(LF, from)) {
      yield { text: bytes.toString('utf8', from, end).replace(/\r$/, ''), ended: true };
      from = end + 1;
    }
    rest = bytes.subarray(from);
    if (rest.length > LINE_BYTES_MAX) throw new Error(`${shown(file)}: a line of more than 1 MB`);
  }
  if (rest.length > 0) yield { text: rest.toString(), ended: false };
}

/** The bytes of the file, or of standard input; if they begin as gzip does, unpacked. */
async function unpacked(file: string): Promise<AsyncIterable<unknown>> {
  const stream: Readable = file === STANDARD_INPUT ? process.stdin : createReadStream(file);
  const iterator = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const { value, done } = await iterator.next();
  const first = done ? Buffer.alloc(0) : Buffer.from(value);
  const whole = Readable.from(joined(first, iterator));
  if (first[0] !== GZIP[0] || first[1] !== GZIP[1]) return whole;
  const { createGunzip } = await import('node:zlib');
  return pipeline(whole, createGunzip(), () => {}); // an error comes out of what is read
}

async function* joined(first: Buffer, others: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  if (first.length > 0) yield first;
  for (let next = await others.next(); !next.done; next = await others.next()) yield next.value;
}
