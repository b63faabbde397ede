// What becomes of a file, or a link, that a write takes the place of; and arrays and signals of another realm.
import { chmodSync, lstatSync, mkdirSync, readdirSync, readlinkSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { EmbeddingTable, Weights } from 'zerohop';
import { ownFolder } from '../fixtures/folder.js';

const WRITERS: Record<string, (path: string, value: number) => Promise<void>> = {
  'Weights.write': (path, value) => Weights.write(path, { vectors: Float32Array.of(value) }),
  'EmbeddingTable.write': (path, value) => EmbeddingTable.write(path, [[1, [value]]]),
};

async function valueIn(path: string): Promise<number | undefined> {
  using weights = await Weights.open(path);
  return (weights.tensor('vectors').data as Float32Array)[0];
}

describe.each(Object.keys(WRITERS))('%s', (name) => {
  const write = WRITERS[name]!;

  test('over a link writes the file that it leads to, and leaves the link', async () => {
    const [folder, other] = [ownFolder(), ownFolder()];
    const link = join(folder, 'link');
    symlinkSync('step', link);
    symlinkSync(join(other, 'target'), join(folder, 'step'));
    await write(link, 1); // the last one leads to nothing yet
    await write(link, 2);
    expect([readlinkSync(link), await valueIn(join(other, 'target')), await valueIn(link)]).toEqual(['step', 2, 2]);
    expect([readdirSync(folder).sort(), readdirSync(other)]).toEqual([['link', 'step'], ['target']]);
  });

  test('over links that lead in a circle, or a folder, is refused', async () => {
    const folder = ownFolder();
    symlinkSync('b', join(folder, 'a'));
    symlinkSync('a', join(folder, 'b'));
    mkdirSync(join(folder, 'c'));
    symlinkSync('c', join(folder, 'd'));
    for (const path of ['a', 'c', 'd'])
      await expect(write(join(folder, path), 1)).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    await expect(write('/dev/null', 1)).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
    expect(lstatSync(join(folder, 'a')).isSymbolicLink()).toBe(true);
  });

  test('over a file keeps its permissions, whatever the mask; a new one has those of the mask', async () => {
    const path = join(ownFolder(), 'file');
    await write(path, 1);
    expect(statSync(path).mode & 0o777).toBe(0o644 & ~process.umask());
    for (const mode of [0o640, 0o600, 0o666, 0o444]) {
      chmodSync(path, mode);
      await write(path, mode);
      expect([statSync(path).mode & 0o777, await valueIn(path)]).toEqual([mode, mode]);
    }
  });

  test.skipIf(process.geteuid?.() !== 0)('over another user’s file leaves him its owner', async () => {
    const { chownSync } = await import('node:fs');
    const path = join(ownFolder(), 'file');
    await write(path, 1);
    chownSync(path, 65534, 65534);
    await write(path, 2);
    expect([statSync(path).uid, statSync(path).gid]).toEqual([65534, 65534]);
  });

  test.skipIf(process.geteuid?.() !== 0)('does not follow a stranger’s link in a folder for all', async () => {
    const { lchownSync } = await import('node:fs');
    const folder = ownFolder();
    const own = join(ownFolder(), 'own');
    await write(own, 1);
    symlinkSync(own, join(folder, 'link'));
    lchownSync(join(folder, 'link'), 65534, 65534);
    chmodSync(folder, 0o1777);
    await expect(write(join(folder, 'link'), 2)).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    expect(await valueIn(own)).toBe(1);
  });
});

describe('from another realm,', () => {
  const foreign = (code: string) => runInNewContext(code);

  test('arrays are written, searched, and filled', async () => {
    const path = join(ownFolder(), 'table');
    await EmbeddingTable.write(path, {
      ids: foreign('Int32Array.of(1, 2)'),
      vectors: foreign('Float32Array.of(1, 0, 0, 1)'),
      dimensions: 2,
    });
    using table = await EmbeddingTable.open(path);
    const out = foreign('new Float32Array(4)');
    expect(table.gather(foreign('Int32Array.of(2, 1)'), out).hits).toBe(2);
    expect([...out]).toEqual([0, 1, 1, 0]);
    expect(table.topK(foreign('Float32Array.of(0, 1)'), 1)).toEqual([{ id: 2, score: 1 }]);
    expect([...table.dot(foreign('Float32Array.of(0, 1)'), [1, 2], foreign('new Float32Array(2)'))]).toEqual([0, 1]);
    const scaled = { ids: foreign('[1]'), vectors: foreign('Int8Array.of(2)'), scales: foreign('Float32Array.of(3)') };
    await EmbeddingTable.write(path, { ...scaled, dimensions: 1 });
    using bytes = await EmbeddingTable.open(path);
    expect([...bytes.dot(Float32Array.of(1), [1])]).toEqual([6]);
    await Weights.write(path, { a: foreign('Uint8Array.of(7)'), b: foreign('Float64Array.of(8)') });
    using weights = await Weights.open(path);
    expect([...weights].map(({ dtype }) => dtype)).toEqual(['F64', 'U8']);
  });

  test('signals stop a write', async () => {
    const reason = new Error('enough');
    const signal = Object.assign(foreign('({})'), {
      aborted: true,
      reason,
      addEventListener() {},
      removeEventListener() {},
      throwIfAborted() {
        throw reason;
      },
    });
    await expect(Weights.write(join(ownFolder(), 'a'), { a: new Float32Array(1) }, { signal })).rejects.toBe(reason);
    await expect(EmbeddingTable.write(join(ownFolder(), 'a'), [[1, [1]]], { signal })).rejects.toBe(reason);
  });
});
