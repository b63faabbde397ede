// bench.mjs — `npm run bench -- SUITE [--quick] [--json FILE]`, or `--list`.

import { runMain } from './prepare.mjs';
import { readSuites, runSuite } from './run-suite.mjs';

runMain(async () => {
  const [name, ...args] = process.argv.slice(2);
  if (name === undefined || name.startsWith('-')) await list(name === '--list' ? 0 : 2);
  else await runSuite(name, args);
});

async function list(exitCode) {
  console.log('npm run bench -- SUITE [--quick] [--json FILE]\n');
  for (const { name, about } of await readSuites()) console.log(`  ${name.padEnd(12)}${about}`);
  process.exitCode = exitCode;
}
