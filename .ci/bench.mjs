// bench.mjs — `npm run bench -- SUITE [--quick] [--json FILE]`, or `--list`.
//
// SUITE `all`: one after the other; `--json FILE` then holds a list of their reports.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { PreparationError, runMain } from './prepare.mjs';
import { readSuites, runSuite } from './run-suite.mjs';

runMain(async () => {
  const [name, ...args] = process.argv.slice(2);
  if (name === undefined || name.startsWith('-')) await list(name === '--list' ? 0 : 2);
  else if (name === 'all') await runAll(args);
  else await runSuite(name, args);
});

/** Goes on after a suite that fails; the exit code says so. */
async function runAll(args) {
  const json = args.indexOf('--json');
  const [, file] = json === -1 ? [] : args.splice(json, 2);
  if (json !== -1 && file === undefined) throw new PreparationError('--json: expected a FILE after it');
  const folder = mkdtempSync(path.join(os.tmpdir(), 'zerohop-bench-'));
  const reports = [];
  const failed = [];
  for (const { name } of await readSuites()) {
    const begunMs = performance.now();
    const report = path.join(folder, `${name}.json`);
    await runSuite(name, [...args, '--json', report]);
    if (process.exitCode > 128) return; // by a signal: it is to end
    if (process.exitCode === 0) reports.push(JSON.parse(readFileSync(report, 'utf8')));
    else failed.push(name);
    console.log(`\n=== ${name}: ${((performance.now() - begunMs) / 1000).toFixed(0)} s\n`);
  }
  rmSync(folder, { recursive: true });
  if (file !== undefined) writeFileSync(file, `${JSON.stringify(reports, null, 2)}\n`);
  if (failed.length > 0) console.error(`failed: ${failed.join(', ')}`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}

async function list(exitCode) {
  console.log('npm run bench -- SUITE [--quick] [--json FILE]\n');
  const all = { name: 'all', about: 'every one of them' };
  for (const { name, about } of [...(await readSuites()), all]) console.log(`  ${name.padEnd(14)}${about}`);
  process.exitCode = exitCode;
}
