// names.ts: the objects that a user gets: a fingerprint, or the fingerprints of a batch.

import { rangeError, typeError } from '../base/options.js';

/** Of SHA3-256. @internal */
export const DIGEST_BYTES = 32;
const HEX: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const BASE64URL = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** 32 bytes that name a computation. They can be a key wherever bytes can. */
export class Fingerprint extends Uint8Array<ArrayBuffer> {
  // A slice of its bytes is not a fingerprint. This is not done by Symbol.species, because making one would then take
  // three times as long.
  override slice(start?: number, end?: number): Uint8Array<ArrayBuffer> {
    return bytesOf(this).slice(start, end);
  }

  override subarray(start?: number, end?: number): Uint8Array<ArrayBuffer> {
    return bytesOf(this).subarray(start, end);
  }

  override map(change: (byte: number, i: number, all: this) => number, self?: unknown): Uint8Array<ArrayBuffer> {
    return bytesOf(this).map((byte, i) => change.call(self, byte, i, this));
  }

  override filter(keep: (byte: number, i: number, all: this) => unknown, self?: unknown): Uint8Array<ArrayBuffer> {
    return bytesOf(this).filter((byte, i) => keep.call(self, byte, i, this));
  }

  /** 64 digits. */
  get hex(): string {
    return hexOf(this);
  }

  /** 43 characters. */
  get base64url(): string {
    let text = '';
    for (let i = 0; i < this.length; i += 3) {
      const word = (this[i]! << 16) | ((this[i + 1] ?? 0) << 8) | (this[i + 2] ?? 0);
      const count = Math.min(4, this.length - i + 1);
      for (let digit = 0; digit < count; ++digit) text += BASE64URL[(word >> (18 - 6 * digit)) & 63];
    }
    return text;
  }

  override toString(): string {
    return this.hex;
  }

  toJSON(): string {
    return this.hex;
  }

  /** From 64 digits, or 43 characters of base64url. */
  static parse(text: string): Fingerprint {
    if (typeof text !== 'string') throw typeError('text', 'a string', text);
    const out = newFingerprint();
    if (/^[0-9a-fA-F]{64}$/.test(text)) {
      for (let i = 0; i < DIGEST_BYTES; ++i) out[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
      return out;
    }
    // Four bits of the last character count. The others must be 0, so that each fingerprint has one text.
    if (!/^[\w-]{42}[AEIMQUYcgkosw048]$/.test(text))
      throw rangeError('text', '64 hexadecimal digits, or 43 characters of base64url', text);
    for (let i = 0; i < DIGEST_BYTES; ++i) {
      const bit = 8 * i;
      const at = Math.floor(bit / 6);
      const word = (BASE64URL.indexOf(text[at]!) << 6) | BASE64URL.indexOf(text[at + 1]!);
      out[i] = (word >> (4 - (bit % 6))) & 255;
    }
    return out;
  }
}

const bytesOf = (of: Fingerprint) => new Uint8Array(of.buffer, of.byteOffset, of.length);

/** The fingerprints of a batch, in one piece of memory. Each becomes an object when it is asked for. */
export class Fingerprints implements Iterable<Fingerprint> {
  /** 32 bytes for each, in order. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly length: number;

  /** @param bytes 32 for each fingerprint */
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.bytes = bytes;
    this.length = bytes.length / DIGEST_BYTES;
  }

  at(i: number): Fingerprint | undefined {
    const place = i < 0 ? this.length + i : i;
    if (!(Number.isInteger(place) && place >= 0 && place < this.length)) return undefined;
    return new Fingerprint(this.bytes.buffer, this.bytes.byteOffset + place * DIGEST_BYTES, DIGEST_BYTES);
  }

  *[Symbol.iterator](): Iterator<Fingerprint> {
    for (let i = 0; i < this.length; ++i) yield this.at(i)!;
  }
}

/**
 * A fingerprint in the JavaScript heap, as all small typed arrays: that is cheaper than memory of its own. @internal
 */
export function newFingerprint(): Fingerprint {
  return new (Fingerprint as unknown as new (length: number) => Fingerprint)(DIGEST_BYTES);
}

// Node's own function takes a tenth of the time of the loop.
const hexSlice = (
  globalThis as { Buffer?: { prototype: { hexSlice?(this: Uint8Array, start: number, end: number): string } } }
).Buffer?.prototype.hexSlice;

/** @internal */
export function hexOf(bytes: Uint8Array): string {
  if (hexSlice !== undefined) return hexSlice.call(bytes, 0, bytes.length);
  let text = '';
  for (let i = 0; i < bytes.length; ++i) text += HEX[bytes[i]!];
  return text;
}
