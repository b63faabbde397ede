// churn.mts — what does a set cost when something else has to go, and what does a get meanwhile?
//
//   set       4 KiB into a full cache of 256 MiB, four times as many keys as fit, two gets by Zipf for every set;
//             against the same loop that copies the same bytes into one fixed buffer of that size.  Only sets are timed
//   get       each hit timed by itself in the same mix: p50, p99, p99.9, of zerohop and of lru-cache
//   hit ratio against LRU of as many bytes, played with ids (plain-lru.mts)
//
// Claimed: no set is refused, and what the hit ratio is here. Not claimed: other sizes, other skews, more threads; what
// the policy keeps on recorded traces is the question of the suite `hitratio`.

import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SuiteArguments } from '../harness/arguments.mjs';
import { type Comparison, casesOf, formatSamples, ratiosOf } from '../harness/comparison.mjs';
import { type Contender, measureInTurns } from '../harness/measure.mjs';
import { ownCopy } from '../harness/own-copy.mjs';
import { clearProgress, showProgress } from '../harness/progress.mjs';
import { type Case, makeCase } from '../harness/report.mjs';
import { single, summarize } from '../harness/statistics.mjs';
import { runSuite, type SuiteFigures } from '../harness/suite.mjs';
import { formatNumber } from '../harness/table.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';
import { ChurnTrace, SETS_PER_GROUP } from '../workloads/churn.mjs';
import { DIMENSIONS, EMBEDDING_BYTES } from '../workloads/embeddings.mjs';
import { type Churn, newChurn, timeGets, timeSets } from './churn-loops.mjs';
import { type ChurnStore, lruStore, memcpyStore, zerohopStore } from './churn-stores.mjs';
import { PlainLru } from './plain-lru.mjs';
import { openLru, openZerohop, userKey } from './rivals.mjs';

const MAX_BYTES = 256 * 2 ** 20;
const FITTING = MAX_BYTES / EMBEDDING_BYTES;
const IDS = 4 * FITTING;
/** Of the trace, before anything is counted: four cachefuls. */
const WARM_UP_GROUPS = (4 * FITTING) / SETS_PER_GROUP;
/** Half a cacheful: dozens of evictions in each. */
const SETS_PER_SAMPLE = FITTING / 2;

const FULL = { rounds: 15, gets: 300_000 };
const QUICK = { rounds: 5, gets: 100_000 };
type Extent = typeof FULL;

const SET_COMPARISONS: readonly Comparison[] = [{ ratio: 'set-vs-memcpy', ours: 'zerohop/set', rival: 'memcpy/set' }];

const PERCENTILES: readonly [string, number][] = [
  ['p50', 0.5],
  ['p99', 0.99],
  ['p99.9', 0.999],
];

const GET_COMPARISONS: readonly Comparison[] = PERCENTILES.map(([label]) => ({
  ratio: `get-${label}-vs-lru-cache`,
  ours: `zerohop/get-${label}`,
  rival: `lru-cache/get-${label}`,
}));

await runSuite('churn', measure);

async function measure({ quick }: SuiteArguments): Promise<SuiteFigures> {
  const extent = quick ? QUICK : FULL;
  const trace = new ChurnTrace(IDS, 1);
  const sets = await measureSets(extent, trace);
  const gets = await measureGets(extent, trace);
  clearProgress();
  print(extent, sets, gets);
  const cases = [...casesOf(sets.samples, 'ns'), ...sets.cases, ...casesOf(gets.samples, 'ns'), ...gets.cases];
  const ratios = { ...ratiosOf(sets.samples, SET_COMPARISONS), ...ratiosOf(gets.samples, GET_COMPARISONS) };
  return { cases, ratios };
}

interface SetFigures {
  readonly samples: Map<string, number[]>;
  readonly cases: Case[];
  readonly refused: number;
  readonly hitRatio: number;
  readonly lru: number;
}

async function measureSets({ rounds }: Extent, trace: ChurnTrace): Promise<SetFigures> {
  const { cache, vectors } = openZerohop(MAX_BYTES);
  const churn = newChurn(trace, DIMENSIONS);
  const contenders = [
    setContender('zerohop/set', zerohopStore(vectors), churn),
    setContender('memcpy/set', memcpyStore(MAX_BYTES), newChurn(trace, DIMENSIONS)),
  ];
  const onRound = (round: number) => showProgress(`churn: sets, round ${round + 1} of ${rounds}`);
  const samples = await measureInTurns(contenders, { rounds, sampleMsMin: 0, onRound });
  showProgress('churn: LRU, played with ids');
  const { entries, copiedHits, hits, copiedPerStored } = cache.stats();
  const lru = hitRatioOf(new PlainLru(FITTING), trace, churn.group);
  cache.close();
  const hitRatio = churn.hits / churn.gets;
  const cases = [
    makeCase('zerohop/refused-sets', 'count', single(churn.refused)),
    makeCase('zerohop/hit-ratio', 'ratio', single(hitRatio)),
    makeCase('lru/hit-ratio', 'ratio', single(lru)),
    makeCase('zerohop/copied-hits', 'ratio', single(copiedHits / hits)),
    makeCase('zerohop/copied-per-stored', 'ratio', single(copiedPerStored)),
    makeCase('zerohop/entries', 'count', single(entries)),
  ];
  return { samples, cases, refused: churn.refused, hitRatio, lru };
}

