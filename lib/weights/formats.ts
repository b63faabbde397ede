// formats.ts: headers of files of weights, as native code has read them.

import { type NativeHeader, native } from '../addon/native.js';
import { refused, WeightsError } from './error.js';
import type { TensorPlace, WeightsFile } from './file.js';
import { type GgufPlace, ggufValue } from './gguf-values.js';

export interface Header {
  readonly tensors: readonly TensorPlace[];
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Reads and checks a header. Throws what is wrong with it. */
export function headerOf(file: WeightsFile): Header {
  const parsed = native.weightsParse(file.handle);
  if (Array.isArray(parsed)) throw refused(parsed, file.path);
  const { names, dtypes, blocks, shapes, places, metadata } = parsed;
  const tensors = names.map((name, i) => ({
    name,
    dtype: dtypes[i]!,
    shape: shapes[i]!,
    block: [blocks[2 * i]!, blocks[2 * i + 1]!] as const,
    begin: places[2 * i]!,
    end: places[2 * i + 1]!,
  }));
  return { tensors, metadata: metadataOf(file, metadata) };
}

/** Values of GGUF are read when they are asked for: the lists of a tokenizer have hundreds of thousands of items. */
function metadataOf(file: WeightsFile, values: NativeHeader['metadata']): Record<string, unknown> {
  const metadata = Object.create(null) as Record<string, unknown>; // any name is allowed, also `__proto__`
  for (const value of values) {
    const [key, ...place] = value;
    const own = { enumerable: true, configurable: true };
    if (value.length === 2) Object.defineProperty(metadata, key, { ...own, value: value[1] });
    else Object.defineProperty(metadata, key, { ...own, get: lazily(() => ggufValue(file, place as GgufPlace)) });
  }
  return metadata;
}

function lazily(read: () => unknown): () => unknown {
  let known: { value: unknown } | undefined;
  return () => {
    known ??= { value: read() };
    return known.value;
  };
}

/** What a GGUF file says about a model in several files. In safetensors such texts may mean anything. */
const SPLIT = { no: 'split.no', files: 'split.count', tensors: 'split.tensors.count' } as const;

/**
 * Compares what each file says about the split with the files that there are, in their order.
 *
 * @throws {WeightsError} `ERR_WEIGHTS_SPLIT`
 */
export function checkSplit(files: readonly { path: string }[], headers: readonly Header[]): void {
  const tensors = headers.reduce((sum, header) => sum + header.tensors.length, 0);
  for (const [no, { metadata }] of headers.entries()) {
    // The tool that merges the files again leaves a count of 0.
    if (files.length === 1 && metadata[SPLIT.files] === 0) continue;
    for (const [key, there] of [
      [SPLIT.files, files.length],
      [SPLIT.no, no],
      [SPLIT.tensors, tensors],
    ] as const) {
      const said = metadata[key];
      if (typeof said === 'number' && said !== there)
        throw new WeightsError('ERR_WEIGHTS_SPLIT', `${key} is ${said}, by the files it is ${there}`, files[no]!.path);
    }
  }
}
