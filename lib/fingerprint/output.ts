// output.ts: JSON as bytes of UTF-8, written one token after another.
//
// Most tokens are a few ASCII characters. Putting their bytes into an array takes a fraction of the time of joining
// strings and encoding them.

import { rangeError } from '../base/options.js';

const POOL_BYTES = 2 ** 16;
const BYTES_MAX = 2 ** 31;
/** The engine escapes and encodes longer texts. */
const UNITS_ONE_BY_ONE_MAX = 256;
const UTF8_BYTES_PER_UNIT = 3;
const ESCAPED_BYTES_PER_UNIT = 6; // \u0000
/** Bytes that suffice for a text that is written unit by unit, and its quotes. */
const TEXT_BYTES_MAX = ESCAPED_BYTES_PER_UNIT * UNITS_ONE_BY_ONE_MAX + 2;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const ZERO = 0x30;

const encoder = new TextEncoder();
/** What JSON.stringify writes for each ASCII character. */
const ESCAPED: readonly string[] = Array.from({ length: 128 }, (_, code) =>
  JSON.stringify(String.fromCharCode(code)).slice(1, -1),
);

/**
 * The memory in which outputs lie one after another, and where the next one begins. None while one is being written.
 */
let pool: Uint8Array | undefined;
let poolAt = 0;

/**
 * Bytes before the text: its kind, and its length (framing.ts), which is one byte and up to 8 more.
 */
const HEAD_BYTES_MAX = 10;

/** The bytes of one value. {@link Output.end} leaves the rest of the memory to the next one. */
export class Output {
  #bytes: Uint8Array;
  #start: number;
  #at: number;

  constructor() {
    // Reading a value may run the caller's code, which may write another value. That one takes memory of its own.
    this.#bytes = pool ?? new Uint8Array(new ArrayBuffer(POOL_BYTES));
    this.#start = (pool === undefined ? 0 : poolAt) + HEAD_BYTES_MAX;
    this.#at = this.#start;
    pool = undefined;
  }

  /** The kind, the length, and what was written. Nothing else will be written there. */
  end(kind: number): Uint8Array {
    const bytes = this.#bytes;
    const end = this.#at;
    let from = this.#start;
    for (let bits = 8 * (end - this.#start); bits > 0 || from === this.#start; bits = Math.floor(bits / 256))
      bytes[--from] = bits % 256;
    const count = this.#start - from;
    bytes[--from] = count;
    bytes[--from] = kind;
    if (bytes.length - end > TEXT_BYTES_MAX) {
      pool = bytes;
      poolAt = end;
    }
    return bytes.subarray(from, end);
  }

  /** One ASCII character. */
  byte(code: number): void {
    if (this.#at === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#at++] = code;
  }

  /** An ASCII text, without quotes. */
  ascii(text: string): void {
    const { length } = text;
    this.#room(length);
    const to = this.#bytes;
    const at = this.#at;
    for (let i = 0; i < length; ++i) to[at + i] = text.charCodeAt(i);
    this.#at = at + length;
  }

  /** A finite number, as JSON.stringify writes it. */
  number(value: number): void {
    if ((value | 0) !== value) {
      this.ascii(`${value}`);
      return;
    }
    this.#room(11);
    const to = this.#bytes;
    let left = value;
    if (left < 0) {
      to[this.#at++] = MINUS;
      left = -left;
    }
    let digits = 1;
    for (let limit = 10; left >= limit; limit *= 10) ++digits;
    for (let at = this.#at + digits - 1; at >= this.#at; --at) {
      const rest = Math.floor(left / 10);
      to[at] = ZERO + (left - 10 * rest);
      left = rest;
    }
    this.#at += digits;
  }

  /** A text in quotes, if it is short ASCII and needs no escapes; otherwise false. */
  plainText(text: string): boolean {
    const { length } = text;
    if (length > UNITS_ONE_BY_ONE_MAX) return false;
    this.#room(length + 2);
    const to = this.#bytes;
    const at = this.#at + 1;
    for (let i = 0; i < length; ++i) {
      const code = text.charCodeAt(i);
      if (code < 0x20 || code > 0x7f || code === QUOTE || code === BACKSLASH) return false;
      to[at + i] = code;
    }
    to[at - 1] = QUOTE;
    to[at + length] = QUOTE;
    this.#at = at + length + 1;
    return true;
  }

  /** Any text in quotes that has no lone surrogates, escaped as by JSON.stringify. */
  text(text: string): void {
    if (text.length > UNITS_ONE_BY_ONE_MAX) this.#longText(text);
    else this.#shortText(text);
  }

  #shortText(text: string): void {
    this.#room(TEXT_BYTES_MAX);
    const to = this.#bytes;
    let at = this.#at;
    to[at++] = QUOTE;
    for (let i = 0; i < text.length; ++i) {
      const code = text.charCodeAt(i);
      if (code >= 0x20 && code < 0x80 && code !== QUOTE && code !== BACKSLASH) to[at++] = code;
      else if (code < 0x80) {
        const escaped = ESCAPED[code]!;
        for (let n = 0; n < escaped.length; ++n) to[at++] = escaped.charCodeAt(n);
      } else if (code < 0x800) {
        to[at++] = 0xc0 | (code >> 6);
        to[at++] = 0x80 | (code & 63);
      } else if (code < 0xd800 || code > 0xdfff) {
        to[at++] = 0xe0 | (code >> 12);
        to[at++] = 0x80 | ((code >> 6) & 63);
        to[at++] = 0x80 | (code & 63);
      } else {
        const point = text.codePointAt(i++)!;
        to[at++] = 0xf0 | (point >> 18);
        to[at++] = 0x80 | ((point >> 12) & 63);
        to[at++] = 0x80 | ((point >> 6) & 63);
        to[at++] = 0x80 | (point & 63);
      }
    }
    to[at++] = QUOTE;
    this.#at = at;
  }

  #longText(text: string): void {
    const escaped = JSON.stringify(text);
    this.#room(escaped.length);
    let { read, written } = encoder.encodeInto(escaped, this.#bytes.subarray(this.#at));
    this.#at += written;
    if (read === escaped.length) return;
    const rest = escaped.slice(read);
    this.#room(rest.length * UTF8_BYTES_PER_UNIT);
    ({ read, written } = encoder.encodeInto(rest, this.#bytes.subarray(this.#at)));
    this.#at += written;
  }

  #room(count: number): void {
    if (this.#bytes.length - this.#at < count) this.#grow(count);
  }

  #grow(count: number): void {
    const from = this.#start - HEAD_BYTES_MAX;
    const needed = this.#at - from + count;
    if (needed > BYTES_MAX) throw rangeError('input', `at most ${BYTES_MAX} bytes of JSON`, needed);
    const bytes = new Uint8Array(new ArrayBuffer(Math.max(2 * needed, POOL_BYTES)));
    bytes.set(this.#bytes.subarray(from, this.#at));
    this.#bytes = bytes;
    this.#at -= from;
    this.#start = HEAD_BYTES_MAX;
  }
}
