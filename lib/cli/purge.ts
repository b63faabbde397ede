// purge.ts: `zerohop purge`, deletes what carries a tag, or what begins with a prefix.

import { Command } from 'commander';
import type { RespClient } from '../resp/client.js';
import { onServer, type ServerGiven, withServer } from './connection.js';
import { misuse } from './exit.js';
import { scanned } from './keys.js';
import { print, printJson } from './print.js';

interface Given extends ServerGiven {
  tag?: string;
  prefix?: string;
}

export function purgeCommand(): Command {
  const command = new Command('purge')
    .description('delete what carries a tag, or whose key begins with a prefix, and print how much it was')
    .option('--tag <tag>', 'a tag that zerohop set --tag, ZH.SET or code in the process gave')
    .option('--prefix <text>', 'how the keys begin');
  return withServer(command).action(run);
}

async function run(given: Given): Promise<void> {
  const { tag, prefix } = given;
  if ((tag === undefined) === (prefix === undefined)) throw misuse('say either --tag or --prefix');
  if (prefix === '') throw misuse('--prefix: an empty one would be every key');
  await onServer(given, async (client) => {
    const deleted = tag === undefined ? await deleteByPrefix(client, prefix!) : await client.count('ZH.PURGE', tag);
    if (given.json) printJson({ deleted });
    else print(String(deleted));
  });
}

async function deleteByPrefix(client: RespClient, prefix: string): Promise<number> {
  let deleted = 0;
  const pattern = `${prefix.replace(/[\\*?[\]^-]/g, '\\$&')}*`;
  for await (const keys of scanned(client, pattern))
    if (keys.length > 0) deleted += await client.count('UNLINK', ...keys);
  return deleted;
}
