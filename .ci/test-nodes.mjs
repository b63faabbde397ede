// test-nodes.mjs — `npm run test:nodes [-- 22 24 26] [--full]`: the tests on other versions of Node; what fails on
// every Node alike is left out, unless --full.
//
// The addon is not compiled again: Node-API is what makes one binary serve every version.

import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { MAJORS, nodeBinary } from './nodes.mjs';
import { prepare, root, runMain } from './prepare.mjs';

runMain(() => {
  const majors = process.argv.slice(2).filter((arg) => arg !== '--full');
  const full = process.argv.includes('--full');
  prepare();
  const results = (majors.length > 0 ? majors : MAJORS).map((major) => testOn(nodeBinary(major), full));
  if (results.includes(false)) process.exitCode = 1;
});

/** Returns whether all tests passed. */
function testOn(binary, full) {
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
  const version = spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout?.trim() ?? 'no version';
  console.log(`node ${version.padEnd(10)} ${passed ? 'pass' : 'FAIL'}  ${seconds} s`);
  return passed;
}
