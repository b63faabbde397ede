// reply-parser.ts: the replies of a server in RESP2, read as their bytes come in.
//
// Each byte is looked at once, however the stream is cut: unfinished arrays wait on a stack, an unfinished string as
// the pieces of it that came.

import { RespError } from './error.js';

/** A string is bytes, a status is text. Integers beyond 2^53 are bigints. An error in an array stays in its place. */
export type Reply = Buffer | string | number | bigint | null | RespError | Reply[];

const LINE_BYTES_MAX = 64 * 1024;
const DEPTH_MAX = 32;
const LENGTH_MAX = 2 ** 39;
const CRLF_BYTES = 2;
const LF = 0x0a;
const CR = 0x0d;

interface Unfinished {
  readonly items: Reply[];
  missing: number;
}

export class ReplyParser {
  readonly #onReply: (reply: Reply) => void;
  readonly #arrays: Unfinished[] = [];
  #pieces: Buffer[] = [];
  /** Bytes that are still to come of a string and the line end behind it; 0: a line is read. */
  #missing = 0;
  #lineBytes = 0;

  constructor(onReply: (reply: Reply) => void) {
    this.#onReply = onReply;
  }

  /** @throws {RespError} `ERR_RESP_PROTOCOL`: what comes after it has no meaning. */
  push(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) at = this.#missing > 0 ? this.#string(chunk, at) : this.#line(chunk, at);
  }

  #string(chunk: Buffer, at: number): number {
    const end = Math.min(chunk.length, at + this.#missing);
    this.#pieces.push(chunk.subarray(at, end));
    this.#missing -= end - at;
    if (this.#missing > 0) return end;
    const bytes = this.#joined();
    if (bytes[bytes.length - 2] !== CR || bytes[bytes.length - 1] !== LF) throw wrong('a string without its end');
    this.#value(bytes.subarray(0, -CRLF_BYTES));
    return end;
  }

  #line(chunk: Buffer, at: number): number {
    const found = chunk.indexOf(LF, at);
    const end = found < 0 ? chunk.length : found + 1;
    this.#pieces.push(chunk.subarray(at, end));
    this.#lineBytes += end - at;
    if (this.#lineBytes > LINE_BYTES_MAX) throw wrong('a line that is too long');
    if (found < 0) return end;
    this.#lineBytes = 0;
    const line = this.#joined();
    if (line.length < 3 || line[line.length - 2] !== CR) throw wrong('a line without its end');
    this.#begin(String.fromCharCode(line[0]!), line.toString('utf8', 1, line.length - CRLF_BYTES));
    return end;
  }

  #joined(): Buffer {
    const whole = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces);
    this.#pieces = [];
    return whole;
  }

  #begin(type: string, text: string): void {
    if (type === '+') this.#value(text);
    else if (type === '-') this.#value(new RespError('ERR_RESP_REPLY', text));
    else if (type === ':') this.#value(numberOf(text));
    else if (text === '-1' && (type === '$' || type === '*')) this.#value(null);
    else if (type === '$') this.#missing = lengthOf(text) + CRLF_BYTES;
    else if (type !== '*') throw wrong(`a reply of the type ${JSON.stringify(type)}`);
    else if (lengthOf(text) === 0) this.#value([]);
    else if (this.#arrays.push({ items: [], missing: lengthOf(text) }) > DEPTH_MAX) throw wrong('arrays within arrays');
  }

  /** A value is there. It may be the last one of an array, which then is a value of the array around it. */
  #value(value: Reply): void {
    let whole = value;
    for (let around = this.#arrays.at(-1); around !== undefined; around = this.#arrays.at(-1)) {
      around.items.push(whole);
      if (--around.missing > 0) return;
      whole = around.items;
      this.#arrays.pop();
    }
    this.#onReply(whole);
  }
}

function numberOf(text: string): number | bigint {
  if (!/^-?\d{1,19}$/.test(text)) throw wrong(`${JSON.stringify(text.slice(0, 20))}, which is no whole number`);
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : BigInt(text);
}

function lengthOf(text: string): number {
  const length = Number(numberOf(text));
  if (length < 0 || length > LENGTH_MAX) throw wrong(`a length of ${length}`);
  return length;
}

function wrong(what: string): RespError {
  return new RespError('ERR_RESP_PROTOCOL', `the server sent ${what}: is it one that speaks Redis's protocol?`);
}
