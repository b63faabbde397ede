// load.mts — runs the load generator (bench/native/load) against a server, and meters the server's CPU meanwhile.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { ownChild } from '../harness/cleanup.mjs';
import { repositoryRoot } from '../harness/machine.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';
import type { Server } from './servers.mjs';

export interface Load {
  readonly command: 'get' | 'set' | 'mget';
  /** Of a value. */
  readonly bytes: number;
  readonly keys: number;
  readonly clients: number;
  readonly pipeline?: number;
  /** Keys of one `mget`. */
  readonly batch?: number;
  /** Requests a second, due at fixed times; as fast as it goes if not given. */
  readonly rate?: number;
  readonly seconds: number;
}

export interface Answered {
  readonly requestsPerSecond: number;
  readonly cpuUsPerRequest: number;
  readonly p99Us: number;
}

/** Sets every key, so often that `written` bytes of values were written. */
export async function fill(server: Server, { bytes, keys }: Pick<Load, 'bytes' | 'keys'>, written = 0): Promise<void> {
  const fills = Math.max(1, Math.ceil(written / (bytes * keys)));
  const amount = ['--bytes', bytes, '--keys', keys, '--fills', fills];
  await generate(server, ['--fill', ...amount, '--pipeline', 32, '--seconds', 600]);
}

/**
 * @throws {WrongAnswer} an answer was wrong, an error, or missing.
 */
export async function ask(server: Server, load: Load): Promise<Answered> {
  const { command, bytes, keys, clients, pipeline = 1, batch = 1, rate = 0, seconds } = load;
  const args = ['--command', command, '--bytes', bytes, '--keys', keys, '--clients', clients, '--pipeline', pipeline];
  args.push('--batch', batch, '--rate', rate, '--seconds', seconds);
  const before = server.cpuSeconds();
  const { requests, seconds: taken, p99_us } = await generate(server, args);
  const cpu = server.cpuSeconds() - before;
  return { requestsPerSecond: requests / taken, cpuUsPerRequest: (cpu * 1e6) / requests, p99Us: p99_us };
}

async function generate(server: Server, args: readonly (string | number)[]) {
  const program = fileURLToPath(new URL('build/Release/zerohop_load', repositoryRoot));
  const all = ['--connect', server.address, '--protocol', server.protocol, ...args.map(String)];
  const child = spawn(program, all, { stdio: ['ignore', 'pipe', 'pipe'] });
  ownChild(child);
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new WrongAnswer(`${server.name}: ${stderr.trim() || `the load generator ended with ${code}`}`);
  return JSON.parse(stdout) as { requests: number; seconds: number; p99_us: number };
}
