// nodes.mjs — the Node binaries that tests run on beside the installed one, under build/nodes/.
//
// The npm package `node` is a shell: an install script of its own fetches a second package, named after the platform,
// that holds the binary.  Install scripts are off here, so the second package is installed directly.  Which versions
// these are, and the hash of each, stands in .ci/nodes/: a binary that the registry serves under another hash is
// refused.

import { copyFileSync, existsSync, mkdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { PreparationError, root, runNpm } from './prepare.mjs';

const LISTS = ['package.json', 'package-lock.json'];

export const MAJORS = ['22', '24', '26'];

/**
 * The path of a Node binary, installed when it is not there yet.
 *
 * @param {string} major
 * @param {'x64' | 'arm64'} [cpu]
 * @returns {string}
 * @throws {PreparationError} a version that is not in the list, or cannot be installed
 */
export function nodeBinary(major, cpu = process.arch) {
  const folder = path.join(root, 'build/nodes', cpu);
  if (!isInstalled(folder)) install(folder, cpu);
  const binary = path.join(folder, 'node_modules', `node-${major}-linux-${cpu}`, 'bin/node');
  if (existsSync(binary)) return binary;
  throw new PreparationError(`no Node ${major} for linux-${cpu}; .ci/nodes/package.json lists those there are`);
}

function isInstalled(folder) {
  const installed = path.join(folder, 'node_modules/.package-lock.json');
  const list = path.join(root, '.ci/nodes/package-lock.json');
  return existsSync(installed) && statSync(installed).mtimeMs >= statSync(list).mtimeMs;
}

function install(folder, cpu) {
  console.error(`installing Node ${MAJORS.join(', ')} for linux-${cpu}`);
  mkdirSync(folder, { recursive: true });
  for (const list of LISTS) copyFileSync(path.join(root, '.ci/nodes', list), path.join(folder, list));
  // --force takes what is made for another processor.
  const args = ['ci', '--ignore-scripts', '--os=linux', `--cpu=${cpu}`, ...(cpu === process.arch ? [] : ['--force'])];
  runNpm(args, `installing Node for linux-${cpu}`, { cwd: folder, quiet: true });
}
