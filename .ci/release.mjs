// release.mjs — `npm run release [-- --publish]`: what has to be true before a version is published; then the packages,
// what they are made of, and their digests; then, if told to, npm publish.
//
//   the version     package.json's, and nowhere else: the platform packages get it when they are packed
//   the changelog   has a section of this version with its date, on top
//   git             nothing uncommitted; on a tag, it is this version's
//   the addons      compiled for every platform (platforms.mjs), or nothing is published
//
// Into build/packages: the tarballs, sbom.cdx.json (CycloneDX, of what is compiled in and developed with), SHA512SUMS.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { packAll } from './pack.mjs';
import { builtAddon, PLATFORMS } from './platforms.mjs';
import { PreparationError, root, runMain, runNpm } from './prepare.mjs';

const FOLDER = path.join(root, 'build/packages');

runMain(() => {
  const publish = process.argv.includes('--publish');
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  const obstacles = [
    ...changelogObstacles(version),
    ...gitObstacles(version),
    ...PLATFORMS.filter((platform) => builtAddon(platform) === undefined).map(({ name }) => `no addon for ${name}`),
  ];
  for (const obstacle of obstacles) console.error(`not yet: ${obstacle}`);
  if (publish && obstacles.length > 0) throw new PreparationError('nothing was published');
  const packages = packAll(FOLDER);
  writeFileSync(
    path.join(FOLDER, 'sbom.cdx.json'),
    npm('sbom', '--sbom-format', 'cyclonedx', '--sbom-type', 'library'),
  );
  const sums = packages.map(({ tarball }) => `${digest(tarball)}  ${path.basename(tarball)}\n`);
  writeFileSync(path.join(FOLDER, 'SHA512SUMS'), sums.join(''));
  for (const { name, tarball } of packages) console.log(`${name}@${version}  ${path.relative(root, tarball)}`);
  if (!publish) return;
  // zerohop last: from then on npm looks for the others.
  const [main, ...addons] = packages;
  for (const { name, tarball } of [...addons, main]) {
    runNpm(['publish', tarball, '--access', 'public', '--provenance'], `npm publish ${name}`);
  }
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
