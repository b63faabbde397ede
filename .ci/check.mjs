// check.mjs — `npm run check`: what can be said of the sources, and of what is packed, without running the tests.
//
//   check-native.mjs    format, clang-tidy, headers, what must not compile
//   check-package.mjs   publint, types as resolvers see them, licences

//
// The native checks run beside the others, in a process of their own (`--native`): most of either keeps one core.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { nativeChecks } from './check-native.mjs';
import { packageChecks } from './check-package.mjs';
import { lockIsComplete } from './lock.mjs';
import { PreparationError, prepare, root, runMain } from './prepare.mjs';

runMain(async () => {
  if (process.argv.includes('--native')) return failIf(failedOf(nativeChecks()));
  prepare(); // whatever of lib and bench was changed is compiled, and so its types are checked
  const native = spawn(process.execPath, [fileURLToPath(import.meta.url), '--native'], { stdio: 'inherit' });
  const ended = once(native, 'exit');
  const failed = failedOf([
    ['types that refuse misuse', () => run('node_modules/typescript/bin/tsc', ['-p', 'test/types/tsconfig.json'])],
    [
      'types that the adapters’ libraries take',
      () => run('node_modules/typescript/bin/tsc', ['-p', 'test/types/adapters/tsconfig.json']),
    ],
    ['format and lint (biome)', () => run('node_modules/@biomejs/biome/bin/biome', ['ci', '--error-on-warnings'])],
    ['spelling', () => run('node_modules/cspell/bin.mjs', ['lint', '--no-progress', '--no-summary', '--gitignore'])],
    ['lock files', lockIsComplete],
    ...packageChecks(),
  ]);
  const [code] = await ended;
  failIf(failed + (code === 0 ? 0 : 1));
});

/** @param {readonly [name: string, check: () => boolean][]} checks */
function failedOf(checks) {
  return checks.filter(([name, check]) => {
    const startedMs = performance.now();
    const good = check();
    console.log(`${good ? 'ok    ' : 'FAILED'}  ${name}  ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
    return !good;
  }).length;
}

function failIf(failed) {
  if (failed > 0) throw new PreparationError(`${failed} check(s) failed`);
}

function run(script, args) {
  return spawnSync(process.execPath, [path.join(root, script), ...args], { cwd: root, stdio: 'inherit' }).status === 0;
}
