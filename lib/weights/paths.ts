// paths.ts: how a caller names a file, and which file a write replaces.

import { lstat, readlink, realpath, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rangeError, textOption } from '../base/options.js';

/** A path, or a `file:` URL. */
export type FilePath = string | URL;

const PATH_MAX = 4096;
/** The most links that are followed: as many as the system follows. */
const LINKS_MAX = 40;

/** The path as a text. @throws {TypeError | RangeError} it is neither a text nor a `file:` URL of this machine. */
export function pathOption(path: unknown, name = 'path'): string {
  return textOption(name, isUrl(path) ? pathOf(path, name) : path, PATH_MAX, 1);
}

/** Whether it is a URL, of any realm. */
function isUrl(value: unknown): value is URL {
  if (typeof value !== 'object' || value === null) return false;
  const { href, protocol } = value as Partial<URL>;
  return typeof href === 'string' && typeof protocol === 'string';
}

function pathOf(url: URL, name: string): string {
  try {
    return fileURLToPath(url.href);
  } catch {
    throw rangeError(name, 'a path, or a file: URL of this machine', url.href);
  }
}

/** A file that will be replaced or made, with the facts that it keeps. */
export interface Target {
  readonly path: string;
  readonly kept: { readonly mode: number; readonly uid: number; readonly gid: number } | undefined;
}

/**
 * What a write to `path` replaces. If that is a link, it is the file that the link leads to, as in editors.
 *
 * Rejects with a RangeError if something is there that is not a file; with errors of the file system as they are.
 */
export async function targetOf(path: string): Promise<Target> {
  const target = await behindLinks(path);
  const facts = await stat(target).catch(ifMissing);
  if (facts === undefined) return { path: target, kept: undefined };
  if (!facts.isFile()) throw rangeError('path', 'a file, or nothing yet', path);
  return { path: target, kept: { mode: facts.mode & 0o777, uid: facts.uid, gid: facts.gid } };
}

/** Follows links. Not by `realpath`: the last link may lead to a file that does not exist yet. */
async function behindLinks(path: string): Promise<string> {
  let at = path;
  for (let links = 0; links < LINKS_MAX; ++links) {
    const facts = await lstat(at).catch(ifMissing);
    if (!facts?.isSymbolicLink()) return at;
    const folder = await realpath(dirname(at));
    await checkLink(at, folder, facts.uid);
    at = resolve(folder, await readlink(at));
  }
  throw rangeError('path', `at most ${LINKS_MAX} links`, path);
}

/** In a folder where everybody may put links, only links of its owner and this user are followed, as in Linux. */
async function checkLink(link: string, folder: string, owner: number): Promise<void> {
  const { mode, uid } = await stat(folder);
  if ((mode & 0o1002) === 0o1002 && owner !== uid && owner !== process.geteuid?.())
    throw rangeError('path', 'no link of another user in a folder that all may write to', link);
}

function ifMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
