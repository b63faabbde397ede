// del.ts: `zerohop del`, deletes keys.

import { Command } from 'commander';
import { type KeysGiven, keyOf, onServer, type ServerGiven, withKeys, withServer } from './connection.js';
import { print, printJson } from './print.js';

export function delCommand(): Command {
  const command = new Command('del').description('delete keys, and print how many there were').argument('<key...>');
  return withServer(withKeys(command)).action(run);
}

async function run(keys: string[], given: ServerGiven & KeysGiven): Promise<void> {
  const bytes = keys.map((key) => keyOf(key, given));
  await onServer(given, async (client) => {
    const deleted = await client.count('DEL', ...bytes);
    if (given.json) printJson({ deleted });
    else print(String(deleted));
  });
}
