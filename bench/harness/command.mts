// command.mts — where in PATH a command lies.

import { accessSync, constants } from 'node:fs';
import path from 'node:path';

/** The first of the names that some folder of PATH has as a program; undefined if none does. */
export function findCommand(names: readonly string[]): string | undefined {
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter((folder) => folder !== '');
  return names.flatMap((name) => folders.map((folder) => path.join(folder, name))).find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
