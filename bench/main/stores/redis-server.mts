// redis-server.mts — a Redis server of our own, for as long as this process lives.
//
// It listens on a unix socket in a temporary folder and on no port, and writes nothing to disk.

import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ownChild } from '../../harness/cleanup.mjs';
import { findCommand } from '../../harness/command.mjs';

const START_MS_MAX = 10_000;
const POLL_MS = 20;

export interface RedisServer {
  readonly socket: string;
}

/**
 * Starts a server that keeps at most `maxBytes`, by its own count, and evicts the least frequently used.
 *
 * @returns undefined where the machine has no Redis.
 * @throws {Error} it is there and does not start; the message holds what it printed.
 */
export async function startRedisServer(folder: string, maxBytes: number): Promise<RedisServer | undefined> {
  const command = findCommand(['redis-server', 'redis-check-rdb']);
  if (command === undefined) return undefined;
  const socket = path.join(folder, 'redis.sock');
  const options = {
    port: '0',
    unixsocket: socket,
    dir: folder,
    save: '',
    appendonly: 'no',
    maxmemory: String(maxBytes),
    'maxmemory-policy': 'allkeys-lfu',
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  // The binary looks at its own name: Debian's is called redis-check-rdb and is both programs.
  const server = spawn(command, args, { argv0: 'redis-server', stdio: ['ignore', 'pipe', 'pipe'] });
  ownChild(server);
  await untilListening(server, socket);
  return { socket };
}

async function untilListening(server: ChildProcess, socket: string): Promise<void> {
  let printed = '';
  let failure: Error | undefined;
  server.on('error', (error) => {
    failure = error;
  });
  for (const stream of [server.stdout, server.stderr]) {
    stream?.on('data', (chunk) => {
      printed = (printed + chunk).slice(-2000);
    });
  }
  for (let waitedMs = 0; !existsSync(socket); waitedMs += POLL_MS) {
    const ended = server.exitCode !== null || server.signalCode !== null;
    if (failure || ended || waitedMs > START_MS_MAX) {
      throw new Error(`redis-server did not start: ${failure?.message ?? printed.trim()}`);
    }
    await sleep(POLL_MS);
  }
}
