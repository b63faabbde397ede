// commands.ts: which commands there are, and the file of each, which is loaded when the command is run.

import type { Command } from 'commander';

interface Listed {
  readonly names: readonly string[];
  /** The command with its options and action. Loads no native code. */
  readonly load: () => Promise<Command>;
}

const COMMANDS: readonly Listed[] = [
  { names: ['init'], load: async () => (await import('./init.js')).initCommand() },
  { names: ['serve', 'start'], load: async () => (await import('./serve.js')).serveCommand() },
  { names: ['stop'], load: async () => (await import('./stop.js')).stopCommand() },
  { names: ['status'], load: async () => (await import('./status.js')).statusCommand() },
  { names: ['top'], load: async () => (await import('./top.js')).topCommand() },
  { names: ['explain'], load: async () => (await import('./explain.js')).explainCommand() },
  { names: ['get'], load: async () => (await import('./get.js')).getCommand() },
  { names: ['set'], load: async () => (await import('./set.js')).setCommand() },
  { names: ['del'], load: async () => (await import('./del.js')).delCommand() },
  { names: ['exists'], load: async () => (await import('./exists.js')).existsCommand() },
  { names: ['ttl'], load: async () => (await import('./ttl.js')).ttlCommand() },
  { names: ['keys'], load: async () => (await import('./keys.js')).keysCommand() },
  { names: ['purge'], load: async () => (await import('./purge.js')).purgeCommand() },
  { names: ['warm'], load: async () => (await import('./warm.js')).warmCommand() },
  { names: ['verify'], load: async () => (await import('./verify.js')).verifyCommand() },
  { names: ['replay'], load: async () => (await import('./replay.js')).replayCommand() },
  { names: ['bench'], load: async () => (await import('./bench.js')).benchCommand() },
  { names: ['inspect'], load: async () => (await import('./inspect.js')).inspectCommand() },
  { names: ['report'], load: async () => (await import('./report.js')).reportCommand() },
  { names: ['doctor'], load: async () => (await import('./doctor.js')).doctorCommand() },
  { names: ['completion'], load: async () => (await import('./completion.js')).completionCommand() },
  { names: ['man'], load: async () => (await import('./man.js')).manCommand() },
];

/** The command that the words name; all of them if they name none: their help is asked for, or a name is wrong. */
export async function commandsFor(words: readonly string[]): Promise<Command[]> {
  const named = COMMANDS.find(({ names }) => names.includes(words[0] ?? ''));
  return named === undefined ? await allCommands() : [await named.load()];
}

export async function allCommands(): Promise<Command[]> {
  return await Promise.all(COMMANDS.map(({ load }) => load()));
}
