// callgrind.mts — machine instructions that functions of an addon take, counted by valgrind: nearly the same in every
// run, whatever else the machine does.

import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { makeTemporaryFolder } from './cleanup.mjs';

/** Whether there is a valgrind; says what to do if there is none. */
export function hasValgrind(): boolean {
  return spawnSync('valgrind', ['--version']).status === 0;
}

/**
 * Runs the program, and returns what it printed with the instructions of each function, what it called included; NaN
 * for one that was not called. Functions are named by the beginning of their name in C++.
 */
export function countInstructions(
  program: string,
  functions: readonly string[],
): { output: string; instructions: number[] } {
  const out = path.join(makeTemporaryFolder(), 'callgrind.out');
  // Without a compiler V8 does the same in every run, and starts sooner; one thread, because valgrind runs one at a
  // time.
  const tool = ['--tool=callgrind', `--callgrind-out-file=${out}`];
  const args = [...tool, process.execPath, '--jitless', '--single-threaded', program];
  const child = spawnSync('valgrind', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  if (child.status !== 0) throw new Error(`valgrind: ${child.stderr.trim().split('\n').slice(-5).join('\n')}`);
  const listed = spawnSync('callgrind_annotate', ['--inclusive=yes', '--threshold=100', out], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  }).stdout.split('\n');
  const instructions = functions.map((name) => {
    const line = listed.find((one) => one.includes(`:${name}`));
    return Number(/^\s*([\d,]+)/.exec(line ?? '')?.[1]?.replaceAll(',', '') ?? Number.NaN);
  });
  return { output: child.stdout, instructions };
}
