// What Weights.open says of a file is what a second reader says that was written from the formats' rules alone: of
// files at random, and of such with something wrong.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { Weights, WeightsError } from 'zerohop';
import { alike } from '../../fixtures/child.js';
import { randomFrom } from '../../fixtures/values.mjs';
import { answerOf, type ReadTensor } from './answer.js';
import { changedFile, HEADER_CHANGES } from './break-safetensors.js';
import { BYTE_CHANGES } from './bytes.js';
import { readGguf } from './gguf.js';
import { GGUF_CHANGES, makeGguf } from './make-gguf.js';
import { type Random, validFile } from './make-safetensors.js';
import { readSafetensors } from './safetensors.js';

// In memory where there is such a folder: thousands of files are written here.
const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'zerohop-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'file');

/** The tensors, or the code of the refusal. */
async function opened(): Promise<ReadTensor[] | string> {
  try {
    using weights = await Weights.open(path);
    return [...weights].map(({ name, dtype, shape, place: { begin, end } }) => ({
      name,
      dtype,
      shape: [...shape],
      begin,
      end,
    }));
  } catch (error) {
    if (error instanceof WeightsError) return error.code;
    throw error;
  }
}

/** Codes of the files that were refused, by both; and how many were taken, by both and with the same tensors. */
class Counted {
  readonly codes = new Map<string, number>();
  taken = 0;

  async compare(file: Buffer, read: (file: Buffer) => ReadTensor[]): Promise<boolean> {
    writeFileSync(path, file);
    const said = await opened();
    const wanted = answerOf(read, file);
    // As text: shown is what the file is made of where they differ.
    const shown = `${file.length} bytes: ${file.subarray(0, 2000).toString('latin1')}\n${wanted}`;
    if (typeof wanted === 'string') expect(typeof said === 'string' ? 'refused' : said, shown).toBe('refused');
    else expect(said, shown).toEqual(wanted);
    if (typeof said === 'string') this.codes.set(said, (this.codes.get(said) ?? 0) + 1);
    else ++this.taken;
    return typeof said !== 'string';
  }
}

describe.each(alike([1, 2]))('with seed %d', (seed) => {
  describe.each([
    {
      format: 'safetensors',
      read: readSafetensors,
      valid: validFile,
      changes: Object.keys(HEADER_CHANGES),
      changed: changedFile,
      codes: 'OPEN TRUNCATED HEADER_SIZE HEADER_UTF8 HEADER_JSON NAME DTYPE DUPLICATE OFFSETS SHAPE SIZE TRAILING',
    },
    {
      format: 'GGUF',
      read: readGguf,
      valid: (random: Random) => makeGguf(random).bytes(),
      changes: Object.keys(GGUF_CHANGES),
      changed: (random: Random, change: string) => GGUF_CHANGES[change]!(makeGguf(random), random),
      codes: 'COUNT KEY VALUE VERSION ENDIANNESS TRUNCATED NAME DTYPE DUPLICATE OFFSETS SHAPE SIZE ALIGNMENT SPLIT',
    },
  ])('files of $format', ({ read, valid, changes, changed, codes }) => {
    const counted = new Counted();

    test('are taken by both as they should be', async () => {
      const random = randomFrom(seed);
      for (let i = 0; i < 200; ++i) expect(await counted.compare(valid(random), read)).toBe(true);
    });

    test.each(changes)('are judged alike by both where %s', async (change) => {
      const random = randomFrom(seed + changes.indexOf(change) * 100);
      for (let i = 0; i < 100; ++i) await counted.compare(changed(random, change), read);
    });

    test.each(Object.keys(BYTE_CHANGES))('are judged alike by both where %s, anywhere', async (change) => {
      const random = randomFrom(seed + 7);
      for (let i = 0; i < 150; ++i) await counted.compare(BYTE_CHANGES[change]!(valid(random), random), read);
    });

    test('were thousands, with every reason to refuse one', () => {
      const refused = [...counted.codes.values()].reduce((sum, count) => sum + count, 0);
      expect(counted.taken).toBeGreaterThan(500);
      expect(refused).toBeGreaterThan(1000);
      for (const code of codes.split(' ')) expect([...counted.codes.keys()], code).toContain(`ERR_WEIGHTS_${code}`);
    });
  });
});
