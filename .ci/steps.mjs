// steps.mjs — runs the steps of `npm test` and `npm run test:long`, one after the other, and says what became of each.

import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { ensureDebianPackages, PreparationError, root } from './prepare.mjs';

/** What the vitest suite starts: without a Redis the tests of some examples fail; tables are also written by Python. */
export const SUITE_TOOLS = [
  { commands: ['redis-server', 'redis-check-rdb'], debianPackage: 'redis-tools' },
  { commands: ['f2py3'], debianPackage: 'python3-numpy' },
];

/**
 * A step is a script of ours. It passes when it exits with 0. `needs` are tools without which it says nothing: where they
 * are missing and cannot be installed, it is left out, and that is said. CI never leaves one out.
 *
 * @typedef {{ name: string, script: string, args?: readonly string[],
 *   needs?: readonly import('./prepare.mjs').WantedTool[] }} Step
 */

/**
 * Runs all steps, also after one that failed.
 *
 * @param {readonly Step[]} steps
 * @throws {PreparationError} naming those that failed
 */
export function runSteps(steps) {
  const begun = Date.now();
  const failed = steps.filter((step) => !passes(step)).map(({ name }) => name);
  console.log(`\n${steps.length - failed.length} passed, ${failed.length} failed`);
  console.log(`all steps in ${secondsSince(begun)} s`);
  if (failed.length > 0) throw new PreparationError(`failed: ${failed.join('; ')}`);
}

function passes({ name, script, args = [], needs = [] }) {
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
  console.log(`=== ${name}: ${good ? 'passed' : 'FAILED'} in ${secondsSince(begun)} s`);
  return good;
}

function secondsSince(begun) {
  return ((Date.now() - begun) / 1000).toFixed(0);
}
