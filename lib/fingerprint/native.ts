// native.ts: fingerprints by the addon.

import { createFingerprinting, type Fingerprinting } from './fingerprint.js';
import { nativeHasher } from './native-hasher.js';

export const { fingerprint, fingerprinter, fingerprintMany, pipelineFingerprint }: Fingerprinting =
  createFingerprinting(nativeHasher);