function setContender(name: string, store: ChurnStore, churn: Churn): Contender {
  const loop = ownCopy(timeSets, name);
  warmUp(loop, store, churn);
  let groups = 0;
  return {
    name,
    operationsMin: SETS_PER_SAMPLE,
    operationsMax: SETS_PER_SAMPLE,
    operationsStep: SETS_PER_GROUP,
    prepare(operations) {
      groups = operations / SETS_PER_GROUP;
    },
    run() {
      const timedNs = loop(store, churn, groups);
      throwIfWrong(name, churn);
      return timedNs;
    },
  };
}

function warmUp(loop: typeof timeSets, store: ChurnStore, churn: Churn): void {
  showProgress('churn: filling');
  loop(store, churn, WARM_UP_GROUPS);
  churn.gets = churn.hits = 0;
}

/** Over the groups that the store was counted in. */
function hitRatioOf(policy: { get(id: number): boolean; set(id: number): void }, trace: ChurnTrace, groups: number) {
  let gets = 0;
  let hits = 0;
  for (let group = 0; group < groups; group++) {
    for (const id of trace.setsOf(group)) policy.set(id);
    for (const id of trace.getsOf(group)) {
      const hit = policy.get(id);
      if (group < WARM_UP_GROUPS) continue;
      gets++;
      hits += Number(hit);
    }
  }
  return hits / gets;
}

interface GetFigures {
  readonly samples: Map<string, number[]>;
  readonly cases: Case[];
  readonly clockNs: number;
}

async function measureGets({ rounds, gets }: Extent, trace: ChurnTrace): Promise<GetFigures> {
  const { cache, vectors } = openZerohop(MAX_BYTES);
  const contenders = [
    getContender('zerohop', zerohopStore(vectors), trace),
    getContender('lru-cache', lruStore(openLru(MAX_BYTES)), trace),
  ];
  const clockNs = measureClock();
  const labels = PERCENTILES.flatMap(([label]) => contenders.map(({ name }) => `${name}/get-${label}`));
  const samples = new Map<string, number[]>(labels.map((label) => [label, []]));
  const out = new Float64Array(gets);
  for (let round = 0; round < rounds; round++) {
    showProgress(`churn: single gets, round ${round + 1} of ${rounds}`);
    for (let turn = 0; turn < contenders.length; turn++) {
      const { name, run } = contenders[(round + turn) % contenders.length] as (typeof contenders)[0];
      run(out);
      out.sort();
      for (const [label, share] of PERCENTILES) {
        samples.get(`${name}/get-${label}`)?.push((out[Math.floor(share * gets)] as number) - clockNs);
      }
      await nextTurn(); // as a server would; finalizers run there
    }
  }
  cache.close();
  return { samples, cases: [makeCase('clock', 'ns', single(clockNs))], clockNs };
}

function getContender(name: string, store: ChurnStore, trace: ChurnTrace) {
  const churn = newChurn(trace, DIMENSIONS);
  warmUp(ownCopy(timeSets, `${name}-warm-up`), store, churn);
  const loop = ownCopy(timeGets, name);
  const run = (out: Float64Array) => {
    loop(store, churn, out);
    throwIfWrong(name, churn);
  };
  return { name, run };
}

/** What two readings of the clock, one right after the other, are apart. */
function measureClock(): number {
  const samples = Array.from({ length: 10_000 }, () => {
    const startedNs = process.hrtime.bigint();
    return Number(process.hrtime.bigint() - startedNs);
  });
  return summarize(samples).median;
}

function throwIfWrong(name: string, { wrong }: Churn): void {
  if (wrong >= 0) throw WrongAnswer.from(name, userKey(wrong), 'under churn');
}

function print(extent: Extent, sets: SetFigures, gets: GetFigures): void {
  const { hitRatio, lru, refused } = sets;
  console.log(`
Sets of ${DIMENSIONS} float32 (4 KiB) into a full cache of ${MAX_BYTES / 2 ** 20} MiB, ${IDS.toLocaleString('en')} keys, two gets a set; median of ${extent.rounds} rounds; Node ${process.versions.node}
`);
  console.log(formatSamples(sets.samples, 'ns', SET_COMPARISONS));
  console.log('\nSingle hits in the same mix\n');
  console.log(formatSamples(gets.samples, 'ns', GET_COMPARISONS));
  const more = (100 * (hitRatio - lru)) / lru;
  console.log(`
hit ratio ${hitRatio.toFixed(4)}; LRU of as many bytes ${lru.toFixed(4)} (${more >= 0 ? '+' : ''}${more.toFixed(2)} %)
refused sets: ${refused}. Two readings of the clock (${formatNumber(gets.clockNs)} ns) are taken off every single get.`);
}
