// weights.mts — what does it cost to have a model's weights at hand?
//
//   open        a checkpoint of 14 GB in four shards (sparse: no byte but the headers on the disk) opened, and every
//               tensor taken as a typed array; against readFileSync of one file of 32 MB, warm. In a process of its
//               own, whose resident memory is read before and after
//   tensor      a typed array over a tensor of 32 MB, and one element of it read; against GET of 32 MB from Redis over
//               a unix socket
//   cold        2 GB that are in no memory loaded by prefetch, against the best of dd and fio over the same file
//   digest      the digest of 1 GB, warm, by one thread; against node:crypto's sha3-256 of the same bytes
//
// Before the clock starts: tensors, elements and what Redis gives are compared; cold files are checked to be cold.
// Not claimed: other disks, and how fast a tensor's pages are touched.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { Weights } from 'zerohop';
import type { SuiteArguments } from '../harness/arguments.mjs';
import { makeTemporaryFolder } from '../harness/cleanup.mjs';
import { type Comparison, casesOf, formatSamples, ratiosOf } from '../harness/comparison.mjs';
import { type Contender, measureInTurns } from '../harness/measure.mjs';
import { clearProgress, showProgress } from '../harness/progress.mjs';
import { type Case, makeCase } from '../harness/report.mjs';
import { medianRatio, single, summarize } from '../harness/statistics.mjs';
import { runSuite, type SuiteFigures } from '../harness/suite.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';
import { startRedisServer } from '../main/stores/redis-server.mjs';
import { makeNoiseFile, makeSparseCheckpoint, noise } from './checkpoint.mjs';
import { dropFromMemory, readersFor } from './cold-read.mjs';
import type { OpenCaseFigures, OpenCaseOptions } from './open-case.mjs';

const TENSOR_BYTES = 32e6;
const FULL = { rounds: 15, coldBytes: 2e9, coldRounds: 5, digestBytes: 1e9, digestRounds: 5 };
const QUICK = { rounds: 5, coldBytes: 2.5e8, coldRounds: 3, digestBytes: 1.25e8, digestRounds: 3 };
type Extent = typeof FULL;

const COMPARISONS: readonly Comparison[] = [
  { ratio: 'open-14gb', ours: 'zerohop/open', rival: 'readFile/open' },
  { ratio: 'tensor-32mb-vs-redis', ours: 'zerohop/tensor', rival: 'redis/tensor' },
  { ratio: 'digest-vs-openssl', ours: 'zerohop/digest', rival: 'node-crypto/digest' },
  { ratio: 'digest-vs-openssl-all-threads', ours: 'zerohop-threads/digest', rival: 'node-crypto/digest' },
];

await runSuite('weights', measure);

async function measure({ quick }: SuiteArguments): Promise<SuiteFigures> {
  const extent = quick ? QUICK : FULL;
  const folder = makeTemporaryFolder();
  const opened = await measureOpen(folder, extent);
  const tensor = await measureTensor(folder, extent);
  const cold = await measureCold(folder, extent);
  const digest = await measureDigest(folder, extent);
  clearProgress();
  const samples = new Map([...opened.samples, ...tensor, ...digest]);
  const milliseconds = new Map([...samples].map(([name, ns]) => [name, ns.map((one) => one / 1e6)] as const));
  console.log(`\n${formatSamples(milliseconds, 'ms', COMPARISONS)}\n`);
  console.log(
    `opening 14 GB and taking every tensor grew resident memory by ${(opened.grownBytes / 1e6).toFixed(1)} MB, with ${opened.collections} collections`,
  );
  console.log(`\ncold, GB/s: ${cold.lines.join('   ')}`);
  return {
    cases: [
      ...casesOf(samples, 'ns'),
      makeCase('zerohop/open-grown', 'bytes', single(opened.grownBytes)),
      makeCase('zerohop/open-collections', 'count', single(opened.collections)),
      ...cold.cases,
    ],
    ratios: { ...ratiosOf(samples, COMPARISONS), 'cold-read-vs-fio': cold.ratio },
  };
}

async function measureOpen(folder: string, { rounds }: Extent) {
  showProgress('weights: opening');
  const checkpoint = path.join(folder, 'sparse');
  const file = path.join(folder, 'small.safetensors');
  const tensors = makeSparseCheckpoint(checkpoint);
  makeNoiseFile(file, TENSOR_BYTES);
  const options: OpenCaseOptions = { checkpoint, tensors, file, fileBytes: TENSOR_BYTES, rounds };
  const program = fileURLToPath(new URL('./open-case.mjs', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program, JSON.stringify(options)]);
  const { openNs, readNs, grownBytes, collections, wrong } = JSON.parse(stdout) as OpenCaseFigures;
  if (wrong !== undefined) throw new WrongAnswer(wrong);
  rmSync(checkpoint, { recursive: true });
  const samples = new Map([
    ['zerohop/open', openNs],
    ['readFile/open', readNs],
  ]);
  return { samples, grownBytes, collections };
}

