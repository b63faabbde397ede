// The ES module face of the package. It re-exports the CommonJS build, so that a program that uses both has one
// CacheError class and one set of open caches.
export {
  bytes,
  Cache,
  CacheError,
  type CacheErrorCode,
  type CacheStats,
  type Codec,
  defaultMaxBytes,
  float32,
  type Key,
  type Keyspace,
  type KeyspaceOptions,
  type OpenOptions,
  open,
  type ReadonlyFloat32Array,
  type ReadonlyUint8Array,
  type ReadonlyView,
  type Size,
  type Verify,
} from './index.js';
