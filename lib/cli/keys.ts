// keys.ts: `zerohop keys`, the keys of a database, as the server tells them: in no order, and a part at a time, so that
// other clients are served meanwhile.

import { once } from 'node:events';
import { Command } from 'commander';
import { countOption } from '../base/options.js';
import type { RespClient } from '../resp/client.js';
import { onServer, type ServerGiven, withKeyspace, withServer } from './connection.js';
import { jsonOf, jsonText, shown } from './print.js';

interface Given extends ServerGiven {
  limit?: string;
  null?: boolean;
}

const SCAN_COUNT = 1000;

export function keysCommand(): Command {
  const command = new Command('keys')
    .description('print keys, one a line; what is no plain text as escapes')
    .argument('[pattern]', 'as Redis takes it: * ? [a-z] and \\ before a character that stands for itself', '*')
    .option('--limit <number>', 'print at most so many')
    .option('--null', 'print the bytes of the keys as they are, each ended by a NUL, for xargs -0');
  return withServer(withKeyspace(command)).action(run);
}

async function run(pattern: string, given: Given): Promise<void> {
  const limit =
    given.limit === undefined ? Number.POSITIVE_INFINITY : countOption('--limit', Number(given.limit), 1, 2 ** 53 - 1);
  await onServer(given, async (client) => {
    let printed = 0;
    for await (const keys of scanned(client, pattern)) {
      const some = keys.slice(0, limit - printed);
      printed += some.length;
      if (!process.stdout.write(Buffer.concat(some.map((key) => lineOf(key, given)))))
        await once(process.stdout, 'drain');
      if (printed >= limit) return;
    }
  });
}

function lineOf(key: Buffer, given: Given): Buffer {
  if (given.null) return Buffer.concat([key, Buffer.from('\0')]);
  return Buffer.from(`${given.json ? jsonText(jsonOf(key)) : shown(key)}\n`);
}

/** The keys that match, in parts. */
export async function* scanned(client: RespClient, pattern: string | Uint8Array): AsyncGenerator<Buffer[]> {
  let cursor = '0';
  do {
    const [next, keys] = (await client.call('SCAN', cursor, 'MATCH', pattern, 'COUNT', SCAN_COUNT)) as [
      Buffer,
      Buffer[],
    ];
    yield keys;
    cursor = next.toString();
  } while (cursor !== '0');
}
