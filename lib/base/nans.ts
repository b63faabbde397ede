// nans.ts: the element types that have NaNs, by the numbers that native code knows them by (native/fingerprint/nans.h).
// Fingerprints made without the addon use the same numbers, so the list is kept apart from it.

export const NAN_KINDS = ['none', 'float64', 'float32', 'float16', 'bfloat16'] as const;
