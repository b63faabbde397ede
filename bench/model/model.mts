// model.mts — what does a memoised prediction cost, beside the model?
//
//   hit          the result for a float32 tensor of shape [1024], of 256 that are asked for again and again; against an
//                lru-cache under the input's SHA3-256 in hex (node:crypto), likewise awaited
//   hit-rare     the same, of 8 192, each so rarely that its fingerprint is made anew
//   text         the result for a text of 100 bytes, of 4 096
//   many         predictMany of 1 000 texts of which 100 are new, by item; against the same items by an lru-cache (the
//                digests, the gets, one run of what is missing, the sets), and against a bare run of those 100
//   callers      32 callers of one new input, each
//
// Before the clock starts, results are compared with the model's own, those of batches with new inputs too; and 32
// callers must make one run and one store.
// While it runs, the lru-cache must miss exactly what is new: it is not to lose by its size.

import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { float32, type Model, open, PUBLIC } from 'zerohop';
import type { SuiteArguments } from '../harness/arguments.mjs';
import { type Comparison, casesOf, formatSamples, ratiosOf } from '../harness/comparison.mjs';
import { type Contender, measureInTurns } from '../harness/measure.mjs';
import { clearProgress, showProgress } from '../harness/progress.mjs';
import { makeCase } from '../harness/report.mjs';
import { summarize } from '../harness/statistics.mjs';
import { runSuite, type SuiteFigures } from '../harness/suite.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';

const OUT = 16;
const HOT = 256;
const RARE = 8192;
const BATCH = 1000;
const NEW = 100;
const CALLERS = 32;

const tensorOf = (i: number) => new Float32Array(1024).fill(i + 0.25);
const HOT_TENSORS = Array.from({ length: HOT }, (_, i) => tensorOf(i));
const RARE_TENSORS = Array.from({ length: RARE }, (_, i) => tensorOf(HOT + i));
const TEXTS = Array.from({ length: 4096 }, (_, i) => `a prompt ${i}, `.padEnd(100, 'and so on '));

const COMPARISONS: readonly Comparison[] = [
  { ratio: 'predict-hit-vs-lru-cache', ours: 'zerohop/hit', rival: 'lru-cache/hit' },
  { ratio: 'predict-rare-hit-vs-lru-cache', ours: 'zerohop/hit-rare', rival: 'lru-cache/hit-rare' },
  { ratio: 'predict-text-hit-vs-lru-cache', ours: 'zerohop/text', rival: 'lru-cache/text' },
  { ratio: 'predict-many-vs-lru-cache', ours: 'zerohop/many', rival: 'lru-cache/many' },
  { ratio: 'predict-many-vs-bare-run', ours: 'zerohop/many', rival: 'bare run/many' },
];

/** Stands in for a model: some numbers that follow from the input. */
const classify = (inputs: readonly (Float32Array | string)[]) =>
  inputs.map((input) => new Float32Array(OUT).fill(typeof input === 'string' ? input.charCodeAt(9) : input[0]!));

await runSuite('model', measure);

async function measure({ quick }: SuiteArguments): Promise<SuiteFigures> {
  const cache = open({ maxBytes: '256MB' });
  const model: Model<Float32Array | string, Float32Array, ArrayLike<number>> = cache.model({
    name: 'classifier',
    version: '1',
    scope: PUBLIC,
    codec: float32(OUT),
    run: classify,
  }) as never;
  const lru = new LRUCache<string, Float32Array>({ max: 2 * (HOT + RARE + TEXTS.length) });
  const predictWithLru = async (input: Float32Array | string) => {
    const key = hash('sha3-256', input, 'hex');
    const known = lru.get(key);
    if (known !== undefined) return known;
    const [result] = classify([input]);
    lru.set(key, result!);
    return result!;
  };
  const predictManyWithLru = async (inputs: readonly string[]) => {
    const keys = inputs.map((input) => hash('sha3-256', input, 'hex'));
    const results = keys.map((key) => lru.get(key));
    const missing = [...results.keys()].filter((i) => results[i] === undefined);
    for (const [at, result] of classify(missing.map((i) => inputs[i]!)).entries()) {
      lru.set(keys[missing[at]!]!, result);
      results[missing[at]!] = result;
    }
    if (missing.length !== NEW) throw new WrongAnswer(`the lru-cache missed ${missing.length} of ${NEW} new inputs`);
    return results as Float32Array[];
  };
  await verify(model, predictWithLru);
  await verifyBatches([(batch) => model.predictMany(batch), predictManyWithLru]);
  let sink = 0;
  const awaiting = (
    name: string,
    inputs: readonly (Float32Array | string)[],
    ask: (input: Float32Array | string) => Promise<ArrayLike<number>>,
  ): Contender =>
    contender(name, 1, 64 * BATCH, async (operations, from) => {
      for (let i = 0; i < operations; ++i) sink += (await ask(inputs[(from + i) % inputs.length]!))[0]!;
    });
  const ours = (input: Float32Array | string) => model.predict(input);
  const fresh = newTexts('new text');
  const samples = await measureInTurns(
    [
      awaiting('zerohop/hit', HOT_TENSORS, ours),
      awaiting('lru-cache/hit', HOT_TENSORS, predictWithLru),
      awaiting('zerohop/hit-rare', RARE_TENSORS, ours),
      awaiting('lru-cache/hit-rare', RARE_TENSORS, predictWithLru),
      awaiting('zerohop/text', TEXTS, ours),
      awaiting('lru-cache/text', TEXTS, predictWithLru),
      manyContender('zerohop/many', async (batch) => {
        sink += (await model.predictMany(batch))[BATCH - 1]![0]!;
      }),
      manyContender('lru-cache/many', async (batch) => {
        sink += (await predictManyWithLru(batch))[BATCH - 1]![0]!;
      }),
      manyContender('bare run/many', async (batch) => {
        sink += (await classify(batch.slice(BATCH - NEW)))[NEW - 1]![0]!;
      }),
      contender('zerohop/callers', CALLERS, 512 * CALLERS, async (operations) => {
        for (let i = 0; i < operations; i += CALLERS) {
          const input = fresh();
          const [result] = await Promise.all(Array.from({ length: CALLERS }, () => model.predict(input)));
          sink += result![0]!;
        }
      }),
    ],
    {
      rounds: quick ? 7 : 25,
      sampleMsMin: 5,
      onRound: (round, rounds) => showProgress(`model: round ${round + 1} of ${rounds}`),
    },
  );
  clearProgress();
  if (Number.isNaN(sink)) throw new WrongAnswer('no results');
  const bare = samples.get('bare run/many')!;
  const overhead = samples.get('zerohop/many')!.map((ns, round) => ns - bare[round]!);
  console.log(`\n${formatSamples(samples, 'ns', COMPARISONS)}`);
  const { median, p5, p95 } = summarize(overhead);
  console.log(
    `\npredictMany, more than a bare run of what is new: ${median.toFixed(0)} ns by item (${p5.toFixed(0)} – ${p95.toFixed(0)})`,
  );
  cache.close();
  return {
    cases: [...casesOf(samples, 'ns'), makeCase('zerohop/many-overhead', 'ns', summarize(overhead))],
    ratios: ratiosOf(samples, COMPARISONS),
  };
}

