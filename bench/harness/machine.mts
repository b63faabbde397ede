// machine.mts — where and on what code a figure was measured; a figure without both is worth nothing.

import { execFileSync } from 'node:child_process';
import os from 'node:os';
import { fileURLToPath } from 'node:url';

export interface Machine {
  readonly cpu: string;
  /** Logical cores this process may use. */
  readonly cores: number;
  readonly memoryBytes: number;
  readonly platform: string;
  readonly kernel: string;
  readonly node: string;
}

/** The checkout this module belongs to, wherever it was compiled to. Ends with a slash. */
export const repositoryRoot = new URL('./', import.meta.resolve('zerohop/package.json'));

/** As the process found it: a suite may bind itself to one core later. */
const cores = os.availableParallelism();

export function describeMachine(): Machine {
  return {
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores,
    memoryBytes: os.totalmem(),
    platform: `${process.platform}-${process.arch}`,
    kernel: os.release(),
    node: process.versions.node,
  };
}

/** The commit, with `+changes` where the working tree differs from it; `unknown` outside git. */
export function describeCommit(): string {
  try {
    const head = git('rev-parse', 'HEAD');
    return git('status', '--porcelain') === '' ? head : `${head}+changes`;
  } catch {
    return 'unknown';
  }
}

function git(...args: string[]): string {
  const options = { cwd: fileURLToPath(repositoryRoot), encoding: 'utf8' } as const;
  return execFileSync('git', args, { ...options, stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}
