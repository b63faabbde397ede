// suite.mts — what every suite does around its measuring: options, what the machine is, the JSON file, the end.
//
//   exit code 0   it measured     1   it failed, or an answer was wrong     2   an option nobody knows

import { parseSuiteArguments, type SuiteArguments } from './arguments.mjs';
import { endChildren } from './cleanup.mjs';
import { formatMachine, formatSteal, MachineWatch } from './machine.mjs';
import { clearProgress } from './progress.mjs';
import { type Case, makeReport, writeReport } from './report.mjs';
import { WrongAnswer } from './wrong-answer.mjs';

export interface SuiteFigures {
  readonly cases: Case[];
  readonly ratios: Record<string, number>;
}

/**
 * Says what the machine is, runs `measure`, which also prints its table, and ends the process.
 *
 * @param flags  options of this suite alone, without the dashes
 * @param valued  likewise, those with a value
 */
export async function runSuite(
  name: string,
  measure: (options: SuiteArguments) => Promise<SuiteFigures>,
  flags: readonly string[] = [],
  valued: readonly string[] = [],
): Promise<never> {
  const options = parseSuiteArguments(flags, valued);
  let exitCode = 0;
  try {
    const watch = new MachineWatch();
    console.log(formatMachine(watch.describe()));
    const { cases, ratios } = await measure(options);
    const machine = watch.describe();
    console.log(`\n${formatSteal(machine)}`);
    if (options.json !== undefined) writeReport(options.json, makeReport(name, machine, cases, ratios));
  } catch (error) {
    clearProgress();
    console.error(error instanceof WrongAnswer ? error.message : error);
    exitCode = 1;
  }
  await endChildren();
  process.exit(exitCode); // a store may still have a handle open
}
