#!/usr/bin/env node
// zerohop.ts: the command line, `zerohop …`.
//
// Each command has a file, which is loaded when the command is run: `zerohop --version` loads no native code.
//
// Exit codes: 0 done · 1 it failed, and standard error says why · 2 the command line is wrong

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Command, CommanderError } from 'commander';
import { addServe } from './serve.js';

const FAILED = 1;
const MISUSED = 2;

function version(): string {
  const manifest = JSON.parse(readFileSync(path.join(__dirname, '..', '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  return manifest.version;
}

async function main(): Promise<void> {
  const program = new Command('zerohop')
    .description('The L0 tier for machine-learning inference: a cache in the process, and a server that speaks Redis.')
    .version(version())
    .exitOverride()
    .configureHelp({ showGlobalOptions: true });
  addServe(program);
  try {
    await program.parseAsync();
  } catch (error) {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : MISUSED;
      return;
    }
    const { message, code } = error as NodeJS.ErrnoException;
    process.stderr.write(`zerohop: ${message}${code === undefined ? '' : ` (${code})`}\n`);
    process.exitCode = code === 'ERR_INVALID_ARG_TYPE' || code === 'ERR_OUT_OF_RANGE' ? MISUSED : FAILED;
  }
}

void main();
