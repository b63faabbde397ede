// outside.mts — the stores outside the process that the suites compare: opened, filled, and checked.

import { endChildren, makeTemporaryFolder } from '../harness/cleanup.mjs';
import { clearProgress, showProgress } from '../harness/progress.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';
import { openStore } from '../main/stores/open-store.mjs';
import { startRedisServer } from '../main/stores/redis-server.mjs';
import type { LocalStore, RemoteStore, Store } from '../main/stores/store.mjs';
import { DIMENSIONS, EMBEDDING_BYTES, isEmbedding, makeEmbedding } from '../workloads/embeddings.mjs';
import { fillStore } from './rivals.mjs';

export interface Outside {
  readonly stores: Store[];
  /** Why a store is not among them, and how to get it. */
  readonly missing: string[];
}

/** Keys that travel to Redis together. */
const WINDOW = 200;

/** The stores that this machine has, holding the embedding of every key's place in the list. */
export async function openOutside(names: readonly ('lmdb' | 'redis')[], keys: readonly string[]): Promise<Outside> {
  const outside: Outside = { stores: [], missing: [] };
  const where = { maxBytes: 2 * keys.length * EMBEDDING_BYTES, folder: makeTemporaryFolder() };
  for (const name of names) {
    const store = name === 'lmdb' ? await openLmdb(where, outside) : await openRedis(where, outside);
    if (store === undefined) continue;
    outside.stores.push(store);
    if (store.kind === 'local') fillStore(name, store, keys, false);
    else await fillRemote(store, keys);
  }
  return outside;
}

/** Closes the stores and ends their servers: what is measured next has the machine to itself. */
export async function closeOutside({ stores }: Outside): Promise<void> {
  for (const store of stores) await store.close();
  await endChildren();
}

type Where = Parameters<typeof openStore>[1];

async function openLmdb(where: Where, { missing }: Outside): Promise<LocalStore | undefined> {
  try {
    return (await openStore('lmdb', where)) as LocalStore;
  } catch (error) {
    missing.push(`lmdb does not run here: ${(error as Error).message}`);
    return undefined;
  }
}

async function openRedis(where: Where, { missing }: Outside): Promise<RemoteStore | undefined> {
  const server = await startRedisServer(where.folder, where.maxBytes);
  if (server !== undefined) return (await openStore('redis', { ...where, redisSocket: server.socket })) as RemoteStore;
  missing.push('no redis-server here; on Debian: apt-get install redis-tools (which holds it)');
  return undefined;
}

async function fillRemote(store: RemoteStore, keys: readonly string[]): Promise<void> {
  await inWindows(keys, `filling ${store.name}`, async (names, from) => {
    await store.setMany(
      names,
      names.map((_, at) => makeEmbedding(from + at)),
    );
  });
  const scratch = new Float32Array(DIMENSIONS);
  await inWindows(keys, `checking ${store.name}`, async (names, from) => {
    for (const [at, value] of (await store.getMany(names)).entries()) {
      if (value !== undefined && isEmbedding(value, from + at, scratch)) continue;
      throw WrongAnswer.from(store.name, names[at] as string, 'after filling');
    }
  });
  clearProgress();
}

async function inWindows(
  keys: readonly string[],
  what: string,
  visit: (names: string[], from: number) => Promise<void>,
): Promise<void> {
  for (let from = 0; from < keys.length; from += WINDOW) {
    showProgress(`${what}: ${Math.round((100 * from) / keys.length)} %`);
    await visit(keys.slice(from, from + WINDOW), from);
  }
}
