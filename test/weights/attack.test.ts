// What careless and hostile callers do to files of weights, tables and blobs.
import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { Blobs, EmbeddingTable, Weights } from 'zerohop';
import { ownFolder } from '../fixtures/folder.js';
import { errorOf } from '../fixtures/opened.js';

describe('a blob', () => {
  test('removes what killed writers of it left, and nothing of others', async () => {
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
    expect(errorOf(() => blob.bytes)).toMatchObject({ code: 'ERR_WEIGHTS_CLOSED' });
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

  test('the ids of a table', async () => {
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

test('what is no tensor or no metadata is refused before the old file goes', async () => {
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

describe('a table', () => {
  const table = async (sign = 1) => {
    const path = join(ownFolder(), 'a');
    const rows = Array.from({ length: 9 }, (_, i) => [i, [sign * i, 1]] as const);
    await EmbeddingTable.write(path, rows);
    return { path, opened: await EmbeddingTable.open(path) };
  };
  const query = Float32Array.of(1, 0);

  test('that is closed stays closed, whatever is swapped then or meanwhile', async () => {
    const { opened } = await table();
    const { path } = await table(-1);
    const swapping = opened.swap(path);
    opened.close();
    await expect(swapping).rejects.toMatchObject({ code: 'ERR_WEIGHTS_CLOSED' });
    await expect(opened.swap(path)).rejects.toMatchObject({ code: 'ERR_WEIGHTS_CLOSED' });
    expect(errorOf(() => opened.row(1))).toMatchObject({ code: 'ERR_WEIGHTS_CLOSED' });
  });

  test.each<[string, (table: EmbeddingTable, close: () => number) => unknown]>([
    ['gather', (one, close) => one.gather(idsWith(close), new Float32Array(4))],
    ['dot', (one, close) => one.dot(query, idsWith(close))],
    ['topK of some', (one, close) => one.topK(query, 2, { ids: idsWith(close) })],
    ['topK of all', (one, close) => one.topK(query, 2, getterOf('threads', close))],
    ['rows', (one, close) => one.rows(idsWith(close))],
  ])('that a getter closes within %s says so, and answers nothing', async (_, ask) => {
    const { path, opened } = await table();
    const close = () => {
      opened.close();
      return 1;
    };
    expect(errorOf(() => ask(opened, close))).toMatchObject({ code: 'ERR_WEIGHTS_CLOSED' });
    // The index of others' files is in memory of its own, which closing leaves.
    const { tensors } = await Weights.open(path);
    const named = (name: string) => [name, tensors.get(name)!.data] as const;
    const vectors = { dtype: 'float32', shape: [9, 2], data: tensors.get('vectors')!.data as Float32Array } as const;
    const foreign = join(ownFolder(), 'foreign');
    await Weights.write(foreign, [['vectors', vectors], named('ids')]);
    const other = await EmbeddingTable.open(foreign);
    const closeOther = () => {
      other.close();
      return 1;
    };
    expect(errorOf(() => ask(other, closeOther))).toMatchObject({ code: 'ERR_WEIGHTS_CLOSED' });
  });

  test('takes lists of ids, and nothing that has no length', async () => {
    const { opened } = await table();
    for (const ids of [5, {}, new Set([1]), null, { length: Number.NaN }, { length: -1 }, () => 1] as never[])
      for (const ask of [
        () => opened.gather(ids, new Float32Array(99)),
        () => opened.dot(query, ids),
        () => opened.topK(query, 1, { ids }),
      ])
        expect(errorOf(ask)).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
    opened.close();
  });

  function getterOf(name: string, get: () => number): object {
    return Object.defineProperty({}, name, { get, enumerable: true });
  }
  function idsWith(get: () => number): ArrayLike<number> {
    return Object.assign(getterOf('0', get), { 1: 2, length: 2 });
  }
});

test.each(['computeDigest', 'prefetch'] as const)(
  '%s ends with what its listener throws, also out of a timer',
  async (how) => {
    const path = join(ownFolder(), 'a');
    await Weights.write(path, { a: new Uint8Array(5000) });
    using weights = await Weights.open(path);
    const told: number[] = [];
    const mine = new Error('mine');
    const onProgress = ({ bytes }: { bytes: number }) => {
      told.push(bytes);
      throw mine;
    };
    const start = () =>
      how === 'prefetch' ? weights.prefetch(['a'], { onProgress }) : weights.computeDigest({ onProgress });
    vi.useFakeTimers();
    try {
      const working = start();
      const ended = expect(working).rejects.toBe(mine);
      vi.advanceTimersByTime(500); // the work's own timer: what it throws would be thrown here
      await ended;
    } finally {
      vi.useRealTimers();
    }
    expect(told).toHaveLength(1);
  },
);

test('the last progress is all of it, however short the file', async () => {
  const path = join(ownFolder(), 'a');
  await Weights.write(path, { a: new Uint8Array(5001) });
  using weights = await Weights.open(path);
  const told: { bytes: number; total: number }[] = [];
  const onProgress = (progress: { bytes: number; total: number }) => told.push(progress);
  await weights.prefetch(['a'], { onProgress });
  expect(told.at(-1)).toEqual({ bytes: 5001, total: 5001 });
  for (const _ of ['computed', 'known from its file']) {
    await weights.computeDigest({ onProgress });
    expect(told.pop()).toEqual({ bytes: weights.bytes, total: weights.bytes });
  }
});

test('a text that UTF-8 cannot carry is no id, not even that of what it would become', async () => {
  const path = join(ownFolder(), 'a');
  await EmbeddingTable.write(path, [['\ufffd', [5]]]);
  using table = await EmbeddingTable.open(path);
  expect([table.has('\ufffd'), table.has('\ud800'), table.row('\ud800')]).toEqual([true, false, undefined]);
  expect(table.dot(Float32Array.of(1), ['\ud800', '\ufffd'])).toEqual(Float32Array.of(Number.NaN, 5));
});

test('the option digest is true or false', async () => {
  const path = join(ownFolder(), 'a');
  await Weights.write(path, { a: Uint8Array.of(1) });
  for (const digest of [1, 'yes', null] as never[])
    await expect(Weights.open(path, { digest })).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
});
