// arguments.mts — the options every suite understands, and those that one suite adds.

import { parseArgs } from 'node:util';

export interface SuiteArguments {
  /** Fewer rounds and requests: to see that it works, not to quote. */
  readonly quick: boolean;
  /** Where to write the raw figures. */
  readonly json: string | undefined;
  /** The suite's own flags that were given. */
  readonly flags: ReadonlySet<string>;
  /** The suite's own options with a value that were given. */
  readonly values: ReadonlyMap<string, string>;
}

/**
 * Ends the process with exit code 2, and says why, when it meets an option nobody knows.
 *
 * @param flags  names of options that are on or off, besides `--quick`
 * @param valued  names of options with a value, besides `--json`
 */
export function parseSuiteArguments(
  flags: readonly string[] = [],
  valued: readonly string[] = [],
  args: readonly string[] = process.argv.slice(2),
): SuiteArguments {
  const own = Object.fromEntries(flags.map((flag) => [flag, { type: 'boolean' as const }]));
  try {
    const withValue = Object.fromEntries(valued.map((name) => [name, { type: 'string' as const }]));
    const options = {
      ...own,
      ...withValue,
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
    } as const;
    const { values } = parseArgs({ args: [...args], options });
    const given: Record<string, unknown> = values;
    const told = valued.filter((name) => given[name] !== undefined).map((name) => [name, String(given[name])] as const);
    return {
      quick: values.quick,
      json: values.json,
      flags: new Set(flags.filter((flag) => given[flag] === true)),
      values: new Map(told),
    };
  } catch (error) {
    const names = [
      '--quick',
      '--json FILE',
      ...flags.map((flag) => `--${flag}`),
      ...valued.map((name) => `--${name} …`),
    ];
    console.error(`${(error as Error).message}\nOptions: ${names.join(', ')}`);
    process.exit(2);
  }
}
