// completion.ts: `zerohop completion`, a script that completes commands and options in a shell.

import { Argument, Command } from 'commander';
import { print } from './print.js';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

/** What is completed of a command. */
interface Completed {
  readonly name: string;
  readonly says: string;
  readonly options: readonly { readonly flag: string; readonly says: string }[];
}

export function completionCommand(): Command {
  return new Command('completion')
    .description('print a script that completes commands and options; docs/CLI.md says where it belongs')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .action(run);
}

async function run(shell: Shell): Promise<void> {
  const { allCommands } = await import('./commands.js');
  const commands = (await allCommands()).flatMap((command) =>
    [command.name(), ...command.aliases()].map((name) => ({
      name,
      says: plainly(command.description()),
      options: command.options.map((option) => ({ flag: option.long!, says: plainly(option.description) })),
    })),
  );
  print({ bash, zsh, fish }[shell](commands));
}

/** Words for a description in a script: without what shells give a meaning to. */
function plainly(text: string): string {
  return text
    .replace(/["'`$\\[\]:]/g, '')
    .replace(/\s+/g, ' ')
    .slice(0, 80);
}

const flagsOf = ({ options }: Completed) => options.map(({ flag }) => flag).join(' ');

function bash(commands: readonly Completed[]): string {
  return `# zerohop, for bash
_zerohop() {
  local word=\${COMP_WORDS[COMP_CWORD]} words
  if [ "$COMP_CWORD" -eq 1 ]; then words="${commands.map(({ name }) => name).join(' ')} help --help --version"
  else
    case \${COMP_WORDS[1]} in
${commands.map((one) => `      ${one.name}) words="${flagsOf(one)} --help" ;;`).join('\n')}
      *) words="" ;;
    esac
  fi
  if [[ $COMP_CWORD -gt 1 && $word != -* ]]; then COMPREPLY=($(compgen -f -- "$word"))
  else COMPREPLY=($(compgen -W "$words" -- "$word")); fi
}
complete -o filenames -F _zerohop zerohop`;
}

/** zsh runs what completes for bash. */
function zsh(commands: readonly Completed[]): string {
  return `#compdef zerohop\nautoload -U +X compinit bashcompinit && compinit && bashcompinit\n${bash(commands)}`;
}

function fish(commands: readonly Completed[]): string {
  const lines = commands.flatMap(({ name, says, options }) => [
    `complete -c zerohop -n __fish_use_subcommand -f -a ${name} -d '${says}'`,
    ...options.map(
      ({ flag, says }) =>
        `complete -c zerohop -n '__fish_seen_subcommand_from ${name}' -l ${flag.slice(2)} -d '${says}'`,
    ),
  ]);
  return `# zerohop, for fish\n${lines.join('\n')}`;
}
