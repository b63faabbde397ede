// rivals.mjs — addons of npm packages that benchmarks measure against: compiled here, since install scripts are off.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { headerOptions, root } from './prepare.mjs';

/** Packages, and what their build makes. */
const PRODUCTS = { 'hnswlib-node': 'build/Release/addon.node' };

/**
 * Compiles an addon that is not there yet. Never throws: a benchmark says what it has to do without.
 *
 * @param {string} name  of the package
 */
export function ensureRival(name) {
  const folder = path.join(root, 'node_modules', name);
  if (existsSync(path.join(folder, PRODUCTS[name]))) return;
  console.error(`compiling ${name}`);
  const nodeGyp = path.join(root, 'node_modules/node-gyp/bin/node-gyp.js');
  const args = [nodeGyp, 'rebuild', '--release', '--jobs', 'max', ...headerOptions()];
  const result = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (result.status !== 0) console.error(`${name} did not compile:\n${result.stderr.slice(-2000)}`);
}

/** All of them. */
export function ensureRivals() {
  for (const name of Object.keys(PRODUCTS)) ensureRival(name);
}
