// inspect-contents.ts: reads what `zerohop inspect` tells, with the library's own readers: what they refuse is refused.

import { closeSync, openSync, readSync } from 'node:fs';
import { BLOB_FORMAT, BLOB_TENSOR } from '../weights/blobs.js';
import { treeOf } from '../weights/digest.js';
import { EmbeddingTable } from '../weights/embedding-table.js';
import { WeightsError } from '../weights/error.js';
import { loadOptions } from '../weights/job.js';
import { Weights } from '../weights/weights.js';

export interface Contents {
  readonly kind: string;
  readonly path: string;
  readonly files: number;
  readonly bytes: number;
  readonly parameters: number;
  readonly tensors: readonly {
    readonly name: string;
    readonly dtype: string;
    readonly shape: readonly number[];
    readonly bytes: number;
    readonly begin: number;
    readonly file: string;
  }[];
  readonly metadata: Readonly<Record<string, unknown>>;
  /** What is told of files of this kind alone. */
  readonly about: Readonly<Record<string, string>>;
  readonly digest: string | undefined;
}

/** @throws {WeightsError} what is wrong with the file. */
export async function contentsOf(
  path: string,
  digest: boolean,
  onProgress: ((bytes: number, total: number) => void) | undefined,
): Promise<Contents> {
  const weights = await Weights.open(path);
  try {
    const tensors = [...weights].map(({ name, dtype, shape, bytes, place: { begin, path: file } }) => {
      return { name, dtype, shape, bytes, begin, file };
    });
    const metadata = Object.fromEntries(Object.entries(weights.metadata).map(([name, value]) => [name, plain(value)]));
    const report = onProgress && (({ bytes, total }: { bytes: number; total: number }) => onProgress(bytes, total));
    return {
      ...(await kindOf(weights, digest)),
      path: weights.path,
      files: new Set(tensors.map(({ file }) => file)).size || 1,
      bytes: weights.bytes,
      parameters: tensors.reduce((sum, { shape }) => sum + shape.reduce((product, one) => product * one, 1), 0),
      tensors,
      metadata,
      digest: digest ? await weights.computeDigest(report && { onProgress: report }) : undefined,
    };
  } finally {
    weights.close();
  }
}

async function kindOf(weights: Weights, digest: boolean): Promise<Pick<Contents, 'kind' | 'about'>> {
  const { tensors, metadata, path } = weights;
  const blob = tensors.get(BLOB_TENSOR);
  if (metadata['format'] === BLOB_FORMAT && blob !== undefined) {
    const { name, version, digest: written } = metadata as Record<string, string>;
    const about = { name: name ?? '', version: version ?? '' };
    if (!digest) return { kind: 'blob', about };
    const { begin, end } = blob.place;
    if ((await treeOf(blob.file, begin, end, loadOptions(undefined))).toString('hex') !== written)
      throw new WeightsError('ERR_WEIGHTS_CHANGED', 'is not what was written: its digest is another', path, begin);
    return { kind: 'blob, as it was written', about };
  }
  if (tensors.has('vectors') && tensors.has('ids')) return await tableOf(path);
  return { kind: isGguf(weights) ? 'GGUF' : 'safetensors', about: {} };
}

/** What calls its tensors as a table does is one, or a broken one. */
async function tableOf(path: string): Promise<Pick<Contents, 'kind' | 'about'>> {
  const table = await EmbeddingTable.open(path);
  const about = { rows: `${table.size} of ${table.dimensions} ${table.dtype}` };
  table.close();
  return { kind: 'embedding table', about };
}

/** The library goes by the first bytes too, and not by the name. */
function isGguf({ tensors, path }: Weights): boolean {
  const [first] = tensors.values();
  const file = openSync(first?.place.path ?? path, 'r');
  const magic = Buffer.alloc(4);
  readSync(file, magic, 0, magic.length, 0);
  closeSync(file);
  return magic.toString('latin1') === 'GGUF';
}

/** What JSON can tell: of numbers that it cannot, their text. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value))) return String(value);
  return value;
}
