export {
  Cache,
  type CacheStats,
  defaultMaxBytes,
  type KeyspaceOptions,
  type OpenOptions,
  open,
  type Verify,
} from './cache.js';
export { bytes, type Codec, float32 } from './codecs.js';
export { CacheError, type CacheErrorCode } from './errors.js';
export type { Key, Keyspace } from './keyspace.js';
export type { Size } from './options.js';
export type { ReadonlyFloat32Array, ReadonlyUint8Array, ReadonlyView } from './views.js';
