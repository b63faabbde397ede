// What other programs do with these files, by Python: the example of docs/WEIGHTS.md writes tables, as it stands there;
// and digests come out the same from hashlib alone.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { EmbeddingTable, Weights } from 'zerohop';
import { ownFolder } from '../fixtures/folder.js';

const scripts = join(__dirname, 'python');
/** The first on the path may be one without packages, and the system's have them. */
const pythons = ['python3', '/usr/bin/python3'];
const can = (python: string, program: string) => spawnSync(python, ['-c', program]).status === 0;

const python = pythons.find((one) => can(one, 'import hashlib; hashlib.sha3_256()'));
const withNumpy = pythons.find((one) => can(one, 'import numpy'));

/** Where it is promised, a test without what it needs fails. */
function missing(what: string, skip: (note: string) => void): void {
  expect(process.env['CI'], `${what} is missing`).toBeUndefined();
  console.warn(`NOT TESTED: ${what} is missing`);
  skip(`${what} is missing`);
}

function run(program: string, args: readonly string[], options: { cwd?: string; path?: string } = {}): string {
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1', PYTHONPATH: options.path ?? '' };
  const { status, stdout, stderr } = spawnSync(program, args, { env, cwd: options.cwd, encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
  return stdout;
}

describe('a program in Python', () => {
  test('writes the tables of docs/WEIGHTS.md', async ({ skip }) => {
    if (withNumpy === undefined) return missing('python3 with numpy', skip);
    const text = readFileSync(join(__dirname, '../../docs/WEIGHTS.md'), 'utf8');
    const [, program] = /^```python\n(.*?)^```/ms.exec(text)!;
    const folder = ownFolder();
    writeFileSync(join(folder, 'program.py'), program!);
    const own = can(withNumpy, 'import safetensors.numpy');
    run(withNumpy, ['program.py'], { cwd: folder, path: own ? '' : scripts });

    using items = await EmbeddingTable.open(join(folder, 'items.safetensors'));
    expect([items.size, items.dimensions, items.dtype, items.row(8)]).toEqual([2, 3, 'F32', undefined]);
    expect([...items.row(7)!, ...items.row(42)!]).toEqual([1, 2, 3, 4, 5, 6]);
    expect(items.topK(Float32Array.of(0, 0, 1), 1)).toEqual([{ id: 42, score: 6 }]);

    using words = await EmbeddingTable.open(join(folder, 'words.safetensors'));
    expect([words.size, words.dimensions, words.dtype]).toEqual([3, 2, 'I8']);
    expect(['apple', 'pêche', ''].map((id) => [...words.row(id)!])).toEqual([
      [127, 0],
      [-127, 64],
      [0, 1],
    ]);
    expect([words.scale('apple'), words.scale('pêche')]).toEqual([0.5, 0.25]);
    expect([...words.dot(Float32Array.of(2, 0), ['pêche', 'kiwi'])]).toEqual([-63.5, Number.NaN]);
  });

  test.for([0, 1, 2 ** 18, 700_000, 1_900_000])('finds the digest of %d floats', async (count, { skip }) => {
    if (python === undefined) return missing('python3', skip);
    const path = join(ownFolder(), 'a.safetensors');
    await Weights.write(path, { w: Float32Array.from({ length: count }, (_, i) => i) });
    using weights = await Weights.open(path, { digest: true });
    expect(run(python, [join(scripts, 'digest.py'), path])).toBe(`${weights.digest}\n`);
  });

  test('finds the digest of a checkpoint of several files', async ({ skip }) => {
    if (python === undefined) return missing('python3', skip);
    const folder = ownFolder();
    const shards = ['c', 'a', 'b'].map((name) => join(folder, `${name}.safetensors`));
    for (const [i, shard] of shards.entries())
      await Weights.write(shard, { [`w${i}`]: new Float32Array(300_000 * (i + 1)) });
    const map = Object.fromEntries(['c', 'a', 'b'].map((name, i) => [`w${i}`, `${name}.safetensors`]));
    writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }));
    using weights = await Weights.open(folder, { digest: true });
    expect(run(python, [join(scripts, 'digest.py'), ...shards])).toBe(`${weights.digest}\n`);
  });
});