async function measureTensor(folder: string, { rounds }: Extent): Promise<Map<string, number[]>> {
  const weights = await Weights.open(path.join(folder, 'small.safetensors'));
  const tensor = weights.tensor('data');
  const expected = noise(new Uint32Array(TENSOR_BYTES / 4), 7);
  expected.set(tensor.data as Uint32Array); // the first word of each piece is its own
  const server = await startRedisServer(folder, 2 ** 30);
  const client = server && new Redis({ path: server.socket });
  await client?.set('tensor', Buffer.from(expected.buffer));
  const same = (bytes: Buffer) => bytes.equals(Buffer.from(expected.buffer));
  const back = await client?.getBuffer('tensor');
  if (back !== undefined && (back === null || !same(back))) throw new WrongAnswer('the tensor from Redis');
  let at = 0;
  const contenders: Contender[] = [
    contender('zerohop/tensor', 1000, 2 ** 20, (operations) => {
      for (let i = 0; i < operations; ++i) {
        at = (at + 4099) % expected.length;
        // A typed array made anew every time; `data` would be the same one.
        const taken = tensor.part(0, TENSOR_BYTES) as Uint32Array;
        if (taken[at] !== expected[at]) throw new WrongAnswer(`element ${at}`);
      }
    }),
  ];
  if (client !== undefined)
    contenders.push(
      contender('redis/tensor', 1, 4, async (operations) => {
        for (let i = 0; i < operations; ++i) {
          at = (at + 4099) % expected.length;
          const bytes = await client.getBuffer('tensor');
          if (bytes?.readUInt32LE(4 * at) !== expected[at]) throw new WrongAnswer(`element ${at}, Redis`);
        }
      }),
    );
  const samples = await measureInTurns(contenders, { rounds, sampleMsMin: 5 });
  client?.disconnect();
  weights.close();
  return samples;
}

async function measureCold(folder: string, { coldBytes, coldRounds }: Extent) {
  const file = path.join(folder, 'cold.safetensors');
  showProgress('weights: writing the file that is to be cold');
  makeNoiseFile(file, coldBytes);
  const readers = await readersFor(file);
  const seconds = new Map<string, number[]>(readers.map(({ name }) => [name, []]));
  for (let round = 0; round < coldRounds; ++round) {
    for (let turn = 0; turn < readers.length; ++turn) {
      const reader = readers[(round + turn) % readers.length]!;
      showProgress(`weights: cold, ${reader.name}, round ${round + 1} of ${coldRounds}`);
      await dropFromMemory(file);
      const begun = performance.now();
      await reader.read(file);
      seconds.get(reader.name)!.push((performance.now() - begun) / 1000);
    }
  }
  rmSync(file);
  const rival = [...seconds]
    .filter(([name]) => !name.startsWith('zerohop'))
    .reduce((best, next) => (summarize(next[1]).median < summarize(best[1]).median ? next : best));
  const ours = seconds.get('zerohop')!;
  const rates = (times: readonly number[]) => summarize(times.map((one) => coldBytes / one));
  const cases: Case[] = [...seconds].map(([name, times]) => makeCase(`${name}/cold`, 'per-second', rates(times)));
  const lines = [...seconds].map(([name, times]) => `${name} ${(rates(times).median / 1e9).toFixed(2)}`);
  // Of rates: above 1 we are faster.
  return { cases, lines, ratio: medianRatio(rival[1], ours) };
}

async function measureDigest(folder: string, { digestBytes, digestRounds }: Extent): Promise<Map<string, number[]>> {
  const file = path.join(folder, 'digest.safetensors');
  showProgress('weights: writing the file that is to be digested');
  makeNoiseFile(file, digestBytes);
  const weights = await Weights.open(file);
  await weights.prefetch();
  const bytes = weights.tensor('data').data;
  const digests = new Set<string>();
  const ours = async (threads?: number) => {
    rmSync(`${file}.zerohop-digest`, { force: true });
    digests.add(await weights.computeDigest(threads === undefined ? {} : { threads }));
  };
  const samples = await measureInTurns(
    [
      contender('zerohop/digest', 1, 1, () => ours(1)),
      contender('zerohop-threads/digest', 1, 1, () => ours()),
      contender('node-crypto/digest', 1, 1, () => {
        const hash = createHash('sha3-256');
        for (let at = 0; at < bytes.byteLength; at += 2 ** 30)
          hash.update(new Uint8Array(bytes.buffer, bytes.byteOffset + at, Math.min(2 ** 30, bytes.byteLength - at)));
        hash.digest();
      }),
    ],
    {
      rounds: digestRounds,
      sampleMsMin: 5,
      onRound: (round, rounds) => showProgress(`weights: digest, round ${round + 1} of ${rounds}`),
    },
  );
  if (digests.size !== 1) throw new WrongAnswer('two digests of one file');
  weights.close();
  return samples;
}

function contender(
  name: string,
  least: number,
  most: number,
  run: (operations: number) => void | Promise<void>,
): Contender {
  let count = 0;
  return {
    name,
    operationsMin: least,
    operationsMax: most,
    operationsStep: 1,
    prepare(operations) {
      count = operations;
    },
    run: () => run(count),
  };
}
