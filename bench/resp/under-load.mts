// under-load.mts — a hot get in the process that serves, alone and while the server's thread runs flat out.
//
// The reading thread stays on one core, the server's thread and the load generator on another, where there are two and
// a taskset: what is measured is then what they do to each other's memory, and not how they share a core.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { float32, open, serve } from 'zerohop';
import { makeTemporaryFolder, ownChild } from '../harness/cleanup.mjs';
import { repositoryRoot } from '../harness/machine.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';

const HOT = 64;
const DIMENSIONS = 16;
const ROUND_TRIPS = 100;

/** Nanoseconds a get, one figure a round. */
export async function inProcessUnderLoad({ rounds, ms }: { rounds: number; ms: number }) {
  const cache = open({ maxBytes: '64MB' });
  const vectors = cache.keyspace('vectors', { codec: float32(DIMENSIONS) });
  const keys = Array.from({ length: HOT }, (_, i) => `user:${i}`);
  keys.forEach((key, i) => void vectors.set(key, new Float32Array(DIMENSIONS).fill(i)));
  const socket = path.join(makeTemporaryFolder(), 'serving.sock');
  const server = serve(cache, { port: false, path: socket, threads: 1 });
  pinThreads();
  const alone: number[] = [];
  const busy: number[] = [];
  timeGets(vectors, keys, ms);
  for (let round = 0; round < rounds; round++) {
    alone.push(timeGets(vectors, keys, ms));
    const load = startLoad(socket);
    await sleep(ROUND_TRIPS);
    busy.push(timeGets(vectors, keys, ms));
    if (load.exitCode !== null) throw new WrongAnswer('the load ended before the gets did');
    load.kill();
    await once(load, 'exit');
  }
  await server.close();
  cache.close();
  return { alone, busy };
}

function timeGets(vectors: { get(key: string): ArrayLike<number> | undefined }, keys: string[], ms: number): number {
  const ends = performance.now() + ms;
  const begun = performance.now();
  let gets = 0;
  while (performance.now() < ends) {
    for (let i = 0; i < keys.length * 100; ++i) {
      const at = i % keys.length;
      if (vectors.get(keys[at] as string)?.[0] !== at)
        throw new WrongAnswer(`a get of ${keys[at]} was answered wrongly`);
    }
    gets += keys.length * 100;
  }
  return ((performance.now() - begun) * 1e6) / gets;
}

function startLoad(socket: string): ChildProcess {
  const program = fileURLToPath(new URL('build/Release/zerohop_load', repositoryRoot));
  const args = [
    '--connect',
    `unix:${socket}`,
    '--command',
    'set',
    '--bytes',
    '64',
    '--pipeline',
    '32',
    '--seconds',
    '60',
  ];
  const child = spawn(program, args, { stdio: 'ignore' });
  ownChild(child);
  pin(child.pid as number, 1);
  return child;
}

function pinThreads(): void {
  pin(process.pid, 0);
  const tasks = `/proc/${process.pid}/task`;
  for (const task of readdirSync(tasks))
    if (readFileSync(`${tasks}/${task}/comm`, 'utf8').startsWith('zerohop')) pin(Number(task), 1);
}

/** Where there is no taskset, or one core, nothing is held anywhere. */
function pin(thread: number, core: number): void {
  spawnSync('taskset', ['-p', '-c', String(core), String(thread)], { stdio: 'ignore' });
}
