// test.mjs — `npm test`: whether this checkout works, from nothing to a verdict, in a few minutes.
//
//   set-up            dependencies, addon, TypeScript                          (prepare.mjs)
//   native            the core without Node: unit tests, the random model, the fuzzers' corpora
//   sanitizers        the same core under address and undefined sanitizers, one short pass: model, fuzzers' corpora
//   javascript        the vitest suite on the Node that runs this
//
// What takes longer stands in test-long.mjs.

import { ensureDebianPackages, prepare, runMain } from './prepare.mjs';
import { runSteps, SUITE_TOOLS } from './steps.mjs';

runMain(() => {
  prepare();
  ensureDebianPackages(SUITE_TOOLS);
  runSteps([
    { name: 'native tests', script: '.ci/native.mjs', args: ['release', '--short'] },
    { name: 'native tests, address and undefined sanitizers', script: '.ci/native.mjs', args: ['asan', '--short'] },
    { name: `vitest on Node ${process.versions.node}`, script: 'node_modules/vitest/vitest.mjs', args: ['run'] },
  ]);
});
