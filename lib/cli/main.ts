// main.ts: what `zerohop …` does with the words of its command line.
//
// Each command has a file, which is loaded when the command is run: `zerohop --version` loads no native code.
//
// Exit codes: 0 done · 1 it failed, or what was asked for is not there; standard error says why · 2 the command line is
// wrong

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Command, CommanderError } from 'commander';
import { commandsFor } from './commands.js';
import { FAILED, MISUSED, NotThere } from './exit.js';
import { shownLines } from './print.js';

/** Codes of errors that say what is wrong with the command line. */
const MISUSES = ['ERR_INVALID_ARG_TYPE', 'ERR_OUT_OF_RANGE', 'ERR_RESP_URL', 'ERR_CLI_USAGE'];

function version(): string {
  const manifest = JSON.parse(readFileSync(path.join(__dirname, '..', '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  return manifest.version;
}

/** Runs the command, and returns the code with which the process is to end. */
export async function main(words: readonly string[]): Promise<number> {
  if (words.length === 1 && (words[0] === '--version' || words[0] === '-V')) {
    process.stdout.write(`${version()}\n`); // without commander's help and all commands
    return 0;
  }
  const program = new Command('zerohop')
    .description('The L0 tier for machine-learning inference: a cache in the process, and a server that speaks Redis.')
    .version(version())
    .exitOverride()
    .configureOutput({ writeErr: (text) => process.stderr.write(shownLines(text)) })
    .configureHelp({ showGlobalOptions: true });
  // Commands are made apart, and take over what the program does with errors and output.
  for (const command of await commandsFor(words)) program.addCommand(command.copyInheritedSettings(program));
  try {
    await program.parseAsync(words, { from: 'user' });
    return 0;
  } catch (error) {
    return exitCodeOf(error);
  }
}

/** Says what is wrong, and with which code the process ends. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : MISUSED;
  if (error instanceof NotThere && error.message === '') return FAILED;
  const { message, code } = error as NodeJS.ErrnoException;
  const said = code === undefined ? message : `${message} (${code})`;
  process.stderr.write(`zerohop: ${shownLines(said)}\n`);
  return code !== undefined && MISUSES.includes(code) ? MISUSED : FAILED;
}
