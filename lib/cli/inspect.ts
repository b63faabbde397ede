// inspect.ts: `zerohop inspect`, what a file of weights, a table of embeddings or a blob contains; and of a broken one,
// what is wrong with it, and where.

import { closeSync, openSync, readSync } from 'node:fs';
import { Command } from 'commander';
import { countOption } from '../base/options.js';
import type { WeightsError } from '../weights/error.js';
import { NotThere } from './exit.js';
import type { Contents } from './inspect-contents.js';
import { grouped, print, printJson, printPairs, printTable, shown, size } from './print.js';

interface Given {
  digest?: boolean;
  tensors: string;
  json?: boolean;
}

const TENSORS = '20';
const VALUE_CHARACTERS_MAX = 120;
const AROUND_BYTES = 16;

export function inspectCommand(): Command {
  return new Command('inspect')
    .description('tell what a safetensors or GGUF file, a checkpoint, an embedding table or a blob contains')
    .argument('<path>', 'a file, an index of shards, or a folder of a checkpoint')
    .option('--digest', 'read all of it, and print the digest; of a blob, compare it with what it should be')
    .option('--tensors <number>', 'how many tensors to list, the largest first', TENSORS)
    .option('--json', 'print JSON, with all tensors')
    .action(run);
}

async function run(path: string, given: Given): Promise<void> {
  const most = countOption('--tensors', Number(given.tensors), 0, 2 ** 31);
  const { contentsOf } = await import('./inspect-contents.js');
  try {
    const contents = await contentsOf(path, given.digest ?? false, process.stderr.isTTY ? showProgress : undefined);
    if (given.json) printJson({ valid: true, ...contents });
    else show(contents, most);
  } catch (error) {
    const { name, code, message, offset, path: broken } = error as WeightsError;
    if (name !== 'WeightsError') throw error;
    if (given.json) printJson({ valid: false, path: broken, code, message, offset: offset ?? null });
    else if (offset !== undefined) showAround(broken, offset);
    if (given.json) throw new NotThere('');
    throw error;
  }
}

function showProgress(bytes: number, total: number): void {
  process.stderr.write(bytes < total ? `\r${Math.floor((bytes / total) * 100)} % read` : '\r\x1b[K');
}

function show(
  { kind, path, files, bytes, parameters, tensors, metadata, about, digest }: Contents,
  most: number,
): void {
  printPairs([
    ['file', files === 1 ? shown(path) : `${shown(path)}, ${files} files`],
    ['kind', kind],
    ['size', `${size(bytes)} (${grouped(bytes)} bytes)`],
    ['tensors', `${grouped(tensors.length)}, ${grouped(parameters)} elements`],
    ['types', typesOf(tensors)],
    ...Object.entries(about).map(([label, text]) => [label, shown(text)] as const),
    ...(digest === undefined ? [] : [['digest', digest] as const]),
  ]);
  const entries = Object.entries(metadata);
  if (entries.length > 0) {
    print('\nmetadata');
    printPairs(entries.map(([name, value]) => [`  ${shown(name)}`, shortened(value)] as const));
  }
  if (tensors.length === 0 || most === 0) return;
  const largest = [...tensors].sort((a, b) => b.bytes - a.bytes).slice(0, most);
  print('');
  printTable(
    ['tensor', 'type', 'shape', 'bytes'],
    largest.map(({ name, dtype, shape, bytes }) => [shown(name), dtype, `[${shape.join(', ')}]`, bytes]),
  );
  if (largest.length < tensors.length) print(`and ${grouped(tensors.length - largest.length)} smaller ones`);
}

/** `F16 1.2 GB in 120 tensors, F32 3 KB in 40`: the most bytes first. */
function typesOf(tensors: Contents['tensors']): string {
  const types = new Map<string, { count: number; bytes: number }>();
  for (const { dtype, bytes } of tensors) {
    const sum = types.get(dtype) ?? { count: 0, bytes: 0 };
    types.set(dtype, { count: sum.count + 1, bytes: sum.bytes + bytes });
  }
  return [...types]
    .sort(([, a], [, b]) => b.bytes - a.bytes)
    .map(([dtype, { count, bytes }]) => `${dtype} ${size(bytes)} in ${grouped(count)}`)
    .join(', ');
}

/** A value of the metadata, in one line of reasonable length. */
function shortened(value: unknown): string {
  const few = Array.isArray(value) && value.length > 8;
  const text = typeof value === 'string' ? value : JSON.stringify(few ? value.slice(0, 8) : value);
  const cut = text.length > VALUE_CHARACTERS_MAX ? `${text.slice(0, VALUE_CHARACTERS_MAX)}…` : text;
  return few ? `${shown(cut)} and ${grouped(value.length - 8)} more` : shown(cut);
}

/** The bytes around the place where a file is wrong. */
function showAround(path: string, offset: number): void {
  const from = Math.max(0, offset - AROUND_BYTES);
  const bytes = Buffer.alloc(2 * AROUND_BYTES);
  let length = 0;
  try {
    const file = openSync(path, 'r');
    length = readSync(file, bytes, 0, bytes.length, from);
    closeSync(file);
  } catch {
    return; // whatever kept it from being opened is the error
  }
  const line = (start: number, part: Buffer) =>
    print(`${String(start).padStart(12)}  ${part.toString('hex').replace(/..(?=.)/g, '$& ')}  ${shown(part)}`);
  if (offset > from) line(from, bytes.subarray(0, Math.min(length, offset - from)));
  if (length > offset - from) line(offset, bytes.subarray(offset - from, length));
  else print(`${String(from + length).padStart(12)}  the file ends here`);
}
