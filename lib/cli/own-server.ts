// own-server.ts: a `zerohop serve` of another process, for a command that needs one for a while.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export interface OwnServer {
  readonly url: string;
  /** Ends it, and waits until it has ended. */
  stop(): Promise<void>;
}

/** @param unix listens on a unix socket instead of a TCP port of loopback. */
export async function startOwnServer(maxBytes: number, unix: boolean): Promise<OwnServer> {
  const folder = mkdtempSync(path.join(tmpdir(), 'zerohop-')); // no config file is there
  const place = unix
    ? ['--port', 'none', '--socket', path.join(folder, 'socket')]
    : ['--port', '0', '--host', '127.0.0.1'];
  const { ZEROHOP_PASSWORD: _, ...env } = process.env;
  const words = [path.join(__dirname, 'zerohop.js'), 'serve', '--memory-limit', `${maxBytes}B`, ...place];
  // In a group of its own: an interrupt from the terminal ends this process first.
  const child = spawn(process.execPath, words, { cwd: folder, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  const end = () => child.kill('SIGKILL');
  process.once('exit', end);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const lives = () => child.exitCode === null && child.signalCode === null;
  while (!printed.includes('\n') && lives()) await Promise.race([once(child.stdout, 'data'), ended]);
  const url = /^zerohop serves (\S+)/m.exec(printed)?.[1];
  const stop = async () => {
    process.off('exit', end);
    child.kill('SIGKILL'); // it holds nothing that anybody needs
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  if (url !== undefined) return { url, stop };
  await stop();
  throw new Error(`zerohop serve did not start: ${said.trim() || child.signalCode}`);
}
