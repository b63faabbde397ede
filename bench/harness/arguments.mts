// arguments.mts — the options every suite understands.

import { parseArgs } from 'node:util';

export interface SuiteArguments {
  /** Fewer rounds and requests: to see that it works, not to quote. */
  readonly quick: boolean;
  /** Where to write the raw figures. */
  readonly json: string | undefined;
}

/** Ends the process with exit code 2, and says why, when it meets an option nobody knows. */
export function parseSuiteArguments(args: readonly string[] = process.argv.slice(2)): SuiteArguments {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { quick: { type: 'boolean', default: false }, json: { type: 'string' } },
    });
    return { quick: values.quick, json: values.json };
  } catch (error) {
    console.error(`${(error as Error).message}\nOptions: --quick, --json FILE`);
    process.exit(2);
  }
}
