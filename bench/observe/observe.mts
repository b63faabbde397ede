// observe.mts — what do metrics cost, and for how long does a scrape block the event loop?
//
//   get-hot, get-any   a get of one hot key, and of any of 4 096, in a cache whose metrics are registered with
//                      prom-client and OpenTelemetry and were collected by both, against one whose are not
//   scrape-1000-keyspaces   the longest time for which one scrape of 1 000 keyspaces, each under a label of its own,
//                      keeps the event loop from turning; and how long the scrape takes
//
// The text is the sidecar's own (lib/observe/text.ts): prom-client writes its text in one go. Each scrape must show what
// every keyspace counted.

import { createRequire } from 'node:module';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { Registry } from 'prom-client';
import { type Cache, float32, json, open } from 'zerohop';
import { registerMetrics } from 'zerohop/metrics';
import { otelMetrics, otelRuns } from 'zerohop/otel';
import type { SuiteArguments } from '../harness/arguments.mjs';
import { type Comparison, casesOf, formatSamples, ratiosOf } from '../harness/comparison.mjs';
import { type Contender, measureInTurns } from '../harness/measure.mjs';
import { clearProgress, showProgress } from '../harness/progress.mjs';
import { makeCase } from '../harness/report.mjs';
import { summarize } from '../harness/statistics.mjs';
import { runSuite, type SuiteFigures } from '../harness/suite.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';

interface CollectorLike {
  add(cache: Cache, name: string, limit: number): unknown;
  collect(): Promise<unknown>;
}

const require = createRequire(import.meta.url);
const { Collector } = require('../../../dist/observe/collector.js') as { Collector: new () => CollectorLike };
const { piecesOf } = require('../../../dist/observe/text.js') as {
  piecesOf(families: unknown, format: string): Promise<Buffer[]>;
};

const KEYS = Array.from({ length: 4096 }, (_, i) => `user:${i}`);
const LENGTH = 256;
const KEYSPACES = 1000;
const METRICS_COST = 1.02; // at most
const BLOCKED_MS = 1; // at most

const COMPARISONS: readonly Comparison[] = [
  { ratio: 'metrics-cost', ours: 'metrics on/get-hot', rival: 'metrics off/get-hot' },
  { ratio: 'metrics-cost-any-key', ours: 'metrics on/get-any', rival: 'metrics off/get-any' },
];

/** Turns the event loop, and knows the longest turn, in ms. */
class Turns {
  #longest = 0;
  #ended = false;
  readonly #done: Promise<void>;

  constructor() {
    this.#done = this.#turn();
  }

  async #turn(): Promise<void> {
    for (let last = performance.now(); !this.#ended; ) {
      await new Promise((resolve) => setImmediate(resolve));
      const at = performance.now();
      this.#longest = Math.max(this.#longest, at - last);
      last = at;
    }
  }

  async end(): Promise<number> {
    this.#ended = true;
    await this.#done;
    return this.#longest;
  }
}

await runSuite('observe', measure);

async function measure({ quick }: SuiteArguments): Promise<SuiteFigures> {
  const samples = await measureGets(quick);
  const { blockedMs, scrapeMs } = await measureScrapes(quick ? 20 : 200);
  clearProgress();
  console.log(`\n${formatSamples(samples, 'ns', COMPARISONS)}`);
  const blocked = summarize(blockedMs);
  const scrape = summarize(scrapeMs);
  console.log(
    `\nscrape of ${KEYSPACES} keyspaces: the event loop waits at most ${blocked.median.toFixed(2)} ms` +
      ` (p95 ${blocked.p95.toFixed(2)}), the scraper ${scrape.median.toFixed(1)} ms`,
  );
  const ratios = ratiosOf(samples, COMPARISONS);
  console.log(`bounds: metrics-cost ≤ ${METRICS_COST}, blocked ≤ ${BLOCKED_MS} ms`);
  return {
    cases: [
      ...casesOf(samples, 'ns'),
      makeCase('zerohop/scrape-1000-keyspaces-blocks', 'ms', blocked),
      makeCase('zerohop/scrape-1000-keyspaces', 'ms', scrape),
    ],
    ratios,
  };
}

async function measureGets(quick: boolean): Promise<Map<string, number[]>> {
  const register = new Registry();
  const telemetry = meterProvider();
  const meter = telemetry.getMeter('zerohop');
  const contenders: Contender[] = [];
  for (const how of ['metrics on', 'metrics off']) {
    const cache = open({ maxBytes: '32MB' });
    const keyspace = cache.keyspace('embeddings', { codec: float32(LENGTH) });
    for (const [i, key] of KEYS.entries()) keyspace.set(key, new Float32Array(LENGTH).fill(i));
    if (how === 'metrics on') {
      registerMetrics(cache, register);
      otelMetrics(cache, { meter });
      otelRuns({ meter });
    }
    let operations = 0;
    const contender = (what: string, run: () => void): Contender => ({
      name: `${how}/${what}`,
      operationsMin: KEYS.length,
      operationsMax: 4096 * KEYS.length,
      operationsStep: KEYS.length,
      prepare: (count) => {
        operations = count;
      },
      run,
    });
    contenders.push(
      contender('get-hot', () => {
        for (let i = 0; i < operations; ++i) if (keyspace.get('user:7')![0] !== 7) throw new WrongAnswer('get-hot');
      }),
      contender('get-any', () => {
        for (let i = 0; i < operations; ++i) {
          const at = (i * 2731) & 4095;
          if (keyspace.get(KEYS[at]!)![0] !== at) throw new WrongAnswer('get-any');
        }
      }),
    );
  }
  await register.metrics();
  await telemetry.forceFlush();
  return await measureInTurns(contenders, {
    rounds: quick ? 7 : 41,
    sampleMsMin: quick ? 2 : 10,
    onRound: (round, rounds) => showProgress(`observe: gets, round ${round + 1} of ${rounds}`),
  });
}

function meterProvider(): MeterProvider {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const exportIntervalMillis = 3_600_000; // by hand, before the gets are timed
  return new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis })] });
}

async function measureScrapes(rounds: number): Promise<{ blockedMs: number[]; scrapeMs: number[] }> {
  const cache = open({ maxBytes: '64MB' });
  for (let i = 1; i < KEYSPACES; ++i) cache.keyspace(`keyspace ${i}`, { codec: json }).set('key', i);
  const collector = new Collector();
  collector.add(cache, 'default', KEYSPACES);
  const blockedMs: number[] = [];
  const scrapeMs: number[] = [];
  for (let round = 0; round < rounds; ++round) {
    showProgress(`observe: scrape ${round + 1} of ${rounds}`);
    const turns = new Turns();
    const begun = performance.now();
    const written = await piecesOf(await collector.collect(), 'prometheus');
    scrapeMs.push(performance.now() - begun);
    blockedMs.push(await turns.end());
    const text = Buffer.concat(written).toString();
    if ((text.match(/^zerohop_sets_total\{.*\} 1$/gm) ?? []).length !== KEYSPACES - 1)
      throw new WrongAnswer('a keyspace is missing in a scrape');
  }
  cache.close(); // until here it must not be collected
  // The first ones compile the code.
  const warm = Math.floor(rounds / 4);
  return { blockedMs: blockedMs.slice(warm), scrapeMs: scrapeMs.slice(warm) };
}