function contender(
  name: string,
  step: number,
  most: number,
  run: (operations: number, from: number) => Promise<void>,
): Contender {
  let count = 0;
  let from = 0;
  return {
    name,
    operationsMin: step,
    operationsMax: most,
    operationsStep: step,
    prepare(operations) {
      from += count;
      count = operations;
    },
    run: () => run(count, from),
  };
}

/**
 * Texts that nobody has asked for; each caller of this has the same ones, one after the other.
 *
 * @param beginning  8 letters: `classify` reads the first digit behind them
 */
function newTexts(beginning: string): () => string {
  let made = 0;
  return () => `${beginning} ${++made}, `.padEnd(100, 'and so on ');
}

/** Batches whose last 100 texts nobody has asked for; each caller of this has the same ones. */
function newBatches(beginning: string): () => string[] {
  const fresh = newTexts(beginning);
  let at = 0;
  return () => {
    at = (at + NEW) % (TEXTS.length - BATCH);
    return [...TEXTS.slice(at, at + BATCH - NEW), ...Array.from({ length: NEW }, fresh)];
  };
}

/** All contenders get the same batches. */
function manyContender(name: string, ask: (batch: readonly string[]) => Promise<void>): Contender {
  const batchOf = newBatches('in batch');
  let batches: string[][] = [];
  return {
    ...contender(name, BATCH, 16 * BATCH, async () => {
      for (const batch of batches) await ask(batch);
    }),
    prepare(operations) {
      batches = Array.from({ length: operations / BATCH }, batchOf);
    },
  };
}

type Ask = (input: Float32Array | string) => Promise<ArrayLike<number>>;

async function verifyBatches(
  asks: readonly ((batch: readonly string[]) => Promise<readonly ArrayLike<number>[]>)[],
): Promise<void> {
  for (const ask of asks) {
    const batchOf = newBatches('verified');
    for (let round = 0; round < 3; ++round) {
      const batch = batchOf();
      const wanted = classify(batch);
      const results = await ask(batch);
      if (wanted.some((one, i) => results[i]?.length !== OUT || results[i]![OUT - 1] !== one[OUT - 1]))
        throw new WrongAnswer('a batch with new inputs');
    }
  }
}

async function verify(model: Model<Float32Array | string, Float32Array, ArrayLike<number>>, rival: Ask): Promise<void> {
  const inputs = [...HOT_TENSORS, ...RARE_TENSORS, ...TEXTS];
  const wanted = classify(inputs);
  for (let round = 0; round < 2; ++round) {
    const many = await model.predictMany(inputs);
    for (const [i, input] of inputs.entries()) {
      const seen = [many[i]!, await model.predict(input), await rival(input)];
      if (seen.some((one) => one.length !== OUT || one[OUT - 1] !== wanted[i]![OUT - 1]))
        throw new WrongAnswer(`the result of input ${i}`);
    }
  }
  if (model.stats().computed !== inputs.length) throw new WrongAnswer('an input was computed twice');
  const before = model.stats();
  await Promise.all(Array.from({ length: CALLERS }, () => model.predict('what 32 ask at once')));
  const { runs, computed, joined } = model.stats();
  if (runs !== before.runs + 1 || computed !== before.computed + 1 || joined !== before.joined + CALLERS - 1)
    throw new WrongAnswer('32 callers made more than one run');
}
