// instructions.mts — machine instructions of each way into the addon, counted by valgrind and compared with those of
// the last commit that meant to change them (bench/baseline.json).  Nearly the same in every run, whatever else the
// machine does: what a change is judged by where timings are too restless.
//
//   --update   writes the baseline anew
//
// Counted from the addon's function on, Node-API's share included; not counted is what JavaScript does around it, which
// differs with when V8 compiles.  Keys are hashed under random bits, so a count may be a percent higher by chance: of
// three counts the least is taken.  More than 3 % above the baseline is a failure, where compiler and Node are the same.

import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { countInstructions, hasValgrind } from '../harness/callgrind.mjs';
import { repositoryRoot } from '../harness/machine.mjs';
import { clearProgress, showProgress } from '../harness/progress.mjs';
import { makeCase } from '../harness/report.mjs';
import { runSuite } from '../harness/suite.mjs';
import { formatNumber, formatTable } from '../harness/table.mjs';

interface Counts {
  /** What the counts depend on beside the sources. */
  readonly compiler: string;
  readonly node: string;
  readonly counts: Record<string, number>;
}

const TOLERANCE = 0.03;
const RUNS = 3;
const BASELINE = fileURLToPath(new URL('bench/baseline.json', repositoryRoot));
const ADDON = fileURLToPath(new URL('build/Release/zerohop.node', repositoryRoot));
const PROGRAM = fileURLToPath(new URL('./instructions-mix.mjs', import.meta.url));

/** The addon's function behind each way in. */
const FUNCTIONS: Record<string, string> = {
  get: 'Find',
  'get-many-key': 'FindMany',
  'gather-row': 'Gather',
  set: 'Set',
};

await runSuite('instructions', measure, ['update']);

async function measure({ flags }: { flags: ReadonlySet<string> }) {
  if (!hasValgrind()) throw new Error('no valgrind here; on Debian: apt-get install valgrind');
  showProgress('counting instructions, some 40 s');
  const now: Counts = {
    compiler: compilerOf(ADDON),
    node: process.versions.node,
    counts: leastOf(Array.from({ length: RUNS }, count)),
  };
  clearProgress();
  const before = JSON.parse(readFileSync(BASELINE, 'utf8')) as Counts;
  const comparable = before.compiler === now.compiler && before.node.split('.')[0] === now.node.split('.')[0];
  const names = Object.keys(FUNCTIONS);
  const ratio = (name: string) => (now.counts[name] as number) / (before.counts[name] ?? Number.NaN);
  const rows = names.map((name) => [
    name,
    ...[now, before].map(({ counts }) => formatNumber(counts[name] ?? Number.NaN)),
    comparable ? ratio(name).toFixed(3) : '',
  ]);
  console.log(`\n${formatTable(['instructions', 'now', 'baseline', 'now ÷ it'], rows)}`);
  if (!comparable)
    console.log(
      `\nNot compared: the baseline is ${before.compiler}, Node ${before.node}; here ${now.compiler}, Node ${now.node}.`,
    );
  if (flags.has('update')) writeFileSync(BASELINE, `${JSON.stringify(now, null, 2)}\n`);
  else if (comparable) {
    const worse = names.filter((name) => !(ratio(name) <= 1 + TOLERANCE));
    if (worse.length > 0)
      throw new Error(
        `more instructions than the baseline: ${worse.join(', ')}. If that is meant: npm run bench -- instructions --update`,
      );
  }
  const cases = names.map((name) => {
    const median = now.counts[name] as number;
    return makeCase(name, 'count', { median, p5: median, p95: median });
  });
  return {
    cases,
    ratios: comparable ? Object.fromEntries(names.map((name) => [`${name}-vs-baseline`, ratio(name)])) : {},
  };
}

function leastOf(runs: readonly Record<string, number>[]): Record<string, number> {
  const least = (name: string) => Math.min(...runs.map((counts) => counts[name] as number));
  return Object.fromEntries(Object.keys(FUNCTIONS).map((name) => [name, least(name)]));
}

/** Instructions of one operation of each kind. */
function count(): Record<string, number> {
  // The door that Node calls: what is behind it may be inlined.
  const symbols = Object.values(FUNCTIONS).map(
    (symbol) =>
      `napi_value__* zerohop::binding::Guarded<&zerohop::binding::(anonymous namespace)::${symbol}>(napi_env__*`,
  );
  const { output, instructions } = countInstructions(PROGRAM, symbols);
  const operations = JSON.parse(output.trim()) as Record<string, number>;
  return Object.fromEntries(
    Object.keys(FUNCTIONS).map((name, i) => [
      name,
      Math.round((instructions[i]! / (operations[name] as number)) * 10) / 10,
    ]),
  );
}

/** What the addon's own comment section says it was compiled by, and for what processor. */
function compilerOf(file: string): string {
  const compiler = /(?:GCC: |clang version )[^\0]{3,60}/.exec(readFileSync(file, 'latin1'))?.[0];
  return `${compiler ?? 'unknown'}, ${process.arch}`;
}
