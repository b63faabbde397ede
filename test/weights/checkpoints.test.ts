// Checkpoints as other programs lay them out: folders by each one's names, shards with more than the index lists, and
// the cache of the Hugging Face hub, whose names are links to files that are nobody else's to write beside.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EmbeddingTable, Weights } from 'zerohop';
import { ownFolder } from '../fixtures/folder.js';
import { GgufFile, u16, u32, u64 } from './reader/make-gguf.js';

const INDEX = 'model.safetensors.index.json';
const [ONE, TWO] = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'] as const;
const indexOf = (map: Record<string, string>) => JSON.stringify({ weight_map: map });
const refused = (code: string) => ({ name: 'WeightsError', code });

// Digests of what is reached by links are kept here.
let cache: string;
let before: string | undefined;
beforeAll(() => {
  cache = mkdtempSync(join(tmpdir(), 'zerohop-'));
  before = process.env['XDG_CACHE_HOME'];
  process.env['XDG_CACHE_HOME'] = cache;
});
afterAll(() => {
  if (before === undefined) delete process.env['XDG_CACHE_HOME'];
  else process.env['XDG_CACHE_HOME'] = before;
  rmSync(cache, { recursive: true, force: true });
});

/** A repository in the hub's cache, with these files in a folder of its snapshot, each a link to a blob. */
async function hub(sub: string, files: Record<string, Buffer | Record<string, Float32Array>>): Promise<string> {
  const root = ownFolder();
  const folder = join(root, 'snapshots', 'abc', sub);
  mkdirSync(join(root, 'blobs'));
  mkdirSync(folder, { recursive: true });
  for (const [i, [name, content]] of Object.entries(files).entries()) {
    const path = join(folder, name);
    if (Buffer.isBuffer(content)) writeFileSync(path, content);
    else await Weights.write(path, content);
    renameSync(path, join(root, 'blobs', `${9 - i}fff`));
    symlinkSync(join(...Array(2 + (sub === '' ? 0 : sub.split('/').length)).fill('..'), 'blobs', `${9 - i}fff`), path);
  }
  return folder;
}

const rootOf = (folder: string) => folder.slice(0, folder.indexOf('/snapshots/'));
const shards = { [ONE]: { a: Float32Array.of(1) }, [TWO]: { b: Float32Array.of(2) } };
const index = Buffer.from(indexOf({ a: ONE, b: TWO }));

describe.each(['', 'text_encoder', 'models/first'])('in a hub’s snapshot, shards in "%s"', (sub) => {
  test('are opened, by the names of the snapshot, and nothing is written among the blobs', async () => {
    const folder = await hub(sub, { ...shards, [INDEX]: index });
    const files = readdirSync(folder);
    using weights = await Weights.open(folder, { digest: true });
    expect([...weights.tensors.keys()]).toEqual(['a', 'b']);
    expect(weights.externalData().map(({ path }) => path)).toEqual([ONE, TWO]);
    expect([...weights].map(({ place }) => place.path)).toEqual([join(folder, ONE), join(folder, TWO)]);
    expect(readdirSync(join(rootOf(folder), 'blobs')).sort()).toEqual(['7fff', '8fff', '9fff']);
    expect(readdirSync(folder)).toEqual(files);
    // What was found of them is kept, and believed.
    const kept = readdirSync(join(cache, 'zerohop', 'digests'));
    using again = await Weights.open(folder, { digest: true });
    expect(again.digest).toBe(weights.digest);
    expect(readdirSync(join(cache, 'zerohop', 'digests'))).toEqual(kept);
  });

  test('are opened, also if the folder itself is reached by a link', async () => {
    const link = join(ownFolder(), 'current');
    symlinkSync(await hub(sub, { ...shards, [INDEX]: index }), link);
    using weights = await Weights.open(link);
    expect([...weights].map(({ place }) => place.path)).toEqual([join(link, ONE), join(link, TWO)]);
  });

  test('of GGUF are opened by the name of any', async () => {
    const part = (no: number) => {
      const file = new GgufFile();
      file.put('fixed', 'magic', Buffer.from('GGUF'));
      file.put('u32', 'version', u32(3));
      file.put('u64', 'number of tensors', u64(1));
      file.put('u64', 'number of values', u64(1));
      file.value('split.no', 2, u16(no));
      file.text('name', `t${no}`);
      for (const [kind, bytes] of [
        ['u32', u32(1)],
        ['u64', u64(1)],
        ['u32', u32(24)],
        ['u64', u64(0)],
      ] as const)
        file.put(kind, 'place', bytes);
      file.put('pad', 'data', Buffer.of(no));
      return file.bytes();
    };
    const folder = await hub(sub, { 'm-00001-of-00002.gguf': part(0), 'm-00002-of-00002.gguf': part(1) });
    using weights = await Weights.open(join(folder, 'm-00002-of-00002.gguf'));
    expect([...weights.tensors.keys()]).toEqual(['t0', 't1']);
    expect(basename(weights.tensor('t1').place.path)).toBe('m-00002-of-00002.gguf');
  });

  test('are not followed elsewhere, nor where the blobs themselves are a link', async () => {
    const folder = await hub(sub, { ...shards, [INDEX]: index });
    const root = rootOf(folder);
    const up = join(...Array(sub === '' ? 0 : sub.split('/').length).fill('..'));
    mkdirSync(join(root, 'other', 'blobs'), { recursive: true });
    await Weights.write(join(root, 'other', 'blobs', '8fff'), shards[TWO]!);
    await Weights.write(join(root, 'secret'), shards[TWO]!);
    const leads = ['blobs/../secret', '../blobs/8fff', '../../secret', '../../other/blobs/8fff', '../../../blobs/8fff'];
    for (const lead of leads) {
      rmSync(join(folder, TWO));
      symlinkSync(`${up === '.' ? '' : `${up}/`}${lead}`, join(folder, TWO));
      await expect(Weights.open(folder), lead).rejects.toMatchObject(refused('ERR_WEIGHTS_OPEN'));
    }
    rmSync(join(folder, TWO));
    symlinkSync(join(up, '../../blobs/8fff'), join(folder, TWO));
    (await Weights.open(folder)).close();
    renameSync(join(root, 'blobs'), join(root, 'elsewhere'));
    symlinkSync(join(root, 'elsewhere'), join(root, 'blobs'));
    await expect(Weights.open(folder)).rejects.toMatchObject(refused('ERR_WEIGHTS_OPEN'));
  });
});

