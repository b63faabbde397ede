// A Redis server of the example's own, where none is given: it listens on a unix socket in a temporary folder and on no
// port, writes nothing to disk, and ends with this process.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/**
 * @returns {Promise<{ url: string, pause(): void, kill(): Promise<void> }>} `url`: as `upstream` takes it. `pause`: it stays
 *   connected and answers nothing. `kill`: its connections break.
 * @throws {Error} there is none on this machine, or it does not start
 */
export async function startRedis() {
  const folder = mkdtempSync(path.join(tmpdir(), 'zerohop-redis-'));
  const socket = path.join(folder, 'redis.sock');
  const options = { port: '0', unixsocket: socket, dir: folder, save: '', appendonly: 'no' };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  // The binary looks at its own name: Debian's is called redis-check-rdb and is both programs.
  const server = spawn(findRedis(), args, { argv0: 'redis-server', stdio: ['ignore', 'pipe', 'inherit'] });
  process.on('exit', () => {
    server.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  await untilReady(server);
  server.unref(); // it holds nobody up
  server.stdout.unref();
  return {
    url: `unix:${socket}`,
    pause: () => server.kill('SIGSTOP'),
    async kill() {
      server.ref();
      const ended = once(server, 'exit');
      server.kill('SIGKILL');
      await ended;
    },
  };
}

function findRedis() {
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter((folder) => folder !== '');
  const names = ['redis-server', 'redis-check-rdb'];
  const found = names.flatMap((name) => folders.map((folder) => path.join(folder, name))).find(isExecutable);
  if (found === undefined)
    throw new Error('no redis-server here: give REDIS_URL, or on Debian apt-get install redis-tools');
  return found;
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function untilReady(server) {
  let printed = '';
  return new Promise((resolve, reject) => {
    server.on('error', reject).on('exit', () => reject(new Error(`redis-server did not start: ${printed}`)));
    server.stdout.setEncoding('utf8').on('data', (text) => {
      printed = (printed + text).slice(-2000);
      if (/ready to accept connections/i.test(printed)) resolve();
    });
  });
}
