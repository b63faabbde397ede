// blobs.ts: keeps content that a program loads at its start (the state of a tokenizer, a vocabulary, a table of rules)
// in files on a volume. One process makes a file, however many start together, and all map it.
//
// A file is a safetensors file with one tensor, `blob`. Its metadata have the name, the version, and the digest of the
// bytes. Every process checks what it maps by the digest.

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

/** What `load` gives. A text is kept as UTF-8. */
export type BlobContent = Uint8Array | string;

export interface BlobsOptions {
  /**
   * The folder. It is made when it is first needed. It must be on a file system that all processes share, and that has
   * locks. Default: `zerohop/blobs` in `$XDG_CACHE_HOME` or `~/.cache`.
   */
  folder?: string | undefined;
  /**
   * Whether several users of the system share the folder. False, the default: the files are for this user alone, and
   * files of other users except root are not trusted. True: all users may read the files, and whoever can write to the
   * folder is trusted.
   */
  shared?: boolean | undefined;
}

/** Options of one call. */
export interface BlobOpenOptions {
  /**
   * When it is aborted, reading, writing, and waiting for another process end with its reason. Use
   * `AbortSignal.timeout(10_000)` to limit the wait. A `load` that has begun goes on.
   */
  signal?: AbortSignal | undefined;
}

/** In the metadata of a blob's file. */
export const BLOB_FORMAT = 'zerohop blob 1';
export const BLOB_TENSOR = 'blob';
const NAME_BYTES_MAX = 255;
/** How often a waiting process looks whether the other one is done. */
const WAIT_MS_MIN = 2;
const WAIT_MS_MAX = 50;

/** An open blob. Made by {@link Blobs.open}. */
export class MappedBlob {
  readonly name: string;
  readonly version: string;
  /** The digest of the bytes, as 64 digits: the Merkle tree of docs/WEIGHTS.md. */
  readonly digest: string;
  readonly #file: WeightsFile;
  readonly #begin: number;
  readonly #end: number;
  #bytes: Uint8Array | undefined;

  /** @internal */
  static of(name: string, version: string, digest: string, file: WeightsFile, begin: number, end: number): MappedBlob {
    return new MappedBlob(name, version, digest, file, begin, end);
  }

