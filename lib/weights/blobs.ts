// blobs.ts: what a program loads at its start (a tokenizer's state, a vocabulary, a table of rules) kept in files on a
// volume: made once, by one process of however many start together, and mapped by all.
//
// A file is a safetensors file with one tensor, `blob`, and in its metadata the name, the version, and the digest of the
// bytes, by which every process checks what it maps.

import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { brand } from '../kinds.js';
import { native } from '../native.js';
import { isWellFormed, optionsObject, textOption, typeError } from '../options.js';
import { removeDrafts } from './atomic-file.js';
import { treeOf } from './digest.js';
import { WeightsError } from './error.js';
import { type CloseOptions, closeNow, WeightsFile } from './file.js';
import { headerOf } from './formats.js';
import { loadFile, loadOptions } from './job.js';
import { writeWeights } from './write.js';

/** What `load` gives; a text is kept as its UTF-8. */
export type BlobContent = Uint8Array | string;

export interface BlobsOptions {
  /**
   * The folder, made when it is first needed; on a file system that all processes share, and that has locks. Default:
   * `zerohop/blobs` in `$XDG_CACHE_HOME` or `~/.cache`.
   */
  folder?: string;
}

const FORMAT = 'zerohop blob 1';
const TENSOR = 'blob';
const NAME_BYTES_MAX = 255;
/** How often it is looked whether another process is done. */
const WAIT_MS_MIN = 2;
const WAIT_MS_MAX = 50;

/** A blob that is open. Made by {@link Blobs.open}. */
export class MappedBlob {
  readonly name: string;
  readonly version: string;
  /** Of the bytes, 64 digits: the Merkle tree of docs/WEIGHTS.md. */
  readonly digest: string;
  readonly #file: WeightsFile;
  readonly #begin: number;
  readonly #end: number;
  #bytes: Uint8Array | undefined;

  /** @internal */
  constructor(name: string, version: string, digest: string, file: WeightsFile, begin: number, end: number) {
    this.name = name;
    this.version = version;
    this.digest = digest;
    this.#file = file;
    this.#begin = begin;
    this.#end = end;
  }

  /** The file that holds it: safetensors. */
  get path(): string {
    return this.#file.path;
  }

  /**
   * The bytes, over the mapping itself; one copy in memory for all processes. Writing to them changes this mapping alone. A
   * view stays as it is after `close`.
   *
   * @throws {WeightsError} `ERR_WEIGHTS_CLOSED`: asked for after `close`.
   */
  get bytes(): Uint8Array {
    void this.#file.handle; // throws after `close`
    this.#bytes ??= this.#view();
    return this.#bytes;
  }

  get byteLength(): number {
    return this.#end - this.#begin;
  }

  /** A buffer of these bytes and no others, over the mapping. @internal */
  ownBuffer(): ArrayBuffer {
    return this.byteLength === 0 ? new ArrayBuffer(0) : this.#file.part(this.#begin, this.#end);
  }

  #view(): Uint8Array {
    if (this.#end === this.#begin) return new Uint8Array(0);
    const { buffer, offset } = this.#file.window(this.#begin, this.#end);
    return new Uint8Array(buffer, offset, this.#end - this.#begin);
  }

  /** The bytes as text. @throws {WeightsError} `ERR_WEIGHTS_CLOSED`. */
  text(): string {
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength).toString();
  }

