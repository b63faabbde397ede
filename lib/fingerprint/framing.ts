// framing.ts: how fields are told apart before they are hashed (NIST SP 800-185, 2.3): lengths come first, so that no
// two lists of fields have the same bytes. docs/FINGERPRINT.md says which fields.

/** Bytes of a block of SHA3-256. */
export const RATE = 136;

const encoder = new TextEncoder();

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** A number's bytes, the highest first, behind how many they are. */
export function leftEncode(number: number): Uint8Array {
  const bytes: number[] = [];
  for (let left = number; left > 0; left = Math.floor(left / 256)) bytes.unshift(left % 256);
  if (bytes.length === 0) bytes.push(0);
  return Uint8Array.of(bytes.length, ...bytes);
}

/** Bytes behind their length in bits. */
export function framed(bytes: Uint8Array): Uint8Array {
  return concat([leftEncode(bytes.length * 8), bytes]);
}

/** Behind the rate, and with zeros up to a multiple of it. */
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