  private constructor(name: string, version: string, digest: string, file: WeightsFile, begin: number, end: number) {
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
   * The bytes, over the mapping itself: one copy in memory for all processes. A write to them changes only this
   * mapping. A view stays as it is after `close`.
   *
   * @throws {WeightsError} `ERR_WEIGHTS_CLOSED`: it was closed.
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
   * Gives the file up. `bytes` that were handed out stay as they are, and keep the memory until they are collected. A
   * second call does nothing.
   *
   * @throws {TypeError} an unknown option.
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

/** Blobs on a volume. Get it from `cache.blobs`, or construct it. */
export class Blobs {
  readonly folder: string;
  readonly #shared: boolean;

  /** @throws {TypeError | RangeError} an option is wrong or unknown. */
  constructor(options?: BlobsOptions) {
    const { folder, shared } = optionsObject('options', options, ['folder', 'shared']);
    this.#shared = shared === undefined ? false : booleanOption('options.shared', shared);
    this.folder = folder === undefined ? defaultFolder() : textOption('options.folder', folder, 4096, 1);
  }

  /**
   * The blob of this name and version. If there is none, `load` makes it. Of all processes and threads that ask for it
   * together, one calls `load`. The others wait for it; if it fails or ends, another one calls `load`. A blob that is
   * there is checked by its digest, and made anew if it is not what was written. A `load` that opens the blob which it
   * makes waits for itself, for ever.
   *
   * Rejects with the error of `load`; with a TypeError if it gives no bytes; with `signal`'s reason; with errors of the
   * file system; with WeightsError `ERR_WEIGHTS_OPEN`: the folder cannot be used, or something of another user has the
   * place of the blob and cannot be removed. Cost: some 1 ms for a MB, for the digest; the first time, a copy of what
   * `load` gave.
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
        await sleep(waitMs, signal); // the loop then checks the signal
        continue;
      }
      try {
        // Another process may have made it between the look and the lock.
        const made = await this.#find(path, name, version, control);
        if (made !== undefined) return made;
        if (!this.#clear(path))
          throw new WeightsError(
            'ERR_WEIGHTS_OPEN',
            "is not this user's, and in the blob's place; use another folder",
            path,
          );
        // Removes drafts of processes that were killed. Only under the lock: otherwise somebody may be writing one now.
        if (lock !== undefined) await removeDrafts(path);
        return await this.#make(path, name, version, await load(), control);
      } finally {
        if (lock !== undefined) native.lockRelease(lock.taken);
      }
    }
  }

  /** As `open`, but only a blob that is there; undefined if there is none, or it is not what was written. */
  async find(name: string, version: string, options?: BlobOpenOptions): Promise<MappedBlob | undefined> {
    const control = loadOptions(options, ['signal']);
    return this.#find(this.#pathOf(name, version), name, version, control);
  }

  /** Deletes the blob, and returns whether there was one. Whoever has it open keeps it. */
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
    const metadata = { format: BLOB_FORMAT, name, version, digest };
    const { signal } = control;
    await writeWeights(
      path,
      { [BLOB_TENSOR]: bytes },
      { metadata, ...(signal && { signal }) },
      this.#shared ? 0o644 : 0o600,
    );
    const made = await opened(path, name, version, control, this.#shared);
    if (made !== undefined) return made;
    const facts = lstatSync(path, { throwIfNoEntry: false });
    if (facts === undefined || !this.#isStrange(facts))
      throw new WeightsError('ERR_WEIGHTS_CHANGED', 'was changed as soon as it was written', path);
    // Some network file systems know no users.
    const message =
      'is written by this user, and others own it or may write it; if they are trusted, set { shared: true }';
    throw new WeightsError('ERR_WEIGHTS_OPEN', message, path);
  }

  /**
   * Takes the lock. `'held'`: somebody else makes the blob. Undefined: another user blocks the lock, so go on without.
   */
  #takeLock(path: string): { taken: unknown } | 'held' | undefined {
    if (!this.#clear(path)) return undefined;
    const taken = native.lockTake(path, this.#shared);
    if (!Array.isArray(taken)) return taken === undefined ? 'held' : { taken };
    if (!this.#clear(path)) return undefined; // it appeared between the two calls
    const facts = lstatSync(path, { throwIfNoEntry: false });
    if (facts !== undefined && facts.uid !== process.geteuid?.()) return undefined; // another user's: we cannot open it
    throw refused(taken as unknown as NativeRefusal, path, false);
  }

  /** Removes what is not a file of this user; false if that is impossible. */
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

  /** The file of a name and version: each has its own. The readable part of the file name is for people. */
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

/** Opens and checks a file. Undefined: it is not what was written under this name. */
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
    // It was deleted in between, or only another user may read it. It is made anew.
    if (!isReadable(path)) return undefined;
    throw error;
  }
  try {
    // It is another file than the one that was looked at.
    if (!shared && !isOurs(file)) throw new WeightsError('ERR_WEIGHTS_OPEN', "is not this user's", path);
    if (!file.mapped) await loadFile(file, control);
    const { tensors, metadata } = headerOf(file);
    const place = tensors.find((tensor) => tensor.name === BLOB_TENSOR);
    const { format, digest } = metadata as Record<string, string>;
    if (format !== BLOB_FORMAT || metadata['name'] !== name || metadata['version'] !== version || place === undefined)
      throw new WeightsError('ERR_WEIGHTS_CHANGED', 'is no blob of this name and version', path);
    const found = (await treeOf(file, place.begin, place.end, control)).toString('hex');
    if (found !== digest) throw new WeightsError('ERR_WEIGHTS_CHANGED', 'is not what was written', path);
    return MappedBlob.of(name, version, found, file, place.begin, place.end);
  } catch (error) {
    file.close();
    if (error instanceof WeightsError) return undefined; // damaged, cut, or another user's: it is made anew
    throw error;
  }
}

function bytesOf(content: unknown): Uint8Array {
  if (isUint8Array(content)) return new Uint8Array(content.buffer, content.byteOffset, content.byteLength);
  if (typeof content === 'string' && isWellFormed(content)) return new Uint8Array(Buffer.from(content));
  throw typeError('what load returned', 'a Uint8Array or a well-formed string', content);
}
