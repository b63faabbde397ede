// native.ts: fingerprints by the addon.

import { createFingerprinting } from './fingerprint.js';
import { nativeHasher } from './native-hasher.js';

export const { fingerprint, fingerprinter, fingerprintMany, pipelineFingerprint } = createFingerprinting(nativeHasher);
