// machine.mts — where and on what code a figure was measured; a figure without both is worth nothing.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { type Caches, type Loads, probeMemory } from './loads.mjs';

export interface Machine {
  readonly cpu: string;
  /** Logical cores this process may use. */
  readonly cores: number;
  readonly memoryBytes: number;
  readonly platform: string;
  readonly kernel: string;
  readonly node: string;
  /** The widest vector instructions that it has: `AVX-512`, `AVX2`, `NEON`. Older reports lack this and what follows. */
  readonly vectors?: string | undefined;
  readonly caches?: Caches;
  /** Of transparent huge pages: `always`, `madvise` or `never`; undefined where there is no such setting. */
  readonly hugePages?: string | undefined;
  readonly loads?: Loads;
  /** Of all processor time while the suite ran, what the host gave to others; undefined where it does not tell. */
  readonly stealShare?: number | undefined;
}

/** The checkout this module belongs to, wherever it was compiled to. Ends with a slash. */
export const repositoryRoot = new URL('./', import.meta.resolve('zerohop/package.json'));

/** As the process found it: a suite may bind itself to one core later. */
const cores = os.availableParallelism();

/** Looks at the machine when it is made, for a second or two, and at what it gave to others until it is asked. */
export class MachineWatch {
  readonly #memory = probeMemory(repositoryRoot);
  readonly #ticksAtStart = readTicks();

  describe(): Machine {
    return {
      cpu: os.cpus()[0]?.model ?? 'unknown',
      cores,
      memoryBytes: os.totalmem(),
      platform: `${process.platform}-${process.arch}`,
      kernel: os.release(),
      node: process.versions.node,
      vectors: widestVectors(),
      caches: this.#memory.caches,
      hugePages: /\[(\w+)\]/.exec(readIfThere('/sys/kernel/mm/transparent_hugepage/enabled'))?.[1],
      loads: this.#memory.loads,
      stealShare: stealBetween(this.#ticksAtStart, readTicks()),
    };
  }
}

/** Two lines for people, without what is known only afterwards. */
export function formatMachine({ cpu, cores, vectors, caches, hugePages, loads, node }: Machine): string {
  const sizes = caches && [caches.level1Data, caches.level2, caches.level3].map(formatBytes).join(', ');
  const facts = [
    `${cpu}${vectors === undefined ? '' : ` (${vectors})`}`,
    cores === 1 ? '1 core' : `${cores} cores`,
    `caches of ${sizes}`,
    `huge pages: ${hugePages ?? 'unknown'}`,
    `Node ${node}`,
  ];
  const times = (what: string, { dependentNs, independentNs }: Loads['smallPages']) =>
    `${what} ${dependentNs.toFixed(0)} ns dependent, ${independentNs.toFixed(1)} independent`;
  const waits =
    loads && [times('4 KiB pages', loads.smallPages), times(hugePagesOf(loads), loads.hugePages)].join('; ');
  return `machine   ${facts.join('; ')}\nloads     ${waits}`;
}

/** Where the system gives none, what was timed are small pages again. */
function hugePagesOf({ hugeShare }: Loads): string {
  const share = hugeShare === undefined ? 'share unknown' : `${(100 * hugeShare).toFixed(0)} % given`;
  return `huge pages (${hugeShare === 0 ? 'none given' : share})`;
}

export function formatSteal({ stealShare }: Machine): string {
  const share = stealShare === undefined ? 'unknown' : `${(100 * stealShare).toFixed(1)} % of the processors' time`;
  return `steal     ${share} while this ran`;
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

function widestVectors(): string | undefined {
  const flags = new Set(/^(?:flags|Features)\s*:(.*)$/m.exec(readIfThere('/proc/cpuinfo'))?.[1]?.split(' '));
  if (flags.has('avx512f')) return 'AVX-512';
  if (flags.has('avx2')) return 'AVX2';
  return flags.has('asimd') ? 'NEON' : undefined;
}

/** Of all processors, by what they did: user, nice, system, idle, waiting, two kinds of interrupts, steal. */
function readTicks(): number[] {
  const line = /^cpu +(.*)$/m.exec(readIfThere('/proc/stat'))?.[1];
  return line === undefined ? [] : line.split(' ').slice(0, 8).map(Number);
}

const STEAL = 7;

function stealBetween(before: readonly number[], after: readonly number[]): number | undefined {
  const spent = after.map((ticks, i) => ticks - (before[i] ?? 0));
  const all = spent.reduce((sum, ticks) => sum + ticks, 0);
  return spent.length <= STEAL || all === 0 ? undefined : (spent[STEAL] as number) / all;
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function formatBytes(bytes: number): string {
  if (bytes === 0) return '?';
  return bytes < 2 ** 20 ? `${bytes / 2 ** 10} KiB` : `${(bytes / 2 ** 20).toFixed(0)} MiB`;
}
