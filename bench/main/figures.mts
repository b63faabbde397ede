// figures.mts — what the main job measured, as a table for people and as cases for programs.

import type { Case } from '../harness/report.mjs';
import { makeCase } from '../harness/report.mjs';
import { medianRatio, single, summarize } from '../harness/statistics.mjs';
import { formatNumber, formatTable } from '../harness/table.mjs';
import { REMOTE_WINDOW, type ReplayResult } from './replay.mjs';
import type { StoreName } from './stores/store.mjs';
import { READS } from './timed-reads.mjs';

export interface Column {
  readonly name: StoreName;
  replay?: ReplayResult;
  /** Why there are no figures, and how to get them. */
  unavailable?: string;
}

export interface Figures {
  readonly maxBytes: number;
  readonly hotBytes: number;
  readonly requests: number;
  readonly rounds: number;
  readonly sampleMsMin: number;
  readonly columns: Column[];
  /** Nanoseconds per key, one a round, under `store/reads`. */
  reads: Map<string, number[]>;
  /** Of zerohop's hits in the timed part, the share that were copies and not views. */
  copiedShare?: number;
}

export function printFigures(figures: Figures): void {
  const header = [
    'store',
    'single get, ns',
    'prebuilt key, ns',
    '100 a call, ns/key',
    '1000 a call, ns/key',
    'GC, ms',
    'CPU, s',
    'hit ratio',
  ];
  console.log(`\n${headline(figures)}\n`);
  console.log(
    formatTable(
      header,
      figures.columns.map((column) => makeRow(figures, column)),
    ),
  );
  console.log(`\n${footnotes(figures).join('\n')}`);
}

export function makeCases(figures: Figures): Case[] {
  const cases = [...figures.reads].map(([name, samples]) => makeCase(name, 'ns', summarize(samples)));
  for (const { name, replay } of figures.columns) {
    if (replay === undefined) continue;
    cases.push(
      makeCase(`${name}/replay-hit-ratio`, 'ratio', single(replay.hits / replay.requests)),
      makeCase(`${name}/replay-gc-pauses`, 'ms', single(replay.gcPausesMs)),
      makeCase(`${name}/replay-cpu`, 'ms', single(replay.cpuMs)),
      makeCase(`${name}/replay-wall`, 'ms', single(replay.wallMs)),
      makeCase(`${name}/replay-refused-sets`, 'count', single(replay.refusedSets)),
    );
  }
  if (figures.copiedShare !== undefined) {
    cases.push(makeCase('zerohop/copied-hits', 'ratio', single(figures.copiedShare)));
  }
  return cases;
}

/** `single-get-vs-lru-cache` and so on: zerohop's time over the rival's, so below 1 is faster. */
export function makeRatios(figures: Figures): Record<string, number> {
  const ratios: Record<string, number> = {};
  for (const { name } of READS) {
    const ours = figures.reads.get(`zerohop/${name}`);
    for (const rival of figures.columns.slice(1)) {
      const theirs = figures.reads.get(`${rival.name}/${name}`);
      if (ours && theirs) ratios[`${name}-vs-${rival.name}`] = medianRatio(ours, theirs);
    }
  }
  return ratios;
}

function makeRow(figures: Figures, column: Column): string[] {
  const reads = READS.map(({ name }) => {
    const samples = figures.reads.get(`${column.name}/${name}`);
    return samples ? withTimes(figures, samples, name) : '-';
  });
  const { replay } = column;
  if (replay === undefined) return [column.name, ...reads, '-', '-', '-'];
  const hitRatio = (replay.hits / replay.requests).toFixed(4);
  return [column.name, ...reads, formatNumber(replay.gcPausesMs), (replay.cpuMs / 1000).toFixed(1), hitRatio];
}

/** `1,980 (x44)`: the time, and how many times zerohop's it is. */
function withTimes(figures: Figures, samples: number[], name: string): string {
  const ours = figures.reads.get(`zerohop/${name}`) as number[];
  const times = medianRatio(samples, ours);
  return `${formatNumber(summarize(samples).median)} (x${times < 10 ? times.toFixed(2) : formatNumber(times)})`;
}

function headline(figures: Figures): string {
  const mebibytes = (bytes: number) => `${bytes / 2 ** 20} MiB`;
  return [
    'Embeddings of 1024 float32 (4 KiB), every value that came back checked byte for byte.',
    `reads     ${mebibytes(figures.hotBytes)} of hot keys held by every store; median of ${figures.rounds} rounds`,
    '          (x) = times zerohop',
    'single get and batches: keys as they come out of a request, each a new string',
    'prebuilt key: a string that the stores hold',
    `replay    ${figures.requests.toLocaleString('en')} requests of a recommendation service`,
    `          budget ${mebibytes(figures.maxBytes)}: GC, CPU, hit ratio`,
  ].join('\n');
}

/** What to know about a store before comparing its figures. */
const METHOD: Readonly<Record<StoreName, string>> = {
  zerohop: 'a batch is one call (getMany); a hit is a view, where its segment is shown.',
  'lru-cache': 'its budget counts values only, not keys and objects; its batch is a loop of gets.',
  lmdb: 'evicts nothing: its hit ratio is the best there is. Its batch is a loop of getBinaryFast.',
  redis: `own server on a unix socket, allkeys-lfu. Replayed in windows of ${REMOTE_WINDOW} (MGET, then pipelined SETs),
           timed over fewer requests; batches are MGET. CPU and GC are those of the client.`,
};

/** The ratios to the cache that most people use. */
function ratioNote(figures: Figures): string[] {
  const ratios = makeRatios(figures);
  const parts = READS.flatMap(({ name }) => {
    const ratio = ratios[`${name}-vs-lru-cache`];
    return ratio === undefined ? [] : [`${name} ${ratio.toFixed(2)}`];
  });
  return parts.length === 0 ? [] : [`zerohop ÷ lru-cache, medians of the rounds: ${parts.join(', ')}.`];
}

function footnotes(figures: Figures): string[] {
  const notes = [
    ...ratioNote(figures),
    'GC: pauses of the JavaScript thread. CPU: the whole process, making and checking embeddings included.',
  ];
  const add = (name: string, text: string) => notes.push(`${name.padEnd(11)}${text}`);
  for (const { name, unavailable, replay } of figures.columns) {
    add(name, unavailable ?? METHOD[name]);
    if (replay && replay.refusedSets > 0) add('', `refused ${replay.refusedSets} sets in the replay.`);
    if (name === 'zerohop' && figures.copiedShare) {
      add(
        '',
        `${(100 * figures.copiedShare).toFixed(1)} % of the timed hits were copies: their segments were not shown yet.`,
      );
    }
  }
  return notes;
}
