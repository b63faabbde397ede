// fingerprint.ts: fingerprints without the addon, for edge workers, browsers and build tools: the package's entry
// `zerohop/fingerprint`. The results are those of `zerohop`.

import { createFingerprinting, type Fingerprinting } from './fingerprint/fingerprint.js';
import { pureHasher } from './fingerprint/pure-hasher.js';

export type { DType } from './base/dtypes.js';
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
export type { TensorLike } from './fingerprint/tensors.js';

export const { fingerprint, fingerprinter, fingerprintMany, pipelineFingerprint }: Fingerprinting =
  createFingerprinting(pureHasher);
