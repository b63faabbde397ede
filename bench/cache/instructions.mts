// instructions.mts — machine instructions of a get and of a set, counted by valgrind: nearly the same in every run,
// whatever else the machine does, and so what a change is judged by where timings are too restless.  (The addon's to a
// per cent; JavaScript's to a third, for V8 compiles when it sees fit.)
//
// A program runs under callgrind with N operations and with 2 N; the difference is what N operations cost, without
// start-up, compilation and filling.  Instructions inside zerohop.node are told apart from Node's own.

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeTemporaryFolder } from '../harness/cleanup.mjs';
import { showProgress } from '../harness/progress.mjs';

export interface InstructionCount {
  /** `zerohop/get` and so on. */
  readonly name: string;
  /** An operation, all of it: JavaScript, V8, addon. */
  readonly all: number;
  /** Of them in our addon. */
  readonly native: number;
}

const OPERATIONS = 100_000;
const CASES = ['zerohop/get', 'lru-cache/get', 'zerohop/set', 'lru-cache/set'];
const program = fileURLToPath(new URL('./instructions-case.mjs', import.meta.url));

/** Undefined where there is no valgrind. */
export function countInstructions(): InstructionCount[] | undefined {
  if (spawnSync('valgrind', ['--version']).status !== 0) return undefined;
  const folder = makeTemporaryFolder();
  return CASES.map((name) => {
    showProgress(`counting instructions: ${name}`);
    const once = callgrind(name, OPERATIONS, folder);
    const twice = callgrind(name, 2 * OPERATIONS, folder);
    return {
      name,
      all: (twice.all - once.all) / OPERATIONS,
      native: (twice.native - once.native) / OPERATIONS,
    };
  });
}

function callgrind(name: string, operations: number, folder: string): { all: number; native: number } {
  const out = path.join(folder, 'callgrind.out');
  const [store, kind] = name.split('/') as [string, string];
  // V8 writes code while it runs; one thread, because valgrind counts all of them and runs one at a time anyway.
  const tool = ['--tool=callgrind', '--smc-check=all-non-file', `--callgrind-out-file=${out}`];
  const args = [...tool, process.execPath, '--single-threaded', program, store, kind, String(operations)];
  const child = spawnSync('valgrind', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  if (child.status !== 0) throw new Error(`valgrind, ${name}: ${child.stderr.trim().split('\n').slice(-5).join('\n')}`);
  return sumCosts(readFileSync(out, 'utf8'));
}

/**
 * Adds up the file's own-cost lines, by object. Its format: `ob=(1) path` names an object the first time, `ob=(1)` later;
 * the line after `calls=` holds the cost of what was called, which its own lines count again.
 */
function sumCosts(text: string): { all: number; native: number } {
  const objects = new Map<string, string>();
  let all = 0;
  let native = 0;
  let ours = false;
  let called = false;
  for (const line of text.split('\n')) {
    const object = /^ob=(\(\d+\))(?: (.*))?$/.exec(line);
    if (object) {
      const [, id, file] = object as unknown as [string, string, string | undefined];
      if (file !== undefined) objects.set(id, file);
      ours = objects.get(id)?.endsWith('zerohop.node') ?? false;
    } else if (line.startsWith('calls=')) {
      called = true;
    } else if (/^[+\-*\d]/.test(line)) {
      const cost = Number(line.split(' ')[1]);
      if (!called) all += cost;
      if (!called && ours) native += cost;
      called = false;
    } else {
      const definition = /^cob=(\(\d+\)) (.*)$/.exec(line); // a called object may be named here first
      if (definition) objects.set(definition[1] as string, definition[2] as string);
    }
  }
  return { all, native };
}
