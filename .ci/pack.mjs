// pack.mjs — `npm run pack [-- FOLDER]`: the tarballs that are published: zerohop, and one package for each platform
// whose addon was compiled here. FOLDER: build/packages if not given.
//
// What is published is not this folder: no script, no binding.gyp, no development dependency.  npm, told nothing about
// scripts, would run node-gyp where it sees a binding.gyp.  The version is that of package.json, here and in each of
// the platform packages.

import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { builtAddon, hostPlatform, PLATFORMS } from './platforms.mjs';
import { PreparationError, prepare, root, runMain, runNpm } from './prepare.mjs';

/** What of package.json is not for users. */
const DEVELOPMENT = ['private', 'imports', 'scripts', 'devDependencies', 'overrides'];

/**
 * Packs everything that was built.
 *
 * @param {string} folder  is emptied first
 * @returns {{ name: string, tarball: string, manifest: object }[]}  zerohop first
 */
export function packAll(folder) {
  prepare();
  rmSync(folder, { recursive: true, force: true });
  const source = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  const built = PLATFORMS.filter((platform) => builtAddon(platform) !== undefined);
  // Where it is published from, which npm's provenance is checked against; the release workflow knows.
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository } = process.env;
  if (server && repository) source.repository = { type: 'git', url: `git+${server}/${repository}.git` };
  const packages = [packMain(folder, source), ...built.map((platform) => packPlatform(folder, source, platform))];
  return packages.map(({ manifest, place }) => ({
    name: manifest.name,
    manifest,
    tarball: pack(folder, place, manifest),
  }));
}

function packMain(folder, source) {
  const manifest = Object.fromEntries(Object.entries(source).filter(([key]) => !DEVELOPMENT.includes(key)));
  manifest.optionalDependencies = Object.fromEntries(PLATFORMS.map(({ name }) => [`@zerohop/${name}`, source.version]));
  manifest.man = './dist/zerohop.1';
  const place = stage(folder, manifest, ['README.md', 'LICENSE', 'CHANGELOG.md']);
  cpSync(path.join(root, 'dist'), path.join(place, 'dist'), { recursive: true });
  writeFileSync(path.join(place, manifest.man), manualPage());
  return { manifest, place };
}

/** What `man zerohop` shows where the package is installed globally. */
function manualPage() {
  const program = path.join(root, 'dist/cli/zerohop.js');
  const { status, stdout } = spawnSync(process.execPath, [program, 'man'], { encoding: 'utf8' });
  if (status !== 0) throw new PreparationError('zerohop man failed');
  return stdout;
}

function packPlatform(folder, source, platform) {
  const { name, cpu, libc } = platform;
  const manifest = {
    name: `@zerohop/${name}`,
    version: source.version,
    description: `The native addon of zerohop for Linux on ${cpu}, ${libc}.`,
    license: source.license,
    ...(source.repository && { repository: source.repository }),
    engines: source.engines,
    os: ['linux'],
    cpu: [cpu],
    libc: [libc],
    exports: { './zerohop.node': './zerohop.node', './package.json': './package.json' },
    files: ['zerohop.node'],
  };
  const place = stage(folder, manifest, ['LICENSE']);
  writeFileSync(
    path.join(place, 'README.md'),
    `# @zerohop/${name}\n\nThe compiled part of zerohop for Linux on ${cpu} with ${libc}. ` +
      'npm installs it where it fits; it is of no use alone.\n',
  );
  const addon = path.join(place, 'zerohop.node');
  copyFileSync(builtAddon(platform), addon);
  strip(addon, platform);
  return { manifest, place };
}

function stage(folder, manifest, files) {
  const place = path.join(folder, 'staged', manifest.name);
  mkdirSync(place, { recursive: true });
  writeFileSync(path.join(place, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`);
  for (const file of files) copyFileSync(path.join(root, file), path.join(place, file));
  return place;
}

/** Symbols are of no use to those who install it. What was compiled elsewhere is stripped there, by the tool for it. */
function strip(file, platform) {
  const { compiler } = platform;
  if (compiler === undefined && platform !== hostPlatform()) return;
  const command = compiler === undefined ? 'strip' : compiler.command.replace(/g\+\+$/, 'strip');
  const { status, error } = spawnSync(command, ['--strip-unneeded', file], { stdio: 'inherit' });
  if (status !== 0 && error?.code !== 'ENOENT') throw new PreparationError(`${command} failed`);
}

function pack(folder, place, { name, version }) {
  runNpm(['pack', place, '--pack-destination', folder], `npm pack ${name}`, { quiet: true });
  const tarball = path.join(folder, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`);
  if (!existsSync(tarball)) throw new PreparationError(`npm pack made no ${tarball}`);
  return tarball;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  runMain(() => {
    const folder = path.resolve(root, process.argv[2] ?? 'build/packages');
    for (const { name, tarball } of packAll(folder)) console.log(`${name.padEnd(26)} ${path.relative(root, tarball)}`);
  });
}
