// small-file.ts: the few bytes that lie beside weights: a digest that was kept, an index of shards.
//
// Whoever writes in the folder decides what lies there: a pipe that never answers, a device without an end, a link, a
// file of gigabytes, a file of a stranger. So such files are looked at before they are read.

import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { WeightsError } from './error.js';

export interface SmallFile {
  /** Undefined: it is longer than `bytesMax`, and was not read. */
  readonly bytes: Buffer | undefined;
  readonly facts: Stats;
}

/**
 * All bytes of a regular file of at most `bytesMax` bytes.
 *
 * @param follow  whether the last part of the path may be a link
 * @throws {WeightsError} `ERR_WEIGHTS_OPEN`: it is no regular file; errors of the file system as they are.
 */
export function readSmallFile(path: string, bytesMax: number, follow: boolean): SmallFile {
  // Without waiting: to open a pipe takes until somebody writes to it.
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

/** Of a file: the number of its owner, and its permission bits. */
export interface Ownership {
  readonly owner: number;
  readonly mode: number;
}

const ROOT = 0;
const OTHERS_WRITE = 0o022;

/** Whether only this process's user, `also` or root can have written a file. True where the system knows no users. */
export function isOurs({ owner, mode }: Ownership, also?: number): boolean {
  const user = process.geteuid?.();
  if (user === undefined) return true;
  return (owner === user || owner === also || owner === ROOT) && (mode & OTHERS_WRITE) === 0;
}