test('the digest of shards that are links is that of the shards, in the order of their names', async () => {
  const plain = ownFolder();
  for (const [name, tensors] of Object.entries(shards)) await Weights.write(join(plain, name), tensors);
  writeFileSync(join(plain, INDEX), index);
  // The first by name is the last by its hash.
  using linked = await Weights.open(await hub('', { ...shards, [INDEX]: index }), { digest: true });
  using copied = await Weights.open(plain, { digest: true });
  expect(linked.digest).toBe(copied.digest);
});

test('the digest of a file that is reached by a link is not written beside it', async () => {
  const folder = await hub('', { 'model.safetensors': { a: Float32Array.of(1) } });
  using weights = await Weights.open(folder, { digest: true });
  expect(weights.digest).toHaveLength(64);
  expect(readdirSync(folder)).toEqual(['model.safetensors']);
  expect(readdirSync(join(rootOf(folder), 'blobs'))).toEqual(['9fff']);
});

describe('what the index does not list is not there', () => {
  test.each<[string, Record<string, Float32Array>]>([
    ['a tensor that it does not know', { b: Float32Array.of(9), extra: Float32Array.of(7) }],
    ['another copy of one that it knows', { b: Float32Array.of(9), a: Float32Array.of(5) }],
  ])('%s', async (_, second) => {
    for (const [first, other] of [
      [ONE, TWO],
      [TWO, ONE],
    ] as const) {
      const folder = ownFolder();
      await Weights.write(join(folder, first), { a: Float32Array.of(1) });
      await Weights.write(join(folder, other), second);
      writeFileSync(join(folder, INDEX), indexOf({ a: first, b: other }));
      using weights = await Weights.open(folder);
      expect([...weights].map(({ name, data }) => [name, (data as Float32Array)[0]]).sort()).toEqual([
        ['a', 1],
        ['b', 9],
      ]);
    }
  });
});

describe('a folder', () => {
  const names = ['model', 'diffusion_pytorch_model', 'adapter_model', 'adapters', 'weights'];
  test.each(names)('with %s.safetensors is opened by that file, and by its index', async (name) => {
    const folder = ownFolder();
    await Weights.write(join(folder, `${name}.safetensors`), { whole: Float32Array.of(1) });
    using whole = await Weights.open(folder);
    expect([...whole.tensors.keys()]).toEqual(['whole']);
    await Weights.write(join(folder, `${name}-00001-of-00001.safetensors`), { part: Float32Array.of(1) });
    writeFileSync(
      join(folder, `${name}.safetensors.index.json`),
      indexOf({ part: `${name}-00001-of-00001.safetensors` }),
    );
    using parts = await Weights.open(folder);
    expect([...parts.tensors.keys()]).toEqual(['part']);
  });

  test('with several of these names is opened by the first one', async () => {
    const folder = ownFolder();
    for (const name of names) await Weights.write(join(folder, `${name}.safetensors`), { [name]: Float32Array.of(1) });
    using weights = await Weights.open(folder);
    expect([...weights.tensors.keys()]).toEqual(['model']);
  });

  test('with none of these names is refused with those that were looked for', async () => {
    const folder = ownFolder();
    await Weights.write(join(folder, 'mine.safetensors'), { a: Float32Array.of(1) });
    const error = await Weights.open(folder).catch((error) => error);
    expect(error).toMatchObject({ ...refused('ERR_WEIGHTS_OPEN'), path: folder });
    for (const name of names) expect(error.message).toContain(`${name}.safetensors`);
  });

  test('may hold the index of a variant, which is opened by its own name', async () => {
    const folder = ownFolder();
    await Weights.write(join(folder, ONE), { a: Float32Array.of(1) });
    const path = join(folder, 'model.safetensors.index.fp16.json');
    writeFileSync(path, indexOf({ a: ONE }));
    using weights = await Weights.open(path);
    expect(weights.tensors.size).toBe(1);
  });
});

