// The digest of weights: what docs/WEIGHTS.md specifies, kept beside the file and believed only while it is its own.
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Weights } from 'zerohop';
import { ownFolder } from '../fixtures/folder.js';
import { later } from '../fixtures/later.js';
import { errorOf } from '../fixtures/opened.js';
import { randomFrom } from '../fixtures/values.mjs';

describe('the digest', () => {
  /** docs/WEIGHTS.md, again. */
  function digestOf(paths: string[]): string {
    const sha3 = (...parts: Uint8Array[]) =>
      parts.reduce((hash, part) => hash.update(part), createHash('sha3-256')).digest();
    const encoded = (n: number) => {
      const digits: number[] = [];
      for (let left = n; left > 0; left = Math.floor(left / 256)) digits.unshift(left % 256);
      if (digits.length === 0) digits.push(0);
      return Buffer.from([digits.length, ...digits]);
    };
    const root = (content: Buffer) => {
      let level: Buffer[] = [];
      for (let at = 0; at < content.length; at += 2 ** 20)
        level.push(sha3(Buffer.of(0), content.subarray(at, at + 2 ** 20)));
      while (level.length > 1)
        level = level.flatMap((left, i) =>
          i % 2 === 1 ? [] : i + 1 < level.length ? [sha3(Buffer.of(1), left, level[i + 1]!)] : [left],
        );
      return level[0]!;
    };
    const version = Buffer.from('zerohop weights 1');
    const files = paths
      .map((path) => readFileSync(path))
      .map((content) => Buffer.concat([encoded(content.length), root(content)]));
    return sha3(encoded(version.length * 8), version, encoded(files.length), ...files).toString('hex');
  }

  test.each([0, 1, 1000, 2 ** 18 - 24, 2 ** 18, 700_000, 1_900_000])('of %d floats is as specified', async (count) => {
    const path = join(ownFolder(), 'a.safetensors');
    const random = randomFrom(count);
    await Weights.write(path, { w: new Float32Array(count).map(() => random()) });
    using weights = await Weights.open(path, { digest: true });
    expect(weights.digest).toBe(digestOf([path]));
    using again = await Weights.open(path);
    expect(await again.computeDigest({ threads: 1 })).toBe(weights.digest);
  });

  test('changes with any byte, and is not believed from beside another file', async () => {
    const path = join(ownFolder(), 'a.safetensors');
    await Weights.write(path, { w: new Float32Array(500_000) });
    later();
    const before = await (await Weights.open(path, { digest: true })).digest;
    expect(existsSync(`${path}.zerohop-digest`)).toBe(true);
    const content = readFileSync(path);
    content[content.length - 1]! ^= 1;
    writeFileSync(path, content);
    utimesSync(path, new Date(), new Date(Date.now() + 5000));
    using changed = await Weights.open(path, { digest: true });
    expect(changed.digest).not.toBe(before);
    expect(changed.digest).toBe(digestOf([path]));
    writeFileSync(`${path}.zerohop-digest`, 'nonsense');
    expect(await (await Weights.open(path)).computeDigest()).toBe(changed.digest);
  });

  test('is that of all files of a checkpoint, and needs no place to be kept', async () => {
    const folder = ownFolder();
    await Weights.write(join(folder, 'a.safetensors'), { one: Float32Array.of(1) });
    await Weights.write(join(folder, 'b.safetensors'), { two: Float32Array.of(2) });
    writeFileSync(
      join(folder, 'model.safetensors.index.json'),
      JSON.stringify({ weight_map: { one: 'a.safetensors', two: 'b.safetensors' } }),
    );
    mkdirSync(join(folder, 'a.safetensors.zerohop-digest')); // nothing can be written there
    chmodSync(folder, 0o555);
    using weights = await Weights.open(folder, { digest: true });
    chmodSync(folder, 0o755);
    expect(weights.digest).toBe(digestOf([join(folder, 'a.safetensors'), join(folder, 'b.safetensors')]));
  });

  test('throws while it is not computed, is given up by its signal, and reports its progress', async () => {
    const path = join(ownFolder(), 'a.safetensors');
    await Weights.write(path, { w: new Float32Array(4_000_000) });
    using weights = await Weights.open(path);
    expect(errorOf(() => weights.digest)).toMatchObject({ code: 'ERR_WEIGHTS_DIGEST' });
    const reason = new Error('enough');
    await expect(weights.computeDigest({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const told: number[] = [];
    await weights.computeDigest({ onProgress: ({ bytes }) => told.push(bytes) });
    expect(told.at(-1)).toBeGreaterThan(15_000_000);
    const loaded: number[] = [];
    await weights.prefetch(['w'], { onProgress: ({ bytes, total }) => loaded.push(bytes / total) });
    expect(loaded.at(-1)).toBeCloseTo(1, 2);
    expect([weights.advise(), weights.advise(['w'])]).toEqual([true, true]);
    expect(errorOf(() => weights.advise(['x']))).toMatchObject({ code: 'ERR_WEIGHTS_TENSOR' });
    await expect(weights.prefetch(['x'])).rejects.toMatchObject({ code: 'ERR_WEIGHTS_TENSOR' });
  });
});
