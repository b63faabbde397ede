// A file of more than 4 GiB, which takes no disk but where something was written: places need more than 32 bits, and
// one buffer may be too short.
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Weights } from 'zerohop';
import { nodeMajor } from '../fixtures/child.js';
import { errorOf } from '../fixtures/opened.js';
import { GgufFile, u32, u64 } from './reader/make-gguf.js';

const GIB = 2 ** 30;
/** In floats: just short of 4 GiB; across it; behind it; and one that alone is longer. */
const SIZES = { before: GIB - 100, across: 1000, behind: 5, long: GIB + 7 } as const;
type Name = keyof typeof SIZES;
const NAMES = Object.keys(SIZES) as Name[];

/** Elements that are written; all others are 0. */
const WRITTEN: readonly [Name, place: number, value: number][] = [
  ['before', 0, 1],
  ['before', SIZES.before - 1, 2],
  ['across', 0, 3],
  ['across', 99, 4],
  ['across', 100, 5],
  ['across', 999, 6],
  ['behind', 0, 7],
  ['behind', 4, 8],
  ['long', 0, 9],
  ['long', SIZES.long - 1, 10],
];

function write(path: string, head: Buffer, starts: Record<Name, number>): void {
  const file = openSync(path, 'w');
  writeSync(file, head);
  ftruncateSync(file, starts.long + 4 * SIZES.long);
  for (const [name, place, value] of WRITTEN)
    writeSync(file, Buffer.from(Float32Array.of(value).buffer), 0, 4, starts[name] + 4 * place);
  closeSync(file);
}

function writeSafetensors(path: string): void {
  let at = 0;
  const entries = NAMES.map((name) => {
    const begin = at;
    at += 4 * SIZES[name];
    return [name, { dtype: 'F32', shape: [SIZES[name]], data_offsets: [begin, at] }] as const;
  });
  let text = JSON.stringify(Object.fromEntries(entries));
  text = text.padEnd(Math.ceil(text.length / 8) * 8);
  const head = Buffer.concat([u64(text.length), Buffer.from(text)]);
  const starts = entries.map(([name, { data_offsets }]) => [name, head.length + data_offsets[0]!]);
  write(path, head, Object.fromEntries(starts));
}

function writeGguf(path: string): void {
  const file = new GgufFile();
  file.put('fixed', 'magic', Buffer.from('GGUF'));
  file.put('u32', 'version', u32(3));
  file.put('u64', 'number of tensors', u64(NAMES.length));
  file.put('u64', 'number of values', u64(0));
  let at = 0;
  const offsets = NAMES.map((name) => {
    const begin = at;
    file.text('name', name);
    file.put('u32', 'dimensions', u32(1));
    file.put('u64', 'dimension', u64(SIZES[name]));
    file.put('u32', 'type', u32(0));
    file.put('u64', 'offset', u64(begin));
    at += Math.ceil((4 * SIZES[name]) / 32) * 32;
    return begin;
  });
  file.put('pad', 'data', Buffer.alloc(0));
  const head = file.bytes();
  write(
    path,
    head,
    Object.fromEntries(NAMES.map((name, i) => [name, head.length + offsets[i]!])) as Record<Name, number>,
  );
}

describe.each([
  ['safetensors', writeSafetensors],
  ['gguf', writeGguf],
] as const)('a file of 8 GiB, %s', (format, make) => {
  let weights: Weights;
  beforeAll(async () => {
    const folder = mkdtempSync(join(tmpdir(), 'zerohop-'));
    const path = join(folder, `long.${format}`);
    make(path);
    weights = await Weights.open(path);
    rmSync(folder, { recursive: true }); // who has it open keeps it
  });
  afterAll(() => weights.close());

  /** By a part of a few elements. */
  function partOf(name: Name, place: number): number {
    const part = weights.tensor(name).part(4 * place, 4 * (place + 1)) as Float32Array;
    expect(part).toHaveLength(1);
    return part[0]!;
  }

  test('has its tensors where they are', () => {
    expect(weights.tensors.size).toBe(4);
    const { across, behind, long } = Object.fromEntries([...weights].map((tensor) => [tensor.name, tensor.place]));
    expect(across!.begin).toBeLessThan(2 ** 32);
    expect(across!.end).toBeGreaterThan(2 ** 32);
    expect(behind!.begin).toBeGreaterThan(2 ** 32);
    expect(long!.end - long!.begin).toBeGreaterThan(2 ** 32);
  });

  test('shows parts of every tensor', () => {
    for (const [name, place, value] of WRITTEN) expect(partOf(name, place), `${name}[${place}]`).toBe(value);
    for (const name of NAMES) expect(partOf(name, 1)).toBe(0);
  });

  test('shows each tensor whole that is no longer than 4 GiB', () => {
    for (const [name, place, value] of WRITTEN) {
      if (name === 'long') continue;
      const data = weights.tensor(name).data as Float32Array;
      expect(data).toHaveLength(SIZES[name]);
      expect(data[place], `${name}[${place}]`).toBe(value);
    }
  });

  test.runIf(nodeMajor >= 22)('shows the one that is longer', () => {
    const data = weights.tensor('long').data as Float32Array;
    expect(data).toHaveLength(SIZES.long);
    expect([data[0], data[1], data[SIZES.long - 1]]).toEqual([9, 0, 10]);
  });

  test.runIf(nodeMajor < 22)('says that this Node cannot show the one that is longer', () => {
    const long = weights.tensor('long');
    expect(errorOf(() => long.data)).toMatchObject({ name: 'WeightsError', code: 'ERR_WEIGHTS_WINDOW' });
    const most = long.part(28, long.bytes) as Float32Array; // 4 GiB exactly
    expect([most.length, most.at(-1)]).toEqual([GIB, 10]);
  });

  test('reads and converts what lies beyond', () => {
    for (const [name, place, value] of WRITTEN) {
      const out = new Uint8Array(4);
      weights.tensor(name).read(out, 4 * place);
      expect(new Float32Array(out.buffer)[0]).toBe(value);
      expect([...weights.tensor(name).toFloat32(undefined, 4 * place, 4 * (place + 1))]).toEqual([value]);
    }
    expect(weights.bytes).toBeGreaterThan(8 * GIB);
  });

  test('loads what lies beyond', async () => {
    let last = 0;
    await weights.prefetch(['across', 'behind'], {
      onProgress: ({ total }) => {
        last = total;
      },
    });
    expect(last).toBe(4 * (SIZES.across + SIZES.behind));
    expect(weights.advise(['long'])).toBe(true);
  });
});
