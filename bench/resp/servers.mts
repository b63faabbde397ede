// servers.mts — the servers that are compared, each a process of its own, and what their CPU costs.

import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ownChild } from '../harness/cleanup.mjs';
import { findCommand } from '../harness/command.mjs';
import { repositoryRoot } from '../harness/machine.mjs';

/** The kernel tells CPU time in these: 100 a second, on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

const START_MS_MAX = 10_000;
const POLL_MS = 20;

export interface Server {
  readonly name: string;
  readonly protocol: 'resp' | 'memcached';
  /** For the load generator: `tcp:…` or `unix:…`. */
  readonly address: string;
  /** CPU time of all its threads until now, in seconds; to 10 ms. */
  cpuSeconds(): number;
}

export interface ServerOptions {
  readonly folder: string;
  readonly threads: number;
  readonly maxBytes: number;
  /** Of this machine, to listen on beside the unix socket. */
  readonly port?: number;
}

/** Undefined where the machine has no such server. */
export async function startRedis(options: ServerOptions): Promise<Server | undefined> {
  const { folder, threads, maxBytes, port = 0 } = options;
  // Debian's binary looks at its own name: redis-check-rdb is both programs.
  const command = findCommand(['redis-server', 'redis-check-rdb']);
  if (command === undefined) return undefined;
  const socket = path.join(folder, `redis-${threads}.sock`);
  const settings = [
    '--port',
    String(port),
    '--unixsocket',
    socket,
    '--dir',
    folder,
    '--save',
    '',
    '--appendonly',
    'no',
  ];
  settings.push('--maxmemory', String(maxBytes), '--maxmemory-policy', 'allkeys-lfu');
  // Its threads read and write; commands run on the first one.
  if (threads > 1) settings.push('--io-threads', String(threads), '--io-threads-do-reads', 'yes');
  const child = spawn(command, settings, { argv0: 'redis-server', stdio: ['ignore', 'ignore', 'inherit'] });
  return listening(threads > 1 ? `redis-io${threads}` : 'redis', 'resp', `unix:${socket}`, child);
}

export async function startMemcached({ folder, threads, maxBytes }: ServerOptions): Promise<Server | undefined> {
  const command = findCommand(['memcached']);
  if (command === undefined) return undefined;
  const socket = path.join(folder, 'memcached.sock');
  const settings = ['-s', socket, '-t', String(threads), '-m', String(Math.floor(maxBytes / 2 ** 20)), '-c', '2048'];
  if (process.getuid?.() === 0) settings.push('-u', 'root');
  const child = spawn(command, settings, { stdio: ['ignore', 'ignore', 'inherit'] });
  return listening('memcached', 'memcached', `unix:${socket}`, child);
}

export async function startZerohop({ folder, threads, maxBytes }: ServerOptions): Promise<Server> {
  const socket = path.join(folder, `zerohop-${threads}.sock`);
  const program = fileURLToPath(new URL('dist/cli/zerohop.js', repositoryRoot));
  const settings = ['serve', '--port', 'none', '--socket', socket, '--threads', String(threads)];
  settings.push('--memory-limit', `${Math.floor(maxBytes / 2 ** 20)}MB`);
  const child = spawn(process.execPath, [program, ...settings], { stdio: ['ignore', 'ignore', 'inherit'] });
  return listening('zerohop', 'resp', `unix:${socket}`, child);
}

async function listening(
  name: string,
  protocol: Server['protocol'],
  address: string,
  child: ChildProcess,
): Promise<Server> {
  ownChild(child);
  const socket = address.slice('unix:'.length);
  for (let waitedMs = 0; !(await answers(socket)); waitedMs += POLL_MS) {
    if (child.exitCode !== null || child.signalCode !== null || waitedMs > START_MS_MAX)
      throw new Error(`${name} did not start`);
    await sleep(POLL_MS);
  }
  return { name, protocol, address, cpuSeconds: () => cpuSecondsOf(child.pid as number) };
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const client = connect(socket, () => {
      client.destroy();
      resolve(true);
    });
    client.on('error', () => resolve(false));
  });
}

/** The 14th and 15th field, after a name in parentheses that may hold anything. */
function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}
