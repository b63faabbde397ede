// What the program tells of itself: help, completion, the manual page, the documentation. All of it is of one source.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { allCommands } from '../../dist/cli/commands.js';
import { typed, zerohop } from '../fixtures/command-line.js';
import { ownFolder } from '../fixtures/folder.js';

/** What they print is no data, or goes on for ever. */
const WITHOUT_JSON = ['serve', 'completion', 'man'];

const commands = await allCommands();
const names = commands.map((command) => command.name());

test('every command has a description, and prints JSON if it prints data', () => {
  for (const command of commands) {
    expect(command.description(), command.name()).not.toBe('');
    const hasJson = command.options.some(({ long }) => long === '--json');
    expect(hasJson, command.name()).toBe(!WITHOUT_JSON.includes(command.name()));
  }
});

test('every command has a chapter in the documentation, and every chapter a command', () => {
  const text = readFileSync(path.join(__dirname, '../../docs/CLI.md'), 'utf8');
  const chapters = [...text.matchAll(/^### `zerohop ([a-z]+)/gm)].map(([, name]) => name);
  expect(chapters.sort()).toEqual([...names].sort());
});

test('help tells the commands; a wrong word ends with 2 and cannot command a terminal', async () => {
  const { code, stdout } = await typed(['--help']);
  expect(code).toBe(0);
  for (const name of names) expect(stdout).toContain(name);
  expect((await typed(['help', 'get'])).stdout).toContain('--hex');
  for (const words of [['no\x1b[31mnsense'], ['get', '--no\x1b[31mnsense'], ['get'], ['get', 'a', 'b'], []]) {
    const wrong = await typed(words);
    expect(wrong.code, words.join(' ')).toBe(2);
    expect(wrong.stderr).not.toBe('');
    expect(wrong.stderr + wrong.stdout).not.toContain('\x1b');
  }
});

test('--version and help load no native code, and a reader that leaves is no error', async () => {
  const env = { ZEROHOP_EXPOSURE: 'nonsense' };
  expect((await zerohop(['--version'], { env })).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect((await zerohop(['serve', '--help'], { env })).stdout).toContain('--memory-limit');
  const program = path.join(__dirname, '../../dist/cli/zerohop.js');
  const piped = `"${process.execPath}" "${program}" man | true; echo "\${PIPESTATUS[0]}"`;
  const printed = execFileSync('bash', ['-c', piped], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  expect(printed).toBe('0\n');
});

describe('completion', () => {
  test('bash completes commands, their options, and files', async () => {
    const folder = ownFolder();
    writeFileSync(path.join(folder, 'model.gguf'), '');
    const { stdout } = await typed(['completion', 'bash']);
    const complete = (...words: string[]) => {
      const quoted = words.map((word) => `'${word}'`).join(' ');
      const script = `${stdout}\nCOMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}
_zerohop; printf '%s\\n' "\${COMPREPLY[@]}"`;
      return execFileSync('bash', ['-c', script], { cwd: folder, encoding: 'utf8' }).trim().split('\n');
    };
    expect(complete('zerohop', 'st')).toEqual(['start', 'stop', 'status']);
    expect(complete('zerohop', 'set', '--t')).toEqual([
      '--ttl',
      '--tag',
      '--timeout',
      '--tls-ca',
      '--tls-cert',
      '--tls-key',
    ]);
    expect(complete('zerohop', 'inspect', 'mo')).toEqual(['model.gguf']);
    expect(complete('zerohop', 'nonsense', '--')).toEqual(['']);
  });

  test.each(['bash', 'zsh', 'fish'])('the script for %s has every command and option', async (shell) => {
    const { stdout } = await typed(['completion', shell]);
    for (const command of commands) {
      expect(stdout).toContain(command.name());
      for (const { long } of command.options) expect(stdout).toContain(long!.slice(2));
    }
  });

  test('another shell is a mistake', async () => {
    expect(await typed(['completion', 'tcsh'])).toMatchObject({ code: 2 });
  });
});

test('the manual page has every command and option, and no line that troff would take for a request', async () => {
  const { stdout } = await typed(['man']);
  const plain = stdout.replaceAll('\\-', '-');
  for (const command of commands) {
    expect(plain).toMatch(new RegExp(`^\\.SS "${command.name()}`, 'm'));
    for (const { flags } of command.options) expect(plain).toContain(flags);
  }
  for (const line of stdout.split('\n').filter((line) => /^[.']/.test(line)))
    expect(line).toMatch(/^\.(TH|SH|SS|TP|B|I|nf|fi)( |$)/);
});
