// stop.ts: `zerohop stop`, ends a server of this machine: that of a pid file, else the one that answers at the URL.

import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { durationOption } from '../base/options.js';
import { now, sleep } from '../base/time.js';
import { onServer, type ServerGiven, withServer } from './connection.js';
import { isServer, PID_FILE, servingPid } from './pid-file.js';
import { print, printJson } from './print.js';
import { configOf, withConfig } from './settings.js';

interface Given extends ServerGiven {
  config?: string;
  pidFile?: string;
}

/** Longer than a server waits for the replies that are on their way. */
const TIMEOUT = '15s';
const LOOK_MS = 20;

export function stopCommand(): Command {
  const command = new Command('stop')
    .description('end a server of this machine once its clients have their replies')
    .option('--pid-file <path>', `the file with its process number (default: the config file's, else ${PID_FILE})`);
  return withServer(withConfig(command), { timeout: TIMEOUT }).action(run);
}

async function run(given: Given): Promise<void> {
  const timeoutMs = durationOption('--timeout', given.timeout, 1, 2 ** 31 - 1);
  const pid = await pidOf(given);
  process.kill(pid, 'SIGTERM');
  for (const end = now() + timeoutMs; isServer(pid); await sleep(LOOK_MS))
    if (now() > end) throw new Error(`the process ${pid} was told to end, and has not after ${timeoutMs / 1000} s`);
  if (given.json) printJson({ pid, stopped: true });
  else print(`stopped the process ${pid}`);
}

async function pidOf(given: Given): Promise<number> {
  const named = given.pidFile ?? configOf(given.config).pidFile;
  const file = named ?? PID_FILE;
  if (given.url === undefined && (named !== undefined || existsSync(file))) {
    const pid = servingPid(file);
    if (pid !== undefined) return pid;
    throw new Error(`no server runs by the pid file ${file}`);
  }
  let pid = 0;
  await onServer(given, async (client) => {
    const info = (await client.bytes('INFO', 'server')).toString();
    pid = Number(/^process_id:(\d+)\r$/m.exec(info)?.[1] ?? 0);
    if (!isServer(pid))
      throw new Error(`what answers at ${client.shown} is no 'zerohop serve' of this machine; end it where it runs`);
  });
  return pid;
}
