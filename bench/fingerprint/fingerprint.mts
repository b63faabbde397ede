// fingerprint.mts — what does naming a computation cost?
//
//   single        inputs of 100 bytes, each another: a fingerprint, framing and object included; against the bare hash
//                 of the input by node:crypto (its one-shot function) and by @noble/hashes
//   batch         the same, 1 000 at once
//   long          one input of 1 MiB, as bytes
//   tensor        float32 of shape [1024]
//   tensor-batch  1 000 of them at once
//
// Before the clock starts, all digests are compared with what node:crypto makes of the same message. What all inputs
// begin with (model, parameters) was absorbed before, as it is for a model that is called more than once.

import { createHash, hash } from 'node:crypto';
import { sha3_256 } from '@noble/hashes/sha3';
import { type Fingerprints, fingerprinter, PUBLIC } from 'zerohop';
import type { SuiteArguments } from '../harness/arguments.mjs';
import { type Comparison, casesOf, formatSamples, ratiosOf } from '../harness/comparison.mjs';
import { type Contender, measureInTurns } from '../harness/measure.mjs';
import { clearProgress, showProgress } from '../harness/progress.mjs';
import { runSuite, type SuiteFigures } from '../harness/suite.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';

const BATCH = 1000;
const TEXTS = Array.from({ length: 64 * BATCH }, (_, i) => `a prompt ${i}, `.padEnd(100, 'and so on '));
const LONG = Buffer.alloc(2 ** 20, 'weights');
const TENSORS = Array.from({ length: BATCH }, (_, i) => new Float32Array(1024).fill(i + 0.5));

const COMPARISONS: readonly Comparison[] = [
  { ratio: 'single-vs-node-crypto', ours: 'zerohop/single', rival: 'node:crypto/single' },
  { ratio: 'single-vs-noble', ours: 'zerohop/single', rival: '@noble/hashes/single' },
  { ratio: 'batch-vs-node-crypto', ours: 'zerohop/batch', rival: 'node:crypto/single' },
  { ratio: 'long-vs-node-crypto', ours: 'zerohop/long', rival: 'node:crypto/long' },
  { ratio: 'tensor-vs-node-crypto', ours: 'zerohop/tensor', rival: 'node:crypto/tensor' },
  { ratio: 'tensor-batch-vs-node-crypto', ours: 'zerohop/tensor-batch', rival: 'node:crypto/tensor' },
];

const prepared = fingerprinter({ scope: PUBLIC, domain: 'bench', model: 'encoder@1', params: { temperature: 0 } });

await runSuite('fingerprint', measure);

async function measure({ quick }: SuiteArguments): Promise<SuiteFigures> {
  verify();
  let sink = 0;
  const each = (name: string, run: (i: number) => Uint8Array | Buffer, most = 64 * BATCH): Contender =>
    contender(name, 1, most, (operations) => {
      for (let i = 0; i < operations; ++i) sink += run(i)[0]!;
    });
  const many = (name: string, run: (from: number) => Fingerprints): Contender =>
    contender(name, BATCH, 16 * BATCH, (operations) => {
      for (let i = 0; i < operations; i += BATCH) sink += run(i).bytes[0]!;
    });
  const text = (i: number) => TEXTS[i % TEXTS.length]!;
  const tensor = (i: number) => TENSORS[i % BATCH]!;
  const batches = Array.from({ length: 64 }, (_, i) => TEXTS.slice(i * BATCH, (i + 1) * BATCH));
  const samples = await measureInTurns(
    [
      each('zerohop/single', (i) => prepared.of(text(i))),
      each('node:crypto/single', (i) => hash('sha3-256', text(i), 'buffer')),
      each('@noble/hashes/single', (i) => sha3_256(text(i))),
      many('zerohop/batch', (from) => prepared.many(batches[(from / BATCH) % 64]!)),
      each('zerohop/long', () => prepared.of(LONG), 64),
      each('node:crypto/long', () => hash('sha3-256', LONG, 'buffer'), 64),
      each('zerohop/tensor', (i) => prepared.of(tensor(i))),
      each('node:crypto/tensor', (i) => hash('sha3-256', tensor(i), 'buffer')),
      many('zerohop/tensor-batch', () => prepared.many(TENSORS)),
    ],
    {
      rounds: quick ? 7 : 25,
      sampleMsMin: 5,
      onRound: (round, rounds) => showProgress(`fingerprint: round ${round + 1} of ${rounds}`),
    },
  );
  clearProgress();
  if (Number.isNaN(sink)) throw new WrongAnswer('no digests');
  console.log(`\n${formatSamples(samples, 'ns', COMPARISONS)}`);
  return { cases: casesOf(samples, 'ns'), ratios: ratiosOf(samples, COMPARISONS) };
}

function contender(name: string, step: number, most: number, run: (operations: number) => void): Contender {
  let count = 0;
  return {
    name,
    operationsMin: step,
    operationsMax: most,
    operationsStep: step,
    prepare(operations) {
      count = operations;
    },
    run: () => run(count),
  };
}

/** What is measured are the digests of docs/FINGERPRINT.md. */
function verify(): void {
  const fields = [
    framed('zerohop fingerprint 1'),
    Buffer.from('p'),
    framed('bench'),
    Buffer.from('s'),
    framed('encoder@1'),
    Buffer.from('j'),
    framed('{"temperature":0}'),
  ];
  const start = Buffer.concat([Buffer.from([1, 136]), ...fields]);
  const blocks = Buffer.concat([start, Buffer.alloc(136 - start.length)]);
  const texts = TEXTS.slice(0, BATCH);
  const tensors = TENSORS.slice(0, 100);
  const wanted = [
    ...texts.map((text) => [Buffer.from('s'), framed(text)]),
    ...tensors.map(({ buffer }) => [
      Buffer.from('T'),
      framed('float32'),
      Buffer.from([1, 1, 2, 4, 0]),
      framed(Buffer.from(buffer)),
    ]),
    [Buffer.from('b'), framed(LONG)],
  ].map((parts) =>
    createHash('sha3-256')
      .update(Buffer.concat([blocks, ...parts]))
      .digest('hex'),
  );
  const inputs = [...texts, ...tensors, LONG];
  const seen = [inputs.map((input) => prepared.of(input).hex), Array.from(prepared.many(inputs), ({ hex }) => hex)];
  const batch = Array.from(prepared.many(texts), ({ hex }) => hex);
  for (const [i, digest] of wanted.entries()) {
    if (seen[0]![i] !== digest || seen[1]![i] !== digest || (i < BATCH && batch[i] !== digest))
      throw new WrongAnswer(`fingerprint of input ${i}`);
  }
}

function framed(content: string | Buffer): Buffer {
  const bits = 8 * content.length;
  const digits: number[] = [];
  for (let left = bits; left > 0; left = Math.floor(left / 256)) digits.unshift(left % 256);
  return Buffer.concat([Buffer.from([digits.length, ...digits]), Buffer.from(content as string)]);
}
