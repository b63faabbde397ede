// check-package.mjs — the checks of what is published: by publint, by the resolvers of TypeScript, by licence.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { packAll } from './pack.mjs';
import { builtAddon, PLATFORMS } from './platforms.mjs';
import { findCommand, root } from './prepare.mjs';

/** Of what is compiled in, and of the tools named in package.json; the published packages depend on nothing. */
const LICENCES = ['MIT', 'ISC', 'BSD-2-Clause', 'BSD-3-Clause', 'Apache-2.0', 'BlueOak-1.0.0'];

/** Version 2.34, as a number. */
const GLIBC_MAX = 2034;

/** @returns {[string, () => boolean][]} */
export function packageChecks() {
  return [
    ['package (publint, are the types wrong)', checkPackage],
    ['what the addon asks of the system', checkSymbols],
    ['licences', checkLicences],
  ];
}

function checkPackage() {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'zerohop-check-'));
  try {
    const [{ name, tarball }] = packAll(folder);
    const staged = path.join(folder, 'staged', name);
    return (
      quietly('node_modules/publint/src/cli.js', ['run', staged, '--strict', '--pack', 'false']) &&
      quietly('node_modules/@arethetypeswrong/cli/dist/index.js', [tarball, '--profile', 'node16'])
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Debian 12, Ubuntu 22.04, RHEL 9 and whatever is younger have that C library; their C++ libraries differ. */
export function strangeSymbols() {
  const objdump = findCommand('objdump');
  const addons = PLATFORMS.filter(({ libc }) => libc === 'glibc').flatMap((one) => builtAddon(one) ?? []);
  return addons.flatMap((addon) => {
    const { stdout } = spawnSync(objdump, ['-p', addon], { encoding: 'utf8' });
    const versions = [...stdout.matchAll(/GLIBC_(\d+)\.(\d+)/g)].map(
      ([, major, minor]) => major * 1000 + Number(minor),
    );
    const libraries = [...stdout.matchAll(/NEEDED +(\S+)/g)].map(([, library]) => library);
    const strange = libraries.filter((library) => !/^(libc|libm|libpthread|libgcc_s|ld-linux-\S+)\.so/.test(library));
    if (versions.length === 0) return [`${addon}: objdump says nothing`];
    if (Math.max(...versions) > GLIBC_MAX) strange.push(`glibc ${Math.max(...versions) % 1000}`);
    return strange.map((one) => `${addon} asks for ${one}`);
  });
}

function checkSymbols() {
  const strange = strangeSymbols();
  for (const one of strange) console.log(`        ${one}`);
  return strange.length === 0;
}

function checkLicences() {
  const { devDependencies } = readManifest(path.join(root, 'package.json'));
  const strange = Object.keys(devDependencies)
    .map((name) => readManifest(path.join(root, 'node_modules', name, 'package.json')))
    .filter(
      ({ license }) =>
        !String(license)
          .split(' OR ')
          .some((one) => LICENCES.includes(one)),
    );
  for (const { name, license } of strange) console.log(`        ${name}: ${license}`);
  return strange.length === 0;
}

function readManifest(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** Its output shows only when it fails. */
function quietly(script, args) {
  const result = spawnSync(process.execPath, [path.join(root, script), ...args], { cwd: root, encoding: 'utf8' });
  if (result.status !== 0) console.log(`${result.stdout}${result.stderr}`);
  return result.status === 0;
}
