// instructions-case.mts — a number of gets or sets, for valgrind to count; a program of its own (see instructions.mts).
//
//   get   200 resident keys in turn: nothing but hits. Without a near cache: which gets it answers varies between runs
//   set   twice as many keys as fit, in turn: every set makes something else go

import { DIMENSIONS, EMBEDDING_BYTES } from '../workloads/embeddings.mjs';
import { openLru, openZerohop, userKeys } from './rivals.mjs';

const MAX_BYTES = 32 * 2 ** 20;
const RESIDENT = 200;
const SET_KEYS = (2 * MAX_BYTES) / EMBEDDING_BYTES;

const [store, kind, count] = process.argv.slice(2);
const gets = kind === 'get';
const operations = Number(count);
const keys = userKeys(gets ? RESIDENT : SET_KEYS);
const value = new Float32Array(DIMENSIONS).fill(1);
if (store === 'zerohop') run(openZerohop(MAX_BYTES, { near: false }).vectors, () => value);
else run(openLru(MAX_BYTES), () => value.slice()); // it keeps the array it is given
process.exit(0);

interface Store {
  get(key: string): ArrayLike<number> | undefined;
  set(key: string, value: Float32Array): unknown;
}

function run(target: Store, makeValue: () => Float32Array): void {
  for (const key of keys) target.set(key, makeValue());
  let good = 0;
  for (let i = 0; i < operations; i++) {
    const key = keys[i % keys.length] as string;
    if (gets) good += target.get(key)?.[5] === 1 ? 1 : 0;
    else good += target.set(key, makeValue()) ? 1 : 0;
  }
  if (good !== operations) throw new Error(`${store} ${kind}: ${good} of ${operations} were right`);
}
