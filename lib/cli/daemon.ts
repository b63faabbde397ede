// daemon.ts: `zerohop serve --daemon`: a process of its own that goes on when the terminal is closed.
//
// It is the same command without --daemon, in a session of its own. It tells this process, over a channel that is then
// closed, where it serves; if it ends before, this one says why, from the log.

import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { print } from './print.js';
import type { Settings } from './settings.js';

const LOG_FILE = 'zerohop.log';

/** Starts the server, waits until it serves, and leaves it alone. @throws it does not serve; the message is its own. */
export async function startDaemon({ logFile = LOG_FILE }: Settings, pidFile: string): Promise<void> {
  const words = process.argv.slice(2).filter((word) => word !== '--daemon');
  const log = openSync(logFile, 'a', 0o600);
  const begin = statSync(logFile).size;
  const child = spawn(process.execPath, [path.join(__dirname, 'zerohop.js'), ...words, '--pid-file', pidFile], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  const addresses = await new Promise<string[] | undefined>((resolve, reject) => {
    child.once('message', (message) => resolve(message as string[]));
    child.once('exit', () => resolve(undefined));
    child.once('error', reject);
  });
  if (addresses === undefined) {
    const said = readFileSync(logFile)
      .subarray(begin)
      .toString()
      .trim()
      .replace(/^zerohop: /, '');
    throw new Error(said === '' ? `the server ended at once, and said nothing in ${logFile}` : said);
  }
  if (child.connected) child.disconnect();
  child.unref();
  for (const address of addresses) print(`zerohop serves ${address}`);
  print(`as the process ${child.pid} (${pidFile}), which writes to ${logFile}; zerohop stop ends it`);
}

/** Tells the process that started this one, if one did, that it serves. */
export function tellStarter(addresses: readonly string[]): void {
  process.send?.(addresses, () => process.disconnect?.());
}
