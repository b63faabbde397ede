// dtypes.ts: the names of element types. Each has two: a long one, as typed arrays and ONNX have it, and a short one,
// as files of weights have it. Whatever takes an element type takes either. What gives one back gives the short one,
// since files have types for which there is no other name, such as Q4_K.

const SHORT_NAMES = {
  float64: 'F64',
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  int64: 'I64',
  int32: 'I32',
  int16: 'I16',
  int8: 'I8',
  uint64: 'U64',
  uint32: 'U32',
  uint16: 'U16',
  uint8: 'U8',
  bool: 'BOOL',
} as const;

/** The long name of an element type. Fingerprints are made with it. */
export type LongDType = keyof typeof SHORT_NAMES;

/** The short name of an element type, as weights give it back. */
export type ShortDType = (typeof SHORT_NAMES)[LongDType];

/** An element type, by its long name or its short one: `'float32'` and `'F32'` are the same. */
export type DType = LongDType | ShortDType;

const LONG_NAMES = new Map<unknown, LongDType>(
  (Object.keys(SHORT_NAMES) as LongDType[]).flatMap((long): [string, LongDType][] => [
    [long, long],
    [SHORT_NAMES[long], long],
  ]),
);

/** The long name of an element type; undefined: it is neither a long name nor a short one. */
export const longDType = (name: unknown): LongDType | undefined => LONG_NAMES.get(name);

export const shortDType = (name: LongDType): ShortDType => SHORT_NAMES[name];
