// checkpoint.ts: which files make a checkpoint, and in which file each tensor must be.

import { lstatSync, readlinkSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { type NativeRefusal, native } from '../addon/native.js';
import { refused, refusedBySystem, WeightsError } from './error.js';
import { readSmallFile, type SmallFile } from './small-file.js';

/** What checkpoints are called: by transformers and mlx, diffusers, PEFT, mlx's adapters. */
const NAMES = [
  'model.safetensors',
  'diffusion_pytorch_model.safetensors',
  'adapter_model.safetensors',
  'adapters.safetensors',
  'weights.safetensors',
];
/** The name of an index, also of a variant: `model.safetensors.index.fp16.json`. */
const INDEX = /\.index(\.[\w-]+)?\.json$/;
const INDEX_BYTES_MAX = 100_000_000;

export interface Checkpoint {
  /**
   * The files, in order. `path`: the name in the checkpoint's folder. `place`: the file itself, to which the name may
   * link.
   */
  readonly shards: readonly { readonly path: string; readonly place: string }[];
  /** Whether links are followed: one that the caller named is, one that a file names is not. */
  readonly follow: boolean;
  /** The `path` of the shard of each tensor, if there is an index. */
  readonly wanted: ReadonlyMap<string, string> | undefined;
}

/** @throws {WeightsError} there is none, or its index is wrong. */
export function checkpointOf(path: string): Checkpoint {
  const file = isFolder(path) ? fileIn(path) : path;
  const split = file.endsWith('.gguf') ? native.weightsSplitNames(basename(file)) : undefined;
  if (split !== undefined) {
    const shards = shardsIn(dirname(file), split);
    return { shards, follow: shards.length === 1, wanted: undefined };
  }
  if (!INDEX.test(file)) return { shards: [{ path: file, place: file }], follow: true, wanted: undefined };
  const listed = readIndex(file);
  const shards = shardsIn(dirname(file), [...new Set(listed.map(([, shard]) => shard))].sort());
  const wanted = new Map(listed.map(([name, shard]) => [name, join(dirname(file), shard)]));
  return { shards, follow: false, wanted };
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    throw refusedBySystem(error, path);
  }
}

function fileIn(folder: string): string {
  for (const name of NAMES)
    for (const one of [`${name}.index.json`, name])
      if (statSync(join(folder, one), { throwIfNoEntry: false })?.isFile()) return join(folder, one);
  const message = `holds none of ${NAMES.join(', ')}, nor an index of one (<name>.index.json); name the file itself`;
  throw new WeightsError('ERR_WEIGHTS_OPEN', message, folder);
}

function readIndex(path: string): [tensor: string, shard: string][] {
  const parsed = native.weightsParseIndex(indexAt(path));
  if (typeof parsed[0] !== 'string') return parsed as [string, string][];
  throw refused(parsed as unknown as NativeRefusal, path);
}

function indexAt(path: string): Uint8Array {
  const { bytes, facts } = indexFile(path);
  if (bytes !== undefined) return bytes;
  const message = `an index of ${facts.size} bytes, at most ${INDEX_BYTES_MAX}`;
  throw new WeightsError('ERR_WEIGHTS_INDEX_SIZE', message, path);
}

function indexFile(path: string): SmallFile {
  try {
    return readSmallFile(path, INDEX_BYTES_MAX, true);
  } catch (error) {
    throw error instanceof WeightsError ? error : refusedBySystem(error, path);
  }
}

function shardsIn(folder: string, names: readonly string[]): Checkpoint['shards'] {
  return names.map((name) => join(folder, name)).map((path) => ({ path, place: placeOf(path) }));
}

/** The links of the Hugging Face hub's cache, from a snapshot, or a folder in one, to its files. */
const HUB_LINK = /^(?:\.\.\/){2,}blobs\/[0-9a-zA-Z]+$/;

/** The file itself, if the shard is such a link. Other links are returned as they are, and are then not followed. */
function placeOf(shard: string): string {
  try {
    const link = readlinkSync(shard);
    if (!HUB_LINK.test(link)) return shard;
    const folder = realpathSync(dirname(shard));
    const blob = resolve(folder, link);
    const blobs = dirname(blob);
    // `<hub>/snapshots/<revision>/…` leads to `<hub>/blobs`. That must be a folder, not another link.
    const [snapshots, revision] = relative(dirname(blobs), folder).split(sep);
    const known = snapshots === 'snapshots' && revision !== undefined && lstatSync(blobs).isDirectory();
    return known ? blob : shard;
  } catch {
    return shard; // it is not a link, or does not exist
  }
}
