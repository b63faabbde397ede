// exit.ts: the codes with which `zerohop` ends, and the errors that stand for them.

export const FAILED = 1;
export const MISUSED = 2;

/** What was asked for is not there. The message may be empty: the output says it already. */
export class NotThere extends Error {}

/** The command line is wrong in a way that only the command itself sees. */
export function misuse(message: string): Error {
  return Object.assign(new Error(message), { code: 'ERR_CLI_USAGE' });
}
