// test-long.mjs — `npm run test:long`: what takes too long for `npm test`. CI runs both.
//
//   native            all tests under address + undefined and under thread sanitizer; the model with ten million
//                     operations; the fuzzers
//   javascript        the vitest suite's long part, with a browser; the suite on the other supported Nodes
//   the whole         the main job, short; instructions against the baseline; the site

import { ensureDebianPackages, prepare, runMain } from './prepare.mjs';
import { runSteps, SUITE_TOOLS } from './steps.mjs';

const FUZZ_SECONDS = 60;

const CHROMIUM = [{ commands: ['chromium'], debianPackage: 'chromium' }];
const VALGRIND = [{ commands: ['valgrind'], debianPackage: 'valgrind' }];

runMain(async () => {
  prepare();
  ensureDebianPackages([...SUITE_TOOLS, ...CHROMIUM]);
  await runSteps([
    { name: 'native tests, address and undefined sanitizers', script: '.ci/native.mjs', args: ['asan'] },
    { name: 'native tests, thread sanitizer', script: '.ci/native.mjs', args: ['tsan'] },
    { name: 'native tests, as they are', script: '.ci/native.mjs', args: ['release'] },
    { name: `fuzzers, ${FUZZ_SECONDS} s`, script: '.ci/native.mjs', args: ['fuzz', `${FUZZ_SECONDS}`] },
    {
      name: `vitest on Node ${process.versions.node}, the long part`,
      script: 'node_modules/vitest/vitest.mjs',
      args: ['run'],
      env: { ZEROHOP_PART: 'long' },
    },
    { name: 'vitest on the other Nodes', script: '.ci/test-nodes.mjs' },
    { name: 'the main job, short', script: '.ci/start.mjs', args: ['--quick'] },
    { name: 'instructions', script: '.ci/bench.mjs', args: ['instructions'], needs: VALGRIND },
    { name: 'the site', script: '.ci/docs.mjs' },
  ]);
});
