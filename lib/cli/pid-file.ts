// pid-file.ts: the number of a serving process, in a file, while it runs.
//
// A number alone proves nothing: the process may have been killed, and its number may be another's by now. So whoever
// reads one asks /proc whether that process is a `zerohop serve`.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';

export const PID_FILE = 'zerohop.pid';

/** Writes our number. The file goes when the process ends. @throws a server runs already. */
export function takePidFile(file: string): void {
  const running = servingPid(file);
  if (running !== undefined && running !== process.pid)
    throw new Error(`a server runs already, with the process number ${running} (${file})`);
  writeFileSync(file, `${process.pid}\n`);
  process.on('exit', () => {
    if (pidIn(file) === process.pid) rmSync(file, { force: true });
  });
}

/** The process of the file, if it is a server that runs. */
export function servingPid(file: string): number | undefined {
  const pid = pidIn(file);
  return pid !== undefined && isServer(pid) ? pid : undefined;
}

function pidIn(file: string): number | undefined {
  const text = textOf(file)?.trim() ?? '';
  return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined;
}

/** Whether the process is a `zerohop serve`, and not a program that serves a cache of its own. */
export function isServer(pid: number): boolean {
  const words = (textOf(`/proc/${pid}/cmdline`) ?? '').split('\0');
  const at = words.findIndex((word) => /(^|\/)zerohop(\.js)?$/.test(word));
  return at >= 0 && ['serve', 'start'].includes(words[at + 1] ?? '');
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
