// gguf-values.ts: values of a GGUF file's metadata, from their places in the file.

import type { WeightsFile } from './file.js';

/** Type, element type, count, begin and end, as in native/weights/gguf.h. */
export type GgufPlace = [type: number, element: number, count: number, begin: number, end: number];

const STRING = 8;
const ARRAY = 9;

/** Readers of one number, by type. Those of 64 bits give a bigint if a number would not be exact. */
const NUMBERS: Record<number, { bytes: number; read(view: DataView, at: number): number | bigint | boolean }> = {
  0: { bytes: 1, read: (view, at) => view.getUint8(at) },
  1: { bytes: 1, read: (view, at) => view.getInt8(at) },
  2: { bytes: 2, read: (view, at) => view.getUint16(at, true) },
  3: { bytes: 2, read: (view, at) => view.getInt16(at, true) },
  4: { bytes: 4, read: (view, at) => view.getUint32(at, true) },
  5: { bytes: 4, read: (view, at) => view.getInt32(at, true) },
  6: { bytes: 4, read: (view, at) => view.getFloat32(at, true) },
  7: { bytes: 1, read: (view, at) => view.getUint8(at) !== 0 },
  10: { bytes: 8, read: (view, at) => exact(view.getBigUint64(at, true)) },
  11: { bytes: 8, read: (view, at) => exact(view.getBigInt64(at, true)) },
  12: { bytes: 8, read: (view, at) => view.getFloat64(at, true) },
};

const exact = (integer: bigint) => (Number.isSafeInteger(Number(integer)) ? Number(integer) : integer);

/** A number, boolean, text, or a list of such. Bytes of a text that are not UTF-8 become U+FFFD. */
export function ggufValue(file: WeightsFile, [type, element, count, begin, end]: GgufPlace): unknown {
  const bytes = Buffer.alloc(end - begin);
  file.read(begin, bytes);
  if (type === STRING) return bytes.toString('utf8');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (type !== ARRAY) return NUMBERS[type]!.read(view, 0);
  if (element === STRING) return texts(bytes, view, count);
  const { bytes: each, read } = NUMBERS[element]!;
  return Array.from({ length: count }, (_, i) => read(view, i * each));
}

function texts(bytes: Buffer, view: DataView, count: number): string[] {
  const list: string[] = [];
  for (let i = 0, at = 0; i < count; ++i) {
    const length = Number(view.getBigUint64(at, true));
    list.push(bytes.toString('utf8', at + 8, at + 8 + length));
    at += 8 + length;
  }
  return list;
}
