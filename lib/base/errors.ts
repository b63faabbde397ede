/** Why an operation failed. Branch on `code`, never on `message`. Append only. */
export type CacheErrorCode =
  | 'ERR_CACHE_CLOSED' // any call after close()
  | 'ERR_CACHE_OPTIONS' // a name opened again with other options, or more scopes than maxBytes has room for
  | 'ERR_CACHE_NO_MEMORY' // the system refused memory
  | 'ERR_CACHE_IO' // the operating system refused something else
  | 'ERR_CACHE_ADDON' // the native addon is missing or does not load on this platform
  | 'ERR_CACHE_VALUE' // what is stored under a key is no value of the keyspace's codec: a server's client stored it
  | 'ERR_MODEL_NOT_CACHED' // predict with `only-if-cached`, and nothing is stored
  | 'ERR_MODEL_RESULT' // a model's `run` gave something else than one result for each input, or one that cannot be kept
  | 'ERR_MODEL_TIMEOUT' // a model's `run` took longer than its `timeout`
  | 'ERR_MODEL_DRAINED' // a model was drained: what is new is refused, and what took too long was given up
  | 'ERR_UPSTREAM_WRITE' // Redis may not have what was written; the message says why
  | 'ERR_UPSTREAM_LOADER' // a loader took longer than its time, or gave not one value for each key
  | 'ERR_CACHE_PEER' // a package that only this function needs is not installed; the message names it
  | 'ERR_CACHE_INTERNAL'; // a bug of ours: please report it with the message

/** An error of the world's or of ours. A caller's mistake is a TypeError or RangeError; a miss is no error. */
export class CacheError extends Error {
  override readonly name = 'CacheError';
  readonly code: CacheErrorCode;

  constructor(code: CacheErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}