test('an index that is a pipe, a device or too long is refused without a read', async () => {
  const folder = ownFolder();
  const path = join(folder, INDEX);
  execFileSync('mkfifo', [path]);
  await expect(Weights.open(path)).rejects.toMatchObject(refused('ERR_WEIGHTS_OPEN'));
  rmSync(path);
  symlinkSync('/dev/zero', path);
  await expect(Weights.open(path)).rejects.toMatchObject(refused('ERR_WEIGHTS_OPEN'));
  rmSync(path);
  execFileSync('truncate', ['-s', '1500M', path]);
  await expect(Weights.open(path)).rejects.toMatchObject(refused('ERR_WEIGHTS_INDEX_SIZE'));
});

test('a header that is filled up with NULs is read as one that is filled up with spaces', async () => {
  const text = Buffer.from('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}\0\0\0\0\0');
  const path = join(ownFolder(), 'a.safetensors');
  writeFileSync(path, Buffer.concat([u64(text.length), text, Buffer.from(Float32Array.of(7).buffer)]));
  using weights = await Weights.open(path);
  expect(weights.tensor('a').data).toEqual(Float32Array.of(7));
});

test('GGUF of any alignment, whose data stand in any order with room between, is read', async () => {
  for (const alignment of [1, 8, 24, 40, 64]) {
    const file = new GgufFile();
    file.alignment = alignment;
    file.put('fixed', 'magic', Buffer.from('GGUF'));
    file.put('u32', 'version', u32(3));
    file.put('u64', 'number of tensors', u64(2));
    file.put('u64', 'number of values', u64(1));
    file.value('general.alignment', 4, u32(alignment));
    for (const [name, offset] of [
      ['later', 2 * alignment],
      ['sooner', 0],
    ] as const) {
      file.text('name', name);
      for (const [kind, bytes] of [
        ['u32', u32(1)],
        ['u64', u64(1)],
        ['u32', u32(24)],
        ['u64', u64(offset)],
      ] as const)
        file.put(kind, 'place', bytes);
    }
    file.put('pad', 'data', Buffer.concat([Buffer.of(1), Buffer.alloc(2 * alignment - 1), Buffer.of(2)]));
    const path = join(ownFolder(), 'a.gguf');
    writeFileSync(path, file.bytes());
    using weights = await Weights.open(path);
    expect([...weights].map(({ name, data }) => [name, (data as Int8Array)[0]])).toEqual([
      ['sooner', 1],
      ['later', 2],
    ]);
  }
});

describe('a path', () => {
  test('may be a file: URL wherever one is taken, also of another realm', async () => {
    const path = join(ownFolder(), 'ein ü %20.safetensors');
    const url = pathToFileURL(path);
    await Weights.write(url, { a: Float32Array.of(3) });
    using weights = await Weights.open(url);
    expect(weights.path).toBe(path);
    using folder = await Weights.open(await named(dirname(path), path));
    expect(folder.tensors.size).toBe(1);
    await EmbeddingTable.write(url, [[1, [2]]]);
    using table = await EmbeddingTable.open(url);
    await table.swap(url);
    const foreign = runInNewContext('({ href, protocol: "file:" })', { href: url.href });
    await table.swap(foreign);
    expect(table.row(1)).toEqual(Float32Array.of(2));
  });

  async function named(folder: string, path: string): Promise<URL> {
    renameSync(path, join(folder, 'model.safetensors'));
    return pathToFileURL(`${folder}/`);
  }

  test('of another kind is refused', async () => {
    for (const wrong of [new URL('https://example.com/a'), new URL('file://host/a')])
      await expect(Weights.open(wrong)).rejects.toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
    for (const wrong of [Buffer.from('/a'), 7, null, {}])
      await expect(Weights.open(wrong as never)).rejects.toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
  });
});
