// cold-read.mts — a file that is not in memory, read by whoever reads it: our prefetch, dd, fio.
//
//   cold      the file's pages are dropped before every run (posix_fadvise by dd's nocache), and residency says so
//   dd        blocks of 16 MiB, through the page cache
//   direct    dd past the page cache (O_DIRECT), where the file system has it
//   fio       where it is installed: 16 MiB blocks, O_DIRECT, libaio at depth 8, and 4 jobs through the page cache

import { execFile, execFileSync } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { Weights } from 'zerohop';
import { WrongAnswer } from '../harness/wrong-answer.mjs';

const run = promisify(execFile);

/** Pages that may stay: those a tool or the file system reads ahead of anybody. */
const LEFT_SHARE = 0.01;

/** Drops what the system holds of a file. @throws {WrongAnswer} it does not. */
export async function dropFromMemory(file: string): Promise<void> {
  for (let attempt = 0; attempt < 20; ++attempt) {
    execFileSync('dd', [`of=${file}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'], { stdio: 'ignore' });
    const weights = await Weights.open(file);
    const { mapped, resident } = weights.residency();
    weights.close();
    if (resident <= LEFT_SHARE * mapped) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new WrongAnswer(`the system does not let go of ${path.basename(file)}: no cold reads here`);
}

export interface Reader {
  readonly name: string;
  read(file: string): Promise<void>;
}

async function prefetch(file: string, strategy?: 'direct'): Promise<void> {
  const weights = await Weights.open(file, strategy && { strategy });
  await weights.prefetch();
  const { mapped, resident } = weights.residency();
  weights.close();
  if (resident < 0.99 * mapped) throw new WrongAnswer(`prefetch left ${mapped - resident} bytes behind`);
}

const fio = (...args: string[]) => ({
  async read(file: string): Promise<void> {
    await run('fio', [
      '--name=read',
      `--filename=${file}`,
      '--rw=read',
      '--bs=16M',
      '--readonly',
      '--output-format=terse',
      ...args,
    ]);
  },
});

const READERS: readonly Reader[] = [
  { name: 'zerohop', read: (file) => prefetch(file) },
  { name: 'zerohop-direct', read: (file) => prefetch(file, 'direct') },
  { name: 'dd', read: async (file) => void (await run('dd', [`if=${file}`, 'of=/dev/null', 'bs=16M'])) },
  {
    name: 'dd-direct',
    read: async (file) => void (await run('dd', [`if=${file}`, 'of=/dev/null', 'bs=16M', 'iflag=direct'])),
  },
  { name: 'fio-direct', ...fio('--direct=1', '--ioengine=libaio', '--iodepth=8') },
  { name: 'fio-jobs', ...fio('--ioengine=psync', '--numjobs=4', '--size=25%', '--offset_increment=25%') },
];

/** Those that can run here. */
export async function readersFor(file: string): Promise<readonly Reader[]> {
  const able: Reader[] = [];
  for (const reader of READERS) {
    try {
      await reader.read(file);
      able.push(reader);
    } catch (error) {
      if (reader.name === 'zerohop' || error instanceof WrongAnswer) throw error;
    }
  }
  return able;
}
