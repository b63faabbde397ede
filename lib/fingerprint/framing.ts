// framing.ts: how fields are framed before they are hashed (NIST SP 800-185, 2.3). Each begins with its length, so no
// two lists of fields have the same bytes. docs/FINGERPRINT.md says which fields there are.

/** Bytes of a block of SHA3-256. */
export const RATE = 136;

const encoder = new TextEncoder();

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** One byte that says how many bytes the number has, then these bytes, the highest first. */
export function leftEncode(number: number): Uint8Array {
  const bytes: number[] = [];
  for (let left = number; left > 0; left = Math.floor(left / 256)) bytes.unshift(left % 256);
  if (bytes.length === 0) bytes.push(0);
  return Uint8Array.of(bytes.length, ...bytes);
}

/** The length of the bytes, in bits, and then the bytes. */
export function framed(bytes: Uint8Array): Uint8Array {
  return concat([leftEncode(bytes.length * 8), bytes]);
}

/** The rate, then the bytes, then zeros up to a multiple of the rate. */
export function padded(bytes: Uint8Array): Uint8Array {
  const rate = leftEncode(RATE);
  const out = new Uint8Array(Math.ceil((rate.length + bytes.length) / RATE) * RATE);
  out.set(rate);
  out.set(bytes, rate.length);
  return out;
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
