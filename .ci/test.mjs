// test.mjs — `npm test`: whether this checkout works, from nothing to a verdict, in a few minutes.
//
//   set-up            dependencies, addon, TypeScript                          (prepare.mjs)
//   javascript        the vitest suite on the Node that runs this; of many cases alike, one
//   native            beside these two, the core without Node, under address and undefined sanitizers: unit tests, the
//                     random model, the fuzzers' corpora
//
// What takes longer stands in test-long.mjs.

import { CLANG } from './native.mjs';
import { ensureDebianPackages, NATIVE_TEST_TOOLS, runMain } from './prepare.mjs';
import { runSteps, SUITE_TOOLS } from './steps.mjs';

const SHORT = { ZEROHOP_PART: 'short' };

runMain(async () => {
  // Now, not by each: apt-get works for one at a time.
  ensureDebianPackages([...NATIVE_TEST_TOOLS, ...CLANG, ...SUITE_TOOLS]);
  await runSteps(
    [
      { name: 'set-up', script: '.ci/prepare.mjs', needed: true },
      {
        name: `vitest on Node ${process.versions.node}`,
        script: 'node_modules/vitest/vitest.mjs',
        args: ['run'],
        env: SHORT,
      },
    ],
    { beside: [{ name: 'native tests under sanitizers', script: '.ci/native.mjs', args: ['asan', '--short'] }] },
  );
});
