// start.mts — the main job: what does it cost to serve embeddings from each kind of cache?
//
//   replay   a real request trace through each store, each in a process of its own: hit ratio, GC, CPU
//   reads    keys that all stores hold, timed in turns in this process: one by one and in batches
//   weights  a sharded checkpoint and an embedding table, opened beside reading the files (weights-step.mts)
//   server   `zerohop serve` answers redis-cli, and is timed beside Redis and this process (server-step.mts)
//
// Every value is checked against the generator that made it; a wrong one ends the run with exit code 1.
// Ends by itself in about a minute; `--quick` in a few seconds.

import path from 'node:path';
import type { SuiteArguments } from '../harness/arguments.mjs';
import { makeTemporaryFolder } from '../harness/cleanup.mjs';
import { clearProgress, showProgress } from '../harness/progress.mjs';
import { runSuite, type SuiteFigures } from '../harness/suite.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';
import { EMBEDDING_BYTES } from '../workloads/embeddings.mjs';
import { readScarabTrace } from '../workloads/trace.mjs';
import { type Figures, makeCases, makeRatios, printFigures } from './figures.mjs';
import { replayInProcess } from './replay-process.mjs';
import { runServerStep } from './server-step.mjs';
import { openStore, type Surroundings } from './stores/open-store.mjs';
import { startRedisServer } from './stores/redis-server.mjs';
import type { Store, StoreName } from './stores/store.mjs';
import { type HitCounts, ZerohopStore } from './stores/zerohop-store.mjs';
import { fill, pickHotStream, timeReads, verify } from './timed-reads.mjs';
import { runWeightsStep } from './weights-step.mjs';

/** Room for a third of the trace's keys: enough pressure that the choice of what to keep shows. */
const MAX_BYTES = 128 * 2 ** 20;
/** Half the budget: resident everywhere, whatever a store spends on its own books. */
const HOT_BYTES = MAX_BYTES / 2;

const FULL = { requests: 300_000, rounds: 15, sampleMsMin: 5 };
const QUICK = { requests: 100_000, rounds: 3, sampleMsMin: 2 };

const STORES: readonly StoreName[] = ['zerohop', 'lru-cache', 'lmdb', 'redis'];

await runSuite('start', measure);

async function measure({ quick }: SuiteArguments): Promise<SuiteFigures> {
  const extent = quick ? QUICK : FULL;
  const figures: Figures = { maxBytes: MAX_BYTES, hotBytes: HOT_BYTES, ...extent, columns: [], reads: new Map() };
  const where = await prepareSurroundings(figures);
  await replayAll(figures, where);
  await timeAll(figures, where);
  const weights = await runWeightsStep(where.folder, quick);
  const server = await runServerStep(where.folder, quick);
  clearProgress();
  printFigures(figures);
  console.log(`\n${weights.text}`);
  console.log(`\n${server.text}`);
  console.log('\nNext:  npm test    npm run bench -- --list    npm start -- --json FILE');
  const cases = [...makeCases(figures), ...weights.cases, ...server.cases];
  const ratios = { ...makeRatios(figures), ...weights.ratios, ...server.ratios };
  return { cases, ratios };
}

async function prepareSurroundings(figures: Figures): Promise<Surroundings> {
  const folder = makeTemporaryFolder();
  showProgress('starting redis-server');
  const redis = await startRedisServer(folder, figures.maxBytes);
  for (const name of STORES) figures.columns.push({ name });
  if (redis === undefined) {
    const how = 'no redis-server here; on Debian: apt-get install redis-tools (which holds it), then npm start';
    setUnavailable(figures, 'redis', how);
  }
  return { maxBytes: figures.maxBytes, folder, ...(redis && { redisSocket: redis.socket }) };
}

async function replayAll(figures: Figures, where: Surroundings): Promise<void> {
  for (const column of figures.columns) {
    if (column.unavailable !== undefined) continue;
    const job = { ...where, folder: path.join(where.folder, 'replay'), store: column.name, requests: figures.requests };
    const outcome = await replayInProcess(job, (done, all) => {
      showProgress(`replaying the trace through ${column.name}: ${Math.round((100 * done) / all)} %`);
    });
    if (outcome.kind === 'wrong') throw new WrongAnswer(outcome.message);
    if (outcome.kind === 'failed') setUnavailable(figures, column.name, outcome.message);
    else column.replay = outcome.result;
  }
}

async function timeAll(figures: Figures, where: Surroundings): Promise<void> {
  const { requests, idCount } = readScarabTrace(figures.requests);
  const hot = pickHotStream(requests, idCount, figures.hotBytes / EMBEDDING_BYTES);
  const stores: Store[] = [];
  for (const column of figures.columns) {
    if (column.unavailable !== undefined) continue;
    showProgress(`filling ${column.name} with ${hot.ids.length} embeddings`);
    const store = await openStore(column.name, where);
    await fill(store, hot);
    stores.push(store);
  }
  const zerohop = stores.find((store) => store instanceof ZerohopStore);
  const before = zerohop?.countHits();
  figures.reads = await timeReads(stores, hot, {
    rounds: figures.rounds,
    sampleMsMin: figures.sampleMsMin,
    onRound: (round, rounds) => showProgress(`timing reads: round ${round + 1} of ${rounds}`),
  });
  if (zerohop && before) figures.copiedShare = copiedShare(before, zerohop.countHits());
  showProgress('checking every value once more');
  for (const store of stores) {
    await verify(store, hot.ids, 'after the timed reads');
    await store.close();
  }
}

function copiedShare(before: HitCounts, after: HitCounts): number {
  return (after.copiedHits - before.copiedHits) / (after.hits - before.hits);
}

function setUnavailable(figures: Figures, name: StoreName, why: string): void {
  // Without zerohop there is nothing to compare: that is a failure, not an empty column.
  if (name === 'zerohop') throw new Error(`zerohop: ${why}`);
  for (const column of figures.columns) if (column.name === name) column.unavailable = why;
}
