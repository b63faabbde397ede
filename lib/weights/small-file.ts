// small-file.ts: reads small files that lie beside weights: a sidecar, an index of shards.
//
// Whoever writes to the folder decides what lies there: a pipe that never answers, a device without an end, a link, a
// file of gigabytes, a file of another user. So such files are checked before they are read.

import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { WeightsError } from './error.js';

export interface SmallFile {
  /** Its bytes; undefined: it is longer than `bytesMax`, and was not read. */
  readonly bytes: Buffer | undefined;
  readonly facts: Stats;
}

/**
 * All bytes of a regular file of at most `bytesMax` bytes.
 *
 * @param follow  whether the last part of the path may be a link
 * @throws {WeightsError} `ERR_WEIGHTS_OPEN`: it is not a regular file. Errors of the file system as they are.
 */
export function readSmallFile(path: string, bytesMax: number, follow: boolean): SmallFile {
  // Opened without waiting: opening a pipe waits until somebody writes to it.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | (follow ? 0 : constants.O_NOFOLLOW);
  const file = openSync(path, flags);
  try {
    const facts = fstatSync(file);
    if (!facts.isFile()) throw new WeightsError('ERR_WEIGHTS_OPEN', 'expected a regular file', path);
    if (facts.size > bytesMax) return { bytes: undefined, facts };
    const bytes = Buffer.alloc(facts.size);
    let at = 0;
    for (let got = -1; got !== 0 && at < bytes.length; at += got)
      got = readSync(file, bytes, at, bytes.length - at, at);
    return { bytes: bytes.subarray(0, at), facts };
  } finally {
    closeSync(file);
  }
}

/** The owner of a file, as a number, and its permission bits. */
export interface Ownership {
  readonly owner: number;
  readonly mode: number;
}

const ROOT = 0;
const OTHERS_WRITE = 0o022;

/** Whether only this user, `also` or root can have written a file. True if the system knows no users. */
export function isOurs({ owner, mode }: Ownership, also?: number): boolean {
  const user = process.geteuid?.();
  if (user === undefined) return true;
  return (owner === user || owner === also || owner === ROOT) && (mode & OTHERS_WRITE) === 0;
}
