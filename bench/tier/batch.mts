// batch.mts — reads that L0 cannot answer: 1 000 keys at once against an MGET, and one key against a GET.
//
// L0 is emptied before each sample, and no key is asked for twice in it, so every read asks Redis. Both clients are in one
// process, in turns.

import { type Contender, type MeasureOptions, measureInTurns } from '../harness/measure.mjs';
import { permutation } from '../workloads/random.mjs';
import { check, compare } from './answers.mjs';
import { keyOf } from './catalogue.mjs';
import { type Answer, connectNodeRedis, openZerohop } from './stores.mjs';

export const BATCH = 1000;
const READS_MAX = 8 * BATCH; // in a sample
const ORDERS = 16;

/**
 * @param ids  that Redis has; at least BATCH
 * @returns nanoseconds of a read, under `store/batch` and `store/miss`
 * @throws {WrongAnswer} a value is not what was stored.
 */
export async function measureMisses(
  socket: string,
  ids: Uint32Array,
  options: MeasureOptions,
): Promise<ReadonlyMap<string, number[]>> {
  const client = await connectNodeRedis(socket);
  const { cache, items } = openZerohop({ socket, entries: ids.length });
  const mget = async (batch: number[]) => (await client.mGet(batch.map(keyOf))) as (Buffer | null)[];
  const loadMany = (batch: number[]) => items.loadMany(batch.map(String));
  const orders = Array.from({ length: ORDERS }, (_, seed) =>
    Array.from(permutation(ids.length, seed), (place) => ids[place] as number),
  );
  const empty = () => void items.clear();
  // All of them once, so that no page of L0 is touched for the first time while timed.
  for (const [name, ask] of [['zerohop', loadMany] as const, ['node-redis', mget] as const])
    for (let from = 0; from < ids.length; from += BATCH) {
      const some = Array.from(ids.subarray(from, from + BATCH));
      const values: Answer[] = await ask(some);
      for (const [i, id] of some.entries()) compare(name, id, values[i]);
    }
  const readsMax = Math.min(READS_MAX, ids.length - (ids.length % BATCH));
  const contenders = [
    contender('zerohop/batch', BATCH, readsMax, orders, empty, async (some) => {
      const values = await loadMany(some);
      for (let i = 0; i < some.length; i++) check('zerohop', some[i] as number, values[i]);
    }),
    contender('node-redis/batch', BATCH, readsMax, orders, empty, async (some) => {
      const values = await mget(some);
      for (let i = 0; i < some.length; i++) check('node-redis', some[i] as number, values[i]);
    }),
    contender('zerohop/miss', 1, readsMax, orders, empty, async ([id = 0]) => {
      check('zerohop', id, await items.load(String(id)));
    }),
    contender('node-redis/miss', 1, readsMax, orders, empty, async ([id = 0]) => {
      check('node-redis', id, await client.get(keyOf(id)));
    }),
  ];
  const samples = await measureInTurns(contenders, options);
  client.destroy();
  cache.close();
  return samples;
}

/** @param step  keys that are asked for at once */
function contender(
  name: string,
  step: number,
  operationsMax: number,
  orders: readonly (readonly number[])[],
  empty: () => void,
  ask: (ids: number[]) => Promise<void>,
): Contender {
  let parts: number[][] = [];
  return {
    name,
    operationsMin: Math.min(operationsMax, 1000),
    operationsMax,
    operationsStep: step,
    prepare(operations, round) {
      empty();
      const order = orders[round % ORDERS] as readonly number[];
      parts = Array.from({ length: operations / step }, (_, i) => order.slice(i * step, (i + 1) * step));
    },
    run: async () => {
      for (const part of parts) await ask(part);
    },
  };
}
