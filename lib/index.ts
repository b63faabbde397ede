// First, so that what keeps the addon from being loaded is said before anything else can fail.
import './addon/native.js';
// Rooms that give caches options and methods: see cache/rooms.ts.
import './weights/attach.js';
import './model/attach.js';
import './observe/attach.js';
import './resp/attach.js';
import './tier/attach.js';

export type { DType } from './base/dtypes.js';
export { CacheError, type CacheErrorCode } from './base/errors.js';
export type { Duration, DurationText, Size, SizeText } from './base/options.js';
export type {
  Float16OrBits,
  ReadonlyFloat16Array,
  ReadonlyFloat32Array,
  ReadonlyFloat64Array,
  ReadonlyInt8Array,
  ReadonlyInt16Array,
  ReadonlyInt32Array,
  ReadonlyUint8Array,
  ReadonlyUint16Array,
  ReadonlyView,
  TypedArray,
} from './base/views.js';
export { Cache, type CacheCloseOptions, open } from './cache/cache.js';
export { bytes, type Codec, type CustomCodec, json, number, type Row, utf8 } from './cache/codecs.js';
export type { Entry, Eviction } from './cache/entry.js';
export type { EvictionEvent, RefusalEvent } from './cache/events.js';
export type { IntegerKeys, Key, KeyKind, KeyOf, Keys } from './cache/keys.js';
export type { Keyspace } from './cache/keyspace.js';
export {
  type CustomKeyspaceOptions,
  defaultMaxBytes,
  type KeyspaceBaseOptions,
  type KeyspaceOptions,
  type OpenOptions,
  type Policy,
  type SetOptions,
  type Verify,
} from './cache/options.js';
export type { CacheStats, KeyspaceStats } from './cache/stats.js';
export type { UpstreamCounts, UpstreamTotals } from './cache/upstreams.js';
export { float16, float32, float64, int8, int16, int32, type VectorCodec } from './cache/vectors.js';
export {
  type Computation,
  type ComputationIdentity,
  explain,
  Fingerprint,
  type Fingerprinter,
  type FingerprintOptions,
  Fingerprints,
  type PipelineComputation,
  PUBLIC,
  type Scope,
} from './fingerprint/fingerprint.js';
export { fingerprint, fingerprinter, fingerprintMany, pipelineFingerprint } from './fingerprint/native.js';
export type { TensorLike } from './fingerprint/tensors.js';
export type { AccessEvent } from './model/access-events.js';
export {
  type ArmStats,
  type Experiment,
  type ExperimentOptions,
  type ExperimentStats,
  experiment,
} from './model/experiment.js';
export type { TokenUsage } from './model/ledger.js';
export type { Model } from './model/model.js';
export type {
  CacheMode,
  CustomModelOptions,
  KeepInputsOptions,
  ModelBaseOptions,
  ModelOptions,
  PipelineOptions,
  PredictOptions,
  RunContext,
  RunOneContext,
  RunOneResult,
  Runs,
} from './model/options.js';
export type { Stage } from './model/pipeline.js';
export { type PromoteOptions, type Promotion, promote } from './model/promote.js';
export type { ModelReport, ModelStats, ReportOptions } from './model/report.js';
export { type ModelResult, type ResultOptions, type Results, type RunResult, result } from './model/results.js';
export type { RunEvent } from './model/run-events.js';
export { estimateSavings, type Savings, type SavingsOptions } from './model/savings.js';
export type { DrainOptions } from './model/under-way.js';
export type { Comparison, MismatchEvent, VerifyOptions } from './model/verification.js';
export { WORKLOADS, type Workload, type WorkloadFigures, type WorkloadSource } from './model/workloads.js';
export type { AdminOptions, ServeOptions, ServeTlsOptions } from './resp/options.js';
export { Server, type ServerCloseOptions, type ServerStats, serve } from './resp/serve.js';
export { TieredKeyspace, type TieredKeyspaceStats } from './tier/keyspace.js';
export type { DegradedEvent } from './tier/link.js';
export type {
  CustomTieredKeyspaceOptions,
  LoadContext,
  Loader,
  ModelTierOptions,
  TieredKeyspaceOptions,
  TierOptions,
  Upstream,
  UpstreamOptions,
} from './tier/options.js';
export type { UpstreamClient } from './tier/redis.js';
export type { UpstreamStats } from './tier/stats.js';
export type { SentinelOptions, UpstreamPlace } from './tier/targets.js';
export { type BlobContent, type BlobOpenOptions, Blobs, type BlobsOptions, MappedBlob } from './weights/blobs.js';
export type { TensorArray } from './weights/dtypes.js';
export { EmbeddingTable, type Missing } from './weights/embedding-table.js';
export { WeightsError, type WeightsErrorCode } from './weights/error.js';
export type { CloseOptions, WeightsPages, WeightsStrategy } from './weights/file.js';
export type { LoadOptions } from './weights/job.js';
export type { FilePath } from './weights/paths.js';
export type { RowDType, RowDTypeName, RowDTypeOf } from './weights/row-encoders.js';
export type { TableArray, TableOptions, TableRow } from './weights/table-file.js';
export type { TableContents, TableId, TableIds, TableRows, TableWriteOptions } from './weights/table-write.js';
export { WeightTensor } from './weights/tensor.js';
export { type ExternalDataFile, type Residency, Weights, type WeightsOptions } from './weights/weights.js';
export type { WritableTensor, WritableTensors, WriteOptions } from './weights/write.js';
