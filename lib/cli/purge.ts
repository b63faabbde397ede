// purge.ts: `zerohop purge`, deletes what carries a tag, what begins with a prefix, or all results of a model.

import { Command } from 'commander';
import type { RespClient } from '../resp/client.js';
import { onServer, type ServerGiven, withKeyspace, withServer } from './connection.js';
import { misuse } from './exit.js';
import { scanned } from './keys.js';
import { print, printJson } from './print.js';

interface Given extends ServerGiven {
  tag?: string;
  prefix?: string;
  model?: string;
}

export function purgeCommand(): Command {
  const command = new Command('purge')
    .description('delete what carries a tag, begins with a prefix, or is a result of a model; print how much it was')
    .option('--tag <tag>', 'a tag that zerohop set --tag, ZH.SET or code in the process gave')
    .option('--prefix <text>', 'how the keys begin')
    .option('--model <name[@version]>', 'a model of the process that serves the cache; without a version, all of them');
  return withServer(withKeyspace(command)).action(run);
}

async function run(given: Given): Promise<void> {
  const { tag, prefix, model } = given;
  if ([tag, prefix, model].filter((one) => one !== undefined).length !== 1)
    throw misuse('say one of --tag, --prefix and --model');
  if (prefix === '') throw misuse('--prefix: an empty one would be every key');
  const words = model === undefined ? [] : modelOf(model);
  await onServer(given, async (client) => {
    const deleted =
      prefix === undefined
        ? await client.count('ZH.PURGE', ...(tag === undefined ? ['MODEL', ...words] : [tag]))
        : await deleteByPrefix(client, prefix);
    if (given.json) printJson({ deleted });
    else print(String(deleted));
  });
}

/**
 * The name, and the version behind the last @. One at the beginning is part of a name, as in `@cf/baai/bge`. With
 * nothing behind the last @, all before it is the name.
 */
function modelOf(text: string): string[] {
  const at = text.lastIndexOf('@');
  const words = at <= 0 ? [text] : [text.slice(0, at), text.slice(at + 1)].filter((word) => word !== '');
  if (words[0] === '' || words.length === 0) throw misuse('--model: expected the name of a model');
  return words;
}

async function deleteByPrefix(client: RespClient, prefix: string): Promise<number> {
  let deleted = 0;
  const pattern = `${prefix.replace(/[\\*?[\]^-]/g, '\\$&')}*`;
  for await (const keys of scanned(client, pattern))
    if (keys.length > 0) deleted += await client.count('UNLINK', ...keys);
  return deleted;
}
