// What bundlers make of the package, by esbuild, and what is said where the addon may not be loaded.
import { execFile } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import vm from 'node:vm';
import { build, type Format, type Platform } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fingerprint, PUBLIC } from 'zerohop/fingerprint';
import { nodeMajor } from '../fixtures/child.js';

const root = path.join(__dirname, '..', '..');
const execute = promisify(execFile);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'zerohop-bundles-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The file that a bundler makes of a module with these contents. */
async function bundle(contents: string, platform: Platform, format: Format, name: string): Promise<string> {
  const outfile = path.join(folder, name);
  const stdin = { contents, resolveDir: root };
  const mainFields = ['module', 'main'];
  await build({
    stdin,
    bundle: true,
    platform,
    format,
    outfile,
    mainFields,
    globalName: 'bundled',
    logLevel: 'silent',
  });
  return outfile;
}

/** What Node prints that runs these arguments, whether it fails or not. */
async function printed(...args: string[]): Promise<string> {
  const { stdout, stderr } = await execute(process.execPath, args, { cwd: root }).catch((error) => error);
  return stdout + stderr;
}

const EXPECTED = fingerprint({ scope: PUBLIC, model: 'm@1', input: 'text' }).toString();
const SOURCE = `import { fingerprint, PUBLIC } from 'zerohop/fingerprint';
export const text = fingerprint({ scope: PUBLIC, model: 'm@1', input: 'text' }).toString();`;

describe('zerohop/fingerprint', () => {
  test.each(['browser', 'neutral'] as const)('bundled for %s runs where only web APIs are', async (platform) => {
    const file = await bundle(SOURCE, platform, 'iife', `${platform}.js`);
    const context = vm.createContext({ TextEncoder });
    expect(vm.runInContext(`${readFileSync(file, 'utf8')}; bundled.text`, context)).toBe(EXPECTED);
  });

  test.each(['browser', 'neutral', 'node'] as const)('bundled for %s runs as an ES module', async (platform) => {
    const file = await bundle(`${SOURCE}\nconsole.log(text);`, platform, 'esm', `${platform}.mjs`);
    expect((await printed(file)).trim()).toBe(EXPECTED);
  });
});

describe.each(['esm', 'cjs'] as const)('a bundle of %s', (format) => {
  test.each([
    'zerohop',
    'zerohop/ai-sdk',
    'zerohop/langchain',
    'zerohop/keyv',
    'zerohop/transformers',
    'zerohop/metrics',
    'zerohop/dashboard',
    'zerohop/otel',
  ])('of %s says that the package is to be external', async (entry) => {
    const name = `${entry.replace('/', '-')}.${format === 'esm' ? 'mjs' : 'cjs'}`;
    const file = await bundle(`import * as all from '${entry}'; console.log(all);`, 'node', format, name);
    const said = await printed(file);
    expect(said).toContain("zerohop: it was bundled; tell the bundler that 'zerohop' is external");
    expect(said).toContain('ERR_CACHE_ADDON');
  });
});

test('two bundles over one addon serve their own values', async () => {
  // Each in the place of the package's own dist/addon/, which is where a copy of its JavaScript finds the addon.
  mkdirSync(path.join(folder, 'package', 'dist', 'addon'), { recursive: true });
  copyFileSync(path.join(root, 'package.json'), path.join(folder, 'package', 'package.json'));
  symlinkSync(path.join(root, 'build'), path.join(folder, 'package', 'build'), 'junction');
  const files: string[] = [];
  for (const name of ['one.cjs', 'two.cjs'])
    files.push(await bundle("export * from 'zerohop';", 'node', 'cjs', path.join('package', 'dist', 'addon', name)));
  const program = `
    const libraries = ${JSON.stringify(files)}.map((file) => require(file));
    const caches = libraries.map(({ open }) => open({ maxBytes: 2 ** 21 }));
    for (let i = 0; i < 50; ++i) caches.forEach((cache, c) => cache.set('k' + i, Buffer.alloc(10 + c, i)));
    let right = libraries[0].open === libraries[1].open ? -1 : 0;
    for (let i = 0; i < 50; ++i) caches.forEach((cache, c) => {
      const value = cache.get('k' + i);
      if (value.length === 10 + c && value[9] === i) ++right;
    });
    caches.forEach((cache) => cache.close());
    caches.forEach((cache, c) => {
      try { cache.get('k'); } catch (error) { if (error instanceof libraries[c].CacheError) ++right; }
    });
    console.log(right);`;
  expect((await printed('-e', program)).trim()).toBe('102');
});

describe('where addons are not allowed', () => {
  const PERMISSION = nodeMajor >= 22 ? '--permission' : '--experimental-permission';

  test('by --no-addons: what to leave out is said', async () => {
    const said = await printed('--no-addons', '-e', "require('zerohop')");
    expect(said).toContain('ERR_CACHE_ADDON');
    expect(said).toContain('Node was started with --no-addons, and zerohop is one; start it without, or import');
  });

  test('by the permission model: what to allow is said, and then it works', async () => {
    const read = `--allow-fs-read=${root}/*`;
    const said = await printed(PERMISSION, read, '-e', "require('zerohop')");
    expect(said).toContain('ERR_CACHE_ADDON');
    expect(said).toContain("Node's permission model forbids addons; start it with --allow-addons too");
    const program = "require('zerohop').open({ maxBytes: 2 ** 21 }).close(); console.log('works')";
    expect(await printed(PERMISSION, read, '--allow-addons', '-e', program)).toContain('works');
  });

  test('by the permission model, and the package may be read in part: what to allow is said', async () => {
    const said = await printed(
      PERMISSION,
      `--allow-fs-read=${path.join(root, 'dist')}/*`,
      path.join(root, 'dist', 'index.js'),
    );
    expect(said).toContain(
      `Node may not read ${root}; start it with --allow-fs-read=${root}/* too, and --allow-addons`,
    );
  });
});
