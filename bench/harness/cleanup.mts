// cleanup.mts — what a benchmark started or wrote is gone when it ends, however it ends.
//
//   it is done, or failed   the suite calls endChildren, then exits
//   a signal                the same, from here
//   an uncaught error       the 'exit' handler kills what still runs; nobody can wait there any more
//
// Children are waited for where possible: one that outlives its parent stays a zombie wherever process 1
// does not collect it, as in many containers.

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const children = new Set<ChildProcess>();
const folders = new Set<string>();
let installed = false;

/** Hands a child over: it will not outlive this process. */
export function ownChild(child: ChildProcess): void {
  install();
  children.add(child);
  child.once('exit', () => children.delete(child));
  child.once('error', () => children.delete(child)); // it never started
}

/** A new folder under the system's temporary one, removed at exit. */
export function makeTemporaryFolder(): string {
  install();
  const folder = mkdtempSync(path.join(os.tmpdir(), 'zerohop-'));
  folders.add(folder);
  return folder;
}

/** Kills every child and waits until it is gone. They hold nothing worth an orderly shutdown. */
export async function endChildren(): Promise<void> {
  const endings = [...children].map((child) => once(child, 'exit'));
  killChildren();
  await Promise.all(endings);
}

function killChildren(): void {
  for (const child of children) child.kill('SIGKILL');
}

function install(): void {
  if (installed) return;
  installed = true;
  process.once('exit', () => {
    killChildren();
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    // Not once: Ctrl-C comes from the terminal and again from the process that started us, and the second
    // one would end us in the middle of this.
    process.on(signal, () => {
      endChildren().finally(() => process.exit(128 + os.constants.signals[signal]));
    });
  }
}
