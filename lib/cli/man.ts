// man.ts: `zerohop man`, the manual page, made of what the commands say of themselves.

import { Command, type Help } from 'commander';
import { print } from './print.js';

export function manCommand(): Command {
  return new Command('man')
    .description('print the manual page, for man -l -')
    .action(async (_given: object, command: Command) => {
      const { allCommands } = await import('./commands.js');
      print(pageOf(command.parent!, await allCommands()));
    });
}

function pageOf(program: Command, commands: readonly Command[]): string {
  const help = program.createHelp();
  return `.TH ZEROHOP 1 "" "zerohop ${program.version()}" "zerohop"
.SH NAME
zerohop \\- a cache for machine-learning inference that speaks Redis's protocol
.SH SYNOPSIS
.B zerohop
.I command
[options]
.SH DESCRIPTION
${text(program.description())}
.SH COMMANDS
${commands.map((command) => sectionOf(command, help)).join('\n')}
.SH EXIT STATUS
.TP
.B 0
It is done.
.TP
.B 1
It failed, or what was asked for is not there. Standard error says why.
.TP
.B 2
The command line, or the config file, is wrong.
.SH ENVIRONMENT
.TP
.B ZEROHOP_URL
The server that commands talk to.
.TP
.B ZEROHOP_PASSWORD
What a server asks of its clients, and what commands say to it.
.TP
.B NO_COLOR
If it is set, nothing is coloured.
.SH FILES
.TP
.I zerohop.config.json
What zerohop serve is to do. zerohop init writes one.
.SH EXAMPLES
.nf
zerohop start --daemon
zerohop set greeting hello --ttl 10m
zerohop get greeting
.fi`;
}

function sectionOf(command: Command, help: Help): string {
  const words = help.subcommandTerm(command);
  const options = help.visibleOptions(command).filter(({ long }) => long !== '--help');
  return [
    `.SS "${text(words)}"`,
    text(sentence(help.commandDescription(command))),
    ...help
      .visibleArguments(command)
      .map((one) => `.TP\n.I ${text(one.name())}\n${text(sentence(help.argumentDescription(one)))}`),
    ...options.map((option) => `.TP\n.B ${text(option.flags)}\n${text(sentence(help.optionDescription(option)))}`),
  ].join('\n');
}

function sentence(words: string): string {
  const first = words.charAt(0).toUpperCase() + words.slice(1);
  return first === '' || /[.)]$/.test(first) ? first : `${first}.`;
}

/** Words in which troff sees nothing to do. */
function text(words: string): string {
  return words
    .replace(/\\/g, '\\e')
    .replace(/-/g, '\\-')
    .replace(/"/g, '\\(dq')
    .replace(/^(['.])/gm, '\\&$1');
}
