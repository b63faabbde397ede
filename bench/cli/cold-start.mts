// cold-start.mts — what a user waits for the command line, beside Node itself.
//
//   version   zerohop --version, against node -e 0
//   get       zerohop get of a key, from a server in this process, against the same
//
// Each is a process, started in turns with the others.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { open, serve } from 'zerohop';
import { type Comparison, casesOf, formatSamples, ratiosOf } from '../harness/comparison.mjs';
import { runSuite } from '../harness/suite.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';

const ROUNDS = 25;
const ROUNDS_QUICK = 5;
const VALUE = 'hello';

const COMPARISONS: readonly Comparison[] = [
  { ratio: 'cli-cold-start-vs-node', ours: 'zerohop/version', rival: 'node/nothing' },
  { ratio: 'cli-get-vs-node', ours: 'zerohop/get', rival: 'node/nothing' },
];

const program = path.join(import.meta.dirname, '../../../dist/cli/zerohop.js');

await runSuite('cli', async ({ quick }) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'zerohop-cli-'));
  const socket = path.join(folder, 'socket');
  const cache = open({ maxBytes: '16MB' });
  cache.set('key', Buffer.from(VALUE));
  const server = serve(cache, { port: false, path: socket });
  try {
    const processes: [name: string, args: string[], prints: RegExp][] = [
      ['node/nothing', ['-e', '0'], /^$/],
      ['zerohop/version', [program, '--version'], /^\d+\.\d+\.\d+\n$/],
      ['zerohop/get', [program, 'get', 'key', '--url', `unix:${socket}`], new RegExp(`^${VALUE}$`)],
    ];
    const samples = new Map<string, number[]>(processes.map(([name]) => [name, []]));
    for (let round = 0; round < (quick ? ROUNDS_QUICK : ROUNDS); ++round)
      for (let turn = 0; turn < processes.length; ++turn) {
        const [name, args, prints] = processes[(round + turn) % processes.length]!;
        samples.get(name)!.push(await timed(args, prints));
      }
    console.log(formatSamples(samples, 'ms', COMPARISONS));
    return { cases: casesOf(samples, 'ms'), ratios: ratiosOf(samples, COMPARISONS) };
  } finally {
    await server.close();
    cache.close();
    rmSync(folder, { recursive: true });
  }
});

/** Milliseconds until the process has ended. */
async function timed(args: readonly string[], prints: RegExp): Promise<number> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let printed = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  const [code] = await once(child, 'close');
  const elapsedMs = performance.now() - startedMs;
  if (code !== 0 || !prints.test(printed)) throw new WrongAnswer(`${args.join(' ')} ended with ${code}: ${printed}`);
  return elapsedMs;
}
