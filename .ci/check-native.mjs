// check-native.mjs — the checks of native code: format, clang-tidy, who may know Node, and what must not compile.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ensureDebianPackages, findCommand, nodeHeaders, PreparationError, root } from './prepare.mjs';

/** Only the binding may know Node. */
const NODE_HEADER = /#include <(napi|node_api|node)\.h>/;

// Absolute: clang-tidy takes headers for ours by their paths.
const FLAGS = ['-std=c++20', `-I${root}native`, ...(process.arch === 'x64' ? ['-march=x86-64-v2'] : [])];

/** @returns {[string, () => boolean][]} */
export function nativeChecks() {
  ensureDebianPackages([
    { commands: ['clang++'], debianPackage: 'clang' },
    { commands: ['clang-format'], debianPackage: 'clang-format' },
    { commands: ['clang-tidy'], debianPackage: 'clang-tidy' },
  ]);
  return [
    ['format of native (clang-format)', checkFormat],
    ['clang-tidy', checkTidy],
    ['misuse does not compile', checkMisuse],
    ['Node headers in native/binding only', checkNodeHeaders],
  ];
}

function sources(folder) {
  return readdirSync(path.join(root, folder), { recursive: true })
    .filter((file) => /\.(cc|h)$/.test(file))
    .map((file) => path.join(folder, file));
}

/** A tool's path; says so where there is none. */
function tool(command) {
  return here(command, findCommand(command));
}

function here(what, found) {
  if (found === undefined && process.env.CI) throw new PreparationError(`${what} is not here`);
  if (found === undefined) console.log(`        ${what} is not here: not checked`);
  return found;
}

function checkFormat() {
  const clangFormat = tool('clang-format');
  if (clangFormat === undefined) return true;
  const files = [...sources('native'), ...sources('bench/native'), ...sources('test/native')];
  return spawnSync(clangFormat, ['--dry-run', '--Werror', ...files], { cwd: root, stdio: 'inherit' }).status === 0;
}

/** All of native/ as one file: the standard headers are read once, which is most of the time. */
function checkTidy() {
  const clangTidy = tool('clang-tidy');
  const node = here('node_api.h', nodeHeaders());
  if (clangTidy === undefined || node === undefined) return true;
  const folder = path.join(root, 'build/tidy');
  mkdirSync(folder, { recursive: true });
  const all = path.join(folder, 'all.cc');
  const files = sources('native').filter((file) => file.endsWith('.cc'));
  writeFileSync(all, files.map((file) => `#include "${path.join(root, file)}"\n`).join(''));
  const included = ['--checks=-bugprone-suspicious-include', `--header-filter=^${root}native/`];
  const headers = [node, path.join(root, 'node_modules/node-addon-api')].map((place) => `-I${place}`);
  const args = ['--quiet', `--config-file=${root}.clang-tidy`, ...included, all, '--', ...FLAGS, ...headers];
  const result = spawnSync(clangTidy, args, { cwd: root, encoding: 'utf8' });
  if (result.status !== 0) console.log(result.stdout || result.stderr);
  return result.status === 0;
}

/** Each file of test/native/misuse compiles as it is, and with MISUSE defined ends in the error that it announces. */
function checkMisuse() {
  const clang = findCommand('clang++');
  const compile = (file, ...options) => {
    const args = [
      ...FLAGS,
      ...(clang ? ['-Wthread-safety', '-Wthread-safety-beta'] : []),
      '-Werror',
      '-fsyntax-only',
      ...options,
      file,
    ];
    return spawnSync(clang ?? findCommand('g++'), args, { cwd: root, encoding: 'utf8' });
  };
  const files = sources('test/native/misuse');
  const wrong = files.flatMap((file) => {
    const expected = /\/\/ error: (.+)$/m.exec(readFileSync(path.join(root, file), 'utf8'))?.[1];
    const right = compile(file);
    if (expected === undefined || right.status !== 0) return [`${file}: ${right.stderr}`];
    if (clang === undefined && expected.includes('mutex')) return []; // gcc knows of no locks
    const misused = compile(file, '-DMISUSE');
    const refused = misused.status !== 0 && new RegExp(`error: .*(${expected})`).test(misused.stderr);
    return refused ? [] : [`${file}: expected "${expected}", received ${misused.stderr || 'no error'}`];
  });
  for (const one of wrong) console.log(`        ${one}`);
  return wrong.length === 0 && files.length > 0;
}

function checkNodeHeaders() {
  const strangers = sources('native').filter(
    (file) => !file.startsWith('native/binding/') && NODE_HEADER.test(readFileSync(path.join(root, file), 'utf8')),
  );
  for (const file of strangers) console.log(`        ${file}`);
  return strangers.length === 0;
}
