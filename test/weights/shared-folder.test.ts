// Blobs in a folder where others may put things, too.
import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { Blobs, Weights } from 'zerohop';
import { ownFolder } from '../fixtures/folder.js';

const NOBODY = 65_534;
const isRoot = process.geteuid?.() === 0;
const modeOf = (path: string) => statSync(path).mode & 0o777;
const never = () => {
  throw new Error('it was not to be loaded');
};

/** Where a blob goes. */
async function placeOf(blobs: Blobs): Promise<string> {
  const { path } = await blobs.open('a', '1', () => 'first');
  blobs.delete('a', '1');
  return path;
}

/** A blob that is being made: its lock is held until `done`. */
async function held(blobs: Blobs): Promise<{ making: Promise<unknown>; done: () => void }> {
  let done!: () => void;
  let begun!: () => void;
  const loading = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const making = blobs.open('a', '1', () => {
    begun();
    return new Promise<string>((resolve) => {
      done = () => resolve('first');
    });
  });
  await loading;
  return { making, done };
}

describe('a blob', () => {
  test('is for its user alone, or for all where the folder is shared', async () => {
    const own = new Blobs({ folder: join(ownFolder(), 'own') });
    expect([modeOf((await own.open('a', '1', () => 'x')).path), modeOf(own.folder)]).toEqual([0o600, 0o700]);
    const umask = process.umask();
    const shared = new Blobs({ folder: join(ownFolder(), 'shared'), shared: true });
    const { path } = await shared.open('a', '1', () => 'x');
    expect([modeOf(path), modeOf(shared.folder)]).toEqual([0o644 & ~umask, 0o777 & ~umask]);
    await expect(async () => new Blobs({ shared: 1 as never })).rejects.toThrow(TypeError);
  });

  test('that others may write is not believed, but where the folder is shared', async () => {
    const blobs = new Blobs({ folder: ownFolder() });
    const { path } = await blobs.open('a', '1', () => 'theirs');
    chmodSync(path, 0o666);
    expect(await blobs.find('a', '1')).toBeUndefined();
    const all = new Blobs({ folder: blobs.folder, shared: true });
    expect((await all.find('a', '1'))?.text()).toBe('theirs');
    expect((await blobs.open('a', '1', () => 'mine')).text()).toBe('mine');
  });

  test.runIf(isRoot)('of another user is not believed, but where the folder is shared', async () => {
    const blobs = new Blobs({ folder: ownFolder() });
    const { path } = await blobs.open('a', '1', () => 'theirs');
    chownSync(path, NOBODY, NOBODY);
    expect(await blobs.find('a', '1')).toBeUndefined();
    expect((await new Blobs({ folder: blobs.folder, shared: true }).open('a', '1', never)).text()).toBe('theirs');
    expect((await blobs.open('a', '1', () => 'mine')).text()).toBe('mine');
  });

  test('takes the place of a link, and not that of the file it leads to', async () => {
    const blobs = new Blobs({ folder: ownFolder() });
    const path = await placeOf(blobs);
    const other = (await blobs.open('b', '1', () => 'b')).path;
    symlinkSync(other, path);
    expect((await blobs.open('a', '1', () => 'mine')).text()).toBe('mine');
    expect((await blobs.open('b', '1', never)).text()).toBe('b');
  });

  test('whose place cannot be had is refused before it is loaded', async () => {
    const blobs = new Blobs({ folder: ownFolder() });
    const path = await placeOf(blobs);
    mkdirSync(path);
    await expect(blobs.open('a', '1', never)).rejects.toMatchObject({ code: 'ERR_WEIGHTS_OPEN', path });
    expect(await blobs.find('a', '1')).toBeUndefined();
  });

  test('is made whatever has the names of its drafts and its lock', async () => {
    const blobs = new Blobs({ folder: ownFolder() });
    const path = await placeOf(blobs);
    mkdirSync(join(dirname(path), `.${basename(path)}.x`));
    mkdirSync(`${path}.lock`);
    expect((await blobs.open('a', '1', () => 'mine')).text()).toBe('mine');
  });

  test.each(['a pipe', 'a link', 'a file that all may write'])('is made where its lock is %s', async (what) => {
    const blobs = new Blobs({ folder: ownFolder() });
    const path = await placeOf(blobs);
    const lock = `${path}.lock`;
    if (what === 'a pipe') execFileSync('mkfifo', [lock]);
    else if (what === 'a link') symlinkSync('/dev/zero', lock);
    else {
      writeFileSync(lock, '');
      chmodSync(lock, 0o666);
    }
    expect((await blobs.open('a', '1', () => 'mine')).text()).toBe('mine');
  });

  test('does not wait for a lock that others may hold, but where the folder is shared', async () => {
    const blobs = new Blobs({ folder: ownFolder() });
    const path = await placeOf(blobs);
    const { making, done } = await held(blobs);
    chmodSync(`${path}.lock`, 0o666);
    expect((await blobs.open('a', '1', () => 'second')).text()).toBe('second');
    done();
    await making;
  });
});

describe('waiting for a blob', () => {
  test.each([false, true])('ends by its signal; the folder is shared: %s', async (shared) => {
    const blobs = new Blobs({ folder: ownFolder(), shared });
    const { making, done } = await held(blobs);
    const reason = new Error('too long');
    await expect(blobs.open('a', '1', never, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    const waiting = blobs.open('a', '1', never, { signal: controller.signal });
    setImmediate(() => controller.abort(reason));
    await expect(waiting).rejects.toBe(reason);
    await expect(blobs.open('a', '1', never, { signal: AbortSignal.timeout(1) })).rejects.toMatchObject({
      name: 'TimeoutError',
    });
    done();
    await making;
    expect((await blobs.open('a', '1', never, { signal: new AbortController().signal })).text()).toBe('first');
    await expect(blobs.open('a', '1', never, { signal: 5 as never })).rejects.toThrow(TypeError);
    await expect(blobs.open('a', '1', never, { time: 5 } as never)).rejects.toThrow(TypeError);
  });

  test('may be aborted while it loads, which leaves nothing', async () => {
    const blobs = new Blobs({ folder: ownFolder() });
    const controller = new AbortController();
    const reason = new Error('no more');
    const load = () => {
      controller.abort(reason);
      return 'loaded';
    };
    await expect(blobs.open('a', '1', load, { signal: controller.signal })).rejects.toBe(reason);
    expect(await blobs.find('a', '1')).toBeUndefined();
  });
});

test('load may give arrays of another realm', async () => {
  const foreign = runInNewContext('({ bytes: Uint8Array.of(1, 2), floats: new Float32Array(2) })');
  const folder = ownFolder();
  const blobs = new Blobs({ folder });
  expect([...(await blobs.open('a', '1', () => foreign.bytes)).bytes]).toEqual([1, 2]);
  const path = join(folder, 'w');
  await Weights.write(path, { w: Float32Array.of(3, 4) });
  using weights = await Weights.open(path);
  expect([...weights.tensor('w').toFloat32(foreign.floats)]).toEqual([3, 4]);
  const { EmbeddingTable } = await import('zerohop');
  await EmbeddingTable.write(path, { ids: [1], vectors: Float32Array.of(3, 4), dimensions: 2 });
  using table = await EmbeddingTable.open(path);
  table.gather([1], foreign.floats);
  expect([...table.dot(foreign.floats, [1])]).toEqual([25]);
});
