// run-suite.mjs — runs one benchmark suite of bench/suites.mts as a program of its own.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureDebianPackages, findCommand, PreparationError, prepare, root } from './prepare.mjs';
import { ensureRival } from './rivals.mjs';

const compiled = path.join(root, 'dist-bench/bench');

/** The registry, built first if need be. */
export async function readSuites() {
  prepare();
  const { suites } = await import(pathToFileURL(path.join(compiled, 'suites.mjs')).href);
  return suites;
}

/**
 * Runs a suite to its end and takes over its exit code.
 *
 * @param {string} name
 * @param {readonly string[]} args  for the suite
 */
export async function runSuite(name, args) {
  const suites = await readSuites();
  const suite = suites.find((candidate) => candidate.name === name);
  if (suite === undefined) {
    const names = suites.map((candidate) => candidate.name).join(', ');
    throw new PreparationError(`no suite is called "${name}". There are: ${names}`);
  }
  ensureDebianPackages(suite.wants); // what is still missing, the suite itself reports
  for (const name of suite.rivals ?? []) ensureRival(name);
  ensureTargets(suite.targets ?? []);
  const program = [process.execPath, ...suite.nodeFlags, path.join(compiled, suite.module), ...args];
  const [command, ...rest] = suite.pinned ? [...pinToOneCore(), ...program] : program;
  process.exitCode = await exitCodeOf(spawn(command, rest, { stdio: 'inherit' }));
}

/** Compiles targets of binding.gyp that are not there yet. */
function ensureTargets(targets) {
  const release = path.join(root, 'build/Release');
  const missing = targets.filter((name) => !['', '.node'].some((end) => existsSync(path.join(release, name + end))));
  if (missing.length === 0) return;
  const { status } = spawnSync(process.execPath, ['.ci/build-addon.mjs', ...missing], { cwd: root, stdio: 'inherit' });
  if (status !== 0) throw new PreparationError(`${missing.join(', ')} did not build`);
}

/** The last core: the first one serves most interrupts. Empty where there is no taskset. */
function pinToOneCore() {
  const core = os.cpus().length - 1;
  return findCommand('taskset') === undefined ? [] : ['taskset', '--cpu-list', String(core)];
}

/** Waits for the child through signals too: it has things to clean up, and they would be lost with us. */
function exitCodeOf(child) {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(signal ? 128 + os.constants.signals[signal] : code));
  });
}
