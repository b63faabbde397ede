// check.mjs — `npm run check`: what can be said of the sources without running them.

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { ensureDebianPackages, findCommand, PreparationError, prepare, root, runMain } from './prepare.mjs';

/** Only the binding may know Node. */
const NODE_HEADER = /#include <(napi|node_api|node)\.h>/;

runMain(() => {
  prepare(); // the benchmarks' types come from the built package
  ensureDebianPackages([{ commands: ['clang-format'], debianPackage: 'clang-format' }]);
  const failed = [
    ['types of lib', () => run('node_modules/typescript/bin/tsc', ['-p', 'tsconfig.json', '--noEmit'])],
    ['types of bench', () => run('node_modules/typescript/bin/tsc', ['-p', 'bench/tsconfig.json', '--noEmit'])],
    ['format and lint (biome)', () => run('node_modules/@biomejs/biome/bin/biome', ['ci', '--error-on-warnings'])],
    ['format of native (clang-format)', checkNativeFormat],
    ['Node headers in native/binding only', checkNodeHeaders],
  ].filter(([name, check]) => {
    const good = check();
    console.log(`${good ? 'ok    ' : 'FAILED'}  ${name}`);
    return !good;
  });
  if (failed.length > 0) throw new PreparationError(`${failed.length} check(s) failed`);
});

function run(script, args) {
  return spawnSync(process.execPath, [path.join(root, script), ...args], { cwd: root, stdio: 'inherit' }).status === 0;
}

function sources(folder) {
  return readdirSync(path.join(root, folder), { recursive: true })
    .filter((file) => /\.(cc|h)$/.test(file))
    .map((file) => path.join(folder, file));
}

function checkNativeFormat() {
  const clangFormat = findCommand('clang-format');
  if (clangFormat === undefined) {
    console.log('        clang-format is not here (apt-get install clang-format): not checked');
    return true;
  }
  const files = [...sources('native'), ...sources('bench/native'), ...sources('test/native')];
  return spawnSync(clangFormat, ['--dry-run', '--Werror', ...files], { cwd: root, stdio: 'inherit' }).status === 0;
}

function checkNodeHeaders() {
  const strangers = sources('native').filter(
    (file) => !file.startsWith('native/binding/') && NODE_HEADER.test(readFileSync(path.join(root, file), 'utf8')),
  );
  for (const file of strangers) console.log(`        ${file}`);
  return strangers.length === 0;
}
