// blobs.ts: what a program loads at its start (a tokenizer's state, a vocabulary, a table of rules) kept in files on a
// volume: made once, by one process of however many start together, and mapped by all.
//
// A file is a safetensors file with one tensor, `blob`, and in its metadata the name, the version, and the digest of
// the bytes, by which every process checks what it maps.

import { createHash } from 'node:crypto';
import { closeSync, constants, lstatSync, mkdirSync, openSync, rmSync, type Stats } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type NativeRefusal, native } from '../addon/native.js';
import { brand, isUint8Array } from '../base/kinds.js';
import { booleanOption, isWellFormed, optionsObject, textOption, typeError } from '../base/options.js';
import { sleep } from '../base/time.js';
import { removeDrafts } from './atomic-file.js';
import { treeOf } from './digest.js';
import { refused, WeightsError } from './error.js';
import { type CloseOptions, closeNow, WeightsFile } from './file.js';
import { headerOf } from './formats.js';
import { type Load, loadFile, loadOptions } from './job.js';
import { isOurs } from './small-file.js';
import { writeWeights } from './write.js';

/** What `load` gives; a text is kept as its UTF-8. */
export type BlobContent = Uint8Array | string;

export interface BlobsOptions {
  /**
   * The folder, made when it is first needed; on a file system that all processes share, and that has locks. Default:
   * `zerohop/blobs` in `$XDG_CACHE_HOME` or `~/.cache`.
   */
  folder?: string;
  /**
   * Whether several users of the system share the folder. False, the default: files are for this user alone, those of
   * others but root are not believed. True: all users may read the files, and whoever can write in the folder is
   * believed.
   */
  shared?: boolean;
}

/** Of one call. */
export interface BlobOpenOptions {
  /**
   * Ends reading, writing, and waiting for whoever makes the blob, with its reason: `AbortSignal.timeout(10_000)` for a
   * limit. `load` goes on, if it has begun.
   */
  signal?: AbortSignal;
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
   * The bytes, over the mapping itself; one copy in memory for all processes. Writing to them changes this mapping
   * alone. A view stays as it is after `close`.
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
   * Gives the file up. `bytes` that were handed out stay as they are, and keep the memory until they are collected.
   * Again: no effect.
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
  readonly #shared: boolean;

  /** @throws {TypeError | RangeError} an option that is none. */
  constructor(options?: BlobsOptions) {
    const { folder, shared } = optionsObject('options', options, ['folder', 'shared']);
    this.#shared = shared === undefined ? false : booleanOption('options.shared', shared);
    this.folder = folder === undefined ? defaultFolder() : textOption('options.folder', folder, 4096, 1);
  }

