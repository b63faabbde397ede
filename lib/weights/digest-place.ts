// digest-place.ts: where the digest of a file is kept.

import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * Beside the file. If the file is reached by a link, the place is in the user's cache folder, under the name of the
 * file that the link leads to. That file's folder belongs to something else, such as the `blobs` of the Hugging Face
 * hub's cache, so nothing is written there.
 *
 * @throws errors of the file system.
 */
export function digestPlaceOf(path: string): string {
  if (!lstatSync(path).isSymbolicLink()) return `${path}.zerohop-digest`;
  const folder = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'zerohop', 'digests');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return join(folder, createHash('sha256').update(realpathSync(path)).digest('hex').slice(0, 32));
}
