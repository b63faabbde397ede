// tiered.mts — a read where L0 holds a fifth of what Redis holds: `load` of a keyspace with Redis behind it.
//
// Keys are drawn by Zipf's law, the same for everybody; L0 is warm before anything is timed.  What L0 has not, `load`
// asks Redis for over a unix socket.

import { float32, open } from 'zerohop';
import { elementOf, keyOf, type RemoteStore } from '#cli/bench-rows';
import { type Contender, measureInTurns } from '../harness/measure.mjs';
import { showProgress } from '../harness/progress.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';
import { zipfStream } from '../workloads/zipf.mjs';
import type { Extent, Row, Samples } from './table.mjs';

/** Its values are those of the other rows of 4 KiB. */
export const TIERED: Row = {
  name: 'embedding-4k-tiered',
  label: 'by Zipf, L0 holds a fifth',
  bytes: 4096,
  keys: 10_000,
  batch: 1,
};
const DIMENSIONS = TIERED.bytes / 4;
const L0_BYTES = 8 * 2 ** 20;
const WARMING_READS = 50_000;
const OPERATIONS_MAX = 100_000;

/**
 * @param socket  of the Redis that holds the values
 * @param stores  clients of the same Redis
 * @throws {WrongAnswer} a value is not what was stored.
 */
export async function measureTiered(socket: string, stores: readonly RemoteStore[], extent: Extent): Promise<Samples> {
  const cache = open({ maxBytes: L0_BYTES, upstream: `unix:${socket}` });
  const vectors = cache.keyspace('tiered', {
    codec: float32(DIMENSIONS),
    upstream: { prefix: keyOf(TIERED, 0).slice(0, -1), writes: 'local' },
  });
  const load = async (index: number) => {
    const vector = await vectors.load(String(index));
    check('tiered', index, vector?.[0], vector?.[DIMENSIONS - 1]);
  };
  // One stream: with another seed, other keys would be famous.
  const stream = zipfStream(TIERED.keys, WARMING_READS + extent.rounds * OPERATIONS_MAX, 1);
  showProgress('filling L0');
  for (const index of stream.subarray(0, WARMING_READS)) await load(index);
  const drawn = stream.subarray(WARMING_READS);
  const contenders = [
    contender('tiered', drawn, load),
    ...stores.map((store) =>
      contender(store.name, drawn, async (index) => {
        const value = await store.get(keyOf(TIERED, index));
        check(store.name, index, value?.readFloatLE(0), value?.readFloatLE(TIERED.bytes - 4));
      }),
    ),
  ];
  const times = await measureInTurns(contenders, {
    ...extent,
    onRound: (round, rounds) => showProgress(`${TIERED.label}: round ${round + 1} of ${rounds}`),
  });
  cache.close();
  return new Map([...times].map(([name, values]) => [`${name}/${TIERED.name}`, values]));
}

function check(store: string, index: number, first: number | undefined, last: number | undefined): void {
  if (first !== elementOf(index, 0) || last !== elementOf(index, DIMENSIONS - 1))
    throw WrongAnswer.from(store, keyOf(TIERED, index), TIERED.label);
}

function contender(name: string, drawn: Uint32Array, read: (index: number) => Promise<void>): Contender {
  let indices: Uint32Array = new Uint32Array();
  return {
    name,
    operationsMin: 1000, // a sample of fewer would depend on which keys it drew
    operationsMax: OPERATIONS_MAX,
    operationsStep: 1,
    prepare: (operations, round) => {
      const from = (round * OPERATIONS_MAX) % drawn.length;
      indices = drawn.subarray(from, from + operations);
    },
    run: async () => {
      for (const index of indices) await read(index);
    },
  };
}
