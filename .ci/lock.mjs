// lock.mjs — `npm run lock`: gives every package in the lock files its integrity hash, by asking the registry.
//
// npm writes no hash for a package that it did not fetch itself, such as the binary of another platform. An install
// there would take whatever the registry serves. `--check` fails where a hash is missing; `npm run check` runs it.

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { PreparationError, root, runMain } from './prepare.mjs';

const LOCK_FILES = ['package-lock.json', '.ci/nodes/package-lock.json'];

/** Whether each package of each lock file has a hash; those without one are printed. */
export function lockIsComplete() {
  const missing = LOCK_FILES.flatMap((file) => withoutHash(readLock(file)).map(({ key }) => `${file}: ${key}`));
  for (const one of missing) console.log(`        no integrity: ${one} (npm run lock)`);
  return missing.length === 0;
}

function complete(file) {
  const lock = readLock(file);
  const missing = withoutHash(lock);
  for (const { entry, spec } of missing) entry.integrity = integrityOf(spec);
  if (missing.length > 0) writeFileSync(path.join(root, file), `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`${file}: ${missing.length} hashes added`);
}

function withoutHash(lock) {
  return Object.entries(lock.packages)
    .filter(([key, entry]) => key !== '' && !entry.link && entry.integrity === undefined)
    .map(([key, entry]) => ({ key, entry, spec: `${entry.name ?? nameOf(key)}@${entry.version}` }));
}

/** `node_modules/a/node_modules/@b/c` is the place of `@b/c`. */
function nameOf(key) {
  return key.slice(key.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

function integrityOf(spec) {
  const { stdout, stderr, status } = spawnSync('npm', ['view', spec, 'dist.integrity'], {
    cwd: root,
    encoding: 'utf8',
  });
  const integrity = stdout.trim();
  if (status !== 0 || !integrity.startsWith('sha512-')) throw new PreparationError(`npm view ${spec}\n${stderr}`);
  return integrity;
}

function readLock(file) {
  return JSON.parse(readFileSync(path.join(root, file), 'utf8'));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await runMain(() => {
    if (!process.argv.includes('--check')) for (const file of LOCK_FILES) complete(file);
    else if (!lockIsComplete()) throw new PreparationError('lock files without integrity');
  });
}
