// error.ts: the error for a file of weights that is wrong, or that changed.

import type { NativeRefusal } from '../addon/native.js';

/** Why a file was refused. Branch on `code`, never on `message`. docs/WEIGHTS.md says more. Append only. */
export type WeightsErrorCode =
  // The file system
  | 'ERR_WEIGHTS_NOT_FOUND' // no such file or folder
  | 'ERR_WEIGHTS_PERMISSION' // this user may not open it
  | 'ERR_WEIGHTS_NO_SPACE' // the file system is full, or the user's share of it
  | 'ERR_WEIGHTS_NO_MEMORY' // no memory, or no address space to map it
  | 'ERR_WEIGHTS_IO' // reading failed: the disk, or the network behind the file system
  | 'ERR_WEIGHTS_OPEN' // cannot be used for another reason: no regular file, empty, a link, another user's
  // Use
  | 'ERR_WEIGHTS_CHANGED' // cut or written to since it was opened
  | 'ERR_WEIGHTS_CLOSED' // used after close()
  | 'ERR_WEIGHTS_TENSOR' // no tensor of this name
  | 'ERR_WEIGHTS_WINDOW' // a tensor longer than this Node can show in one piece
  | 'ERR_WEIGHTS_DIGEST' // the digest is not computed yet
  | 'ERR_WEIGHTS_LOCK' // lock() needs more than `ulimit -l` allows
  // Contents
  | 'ERR_WEIGHTS_TRUNCATED' // the file ends within something
  | 'ERR_WEIGHTS_TRAILING' // the file goes on behind the last tensor
  | 'ERR_WEIGHTS_HEADER_SIZE' // safetensors: the header is too long
  | 'ERR_WEIGHTS_HEADER_UTF8' // safetensors: the header is not UTF-8
  | 'ERR_WEIGHTS_HEADER_JSON' // safetensors: the header is not JSON of the right form
  | 'ERR_WEIGHTS_COUNT' // more tensors, values or elements than there can be
  | 'ERR_WEIGHTS_DUPLICATE' // a name that comes twice
  | 'ERR_WEIGHTS_NAME' // a tensor's name that the format does not allow
  | 'ERR_WEIGHTS_DTYPE' // an unknown type of element
  | 'ERR_WEIGHTS_SHAPE' // too many dimensions or elements
  | 'ERR_WEIGHTS_OFFSETS' // tensors overlap, or leave a hole
  | 'ERR_WEIGHTS_SIZE' // another size than that of shape and type
  | 'ERR_WEIGHTS_MAGIC' // GGUF: the file does not begin with "GGUF"
  | 'ERR_WEIGHTS_VERSION' // GGUF: neither version 2 nor 3
  | 'ERR_WEIGHTS_ENDIANNESS' // GGUF: written for big-endian machines
  | 'ERR_WEIGHTS_KEY' // GGUF: a key that the format does not allow
  | 'ERR_WEIGHTS_VALUE' // GGUF: a value that the format does not allow
  | 'ERR_WEIGHTS_ALIGNMENT' // GGUF: an alignment of 0, or of another type
  | 'ERR_WEIGHTS_SPLIT' // GGUF in several files: the headers contradict the files
  | 'ERR_WEIGHTS_SHARD' // a shard does not hold the tensors that the index says
  | 'ERR_WEIGHTS_SHARD_NAME' // the name of a shard is not a plain file name
  | 'ERR_WEIGHTS_INDEX_SIZE' // an index of shards is too long
  | 'ERR_WEIGHTS_INDEX_UTF8' // an index of shards is not UTF-8
  | 'ERR_WEIGHTS_INDEX_JSON' // an index of shards is not JSON of the right form
  | 'ERR_WEIGHTS_TABLE'; // the file is not an embedding table

/** Codes by the operating system's own. */
const SYSTEM_CODES: Record<string, WeightsErrorCode> = {
  ENOENT: 'ERR_WEIGHTS_NOT_FOUND',
  ENOTDIR: 'ERR_WEIGHTS_NOT_FOUND',
  EACCES: 'ERR_WEIGHTS_PERMISSION',
  EPERM: 'ERR_WEIGHTS_PERMISSION',
  ENOSPC: 'ERR_WEIGHTS_NO_SPACE',
  EDQUOT: 'ERR_WEIGHTS_NO_SPACE',
  ENOMEM: 'ERR_WEIGHTS_NO_MEMORY',
  EIO: 'ERR_WEIGHTS_IO',
  ESTALE: 'ERR_WEIGHTS_IO',
  ETIMEDOUT: 'ERR_WEIGHTS_IO',
};

/** A file was refused, or changed. */
export class WeightsError extends Error {
  override readonly name = 'WeightsError';
  readonly code: WeightsErrorCode;
  /** The file. */
  readonly path: string;
  /** The byte at which the file is wrong, if one can be named. */
  readonly offset: number | undefined;

  constructor(code: WeightsErrorCode, message: string, path: string, offset?: number) {
    super(`${path}: ${message}${offset === undefined ? '' : ` (byte ${offset})`}`);
    this.code = code;
    this.path = path;
    this.offset = offset;
  }
}

/** The error for a refusal of native code. It has a place only if contents are wrong. @internal */
export function refused([code, message, offset]: NativeRefusal, path: string, placed = true): WeightsError {
  return new WeightsError(code as WeightsErrorCode, message, path, placed ? offset : undefined);
}

/** The error for one that a file system function of Node threw. @internal */
export function refusedBySystem(error: unknown, path: string): WeightsError {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return new WeightsError(SYSTEM_CODES[code] ?? 'ERR_WEIGHTS_OPEN', message, path);
}
