// digest.ts: the digest of files, as docs/WEIGHTS.md specifies it, and the sidecar that remembers the root of one.

import { HASH_STATE_BYTES, native } from '../addon/native.js';
import { framed, leftEncode, utf8 } from '../fingerprint/framing.js';
import { writeAtomically } from './atomic-file.js';
import { digestPlaceOf } from './digest-place.js';
import type { WeightsFile } from './file.js';
import { job, type Load } from './job.js';
import { isOurs, readSmallFile } from './small-file.js';

const VERSION = 'zerohop weights 1';
/** The most bytes of a sidecar: three lines, of which the longest has five numbers. */
const SIDECAR_BYTES_MAX = 1024;
/**
 * The coarsest clock of a file system ticks this often. A file that changed within one tick may change again and keep
 * its time.
 */
const TICK_MS = 2000;

/** The digest of all files, as 64 digits. `total`: their bytes. */
export async function digestOf(files: readonly WeightsFile[], total: number, load: Load): Promise<string> {
  const { onProgress } = load;
  const parts: Uint8Array[] = [framed(utf8(VERSION)), leftEncode(files.length)];
  let before = 0;
  for (const file of files) {
    const report = onProgress && ((bytes: number) => onProgress({ bytes: before + bytes, total }));
    const root = rootInSidecar(file) ?? (await rootOf(file, load, report));
    file.check();
    parts.push(leftEncode(file.size), root);
    before += file.size;
    onProgress?.({ bytes: before, total });
  }
  const out = new Uint8Array(new ArrayBuffer(32));
  const state = new Uint8Array(new ArrayBuffer(HASH_STATE_BYTES));
  native.hashStart(new Uint8Array(0), state);
  native.hashData(state, new Uint8Array(0), Buffer.concat(parts), 0, out);
  return Buffer.from(out).toString('hex');
}

/** The root of the tree over a part of a file. */
export async function treeOf(
  file: WeightsFile,
  begin: number,
  end: number,
  { threads, signal }: Load,
  report?: (bytes: number) => void,
): Promise<Buffer> {
  const start = (control: Int32Array) => native.weightsDigest(file.handle, begin, end, threads, control);
  return Buffer.from(await job<ArrayBuffer>(file, signal, report, start));
}

/**
 * The root that an earlier run found, if the file has not changed since. A sidecar counts only if everybody who could
 * write it could also have written the file.
 */
function rootInSidecar(file: WeightsFile): Uint8Array | undefined {
  try {
    const { bytes, facts } = readSmallFile(digestPlaceOf(file.path), SIDECAR_BYTES_MAX, false);
    if (bytes === undefined || !isOurs({ owner: facts.uid, mode: facts.mode }, file.owner)) return undefined;
    const [version, identity, root] = bytes.toString('latin1').split('\n');
    if (version !== VERSION || identity !== file.identity || !/^[0-9a-f]{64}$/.test(root ?? '')) return undefined;
    return Buffer.from(root!, 'hex');
  } catch {
    return undefined; // there is no sidecar, or it cannot be read
  }
}

async function rootOf(
  file: WeightsFile,
  load: Load,
  report: ((bytes: number) => void) | undefined,
): Promise<Uint8Array> {
  const settled = Date.now() - file.changedMs > TICK_MS;
  const root = await treeOf(file, 0, file.size, load, report);
  if (!settled) return root;
  const text = `${VERSION}\n${file.identity}\n${root.toString('hex')}\n`;
  // Writes the sidecar if it can: the folder may be read-only.
  try {
    await writeAtomically(digestPlaceOf(file.path), (sidecar) => sidecar.append(utf8(text)));
  } catch {
    // The digest is computed again the next time.
  }
  return root;
}
