// Blobs on a volume: made once, whoever starts, and never believed unchecked.
import { type ChildProcess, fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { Blobs, open, Weights } from 'zerohop';
import { rounds } from '../fixtures/child.js';
import { ownFolder } from '../fixtures/folder.js';
import { errorOf } from '../fixtures/opened.js';

const CONTENT = new Uint8Array(3_000_000).map((_, i) => (i * 7919) % 256);
const never = () => {
  throw new Error('it is there already');
};
const textOf = (bytes: Uint8Array) => Buffer.from(bytes).toString();

describe('a blob', () => {
  test('is made once, and mapped from then on', async () => {
    const cache = open({ maxBytes: '4MB', blobs: { folder: join(ownFolder(), 'deep', 'er') } });
    using first = await cache.blobs.open('tokenizer', 'v1', () => CONTENT);
    expect(Buffer.compare(first.bytes, CONTENT)).toBe(0);
    using second = await cache.blobs.open('tokenizer', 'v1', never);
    expect(Buffer.compare(second.bytes, CONTENT)).toBe(0);
    expect([second.name, second.version, second.digest]).toEqual(['tokenizer', 'v1', first.digest]);
    // Each has pages of its own where it writes.
    first.bytes[0]! ^= 1;
    expect(second.bytes[0]).toBe(CONTENT[0]);
    cache.close();
    expect(second.bytes[1]).toBe(CONTENT[1]); // the files are nobody's cache
    expect(readdirSync(cache.blobs.folder)).toHaveLength(1); // and no lock or draft is left
  });

  test('is a different one for each name and version', async () => {
    const blobs = new Blobs({ folder: ownFolder() });
    const names: [string, string][] = [
      ['a', '1'],
      ['a', '2'],
      ['a/../b', '1'],
      ['a_.._b', '1'],
      ['é', ''],
      ['a'.repeat(255), 'x'],
    ];
    for (const [name, version] of names) await blobs.open(name, version, () => `${name} ${version}`);
    for (const [name, version] of names)
      expect((await blobs.open(name, version, never)).text()).toBe(`${name} ${version}`);
    expect(readdirSync(blobs.folder)).toHaveLength(names.length);
    expect(blobs.delete('a', '1')).toBe(true);
    expect(blobs.delete('a', '1')).toBe(false);
    expect(await blobs.find('a', '1')).toBeUndefined();
    expect((await blobs.find('a', '2'))?.text()).toBe('a 2');
  });

  test('may be empty, a text, or a part of a buffer', async () => {
    const blobs = new Blobs({ folder: ownFolder() });
    expect((await blobs.open('empty', '', () => new Uint8Array(0))).bytes).toHaveLength(0);
    expect((await blobs.open('empty', '', never)).bytes).toHaveLength(0);
    expect((await blobs.open('text', '', async () => 'größer')).text()).toBe('größer');
    expect(textOf((await blobs.open('part', '', () => CONTENT.subarray(5, 9))).bytes)).toBe(
      textOf(CONTENT.subarray(5, 9)),
    );
  });

  test('has the digest that its file, as weights, says it has', async () => {
    const blobs = new Blobs({ folder: ownFolder() });
    const { digest, path } = await blobs.open('a', '1', () => CONTENT);
    using weights = await Weights.open(path);
    expect(weights.metadata['digest']).toBe(digest);
    // Three leaves: two, and one that moves up.
    const leaf = (from: number) =>
      createHash('sha3-256')
        .update('\0')
        .update(CONTENT.subarray(from, from + 2 ** 20))
        .digest();
    const node = (...parts: Buffer[]) => createHash('sha3-256').update('\x01').update(Buffer.concat(parts)).digest();
    expect(digest).toBe(node(node(leaf(0), leaf(2 ** 20)), leaf(2 ** 21)).toString('hex'));
  });

  test.each<[string, (path: string) => void]>([
    ['with another byte', (path) => patch(path, -1)],
    ['with another byte in its header', (path) => patch(path, 30)],
    ['that was cut', (path) => truncateSync(path, 1_000_000)],
    ['that is empty', (path) => truncateSync(path, 0)],
    ['that is something else', (path) => writeFileSync(path, 'nonsense of some length')],
  ])('%s is not believed, but made anew', async (_, damage) => {
    const blobs = new Blobs({ folder: ownFolder() });
    const { path } = await blobs.open('a', '1', () => CONTENT);
    damage(path);
    expect(await blobs.find('a', '1')).toBeUndefined();
    const again = await blobs.open('a', '1', () => CONTENT);
    expect(Buffer.compare(again.bytes, CONTENT)).toBe(0);
    expect(Buffer.compare((await blobs.open('a', '1', never)).bytes, CONTENT)).toBe(0);
  });

  test('of another name in its place is not believed', async () => {
    const blobs = new Blobs({ folder: ownFolder() });
    const a = await blobs.open('a', '1', () => 'a');
    const b = await blobs.open('b', '1', () => 'b');
    renameSync(a.path, b.path);
    expect((await blobs.open('b', '1', () => 'b')).text()).toBe('b');
  });

  test('whose loading fails is not stored, and can be loaded the next time', async () => {
    const blobs = new Blobs({ folder: ownFolder() });
    const reason = new Error('no model today');
    await expect(blobs.open('a', '1', () => Promise.reject(reason))).rejects.toBe(reason);
    await expect(blobs.open('a', '1', () => 5 as never)).rejects.toThrow(TypeError);
    await expect(blobs.open('a', '1', () => '\ud800')).rejects.toThrow(TypeError);
    expect(readdirSync(blobs.folder)).toEqual([]);
    expect((await blobs.open('a', '1', () => 'there')).text()).toBe('there');
  });

  test('is made once for many who ask in one process', async () => {
    const blobs = new Blobs({ folder: ownFolder() });
    let loads = 0;
    const load = async () => {
      ++loads;
      await new Promise((resolve) => setTimeout(resolve, 20));
      return CONTENT;
    };
    const all = await Promise.all(Array.from({ length: 20 }, () => blobs.open('a', '1', load)));
    expect(loads).toBe(1);
    for (const blob of all) expect(blob.bytes.length).toBe(CONTENT.length);
  });

  test('is refused where its folder cannot be made', async () => {
    const file = join(ownFolder(), 'file');
    writeFileSync(file, '');
    const blobs = new Blobs({ folder: join(file, 'x') });
    await expect(blobs.open('a', '1', () => 'a')).rejects.toMatchObject({ code: 'ENOTDIR' });
    expect(errorOf(() => new Blobs({ folder: 5 as never })).name).toBe('TypeError');
    expect(errorOf(() => open({ blobs: { place: '' } as never })).name).toBe('TypeError');
    await expect(blobs.open('', '1', never)).rejects.toThrow(RangeError);
    await expect(blobs.open('a', '1', undefined as never)).rejects.toThrow(TypeError);
  });
});

describe('processes that start together', () => {
  test.each([
    ['load it once', rounds(8, 50), 'once', 1, 0],
    ['load it again where the first one’s loading fails', rounds(4, 8), 'fail', 2, 1],
    ['load it again where the first one is killed', rounds(4, 8), 'die', 2, 1],
  ])('%s', async (_, processes, how, loads, without) => {
    const folder = ownFolder();
    const log = join(ownFolder(), 'log');
    writeFileSync(log, '');
    const program = fileURLToPath(new URL('../fixtures/blob-opener.mjs', import.meta.url));
    const children = Array.from({ length: processes }, () =>
      fork(program, [folder, '2000000', how, log], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] }),
    );
    const outputs = children.map((child) => {
      let text = '';
      child.stdout!.on('data', (chunk) => {
        text += chunk;
      });
      return once(child, 'close').then(() => (text === '' ? undefined : JSON.parse(text)));
    });
    await Promise.all(children.map((child) => once(child, 'message')));
    for (const child of children as ChildProcess[]) child.send('go');
    const got = await Promise.all(outputs);
    const right = got.filter((one) => one?.length === 2_000_000);
    expect(new Set(right.map(({ hash, digest }) => hash + digest)).size).toBe(1);
    expect(right).toHaveLength(processes - without);
    expect(readFileSync(log, 'utf8').trim().split('\n')).toHaveLength(loads);
    expect(readdirSync(folder)).toHaveLength(1);
  });
});

