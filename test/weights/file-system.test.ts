// What the file system refuses has a code of its own, and the system's own words.
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EmbeddingTable, Weights } from 'zerohop';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'zerohop-file-system-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a file that is not there is not found', async () => {
  const path = join(folder, 'none.safetensors');
  const message = expect.stringContaining('o such file or directory');
  await expect(Weights.open(path)).rejects.toMatchObject({ code: 'ERR_WEIGHTS_NOT_FOUND', path, message });
  await expect(EmbeddingTable.open(path)).rejects.toMatchObject({ code: 'ERR_WEIGHTS_NOT_FOUND', path });
});

test('a path through a file is not found', async () => {
  writeFileSync(join(folder, 'file'), 'x');
  const path = join(folder, 'file', 'model.safetensors');
  await expect(Weights.open(path)).rejects.toMatchObject({ code: 'ERR_WEIGHTS_NOT_FOUND', path });
});

test('an index that names a shard that is not there: the shard is not found', async () => {
  const index = join(folder, 'model.safetensors.index.json');
  writeFileSync(index, JSON.stringify({ weight_map: { one: 'a.safetensors' } }));
  const path = join(folder, 'a.safetensors');
  await expect(Weights.open(folder)).rejects.toMatchObject({ code: 'ERR_WEIGHTS_NOT_FOUND', path });
});

test('a file of another user is refused for want of permission', async () => {
  const path = join(folder, 'model.safetensors');
  const inner = join(folder, 'closed');
  writeFileSync(path, 'x');
  mkdirSync(inner);
  chmodSync(folder, 0o755);
  for (const closed of [path, inner]) chmodSync(closed, 0);
  // Root may open everything: so the child is somebody else once the library is loaded.
  const script = `
    const { Weights } = require(${JSON.stringify(join(__dirname, '../../dist/index.js'))});
    if (process.geteuid() === 0) process.seteuid(65534);
    const codeOf = (path) => Weights.open(path).then(() => 'opened', (error) => error.code);
    Promise.all(${JSON.stringify([path, join(inner, 'model.safetensors')])}.map(codeOf)).then((codes) => console.log(...codes));
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script]);
  expect(stdout.trim()).toBe('ERR_WEIGHTS_PERMISSION ERR_WEIGHTS_PERMISSION');
});

// Regular files of Linux: the first can be read and not mapped; the second can be opened and not read.
const UNMAPPABLE = '/sys/class/net/lo/type';
const UNREADABLE = '/sys/class/net/lo/speed';

test.runIf(existsSync(UNMAPPABLE))('a file that the system does not map cannot be opened', async () => {
  const refusal = { code: 'ERR_WEIGHTS_OPEN', path: UNMAPPABLE, message: expect.stringContaining('cannot be mapped') };
  await expect(Weights.open(UNMAPPABLE, { strategy: 'mmap' })).rejects.toMatchObject(refusal);
});

test.runIf(existsSync(UNREADABLE))(
  'a file that the system fails to read is an I/O error, not a changed file',
  async () => {
    const refusal = { code: 'ERR_WEIGHTS_IO', path: UNREADABLE, message: expect.stringContaining('reading failed') };
    await expect(Weights.open(UNREADABLE, { strategy: 'read' })).rejects.toMatchObject(refusal);
  },
);

test('a file that is empty, and a folder without a checkpoint, are there and cannot be opened', async () => {
  const path = join(folder, 'model.bin');
  writeFileSync(path, '');
  await expect(Weights.open(path)).rejects.toMatchObject({ code: 'ERR_WEIGHTS_OPEN', path });
  await expect(Weights.open(folder)).rejects.toMatchObject({ code: 'ERR_WEIGHTS_OPEN', path: folder });
});
