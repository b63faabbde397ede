// ttl.ts: `zerohop ttl`, how long a value will be served.

import { Command } from 'commander';
import { type KeysGiven, keyOf, onServer, type ServerGiven, withKeys, withServer } from './connection.js';
import { NotThere } from './exit.js';
import { duration, jsonOf, print, printJson, shown } from './print.js';

/** What PTTL answers for a key without a value; a value without an end gets the other negative number. */
const ABSENT = -2;

export function ttlCommand(): Command {
  const command = new Command('ttl')
    .description('print how long a value will be served; with --json in milliseconds')
    .argument('<key>');
  return withServer(withKeys(command)).action(run);
}

async function run(key: string, given: ServerGiven & KeysGiven): Promise<void> {
  const bytes = keyOf(key, given);
  await onServer(given, async (client) => {
    const ms = await client.count('PTTL', bytes);
    const found = ms !== ABSENT;
    if (given.json) printJson({ key: jsonOf(bytes), found, ...(found && { ttlMs: ms < 0 ? null : ms }) });
    if (!found) throw new NotThere(given.json ? '' : `there is no value under ${shown(bytes)}`);
    if (!given.json) print(ms < 0 ? 'for ever' : duration(ms));
  });
}
