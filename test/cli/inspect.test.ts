// zerohop inspect: whole files of every kind, and what it says of broken ones.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { Blobs, EmbeddingTable, Weights } from 'zerohop';
import { typed } from '../fixtures/command-line.js';
import { ownFolder } from '../fixtures/folder.js';

async function weightsFile(): Promise<string> {
  const file = path.join(ownFolder(), 'model.safetensors');
  await Weights.write(
    file,
    {
      'layer.0.weight': { dtype: 'float32', shape: [2, 3], data: new Float32Array(6) },
      'red \x1b[31m': { dtype: 'float32', shape: [1], data: new Float32Array(1) },
    },
    { metadata: { format: 'pt', title: 'a\x1b]0;b\x07' } },
  );
  return file;
}

const inspected = async (...words: string[]) => JSON.parse((await typed(['inspect', '--json', ...words])).stdout);

test('a safetensors file is told with tensors, metadata and digest, and nothing in it commands a terminal', async () => {
  const file = await weightsFile();
  const { code, stdout } = await typed(['inspect', '--digest', file]);
  expect(code).toBe(0);
  const weights = await Weights.open(file, { digest: true });
  for (const part of ['safetensors', 'F32 28 B in 2', 'layer.0.weight', '[2, 3]', 'red \\x1b[31m', 'a\\x1b]0;b\\x07'])
    expect(stdout).toContain(part);
  expect(stdout).toContain(weights.digest);
  expect(stdout).not.toContain('\x1b');
  expect(await inspected(file)).toMatchObject({
    valid: true,
    kind: 'safetensors',
    parameters: 7,
    metadata: { format: 'pt' },
    tensors: expect.arrayContaining([expect.objectContaining({ name: 'layer.0.weight', dtype: 'F32', shape: [2, 3] })]),
  });
  expect((await typed(['inspect', '--tensors', '1', file])).stdout).toContain('and 1 smaller ones');
});

test('a table tells its rows, and a blob its name', async () => {
  const folder = ownFolder();
  const table = path.join(folder, 'items.safetensors');
  await EmbeddingTable.write(table, { ids: ['a', 'b'], vectors: new Float32Array(6), dimensions: 3 });
  expect(await inspected(table)).toMatchObject({ kind: 'embedding table', about: { rows: '2 of 3 F32' } });
  const blob = await new Blobs({ folder }).open('tokenizer', 'v1', async () => 'content');
  expect(await inspected(blob.path)).toMatchObject({ kind: 'blob', about: { name: 'tokenizer', version: 'v1' } });
  expect(await inspected('--digest', blob.path)).toMatchObject({ kind: 'blob, as it was written' });
  const bytes = readFileSync(blob.path);
  bytes[bytes.length - 1]! ^= 1;
  const changed = path.join(folder, 'changed.blob');
  writeFileSync(changed, bytes);
  expect(await inspected('--digest', changed)).toMatchObject({ valid: false, code: 'ERR_WEIGHTS_CHANGED' });
});

test('a GGUF file is one by its first bytes, and integers of 64 bits stay exact', async () => {
  const u64 = (value: number | bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    return bytes;
  };
  const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
  const text = (value: string) => Buffer.concat([u64(value.length), Buffer.from(value)]);
  const value = [text('general.big'), u32(10), u64(2n ** 63n)];
  const list = [text('general.list'), u32(9), u32(4), u64(20), ...Array.from({ length: 20 }, (_, i) => u32(i))];
  const file = path.join(ownFolder(), 'renamed.bin');
  writeFileSync(file, Buffer.concat([Buffer.from('GGUF'), u32(3), u64(0), u64(2), ...value, ...list]));
  const { stdout } = await typed(['inspect', file]);
  expect(stdout).toMatch(/kind +GGUF/);
  expect(stdout).toContain('and 12 more');
  expect((await inspected(file)).metadata['general.big']).toBe('9223372036854775808');
});

test('of a broken file the place is shown, with the bytes around it, and what is wrong', async () => {
  const folder = ownFolder();
  const whole = readFileSync(await weightsFile());
  const cut = path.join(folder, 'cut.safetensors');
  writeFileSync(cut, whole.subarray(0, whole.length - 4));
  const { code, stderr } = await typed(['inspect', cut]);
  expect(code).toBe(1);
  expect(stderr).toContain('ERR_WEIGHTS_');
  const magic = path.join(folder, 'b\x1b[31m.gguf');
  writeFileSync(magic, Buffer.from('GGUF\x09\0\0\0\x1b[31mred padding padding'));
  const second = await typed(['inspect', magic]);
  expect(second).toMatchObject({ code: 1, stderr: expect.stringContaining('ERR_WEIGHTS_VERSION') });
  expect(second.stdout).toContain('09 00 00 00 1b 5b');
  expect(second.stdout + second.stderr).not.toContain('\x1b');
  expect(await inspected(magic)).toMatchObject({
    valid: false,
    code: 'ERR_WEIGHTS_VERSION',
    offset: expect.any(Number),
  });
  expect(await typed(['inspect', path.join(folder, 'none')])).toMatchObject({ code: 1 });
});