test('a worker has the same blobs, and one that is ended while it loads gives its place away', async () => {
  const folder = ownFolder();
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { Blobs } = require('zerohop');
    new Blobs({ folder: workerData }).open('a', '1', () => {
      parentPort.postMessage('loading');
      return new Promise(() => setInterval(() => {}, 1000));
    });`;
  const worker = new Worker(program, { eval: true, workerData: folder });
  await once(worker, 'message');
  const blobs = new Blobs({ folder });
  const waiting = blobs.open('a', '1', () => 'mine');
  await worker.terminate();
  expect((await waiting).text()).toBe('mine');
  expect(existsSync((await waiting).path)).toBe(true);
});

function patch(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at < 0 ? bytes.length + at : at]! ^= 1;
  writeFileSync(path, bytes);
}

test('a blob that is made without the lock leaves drafts alone: somebody may be writing one', async () => {
  const folder = ownFolder();
  const blobs = new Blobs({ folder });
  (await blobs.open('a', '1', () => 'text')).close();
  const [file] = readdirSync(folder);
  blobs.delete('a', '1');
  mkdirSync(join(folder, `${file}.lock`)); // as a stranger's, which nobody takes
  const draft = `.${file!.slice(0, 75)}.1.draft`;
  writeFileSync(join(folder, draft), 'half');
  (await blobs.open('a', '1', () => 'text')).close();
  expect(readdirSync(folder).sort()).toEqual([draft, file, `${file}.lock`]);
});
