// exists.ts: `zerohop exists`, whether there are values under keys.

import { Command } from 'commander';
import { type KeysGiven, keyOf, onServer, type ServerGiven, withKeys, withServer } from './connection.js';
import { NotThere } from './exit.js';
import { print, printJson } from './print.js';

export function existsCommand(): Command {
  const command = new Command('exists')
    .description('print how many of the keys have a value; ends with 1 if one of them has none')
    .argument('<key...>');
  return withServer(withKeys(command)).action(run);
}

async function run(keys: string[], given: ServerGiven & KeysGiven): Promise<void> {
  const bytes = keys.map((key) => keyOf(key, given));
  await onServer(given, async (client) => {
    const found = await client.count('EXISTS', ...bytes);
    if (given.json) printJson({ found, asked: keys.length });
    else print(String(found));
    if (found < keys.length) throw new NotThere('');
  });
}
