// instructions-mix.mts — a known number of operations of each kind, for valgrind to count; a program of its own (see
// instructions.mts). Prints the numbers.
//
//   get            200 resident keys in turn, one native call each: without a near cache
//   get-many-key   the same in batches of 200
//   gather-row     likewise
//   set            4 KiB; three times as many keys as fit, in turn: two sets in three make something else go

import { DIMENSIONS, EMBEDDING_BYTES } from '../workloads/embeddings.mjs';
import { openZerohop, userKeys } from './rivals.mjs';

const MAX_BYTES = 16 * 2 ** 20;
const GETS = 20_000;
const RESIDENT = 200;
const BATCHES = 50;
const SETS = (3 * MAX_BYTES) / EMBEDDING_BYTES;

const keys = userKeys(SETS);
const value = new Float32Array(DIMENSIONS).fill(1);

const reading = openZerohop(MAX_BYTES, { near: false }).vectors;
const resident = keys.slice(0, RESIDENT);
for (const key of resident) reading.set(key, value);
let hits = 0;
for (let i = 0; i < GETS; ++i) hits += reading.get(resident[i % RESIDENT] as string)?.[5] === 1 ? 1 : 0;
const out = new Float32Array(RESIDENT * DIMENSIONS);
for (let i = 0; i < BATCHES; ++i) {
  hits += reading.getMany(resident).filter((found) => found?.[5] === 1).length;
  hits += reading.gather(resident, out).hits;
}
if (hits !== GETS + 2 * BATCHES * RESIDENT) throw new Error(`${hits} hits`);

const writing = openZerohop(MAX_BYTES, { near: false }).vectors;
let stored = 0;
for (const key of keys) stored += writing.set(key, value) ? 1 : 0;
if (stored !== SETS) throw new Error(`${stored} of ${SETS} sets`);

console.log(
  JSON.stringify({
    get: GETS,
    'get-many-key': BATCHES * RESIDENT,
    'gather-row': BATCHES * RESIDENT,
    set: SETS + RESIDENT,
  }),
);
process.exit(0);
