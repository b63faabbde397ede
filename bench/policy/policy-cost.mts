// policy-cost.mts — what does deciding what to keep cost a request?
//
// Every trace at 0.1, 1 and 10 % of its objects, entry by entry with dense ids (no keys are hashed or compared), on one
// core: the learned policy with its learning, the score policy, S3-FIFO and a plain linked list (LRU), in turns. And
// the instructions of a request, counted by valgrind over the trace that comes with the benchmarks, where there is a
// valgrind.
//
// Options: --traces DIR (else the trace that comes with the benchmarks)

import { fileURLToPath } from 'node:url';
import type { SuiteArguments } from '../harness/arguments.mjs';
import { countInstructions, hasValgrind } from '../harness/callgrind.mjs';
import { clearProgress, showProgress } from '../harness/progress.mjs';
import { type Case, makeCase } from '../harness/report.mjs';
import { single, summarize } from '../harness/statistics.mjs';
import { runSuite, type SuiteFigures } from '../harness/suite.mjs';
import { play } from './simulator.mjs';
import { tracesOf } from './traces.mjs';

const POLICIES = ['lru', 's3fifo', 'score', 'learned'];
const SIZES = [0.001, 0.01, 0.1];
const LEAST = 20;
const MIX = fileURLToPath(new URL('./policy-mix.mjs', import.meta.url));

/** Functions of the simulator, in the order of POLICIES. */
const FUNCTIONS = ['Lru', 'S3Fifo'].map(
  (name) => `(anonymous namespace)::Outcome (anonymous namespace)::RunOf<simulator::${name}>`,
);
for (const kind of [1, 0])
  FUNCTIONS.push(`(anonymous namespace)::Outcome (anonymous namespace)::RunSampled<(zerohop::Policy::Kind)${kind}>`);

await runSuite('policy-cost', measure, [], ['traces']);

async function measure({ quick, values }: SuiteArguments): Promise<SuiteFigures> {
  const traces = tracesOf(values.get('traces'));
  const rounds = quick ? 3 : 7;
  const samples = new Map<string, number[]>(POLICIES.map((policy) => [policy, []]));
  for (let round = 0; round < rounds; round++) {
    showProgress(`policy-cost: round ${round + 1} of ${rounds}`);
    const spent = new Map<string, number>();
    let requests = 0;
    for (const trace of traces) {
      for (const size of SIZES) {
        const capacity = Math.round(trace.unique * size);
        if (capacity < LEAST) continue;
        requests += trace.ids.length;
        for (const policy of POLICIES) {
          spent.set(policy, (spent.get(policy) ?? 0) + play(policy, trace, capacity).ns);
        }
      }
    }
    for (const [policy, ns] of spent) samples.get(policy)!.push(ns / requests);
  }
  clearProgress();
  const median = (policy: string) => summarize(samples.get(policy)!).median;
  for (const policy of POLICIES)
    console.log(`${policy.padEnd(12)}${median(policy).toFixed(1).padStart(8)} ns a request`);
  const ratios = {
    'ns-per-request-vs-lru': median('learned') / median('lru'),
    'ns-per-request-vs-s3fifo': median('learned') / median('s3fifo'),
  };
  for (const [name, value] of Object.entries(ratios)) console.log(`${name.padEnd(28)}${value.toFixed(2)}`);
  const cases = POLICIES.map((policy) => makeCase(`${policy}/request`, 'ns', summarize(samples.get(policy)!)));
  return { cases: [...cases, ...instructions()], ratios };
}

function instructions(): Case[] {
  if (!hasValgrind()) {
    console.log('instructions were not counted: no valgrind here');
    return [];
  }
  showProgress('policy-cost: counting instructions, some 20 s');
  const { output, instructions: counts } = countInstructions(MIX, FUNCTIONS);
  clearProgress();
  return POLICIES.map((policy, i) => {
    const each = counts[i]! / Number(output);
    console.log(`${policy.padEnd(12)}${each.toFixed(0).padStart(8)} instructions a request`);
    return makeCase(`${policy}/instructions`, 'count', single(each));
  });
}
