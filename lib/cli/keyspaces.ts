// keyspaces.ts: the databases of a server by the names of their keyspaces, as ZH.STATS tells both.
//
// Code in a process names a keyspace, and native code puts its scope, and a model's version, into that name. A user may
// write the first or the second.

import { labelOf } from '../observe/labels.js';
import type { RespClient } from '../resp/client.js';
import { shown } from './print.js';

/** What ZH.STATS tells of a database. A server of an earlier version tells no `keyspace`. */
export interface Database {
  readonly database: number;
  readonly keyspace?: string;
  readonly entries: number;
  readonly hits: number;
  readonly misses: number;
}

/** How many are named where a name is wrong. */
const NAMED_MAX = 10;

async function databasesOf(client: RespClient): Promise<readonly Database[]> {
  const { databases } = JSON.parse((await client.bytes('ZH.STATS')).toString()) as { databases: readonly Database[] };
  return databases;
}

/** Lets what follows be about that keyspace. @throws there is none of that name, or there are several. */
export async function selectKeyspace(client: RespClient, name: string): Promise<void> {
  const databases = await databasesOf(client);
  const exactly = databases.filter(({ keyspace }) => keyspace === name);
  const found = exactly.length > 0 ? exactly : databases.filter((one) => nameOf(one) === name);
  if (found.length !== 1) {
    const what = found.length === 0 ? `there is no keyspace ${shown(name)}` : `several keyspaces are ${shown(name)}`;
    throw new Error(`${what}; ${listOf(found.length === 0 ? databases : found)}`);
  }
  await client.call('SELECT', found[0]!.database);
}

/** A keyspace as code in the process names it, or `model <name>`; without its scope. */
export function nameOf({ keyspace = '' }: Database): string {
  return labelOf(keyspace).keyspace;
}

function listOf(databases: readonly Database[]): string {
  const named = databases.flatMap(({ database, keyspace = '' }) =>
    keyspace === '' ? [] : `${shown(keyspace)} (database ${database})`,
  );
  const more = named.length - NAMED_MAX;
  return `there are ${named.slice(0, NAMED_MAX).join(', ') || 'none with a name'}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Of a model's keyspace: the model's name. */
export function modelOf({ keyspace = '' }: Database): string | undefined {
  return labelOf(keyspace).model;
}