  /**
   * The blob of this name and version: mapped if it is there, else made by `load`. Of all processes and threads that
   * ask for it together one calls `load`; the others wait for it, and do it themselves if that one fails or ends. What
   * is there is checked by its digest first, and made anew if it is not what was written. A `load` that opens the blob
   * which it is to make waits for itself, for ever.
   *
   * Rejects with what `load` throws, a TypeError for what is no bytes, `signal`'s reason, errors of the file system,
   * WeightsError `ERR_WEIGHTS_OPEN`: the folder cannot be used, or something that is not this user's, and cannot be
   * removed, has the blob's place. Cost: some 1 ms for a MB, for the digest; a copy by `load` the first time.
   * @example const { bytes } = await cache.blobs.open('tokenizer', 'v3', () => readFile('tokenizer.json'))
   */
  async open(
    name: string,
    version: string,
    load: () => BlobContent | Promise<BlobContent>,
    options?: BlobOpenOptions,
  ): Promise<MappedBlob> {
    const path = this.#pathOf(name, version);
    if (typeof load !== 'function') throw typeError('load', 'a function', load);
    const control = loadOptions(options, ['signal']);
    const { signal } = control;
    for (let waitMs = WAIT_MS_MIN; ; waitMs = Math.min(WAIT_MS_MAX, 1.5 * waitMs)) {
      signal?.throwIfAborted();
      const found = await this.#find(path, name, version, control);
      if (found !== undefined) return found;
      mkdirSync(this.folder, { recursive: true, mode: this.#shared ? 0o777 : 0o700 });
      const lock = this.#takeLock(`${path}.lock`);
      if (lock === 'held') {
        await sleep(waitMs, signal); // the signal is looked at next
        continue;
      }
      try {
        // It may have been made between the two.
        const made = await this.#find(path, name, version, control);
        if (made !== undefined) return made;
        if (!this.#clear(path))
          throw new WeightsError(
            'ERR_WEIGHTS_OPEN',
            "is not this user's, and in the blob's place; use another folder",
            path,
          );
        // Of processes that were killed. Without the lock, somebody may be writing one now.
        if (lock !== undefined) await removeDrafts(path);
        return await this.#make(path, name, version, await load(), control);
      } finally {
        if (lock !== undefined) native.lockRelease(lock.taken);
      }
    }
  }

  /** As `open`, of what is there already; undefined if nothing is, or not what was written. */
  async find(name: string, version: string, options?: BlobOpenOptions): Promise<MappedBlob | undefined> {
    const control = loadOptions(options, ['signal']);
    return this.#find(this.#pathOf(name, version), name, version, control);
  }

  /** Whether there was one. Who has it open keeps it. */
  delete(name: string, version: string): boolean {
    const path = this.#pathOf(name, version);
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) return false;
    rmSync(path, { force: true });
    return true;
  }

  async #find(path: string, name: string, version: string, control: Load): Promise<MappedBlob | undefined> {
    const facts = lstatSync(path, { throwIfNoEntry: false });
    if (facts === undefined || facts.size === 0 || this.#isStrange(facts)) return undefined;
    return opened(path, name, version, control, this.#shared);
  }

  async #make(path: string, name: string, version: string, content: unknown, control: Load): Promise<MappedBlob> {
    const bytes = bytesOf(content);
    const digest = Buffer.from(native.bytesDigest(bytes)).toString('hex');
    const metadata = { format: FORMAT, name, version, digest };
    const { signal } = control;
    await writeWeights(
      path,
      { [TENSOR]: bytes },
      { metadata, ...(signal && { signal }) },
      this.#shared ? 0o644 : 0o600,
    );
    const made = await opened(path, name, version, control, this.#shared);
    if (made !== undefined) return made;
    const facts = lstatSync(path, { throwIfNoEntry: false });
    if (facts === undefined || !this.#isStrange(facts))
      throw new WeightsError('ERR_WEIGHTS_CHANGED', 'was changed as soon as it was written', path);
    // As on network file systems that know no users.
    const message =
      'is written by this user, and others own it or may write it; if they are trusted, set { shared: true }';
    throw new WeightsError('ERR_WEIGHTS_OPEN', message, path);
  }

  /** `'held'`: somebody makes the blob. Undefined: a stranger keeps everybody from the lock, and it is done without. */
  #takeLock(path: string): { taken: unknown } | 'held' | undefined {
    if (!this.#clear(path)) return undefined;
    const taken = native.lockTake(path, this.#shared);
    if (!Array.isArray(taken)) return taken === undefined ? 'held' : { taken };
    if (!this.#clear(path)) return undefined; // it came between the two
    const facts = lstatSync(path, { throwIfNoEntry: false });
    if (facts !== undefined && facts.uid !== process.geteuid?.()) return undefined; // another user's, which we cannot open
    throw refused(taken as unknown as NativeRefusal, path, false);
  }

  /** Takes away what is no file of ours; false where that cannot be done. */
  #clear(path: string): boolean {
    const facts = lstatSync(path, { throwIfNoEntry: false });
    if (facts === undefined || !this.#isStrange(facts)) return true;
    try {
      rmSync(path, { force: true });
      return true;
    } catch {
      return false;
    }
  }

  #isStrange(facts: Stats): boolean {
    return !facts.isFile() || !(this.#shared || isOurs({ owner: facts.uid, mode: facts.mode }));
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

brand(Blobs.prototype, 'Blobs');
brand(MappedBlob.prototype, 'MappedBlob');

function defaultFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'zerohop', 'blobs');
}

function isReadable(path: string): boolean {
  try {
    closeSync(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
    return true;
  } catch {
    return false;
  }
}

/** undefined: the file is not what was written under this name. */
async function opened(
  path: string,
  name: string,
  version: string,
  control: Load,
  shared: boolean,
): Promise<MappedBlob | undefined> {
  let file: WeightsFile;
  try {
    file = new WeightsFile(path, 'auto', false);
  } catch (error) {
    // Deleted in between, or for another user alone: it is made anew.
    if (!isReadable(path)) return undefined;
    throw error;
  }
  try {
    // Not what lay there when it was looked at.
    if (!shared && !isOurs(file)) throw new WeightsError('ERR_WEIGHTS_OPEN', "is not this user's", path);
    if (!file.mapped) await loadFile(file, control);
    const { tensors, metadata } = headerOf(file);
    const place = tensors.find((tensor) => tensor.name === TENSOR);
    const { format, digest } = metadata as Record<string, string>;
    if (format !== FORMAT || metadata['name'] !== name || metadata['version'] !== version || place === undefined)
      throw new WeightsError('ERR_WEIGHTS_CHANGED', 'is no blob of this name and version', path);
    const found = (await treeOf(file, place.begin, place.end, control)).toString('hex');
    if (found !== digest) throw new WeightsError('ERR_WEIGHTS_CHANGED', 'is not what was written', path);
    return new MappedBlob(name, version, found, file, place.begin, place.end);
  } catch (error) {
    file.close();
    if (error instanceof WeightsError) return undefined; // damaged, cut, or somebody else's: it is made anew
    throw error;
  }
}

function bytesOf(content: unknown): Uint8Array {
  if (isUint8Array(content)) return new Uint8Array(content.buffer, content.byteOffset, content.byteLength);
  if (typeof content === 'string' && isWellFormed(content)) return new Uint8Array(Buffer.from(content));
  throw typeError('what load returned', 'a Uint8Array or a well-formed string', content);
}
