// release.mjs — `npm run release`: what has to be true before a version is published, the packages, what they are made
// of, and their digests. The release workflow publishes what is in the folder then; exit code 1: not yet.
//
//   the version     package.json's, and nowhere else: the platform packages get it when they are packed
//   the changelog   has a section of this version with its date, on top
//   git             nothing uncommitted; on a tag, it is this version's
//   the addons      compiled for every platform (platforms.mjs), and asking nothing of a system that it may not have
//
// Into build/packages: the tarballs, sbom.cdx.json (CycloneDX, of what is compiled in and developed with), SHA512SUMS.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { strangeSymbols } from './check-package.mjs';
import { packAll } from './pack.mjs';
import { builtAddon, PLATFORMS } from './platforms.mjs';
import { PreparationError, root, runMain } from './prepare.mjs';

const FOLDER = path.join(root, 'build/packages');

runMain(() => {
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  const obstacles = [
    ...changelogObstacles(version),
    ...gitObstacles(version),
    ...PLATFORMS.filter((platform) => builtAddon(platform) === undefined).map(({ name }) => `no addon for ${name}`),
    ...strangeSymbols(),
  ];
  for (const obstacle of obstacles) console.error(`not yet: ${obstacle}`);
  if (obstacles.length > 0) process.exitCode = 1;
  const packages = packAll(FOLDER);
  writeFileSync(
    path.join(FOLDER, 'sbom.cdx.json'),
    npm('sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'library'),
  );
  const files = [...packages.map(({ tarball }) => tarball), path.join(FOLDER, 'sbom.cdx.json')];
  const sums = files.map((file) => `${digest(file)}  ${path.basename(file)}\n`);
  writeFileSync(path.join(FOLDER, 'SHA512SUMS'), sums.join(''));
  for (const { name, tarball } of packages) console.log(`${name}@${version}  ${path.relative(root, tarball)}`);
});

function changelogObstacles(version) {
  const changelog = readFileSync(path.join(root, 'CHANGELOG.md'), 'utf8');
  const top = /^## (.+)$/m.exec(changelog)?.[1] ?? '';
  return new RegExp(`^${version.replaceAll('.', '\\.')} — \\d{4}-\\d\\d-\\d\\d$`).test(top)
    ? []
    : [`CHANGELOG.md begins with "${top}", not with "${version} — YYYY-MM-DD"`];
}

function gitObstacles(version) {
  const tag = process.env.GITHUB_REF_TYPE === 'tag' ? process.env.GITHUB_REF_NAME : `v${version}`;
  return [
    ...(git('status', '--porcelain') === '' ? [] : ['there are uncommitted changes']),
    ...(tag === `v${version}` ? [] : [`the tag is ${tag}, the version ${version}`]),
  ];
}

function digest(file) {
  return createHash('sha512').update(readFileSync(file)).digest('hex');
}

function git(...args) {
  return text(spawnSync('git', args, { cwd: root, encoding: 'utf8' }), 'git');
}

function npm(...args) {
  return text(spawnSync('npm', args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28 }), 'npm');
}

function text({ status, stdout, stderr, error }, command) {
  if (status === 0) return stdout.trim();
  throw new PreparationError(`${command} failed\n${error?.message ?? stderr}`);
}
