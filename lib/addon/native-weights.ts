// native-weights.ts: the functions behind lib/weights. native/binding/weights_binding.cc, weights_header_binding.cc and
// tensors_binding.cc say what each does.

/** What the system knows of a file of weights. */
export interface NativeFileFacts {
  size: number;
  /** False: it must be read into memory of its own. */
  mapped: boolean;
  /** Whether it changed since it was opened. */
  changed: boolean;
  /** Changes with each write, whatever time a program set. */
  identity: string;
  /** The user's number, and the permission bits. */
  owner: number;
  mode: number;
  /** When its inode changed last, in ms since 1970. */
  changedMs: number;
}

/** The header of a file of weights. */
export interface NativeHeader {
  names: string[];
  dtypes: string[];
  /** Of each tensor, how many elements and bits a block has. */
  blocks: Float64Array;
  shapes: number[][];
  /** Begin and end of each tensor, in the file. */
  places: Float64Array;
  /** Texts. For GGUF the places of values: type, element type, count, begin and end. */
  metadata: ([string, string] | [string, number, number, number, number, number])[];
}

/** `type`: the place in ROW_TYPES. `scalesBegin`: 0 if there are no scales. */
export type NativeVectors = [
  file: unknown,
  begin: number,
  type: number,
  dimensions: number,
  rows: number,
  scalesBegin: number,
];

/** Why native code refused a file, and at which byte. */
export type NativeRefusal = [code: string, message: string, offset: number];

export interface NativeWeights {
  weightsOpen(path: string, strategy: number, follow: boolean): unknown;
  weightsFacts(file: unknown): NativeFileFacts;
  weightsParse(file: unknown): NativeHeader | NativeRefusal;
  weightsParseIndex(text: Uint8Array): [string, string][] | NativeRefusal;
  weightsSplitNames(name: string): string[] | undefined;
  weightsWindow(file: unknown, from: number, bytes: number): ArrayBuffer;
  accountExternal(bytes: number): void;
  weightsDetach(buffer: ArrayBuffer): boolean;
  weightsRelease(file: unknown, discard: boolean): void;
  weightsRead(file: unknown, from: number, out: Uint8Array): NativeRefusal | undefined;
  weightsCopy(file: unknown, from: number, out: Uint8Array): NativeRefusal | undefined;
  weightsResident(file: unknown): number;
  weightsHuge(files: readonly unknown[]): number;
  weightsAdvise(file: unknown, from: number, bytes: number): boolean;
  weightsLock(file: unknown): string | undefined;
  weightsDigest(
    file: unknown,
    begin: number,
    end: number,
    threads: number,
    control: Int32Array,
  ): Promise<ArrayBuffer | NativeRefusal>;
  weightsLoad(file: unknown, threads: number, control: Int32Array): Promise<true | NativeRefusal>;
  weightsWarm(file: unknown, ranges: Float64Array, threads: number, control: Int32Array): Promise<true | NativeRefusal>;
  bytesDigest(bytes: Uint8Array): ArrayBuffer;
  lockTake(path: string, shared: boolean): unknown;
  lockRelease(lock: unknown): void;
  tensorFloat32(file: unknown, begin: number, end: number, dtype: string, out?: Float32Array): number | NativeRefusal;
  tableFind(
    slots: Int32Array,
    words: Int32Array,
    rows: number,
    wide: boolean,
    key0: number,
    key1: number,
    ids: Int32Array | Uint32Array | Float64Array,
    places: Int32Array,
  ): void;
  tableFindTexts(
    slots: Int32Array,
    texts: Uint8Array,
    ends: Float64Array,
    key0: number,
    key1: number,
    ids: readonly string[],
    places: Int32Array,
  ): void;
  tableGather(...vectors: [...NativeVectors, places: Int32Array, out: ArrayBufferView]): void;
  tableDot(...vectors: [...NativeVectors, query: Float32Array, places: Int32Array, out: Float32Array]): void;
  tableTopK(
    ...vectors: [...NativeVectors, query: Float32Array, places: Float64Array, scores: Float32Array, threads: number]
  ): number;
}

/** The same names, for the check at the start. */
export const WEIGHTS_FUNCTIONS = {
  weightsOpen: true,
  weightsFacts: true,
  weightsParse: true,
  weightsParseIndex: true,
  weightsSplitNames: true,
  weightsWindow: true,
  accountExternal: true,
  weightsDetach: true,
  weightsRelease: true,
  weightsRead: true,
  weightsCopy: true,
  weightsResident: true,
  weightsHuge: true,
  weightsAdvise: true,
  weightsLock: true,
  weightsDigest: true,
  weightsLoad: true,
  weightsWarm: true,
  bytesDigest: true,
  lockTake: true,
  lockRelease: true,
  tensorFloat32: true,
  tableFind: true,
  tableFindTexts: true,
  tableGather: true,
  tableDot: true,
  tableTopK: true,
} satisfies Record<keyof NativeWeights, true>;
