// doctor.ts: `zerohop doctor`, whether this machine lets the cache be fast: what is missing, what that costs, and what
// mends it.

import { Command } from 'commander';
import type { Finding } from './doctor-findings.js';
import { NotThere } from './exit.js';
import { colour, print, printJson, width, wrapped } from './print.js';

const MARKS = { good: ['green', 'ok  '], note: ['yellow', 'note'], bad: ['red', 'bad '] } as const;
const INDENT = '      ';

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('tell whether this machine lets the cache be fast: what is missing, what it costs, what mends it')
    .option('--json', 'print JSON')
    .action(run);
}

async function run({ json }: { json?: boolean }): Promise<void> {
  const { readFacts } = await import('./doctor-facts.js');
  const { findingsOf } = await import('./doctor-findings.js');
  const findings = findingsOf(await readFacts());
  if (json) printJson(findings);
  else for (const finding of findings) show(finding);
  if (findings.some(({ state }) => state === 'bad')) throw new NotThere('');
}

function show({ state, what, found, cost, mend }: Finding): void {
  const [tone, mark] = MARKS[state];
  const columns = Math.min(width(), 100) - INDENT.length;
  const [first, ...others] = wrapped(`${what}: ${found}`, columns);
  print(`${colour(tone, mark)}  ${first}`);
  const rest = [cost, mend].filter((text) => text !== undefined).flatMap((text) => wrapped(text, columns));
  for (const line of [...others, ...rest]) print(`${INDENT}${line}`);
}
