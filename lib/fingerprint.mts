// The ES module face of `zerohop/fingerprint`; see index.mts.
export {
  type Computation,
  type ComputationIdentity,
  type DType,
  explain,
  Fingerprint,
  type Fingerprinter,
  type FingerprintOptions,
  Fingerprints,
  fingerprint,
  fingerprinter,
  fingerprintMany,
  type PipelineComputation,
  PUBLIC,
  pipelineFingerprint,
  type Scope,
  type TensorLike,
} from './fingerprint.js';