  /**
   * Gives the file up. `bytes` that were handed out stay as they are, and keep the memory until they are collected. Again: no
   * effect.
   *
   * @throws {TypeError} an option that is none.
   */
  close(options?: CloseOptions): void {
    const now = closeNow(options);
    this.#bytes = undefined;
    this.#file.close(now);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Blobs on a volume. Made by `cache.blobs`, or by itself. */
export class Blobs {
  readonly folder: string;

  /** @throws {TypeError | RangeError} an option that is none. */
  constructor(options?: BlobsOptions) {
    const { folder } = optionsObject('options', options, ['folder']);
    this.folder = folder === undefined ? defaultFolder() : textOption('options.folder', folder, 4096, 1);
  }

  /**
   * The blob of this name and version: mapped if it is there, else made by `load`. Of all processes and threads that ask
   * for it together one calls `load`; the others wait for it, and do it themselves if that one fails or ends. What is there
   * is checked by its digest first, and made anew if it is not what was written. A `load` that opens the blob which it is to
   * make waits for itself, for ever.
   *
   * Rejects with what `load` throws, a TypeError for what is no bytes, errors of the file system, WeightsError
   * `ERR_WEIGHTS_OPEN`: the folder can not be used. Cost: some 1 ms for a MB, for the digest; a copy by `load` the first time.
   * @example const { bytes } = await cache.blobs.open('tokenizer', 'v3', () => readFile('tokenizer.json'))
   */
  async open(name: string, version: string, load: () => BlobContent | Promise<BlobContent>): Promise<MappedBlob> {
    const path = this.#pathOf(name, version);
    if (typeof load !== 'function') throw typeError('load', 'a function', load);
    for (let waitMs = WAIT_MS_MIN; ; waitMs = Math.min(WAIT_MS_MAX, 1.5 * waitMs)) {
      const found = await this.find(name, version);
      if (found !== undefined) return found;
      mkdirSync(this.folder, { recursive: true, mode: 0o700 });
      const lock = native.lockTake(`${path}.lock`, false);
      if (typeof lock === 'string') throw new WeightsError('ERR_WEIGHTS_OPEN', lock, path);
      if (lock === undefined) {
        await sleep(waitMs);
        continue;
      }
      try {
        // It may have been made between the two.
        const made = await this.find(name, version);
        if (made !== undefined) return made;
        await removeDrafts(path); // of processes that were killed: whoever writes this one holds the lock
        return await make(path, name, version, await load());
      } finally {
        native.lockRelease(lock);
      }
    }
  }

  /** As `open`, of what is there already; undefined if nothing is, or not what was written. */
  async find(name: string, version: string): Promise<MappedBlob | undefined> {
    const path = this.#pathOf(name, version);
    const facts = statSync(path, { throwIfNoEntry: false });
    return facts === undefined || facts.size === 0 ? undefined : opened(path, name, version);
  }

  /** Whether there was one. Who has it open keeps it. */
  delete(name: string, version: string): boolean {
    const path = this.#pathOf(name, version);
    if (statSync(path, { throwIfNoEntry: false }) === undefined) return false;
    rmSync(path, { force: true });
    return true;
  }

  /** Of any name and version a file of its own; what can be read of the name is for people. */
  #pathOf(name: string, version: string): string {
    const first = textOption('name', name, NAME_BYTES_MAX, 1);
    const second = textOption('version', version, NAME_BYTES_MAX);
    const digest = createHash('sha256')
      .update(JSON.stringify([first, second]))
      .digest('hex')
      .slice(0, 32);
    return join(this.folder, `${first.replace(/[^\w.-]+/g, '_').slice(0, 40)}-${digest}.blob`);
  }
}

function defaultFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'zerohop', 'blobs');
}

/** undefined: the file is not what was written under this name. */
async function opened(path: string, name: string, version: string): Promise<MappedBlob | undefined> {
  let file: WeightsFile;
  try {
    file = new WeightsFile(path, 'auto');
  } catch (error) {
    if (statSync(path, { throwIfNoEntry: false }) === undefined) return undefined; // deleted in between
    throw error;
  }
  try {
    const load = loadOptions();
    if (!file.mapped) await loadFile(file, load);
    const { tensors, metadata } = headerOf(file);
    const place = tensors.find((tensor) => tensor.name === TENSOR);
    const { format, digest } = metadata as Record<string, string>;
    if (format !== FORMAT || metadata['name'] !== name || metadata['version'] !== version || place === undefined)
      throw new WeightsError('ERR_WEIGHTS_FORMAT', 'is no blob of this name and version', path);
    const found = (await treeOf(file, place.begin, place.end, load)).toString('hex');
    if (found !== digest) throw new WeightsError('ERR_WEIGHTS_CHANGED', 'is not what was written', path);
    return new MappedBlob(name, version, found, file, place.begin, place.end);
  } catch (error) {
    file.close();
    if (error instanceof WeightsError) return undefined; // damaged, cut, or somebody else's: it is made anew
    throw error;
  }
}

async function make(path: string, name: string, version: string, content: unknown): Promise<MappedBlob> {
  const bytes = bytesOf(content);
  const metadata = { format: FORMAT, name, version };
  const digest = Buffer.from(native.bytesDigest(bytes)).toString('hex');
  await writeWeights(path, { [TENSOR]: bytes }, { metadata: { ...metadata, digest } });
  const made = await opened(path, name, version);
  if (made !== undefined) return made;
  throw new WeightsError('ERR_WEIGHTS_CHANGED', 'was changed as soon as it was written', path);
}

function bytesOf(content: unknown): Uint8Array {
  if (content instanceof Uint8Array) return content;
  if (typeof content === 'string' && isWellFormed(content)) return new Uint8Array(Buffer.from(content));
  throw typeError('what load returned', 'a Uint8Array or a well-formed string', content);
}

brand(Blobs.prototype, 'Blobs');
