// Files that are not what they were although all their times say so; and what lies under the names of the small files
// beside weights, whoever put it there.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Weights } from 'zerohop';
import { ownFolder } from '../fixtures/folder.js';
import { later } from '../fixtures/later.js';
import { errorOf } from '../fixtures/opened.js';

const NOBODY = 65_534;
const isRoot = process.geteuid?.() === 0;
const CHANGED = { code: 'ERR_WEIGHTS_CHANGED' };

/** A file of weights whose times were set, as archives and image layers have it. */
async function written(): Promise<string> {
  const path = join(ownFolder(), 'a.safetensors');
  await Weights.write(path, { a: Float32Array.of(1, 2) });
  utimesSync(path, 1, 1);
  return path;
}

async function digestOf(path: string): Promise<string> {
  using weights = await Weights.open(path, { digest: true });
  return weights.digest;
}

/** Has `replace` put other weights of the same length there, and sets the times back; as often as the system's clock needs. */
function changed(path: string, replace: (bytes: Buffer) => void): void {
  const bytes = readFileSync(path);
  bytes[bytes.length - 1]! ^= 1;
  const { ctimeNs } = statSync(path, { bigint: true });
  do {
    replace(bytes);
    utimesSync(path, 1, 1);
  } while (statSync(path, { bigint: true }).ctimeNs === ctimeNs);
}

describe('a file that has the size, the times and maybe the inode of another one before it', () => {
  test.each<[string, (path: string, bytes: Buffer) => void]>([
    [
      'in its place',
      (path, bytes) => {
        rmSync(path);
        writeFileSync(path, bytes);
      },
    ],
    ['written over it', (path, bytes) => writeFileSync(path, bytes)],
    [
      'renamed to it',
      (path, bytes) => {
        writeFileSync(`${path}.new`, bytes);
        utimesSync(`${path}.new`, 1, 1);
        renameSync(`${path}.new`, path);
      },
    ],
  ])('%s has a digest of its own', async (_, replace) => {
    const path = await written();
    later();
    const first = await digestOf(path);
    expect(existsSync(`${path}.zerohop-digest`)).toBe(true);
    expect(await digestOf(path)).toBe(first);
    changed(path, (bytes) => replace(path, bytes));
    const second = await digestOf(path);
    expect(second).not.toBe(first);
    rmSync(`${path}.zerohop-digest`);
    expect(await digestOf(path)).toBe(second);
  });

  test('is noticed while the other one is open', async () => {
    const path = await written();
    using weights = await Weights.open(path);
    weights.check();
    changed(path, (bytes) => writeFileSync(path, bytes));
    expect(errorOf(() => weights.check())).toMatchObject(CHANGED);
    await expect(weights.computeDigest()).rejects.toMatchObject(CHANGED);
    await expect(weights.prefetch()).rejects.toMatchObject(CHANGED);
  });
});

test('an open file stays unchanged when a name of it goes or comes, but not when its mode changes', async () => {
  const path = await written();
  using weights = await Weights.open(path);
  linkSync(path, `${path}.second`);
  weights.check();
  weights.check();
  rmSync(`${path}.second`);
  const { ctimeNs } = statSync(path, { bigint: true });
  while (statSync(path, { bigint: true }).ctimeNs === ctimeNs) chmodSync(path, 0o600);
  expect(errorOf(() => weights.check())).toMatchObject(CHANGED);
  using again = await Weights.open(path);
  rmSync(path);
  again.check();
});

test('a digest is not kept of a file that changed a moment ago: its next change may have the same time', async () => {
  const path = await written();
  await digestOf(path);
  expect(existsSync(`${path}.zerohop-digest`)).toBe(false);
});

describe('a kept digest', () => {
  /** A digest that is none of the file, and what the file is kept under. */
  async function lieBeside(): Promise<{ path: string; kept: string; right: string; lie: string }> {
    const path = await written();
    later();
    const right = await digestOf(path);
    const kept = `${path}.zerohop-digest`;
    const [version, identity] = readFileSync(kept, 'utf8').split('\n');
    const lie = `${version}\n${identity}\n${'0'.repeat(64)}\n`;
    writeFileSync(kept, lie);
    expect(await digestOf(path)).not.toBe(right); // of its owner it is believed, as the file is
    return { path, kept, right, lie };
  }

  test.each<[string, (kept: string, lie: string) => void]>([
    ['that everybody may write', (kept) => chmodSync(kept, 0o666)],
    ['that a group may write', (kept) => chmodSync(kept, 0o664)],
    [
      'that is a link to one',
      (kept) => {
        renameSync(kept, `${kept}.real`);
        symlinkSync(`${kept}.real`, kept);
      },
    ],
    ['that is too long', (kept, lie) => writeFileSync(kept, lie.padEnd(2000))],
    ['of hundreds of MB', (kept) => sparse(kept, 2 ** 40)],
    ['that is a pipe', (kept) => pipe(kept)],
    ['that is a device without an end', (kept) => linkTo(kept, '/dev/zero')],
    [
      'that is a folder',
      (kept) => {
        rmSync(kept);
        mkdirSync(kept);
      },
    ],
  ])('%s is not believed', async (_, put) => {
    const { path, kept, right, lie } = await lieBeside();
    put(kept, lie);
    expect(await digestOf(path)).toBe(right);
  });

  test.runIf(isRoot)('of another user is believed where the file is his, too', async () => {
    const { path, kept, right, lie } = await lieBeside();
    chownSync(kept, NOBODY, NOBODY);
    expect(await digestOf(path)).toBe(right); // and it was kept anew
    chownSync(path, NOBODY, NOBODY);
    await digestOf(path);
    const [, identity] = readFileSync(kept, 'utf8').split('\n');
    writeFileSync(kept, lie.replace(/\n.*\n/, `\n${identity}\n`));
    chownSync(kept, NOBODY, NOBODY);
    expect(await digestOf(path)).not.toBe(right);
  });
});

describe('an index', () => {
  test.each<[string, (path: string) => void, string]>([
    ['that is a pipe', pipe, 'ERR_WEIGHTS_OPEN'],
    ['that is a device without an end', (path) => linkTo(path, '/dev/zero'), 'ERR_WEIGHTS_OPEN'],
    ['of a TB', (path) => sparse(path, 2 ** 40), 'ERR_WEIGHTS_INDEX_SIZE'],
  ])('%s is refused without reading it', async (_, put, code) => {
    const path = join(ownFolder(), 'model.safetensors.index.json');
    put(path);
    await expect(Weights.open(path)).rejects.toMatchObject({ code, path });
  });
});

function pipe(path: string): void {
  rmSync(path, { force: true });
  execFileSync('mkfifo', [path]);
}

function linkTo(path: string, target: string): void {
  rmSync(path, { force: true });
  symlinkSync(target, path);
}

/** Nothing of it is on the disk. */
function sparse(path: string, bytes: number): void {
  const file = openSync(path, 'w');
  ftruncateSync(file, bytes);
  closeSync(file);
}
