// steps.mjs — runs the steps of `npm test` and `npm run test:long`, and says what became of each.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import os from 'node:os';
import path from 'node:path';
import { ensureDebianPackages, PreparationError, root } from './prepare.mjs';

/** What the vitest suite starts: Redis, which servers are compared with; clients in Python and C; judges of formats. */
export const SUITE_TOOLS = [
  { commands: ['/usr/lib/python3/dist-packages/redis/__init__.py'], debianPackage: 'python3-redis' },
  { commands: ['/usr/include/hiredis/hiredis.h'], debianPackage: 'libhiredis-dev' },
  { commands: ['openssl'], debianPackage: 'openssl' },
  { commands: ['redis-server', 'redis-check-rdb'], debianPackage: 'redis-tools' },
  { commands: ['f2py3'], debianPackage: 'python3-numpy' },
  { commands: ['promtool'], debianPackage: 'prometheus' },
];

/**
 * A step is a script of ours. It passes when it exits with 0. `needs` are tools without which it says nothing: where
 * they are missing and cannot be installed, it is left out, and that is said. CI never leaves one out. Without a step
 * that is `needed`, those behind it are not run.
 *
 * @typedef {{ name: string, script: string, args?: readonly string[], env?: Record<string, string>, needed?: boolean,
 *   needs?: readonly import('./prepare.mjs').WantedTool[] }} Step
 */

/**
 * Runs all steps, one after the other, also after one that failed. Those of `beside` run at the same time, with less
 * priority, and use the cores that the others leave idle. What they print is held back until the others are through.
 *
 * @param {readonly Step[]} steps
 * @param {{ beside?: readonly Step[] }} [options]
 * @throws {PreparationError} naming those that failed
 */
export async function runSteps(steps, { beside = [] } = {}) {
  const begun = Date.now();
  const held = [];
  const others = runLane(beside, held);
  const failed = await runLane(steps);
  failed.push(...(await others));
  process.stdout.write(held.join(''));
  console.log(`\n${steps.length + beside.length - failed.length} passed, ${failed.length} failed`);
  console.log(`all steps in ${secondsSince(begun)} s`);
  if (failed.length > 0) throw new PreparationError(`failed: ${failed.join('; ')}`);
}

/**
 * @param {readonly Step[]} steps
 * @param {string[]} [held]  takes what they print; without it they print themselves
 * @returns {Promise<string[]>} the names of those that failed or were not run for want of another
 */
async function runLane(steps, held) {
  const failed = [];
  for (const [index, step] of steps.entries()) {
    if (await passes(step, held)) continue;
    failed.push(step.name);
    if (step.needed) return [...failed, ...steps.slice(index + 1).map(({ name }) => `${name} (not run)`)];
  }
  return failed;
}

async function passes({ name, script, args = [], env = {}, needs = [] }, held) {
  const say = (line) => (held ? held.push(`${line}\n`) : console.log(line));
  const begun = Date.now();
  say(`\n=== ${name}`);
  const missing = ensureDebianPackages(needs);
  if (missing.length > 0 && !process.env.CI) {
    say(`=== ${name}: NOT RUN, for want of ${missing.join(', ')}`);
    return true;
  }
  const child = spawn(process.execPath, [path.join(root, script), ...args], {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: held ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
  });
  if (held) {
    os.setPriority(child.pid, os.constants.priority.PRIORITY_BELOW_NORMAL);
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => held.push(text));
  }
  const [code] = await once(child, 'close');
  say(`=== ${name}: ${code === 0 ? 'passed' : 'FAILED'} in ${secondsSince(begun)} s`);
  return code === 0;
}

function secondsSince(begun) {
  return ((Date.now() - begun) / 1000).toFixed(0);
}
