// What careless and hostile callers do to files of weights, tables and blobs.
import { copyFileSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Blobs, Weights } from 'zerohop';
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
