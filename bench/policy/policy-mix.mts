// policy-mix.mts — a trace through each policy once, for valgrind to count; a program of its own (see policy-cost.mts).
// Prints the number of requests.

import { play } from './simulator.mjs';
import { tracesOf } from './traces.mjs';

const REQUESTS = 300_000;
const SIZE = 0.01;

for (const whole of tracesOf(undefined)) {
  const trace = { ...whole, ids: whole.ids.subarray(0, REQUESTS) };
  for (const policy of ['lru', 's3fifo', 'score', 'learned']) play(policy, trace, Math.round(whole.unique * SIZE));
}
console.log(REQUESTS);
