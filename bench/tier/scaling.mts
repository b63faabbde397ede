// scaling.mts — how large must L0 and Redis be? What docs/SCALING.md is calculated from, and the calculator.
//
//   npm run bench -- scaling [--json FILE]                     measures: hit rates, bytes, reads that L0 cannot answer
//   npm run bench -- scaling --vectors 3000000 --reads 20000    calculates a plan from what was measured
//
// Options of a plan: --vectors N · --bytes 4096|1024 (of a vector) · --reads N (a second, of all processes) · --processes
// N · --share F (of the catalogue, that L0 of each process holds) · --exponent 0.8|1 (of Zipf's law)
// Not claimed: a network, other sizes, several clients at once. See plan.mts for what is taken for granted.

import { readFileSync } from 'node:fs';
import type { SuiteArguments } from '../harness/arguments.mjs';
import { repositoryRoot } from '../harness/machine.mjs';
import { clearProgress, showProgress } from '../harness/progress.mjs';
import type { Report } from '../harness/report.mjs';
import { runSuite, type SuiteFigures } from '../harness/suite.mjs';
import { formatTable } from '../harness/table.mjs';
import { ASSUMED, figuresOf, planOf } from './plan.mjs';
import { bytesInL0, redisFigures } from './scaling-bytes.mjs';
import { hitRates } from './scaling-rates.mjs';
import { bytesText, countText, percentText, REDIS_FIGURES, SCALING_FIGURES, timeText } from './scaling-tables.mjs';

const ROUNDS = 9;
const QUICK_ROUNDS = 2;
const QUICK_VECTORS = 10_000;

const OPTIONS = ['vectors', 'bytes', 'reads', 'processes', 'share', 'exponent'];

await runSuite('scaling', measureOrPlan, [], OPTIONS);

async function measureOrPlan(options: SuiteArguments): Promise<SuiteFigures> {
  if (options.values.size > 0) {
    printPlan(options.values);
    return { cases: [], ratios: {} };
  }
  const { quick } = options;
  showProgress('bytes of a vector in L0');
  const l0 = bytesInL0();
  const redis = await redisFigures(quick ? QUICK_ROUNDS : ROUNDS, showProgress);
  const cases = [...l0, ...(redis?.cases ?? []), ...hitRates(quick ? QUICK_VECTORS : Infinity, showProgress)];
  clearProgress();
  const rows = cases.map(({ name, unit, median }) => [name, String(Number(median.toPrecision(4))), unit]);
  console.log(formatTable(['what', 'median', 'unit'], rows));
  if (redis === undefined)
    console.log('\nno redis-server here; on Debian: apt-get install redis-tools (which holds it)');
  return { cases, ratios: redis?.ratios ?? {} };
}

function printPlan(values: ReadonlyMap<string, string>): void {
  const numberOf = (name: string, otherwise: number) => {
    const number = Number(values.get(name) ?? otherwise);
    if (!(number > 0)) throw new RangeError(`--${name}: expected a number above 0, received ${values.get(name)}`);
    return number;
  };
  const read = (file: string) => JSON.parse(readFileSync(new URL(file, repositoryRoot), 'utf8')) as Report;
  const plan = planOf(figuresOf(read(SCALING_FIGURES), read(REDIS_FIGURES)), ASSUMED, {
    vectors: numberOf('vectors', 1_000_000),
    vectorBytes: numberOf('bytes', 4096),
    readsPerSecond: numberOf('reads', 10_000),
    processes: numberOf('processes', 1),
    share: numberOf('share', 0.1),
    exponent: numberOf('exponent', 1),
  });
  const rows: [string, string][] = [
    ['L0 of each process (maxBytes)', bytesText(plan.l0Bytes)],
    ['hit rate', percentText(plan.hitRate)],
    ['mean wait of a read', timeText(plan.meanNs)],
    ['  without L0', timeText(plan.withoutL0Ns)],
    ['data in Redis', bytesText(plan.redisBytes)],
    ['reads of Redis a second', countText(plan.redisReadsPerSecond)],
    ['Redis primaries, by memory', String(plan.primariesByMemory)],
    ['Redis primaries, by reads', String(plan.primariesByReads)],
    ['Redis servers, with replicas', String(plan.servers)],
    ['L0, USD a month', countText(plan.l0Price)],
    ['Redis, USD a month', countText(plan.redisPrice)],
  ];
  for (const [what, figure] of rows) console.log(`${what.padEnd(32)}${figure.padStart(12)}`);
}
