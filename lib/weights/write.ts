// write.ts: writes safetensors files. The header is padded, so the data begin at a multiple of 64. The widest elements
// come first, so each tensor begins at a multiple of its element. The file is renamed into place when all of it is on
// the disk.

import { shortDType } from '../base/dtypes.js';
import { isAbortSignal, isUint8Array } from '../base/kinds.js';
import { isWellFormed, optionsObject, rangeError, textOption, typeError } from '../base/options.js';
import { elementBytes, type TensorLike, tensorOf } from '../fingerprint/tensors.js';
import { writeAtomically } from './atomic-file.js';
import { type FilePath, pathOption, targetOf } from './paths.js';

/** A tensor to write: a typed array, or `{ dtype, shape, data }`. */
export type WritableTensor = ArrayBufferView | TensorLike;

export type WritableTensors = Iterable<readonly [string, WritableTensor]> | Readonly<Record<string, WritableTensor>>;

export interface WriteOptions {
  /** Texts beside the tensors. */
  metadata?: Readonly<Record<string, string>> | undefined;
  /** Called after each piece, with the bytes of the tensors so far. */
  onProgress?: ((progress: { bytes: number; total: number }) => void) | undefined;
  /** Stops writing, and leaves nothing behind. */
  signal?: AbortSignal | undefined;
}

const DATA_ALIGN = 64;

interface Listed {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
  readonly element: number;
}

/** A tensor, as the header lists it. */
export interface TensorEntry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: number;
}

/** `Weights.write`. `mode`: the permissions of a new file, as in `writeAtomically`. */
export async function writeWeights(
  path: FilePath,
  tensors: WritableTensors,
  options?: WriteOptions,
  mode?: number,
): Promise<void> {
  const given = optionsObject('options', options, ['metadata', 'onProgress', 'signal']);
  const { onProgress, signal } = controlOf<{ bytes: number; total: number }>(given);
  if (typeof tensors !== 'object' || tensors === null) throw typeError('tensors', 'tensors by name', tensors);
  const pairs = Symbol.iterator in tensors ? tensors : Object.entries(tensors);
  const listed = Array.from(pairs as Iterable<readonly [string, WritableTensor]>, listedOf);
  if (new Set(listed.map(({ name }) => name)).size < listed.length)
    throw rangeError('tensors', 'each name once', listed.map(({ name }) => name).join(', '));
  // The widest elements first, then by name, so the same tensors make the same file.
  listed.sort((a, b) => b.element - a.element || (a.name < b.name ? -1 : 1));
  const header = headerOf(
    listed.map(({ bytes, ...entry }) => ({ ...entry, bytes: bytes.length })),
    metadataOf(given['metadata']),
  );
  const total = listed.reduce((sum, { bytes }) => sum + bytes.length, 0);
  let written = 0;
  const onPiece = (bytes: number) => {
    written += bytes;
    onProgress?.({ bytes: written, total });
  };
  const target = mode === undefined ? await targetOf(pathOption(path)) : { path: pathOption(path), kept: undefined };
  await writeAtomically(
    target.path,
    async (file) => {
      await file.append(header);
      for (const { bytes } of listed) await file.append(bytes, onPiece);
      checkWritten('tensors', file.end - header.length, total);
    },
    signal,
    mode,
    target.kept,
  );
}

/**
 * @throws {RangeError} bytes of the header's tensors are missing: arrays were detached or cut while they were written.
 */
export function checkWritten(name: string, bytes: number, expected: number): void {
  if (bytes !== expected) throw rangeError(name, `${expected} bytes until all are written`, bytes);
}

/** The listener, and the signal that stops it. */
export function controlOf<Progress>(given: Record<string, unknown>): {
  onProgress: ((progress: Progress) => void) | undefined;
  signal: AbortSignal | undefined;
} {
  const { onProgress, signal } = given;
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw typeError('options.onProgress', 'a function', onProgress);
  if (signal !== undefined && !isAbortSignal(signal)) throw typeError('options.signal', 'an AbortSignal', signal);
  return { onProgress: onProgress as ((progress: Progress) => void) | undefined, signal };
}

function listedOf(pair: readonly [string, WritableTensor]): Listed {
  if (!Array.isArray(pair)) throw typeError('tensors', '[name, tensor] for each', pair);
  const [name, value] = pair;
  const label = textOption('name', name, 65_535);
  if (label === '__metadata__') throw rangeError('name', 'another name than __metadata__', name);
  if (typeof value !== 'object' || value === null) throw typeError(`tensors.${label}`, 'a tensor', value);
  const tensor = tensorOf(value, () => `tensors.${label}`);
  if (tensor !== undefined) {
    const dtype = shortDType(tensor.dtype);
    return { name: label, dtype, element: elementBytes(tensor.dtype), shape: tensor.shape, bytes: tensor.bytes };
  }
  if (!isUint8Array(value)) throw typeError(`tensors.${label}`, 'a typed array, or { dtype, shape, data }', value);
  return { name: label, dtype: 'U8', shape: [value.length], bytes: value, element: 1 };
}

function metadataOf(metadata: unknown): Record<string, string> | undefined {
  if (metadata === undefined) return undefined;
  if (typeof metadata !== 'object' || metadata === null || Symbol.iterator in metadata)
    throw typeError('options.metadata', 'an object of texts', metadata);
  const texts = { ...(metadata as Record<string, string>) };
  for (const [name, text] of Object.entries(texts))
    if (typeof text !== 'string' || !isWellFormed(text) || !isWellFormed(name))
      throw typeError(`options.metadata.${name}`, 'a text', text);
  return texts;
}

/**
 * The header of a file whose tensors lie in this order, without a gap. It has at least so many bytes, so that it fills
 * the room that was left for it.
 */
export function headerOf(
  tensors: readonly TensorEntry[],
  metadata: Record<string, string> | undefined,
  bytesMin = 0,
): Uint8Array {
  const entries: [string, unknown][] = metadata === undefined ? [] : [['__metadata__', metadata]];
  let at = 0;
  for (const { name, dtype, shape, bytes } of tensors) {
    entries.push([name, { dtype, shape, data_offsets: [at, at + bytes] }]);
    at += bytes;
  }
  // Written by hand: an object would put names that are numbers first, and lose `__proto__`.
  const text = Buffer.from(
    `{${entries.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join()}}`,
  );
  const bytes = Math.max(bytesMin, Math.ceil((8 + text.length) / DATA_ALIGN) * DATA_ALIGN) - 8;
  const header = Buffer.alloc(8 + bytes, ' ');
  header.writeBigUInt64LE(BigInt(bytes));
  text.copy(header, 8);
  return header;
}
