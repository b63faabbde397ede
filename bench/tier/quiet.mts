// quiet.mts — writers change keys through other connections while zerohop reads them. After quiet, is anything stale?
//
// Writers store a next version, delete, or store with a time to live that ends soon; the famous items most, so that most
// of what they change is in L0. Quiet is when they have ended and Redis tells of no change for a while. Then everything
// that L0 holds is compared with what Redis holds, byte by byte.

import { setTimeout as sleep } from 'node:timers/promises';
import { WrongAnswer } from '../harness/wrong-answer.mjs';
import { random32, scale } from '../workloads/random.mjs';
import { isValue } from './answers.mjs';
import { bytesOf, keyOf } from './catalogue.mjs';
import { connectNodeRedis, openZerohop } from './stores.mjs';

const WRITERS = 2;
const VERSIONS = 100;
const TOGETHER = 50;
const EXPIRES_MS = 500;
const QUIET_MS = 600; // longer than what expires
const COMPARED_TOGETHER = 500;

export interface Quiet {
  /** Values that L0 held and Redis did not. */
  readonly stale: number;
  /** Values that L0 held, and those of them that a writer had stored. */
  readonly held: number;
  readonly changed: number;
  /** Changes that the writers made, and values that were not stored because their key changed meanwhile. */
  readonly writes: number;
  readonly fenced: number;
}

/**
 * Leaves Redis with other values than before.
 *
 * @param ids  the most famous first
 * @throws {WrongAnswer} a read gave what is no version of the item; or nothing was left to compare.
 */
export async function staleAfterQuiet(socket: string, ids: Uint32Array, reads: number): Promise<Quiet> {
  const { cache, items } = openZerohop({ socket, entries: ids.length });
  const order = Array.from(ids);
  const next = random32(7);
  const famous = () => order[Math.floor(order.length * (next() / 2 ** 32) ** 3)] as number;
  const writing = { ends: false, writes: 0 };
  const writers = Array.from({ length: WRITERS }, () => write(socket, famous, next, writing));
  for (let done = 0; done < reads; done += TOGETHER) {
    const some = Array.from({ length: TOGETHER }, famous);
    // By one, and by many.
    const values =
      done % (2 * TOGETHER) === 0
        ? await items.loadMany(some.map(String))
        : await Promise.all(some.map((id) => items.load(String(id))));
    for (const [i, id] of some.entries()) {
      const value = values[i];
      const version = value === undefined ? 0 : Math.floor((value[0] as number) / 4096);
      if (value !== undefined && !isValue(value, id, version))
        throw WrongAnswer.from('zerohop', keyOf(id), 'of writers');
    }
  }
  writing.ends = true;
  await Promise.all(writers);
  for (let told = -1; told !== items.stats().upstream.invalidations; await sleep(QUIET_MS))
    told = items.stats().upstream.invalidations;
  const { fenced } = items.stats().upstream;
  const client = await connectNodeRedis(socket);
  let [stale, held, changed] = [0, 0, 0];
  for (let from = 0; from < order.length; from += COMPARED_TOGETHER) {
    const some = order.slice(from, from + COMPARED_TOGETHER);
    const theirs = (await client.mGet(some.map(keyOf))) as (Buffer | null)[];
    for (const [i, mine] of items.getMany(some.map(String)).entries()) {
      if (mine === undefined) continue;
      held++;
      if ((mine[0] as number) >= 4096) changed++;
      if (theirs[i]?.equals(new Uint8Array(mine.buffer, mine.byteOffset, mine.byteLength)) !== true) stale++;
    }
  }
  client.destroy();
  cache.close();
  if (changed === 0) throw new WrongAnswer('L0 held nothing that a writer had stored, so nothing was compared');
  return { stale, held, changed, writes: writing.writes, fenced };
}

async function write(
  socket: string,
  famous: () => number,
  next: () => number,
  state: { ends: boolean; writes: number },
): Promise<void> {
  const client = await connectNodeRedis(socket);
  while (!state.ends) {
    const id = famous();
    const value = bytesOf(id, 1 + scale(next(), VERSIONS));
    const kind = scale(next(), 10);
    if (kind === 0) await client.del(keyOf(id));
    else if (kind === 1) await client.set(keyOf(id), value, { PX: 1 + scale(next(), EXPIRES_MS) });
    else await client.set(keyOf(id), value);
    state.writes++;
  }
  client.destroy();
}
