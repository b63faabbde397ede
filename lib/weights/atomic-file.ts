// atomic-file.ts: a file that appears under its name when all of it is on the disk, and not before.

import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Target } from './paths.js';

/** Bytes of one write. The system takes 2 GiB at most, and a signal is checked between writes. */
const PIECE = 2 ** 26;

/**
 * So many UTF-16 units of a name have at most 225 bytes. With what a draft's name adds, it stays within the 255 bytes
 * that file systems allow.
 */
const NAMED_BY = 75;

const draftsOf = (path: string) => `.${basename(path).slice(0, NAMED_BY)}.`;

/** The name of a draft that will be renamed to `path`: another one each time. */
function draftOf(path: string): string {
  return join(dirname(path), `${draftsOf(path)}${process.pid}.${Math.random().toString(36).slice(2)}`);
}

/**
 * Removes the drafts of `path` whose writers were killed. Drafts that cannot be removed stay, such as another user's or
 * a folder: no draft is ever read. REQUIRES: nobody writes one now.
 */
export async function removeDrafts(path: string): Promise<void> {
  for (const name of await readdir(dirname(path)))
    if (name.startsWith(draftsOf(path))) await rm(join(dirname(path), name), { force: true }).catch(() => {});
}

/** A file while it is written. */
export class GrowingFile {
  readonly #file: FileHandle;
  readonly #signal: AbortSignal | undefined;
  #end = 0;

  /** @internal */
  constructor(file: FileHandle, signal: AbortSignal | undefined) {
    this.#file = file;
    this.#signal = signal;
  }

  /** Bytes so far. */
  get end(): number {
    return this.#end;
  }

  /** Leaves room that `writeAt` fills later. */
  skip(bytes: number): void {
    this.#end += bytes;
  }

  /** Writes bytes, which must not change until it is done. Calls `onPiece` after each piece. */
  async append(bytes: Uint8Array, onPiece?: (bytes: number) => void): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      this.#signal?.throwIfAborted();
      const piece = bytes.subarray(at, at + PIECE);
      await this.writeAt(this.#end, piece);
      at += piece.length;
      this.#end += piece.length;
      onPiece?.(piece.length);
    }
  }

  async writeAt(place: number, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; )
      at += (await this.#file.write(bytes, at, bytes.length - at, place + at)).bytesWritten;
  }
}

/**
 * Gives a draft the permissions of the file that it replaces, and its owner and group where the system allows that.
 */
async function keep(file: FileHandle, { mode, uid, gid }: NonNullable<Target['kept']>): Promise<void> {
  const own = await file.stat();
  const same = own.uid === uid && own.gid === gid;
  const given =
    same ||
    (await file
      .chown(uid, gid)
      .then(() => true)
      .catch(() => false));
  // If the group is another one, it gets no more permissions than all others.
  await file.chmod(given || own.gid === gid ? mode : (mode & 0o707) | ((mode & 0o007) << 3));
}

/**
 * Writes a file atomically: whoever opens `path` sees the old file, or all that `write` wrote. The new file is written
 * beside the old one, synchronised with the disk, and renamed. If that fails, nothing of it is left. `kept`: the facts
 * of the file that it replaces.
 *
 * `mode`: the permissions of a new file, less the process's umask.
 *
 * Rejects with what `write` rejects with, `signal`'s reason, and errors of the file system as they are.
 */
export async function writeAtomically(
  path: string,
  write: (file: GrowingFile) => Promise<void>,
  signal?: AbortSignal,
  mode = 0o644,
  kept?: Target['kept'],
): Promise<void> {
  signal?.throwIfAborted();
  const own = draftOf(path);
  const file = await open(own, 'wx', kept === undefined ? mode : kept.mode & 0o700);
  try {
    try {
      if (kept !== undefined) await keep(file, kept);
      await write(new GrowingFile(file, signal));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(own, path);
  } catch (error) {
    await rm(own, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Synchronises the folder, so that the new name survives a crash. Not every system can do that. */
async function syncFolder(folder: string): Promise<void> {
  try {
    const file = await open(folder, 'r');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  } catch {
    // The system cannot; the file itself is on the disk.
  }
}
