// weights-step.mts — the main job's second part: a model's weights at hand, and rows of an embedding table.
//
// Writes a checkpoint in four shards and a table, opens them in processes of their own, and shows what that takes
// beside reading the files.

import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { EmbeddingTable, Weights } from 'zerohop';
import { showProgress } from '../harness/progress.mjs';
import { type Case, makeCase } from '../harness/report.mjs';
import { medianRatio, summarize } from '../harness/statistics.mjs';
import { formatNumber, formatTable } from '../harness/table.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';
import type { WeightsCaseFigures, WeightsCaseOptions } from './weights-case.mjs';

const SHARDS = 4;
const TENSOR_ELEMENTS = 2 ** 20; // 4 MiB
const ROWS = 100_000;
const DIMENSIONS = 384;
const HOWS = ['zerohop', 'readFile'] as const;
type How = (typeof HOWS)[number];

export interface WeightsStep {
  readonly text: string;
  readonly cases: Case[];
  readonly ratios: Record<string, number>;
}

export async function runWeightsStep(folder: string, quick: boolean): Promise<WeightsStep> {
  const tensors = quick ? 64 : 256;
  const checkpoint = await writeCheckpoint(path.join(folder, 'checkpoint'), tensors);
  const table = path.join(folder, 'table.safetensors');
  showProgress(`writing ${ROWS} embeddings`);
  await EmbeddingTable.write(table, embeddings());
  const figures: Record<How, WeightsCaseFigures[]> = { zerohop: [], readFile: [] };
  for (let round = 0; round < (quick ? 2 : 5); ++round)
    for (const how of HOWS) {
      showProgress(`opening the checkpoint: ${how}`);
      figures[how].push(await runCase({ how, checkpoint, table, rows: ROWS, tensors }));
    }
  return { text: textOf(figures, tensors), cases: casesOf(figures), ratios: ratiosOf(figures) };
}

async function writeCheckpoint(folder: string, tensors: number): Promise<string> {
  mkdirSync(folder);
  const weightMap: Record<string, string> = {};
  const perShard = tensors / SHARDS;
  for (let shard = 0; shard < SHARDS; ++shard) {
    showProgress(`writing the checkpoint: shard ${shard + 1} of ${SHARDS}`);
    const file = `model-0000${shard + 1}-of-0000${SHARDS}.safetensors`;
    const written: [string, Float32Array][] = [];
    for (let i = 0; i < perShard; ++i) {
      const name = `layers.${shard * perShard + i}.weight`;
      written.push([name, new Float32Array(TENSOR_ELEMENTS).fill(shard * perShard + i)]);
      weightMap[name] = file;
    }
    await Weights.write(path.join(folder, file), written);
  }
  writeFileSync(path.join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: weightMap }));
  return folder;
}

function* embeddings(): Generator<readonly [number, Float32Array]> {
  const vector = new Float32Array(DIMENSIONS);
  for (let row = 0; row < ROWS; ++row) yield [row * 7, vector.fill(row)];
}

async function runCase(options: WeightsCaseOptions): Promise<WeightsCaseFigures> {
  const program = fileURLToPath(new URL('./weights-case.mjs', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program, JSON.stringify(options)]);
  const figures = JSON.parse(stdout) as WeightsCaseFigures;
  if (figures.wrong !== undefined) throw new WrongAnswer(`${options.how}: ${figures.wrong}`);
  return figures;
}

const listOf = (all: readonly WeightsCaseFigures[], what: keyof WeightsCaseFigures) =>
  all.map((one) => one[what] as number);
const medianOf = (all: readonly WeightsCaseFigures[], what: keyof WeightsCaseFigures) =>
  summarize(listOf(all, what)).median;

function textOf(figures: Record<How, WeightsCaseFigures[]>, tensors: number): string {
  const megabytes = (tensors * TENSOR_ELEMENTS * 4) / 2 ** 20;
  const rows = HOWS.map((how) => [
    how,
    formatNumber(medianOf(figures[how], 'openMs')),
    formatNumber(medianOf(figures[how], 'grownBytes') / 2 ** 20),
  ]);
  const ours = figures.zerohop;
  return [
    `Weights: ${megabytes.toLocaleString('en')} MiB of safetensors in ${SHARDS} shards, every tensor (${tensors}) taken as a typed array, one element read; files warm.`,
    '',
    formatTable(['', 'ms', 'resident, MiB'], rows),
    '',
    `Embedding table of ${ROWS.toLocaleString('en')} x ${DIMENSIONS} float32: opened in ${formatNumber(medianOf(ours, 'tableOpenMs'))} ms; a row by its id in random order ${formatNumber(medianOf(ours, 'rowNs'))} ns; 1000 rows side by side ${formatNumber(medianOf(ours, 'gatherNs'))} ns a row.`,
  ].join('\n');
}

function casesOf(figures: Record<How, WeightsCaseFigures[]>): Case[] {
  const ours = figures.zerohop;
  return [
    ...HOWS.flatMap((how) => [
      makeCase(`${how}/checkpoint-open`, 'ms', summarize(listOf(figures[how], 'openMs'))),
      makeCase(`${how}/checkpoint-resident`, 'bytes', summarize(listOf(figures[how], 'grownBytes'))),
    ]),
    makeCase('zerohop/table-open', 'ms', summarize(listOf(ours, 'tableOpenMs'))),
    makeCase('zerohop/table-row', 'ns', summarize(listOf(ours, 'rowNs'))),
    makeCase('zerohop/table-gather', 'ns', summarize(listOf(ours, 'gatherNs'))),
  ];
}

function ratiosOf(figures: Record<How, WeightsCaseFigures[]>): Record<string, number> {
  const of = (what: keyof WeightsCaseFigures) =>
    medianRatio(listOf(figures.zerohop, what), listOf(figures.readFile, what));
  return { 'checkpoint-open-vs-readfile': of('openMs'), 'checkpoint-resident-vs-readfile': of('grownBytes') };
}
