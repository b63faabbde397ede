// error.ts: a file of weights that can not be believed, or is not what it was.

/** Why a file was refused. Branch on `code`, never on `message`. Append only. */
export type WeightsErrorCode =
  | 'ERR_WEIGHTS_OPEN' // no such file, no permission, no regular file, no address space
  | 'ERR_WEIGHTS_FORMAT' // neither safetensors nor GGUF
  | 'ERR_WEIGHTS_CHANGED' // cut or written to since it was opened
  | 'ERR_WEIGHTS_CLOSED' // used after close()
  | 'ERR_WEIGHTS_TENSOR' // no tensor of this name
  | 'ERR_WEIGHTS_WINDOW' // a tensor longer than this Node can show in one piece
  | 'ERR_WEIGHTS_SHARD' // a shard is missing, or does not hold what the index says
  | 'ERR_WEIGHTS_SHARD_NAME' // a shard's name is no plain file name
  | 'ERR_WEIGHTS_SPLIT' // GGUF in several files, which are not those that it says
  | 'ERR_WEIGHTS_TRUNCATED'
  | 'ERR_WEIGHTS_TRAILING'
  | 'ERR_WEIGHTS_HEADER_SIZE'
  | 'ERR_WEIGHTS_HEADER_UTF8'
  | 'ERR_WEIGHTS_HEADER_JSON'
  | 'ERR_WEIGHTS_DUPLICATE'
  | 'ERR_WEIGHTS_NAME'
  | 'ERR_WEIGHTS_DTYPE'
  | 'ERR_WEIGHTS_SHAPE'
  | 'ERR_WEIGHTS_OFFSETS'
  | 'ERR_WEIGHTS_SIZE'
  | (string & {}); // one for each lie that a header can tell: docs/WEIGHTS.md

/** A file that was refused, or is not what it was. */
export class WeightsError extends Error {
  override readonly name = 'WeightsError';
  readonly code: WeightsErrorCode;
  /** The file. */
  readonly path: string;
  /** The byte of the file at which it is wrong, where one can be told. */
  readonly offset: number | undefined;

  constructor(code: WeightsErrorCode, message: string, path: string, offset?: number) {
    super(`${path}: ${message}${offset === undefined ? '' : ` (byte ${offset})`}`);
    this.code = code;
    this.path = path;
    this.offset = offset;
  }
}
