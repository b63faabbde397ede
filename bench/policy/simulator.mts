// simulator.mts — whole caches played with ids, in native code (bench/native/simulator).

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { repositoryRoot } from '../harness/machine.mjs';

export interface Trace {
  readonly name: string;
  /** Dense, in order of appearance. */
  readonly ids: Uint32Array;
  readonly unique: number;
}

export interface PlayOptions {
  /** Of the engine. Default 256. */
  readonly segments?: number;
  /** Requests whose hits are counted together. Default: none are. */
  readonly window?: number;
  /** By id: what a miss costs, and what an entry takes; with the bytes that the cache may hold. */
  readonly costs?: Float32Array;
  readonly sizes?: Uint32Array;
  readonly bytesMax?: number;
}

export interface Played {
  readonly hits: number;
  readonly ns: number;
  readonly savedCost: number;
  /** Of sketch and tracker. */
  readonly policyBytes: number;
  /** Bytes that the engine copied forward for each byte that was stored. */
  readonly copied: number;
  readonly windows: Uint32Array;
}

interface SimulatorAddon {
  readTrace(bytes: Uint8Array, recordBytes: number): { ids: Uint32Array; unique: number };
  play(what: string, ids: Uint32Array, unique: number, capacity: number, options: PlayOptions): Played;
}

const file = new URL('build/Release/zerohop_simulator.node', repositoryRoot).pathname;
if (!existsSync(file)) {
  console.error('compiling the simulator …');
  execFileSync(process.execPath, ['.ci/build-addon.mjs', '--all'], { cwd: repositoryRoot, stdio: 'inherit' });
}
const addon = createRequire(import.meta.url)(file) as SimulatorAddon;

export const { readTrace } = addon;

export function play(what: string, trace: Trace, capacity: number, options: PlayOptions = {}): Played {
  return addon.play(what, trace.ids, trace.unique, capacity, options);
}

export function missRatio(what: string, trace: Trace, capacity: number, options: PlayOptions = {}): number {
  return 1 - play(what, trace, capacity, options).hits / trace.ids.length;
}

/** So much fewer misses than FIFO has; where it has more, so much fewer than FIFO has than it. */
export function reductionFrom(fifo: number, ratio: number): number {
  return ratio <= fifo ? (fifo - ratio) / fifo : -(ratio - fifo) / ratio;
}

export function meanOf(values: readonly number[]): number {
  return values.length === 0 ? Number.NaN : values.reduce((sum, value) => sum + value, 0) / values.length;
}
