// What careless and hostile callers do to files of weights, tables and blobs.
import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Blobs, EmbeddingTable, Weights } from 'zerohop';
import { ownFolder } from '../fixtures/folder.js';
import { errorOf } from '../fixtures/opened.js';

describe('a blob', () => {
  test('takes what killed writers of it left away, and nothing of others', async () => {
    const blobs = new Blobs({ folder: ownFolder() });
    const { path } = await blobs.open('a', '1', () => 'first');
    await blobs.open('a', '2', () => 'other');
    // A draft as it lies there while it is written.
    const leave = async (of: string) =>
      Weights.write(of, new Map([['x', new Uint8Array(1)]]), {
        onProgress: () => {
          const draft = readdirSync(blobs.folder).find((name) => name.startsWith(`.${basename(of)}.`))!;
          copyFileSync(join(blobs.folder, draft), join(blobs.folder, `${draft}left`));
        },
      });
    const other = join(blobs.folder, 'other');
    await leave(path);
    await leave(other);
    expect(readdirSync(blobs.folder).filter((name) => name.endsWith('left'))).toHaveLength(2);
    expect((await blobs.open('a', '1', () => 'again')).text()).toBe('again'); // `leave` has written what is no blob
    const left = readdirSync(blobs.folder).filter((name) => name.endsWith('left'));
    expect(left).toEqual([expect.stringMatching(/^\.other\./)]);
  });

  test('that is closed has no text', async () => {
    const blobs = new Blobs({ folder: ownFolder() });
    const blob = await blobs.open('a', '1', () => 'text');
    expect(blob.text()).toBe('text');
    blob.close();
    expect(errorOf(() => blob.text())).toMatchObject({ code: 'ERR_WEIGHTS_CLOSED' });
    expect(blob.bytes).toHaveLength(0);
  });
});

test.each(['n'.repeat(255), 'é'.repeat(127)])(
  'the longest name of a file is written, and digested: %#',
  async (name) => {
    const path = join(ownFolder(), name);
    await Weights.write(path, { a: Uint8Array.of(7) });
    const written = readFileSync(path);
    using weights = await Weights.open(path, { digest: true });
    expect(weights.digest).toHaveLength(64);
    expect(weights.bytes).toBe(written.length);
  },
);

describe('what is written from arrays that go away meanwhile is refused, and the old file stays', () => {
  const BIG = 2 ** 26 + 64; // two pieces: there is a moment between them
  test.each(['the one that is being written', 'one whose turn comes later'])('a tensor: %s', async (which) => {
    const path = join(ownFolder(), 'a');
    await Weights.write(path, { old: Uint8Array.of(1) });
    const tensors = { a: new Uint8Array(BIG), b: new Uint8Array(64) };
    const { buffer } = which.includes('later') ? tensors.b : tensors.a;
    const onProgress = () => {
      if (buffer.byteLength > 0) structuredClone(buffer, { transfer: [buffer] });
    };
    await expect(Weights.write(path, tensors, { onProgress })).rejects.toThrow(/until all are written/);
    using weights = await Weights.open(path);
    expect([...weights.tensors.keys()]).toEqual(['old']);
    expect(readdirSync(dirname(path))).toEqual(['a']);
  });

  test('ids of a table', async () => {
    const path = join(ownFolder(), 'a');
    await EmbeddingTable.write(path, [[7, [1]]]);
    const rows = 2 ** 21; // of 4 bytes: two pieces
    const ids = Array.from({ length: rows }, (_, i) => i);
    const cut = () => {
      ids.length = rows / 2 + 1;
    };
    const writing = EmbeddingTable.write(
      path,
      { ids, vectors: new Float32Array(rows), dimensions: 1 },
      { onProgress: cut },
    );
    await expect(writing).rejects.toThrow(RangeError);
    using table = await EmbeddingTable.open(path);
    expect([table.size, table.has(7)]).toEqual([1, true]);
  });
});

test('what are no tensors or no metadata is refused before the old file goes', async () => {
  const path = join(ownFolder(), 'a');
  for (const none of [undefined, null, 5, '', () => 1, [5], Float32Array.of(1)])
    await expect(Weights.write(path, none as never)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
  for (const metadata of [null, 5, 'abc', ['x'], new Map([['a', 'b']])] as never[])
    await expect(Weights.write(path, {}, { metadata })).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
  expect(readdirSync(dirname(path))).toEqual([]);
});

test('an iterator of rows is begun only if there is a file for it, and always ended', async () => {
  const path = join(ownFolder(), 'a');
  let open = 0;
  function* rows(first: unknown) {
    ++open;
    try {
      yield first;
      yield [2, [1, 2]];
    } finally {
      --open;
    }
  }
  const write = (to: unknown, first: unknown, options?: object) =>
    EmbeddingTable.write(to as string, rows(first) as never, options);
  await expect(write(join(path, 'nowhere'), [1, [1, 2]])).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(write(5, [1, [1, 2]])).rejects.toThrow(TypeError);
  await expect(write(path, 'no pair')).rejects.toThrow(TypeError);
  await expect(write(path, [1, []])).rejects.toThrow(RangeError);
  await expect(write(path, [1, [1]])).rejects.toThrow(RangeError); // the second is longer
  await expect(write(path, [1, [1, 2]], { signal: AbortSignal.abort() })).rejects.toThrow(/aborted/);
  expect(open).toBe(0);
  await write(path, [1, [1, 2]]);
  expect(open).toBe(0);
});
