// test.mjs — `npm test`: everything that says whether this checkout works, from nothing to a verdict.
//
//   set-up            dependencies, addon, TypeScript                          (prepare.mjs)
//   native            without Node: unit and model tests under address + undefined and thread sanitizer; a short fuzz
//                     (`npm run test:native` runs them as they are, the model with ten million operations)
//   javascript        the vitest suite on the Node that runs this, and on the other supported ones
//   the whole         the main job, short; instructions against the baseline; the site
//
// `--fast`: the plain native tests and the running Node only.

import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { ensureDebianPackages, PreparationError, prepare, root, runMain } from './prepare.mjs';

const FUZZ_SECONDS = 10;

const fast = process.argv.includes('--fast');

/** Without it the test of an example fails, and says so. */
const REDIS = [{ commands: ['redis-server', 'redis-check-rdb'], debianPackage: 'redis-tools' }];
/** Tables are also written by Python, as the document shows. */
const NUMPY = [{ commands: ['f2py3'], debianPackage: 'python3-numpy' }];
const VALGRIND = [{ commands: ['valgrind'], debianPackage: 'valgrind' }];

/** `needs`: tools without which, and without the right to install them, a step is left out, and that is said. */
const STEPS = [
  ...(fast ? [{ name: 'native tests', script: '.ci/native.mjs', args: ['release'] }] : []),
  { name: 'native tests, address and undefined sanitizers', script: '.ci/native.mjs', args: ['asan'], slow: true },
  { name: 'native tests, thread sanitizer', script: '.ci/native.mjs', args: ['tsan'], slow: true },
  { name: `fuzzers, ${FUZZ_SECONDS} s`, script: '.ci/native.mjs', args: ['fuzz', String(FUZZ_SECONDS)], slow: true },
  { name: `vitest on Node ${process.versions.node}`, script: 'node_modules/vitest/vitest.mjs', args: ['run'] },
  { name: 'vitest on the other Nodes', script: '.ci/test-nodes.mjs', args: [], slow: true },
  { name: 'the main job, short', script: '.ci/start.mjs', args: ['--quick'], slow: true },
  { name: 'instructions', script: '.ci/bench.mjs', args: ['instructions'], slow: true, needs: VALGRIND },
  { name: 'the site', script: '.ci/docs.mjs', args: [], slow: true },
];

runMain(() => {
  prepare();
  ensureDebianPackages([...REDIS, ...NUMPY]);
  const steps = STEPS.filter((step) => !(fast && step.slow));
  const failed = steps.filter((step) => !passes(step)).map(({ name }) => name);
  console.log(`\nsteps: ${steps.length - failed.length} passed, ${failed.length} failed`);
  if (failed.length > 0) throw new PreparationError(`failed: ${failed.join('; ')}`);
});

function passes({ name, script, args, needs = [] }) {
  const begun = Date.now();
  console.log(`\n=== ${name}`);
  const missing = ensureDebianPackages(needs);
  if (missing.length > 0 && !process.env.CI) {
    console.log(`=== ${name}: NOT RUN, for want of ${missing.join(', ')}`);
    return true;
  }
  const result = spawnSync(process.execPath, [path.join(root, script), ...args], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const good = result.status === 0;
  console.log(`=== ${name}: ${good ? 'passed' : 'FAILED'} in ${((Date.now() - begun) / 1000).toFixed(0)} s`);
  return good;
}
