// check-native.mjs — the checks of native code: format, clang-tidy, who may know Node, and what must not compile.

import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ensureDebianPackages, findCommand, PreparationError, root } from './prepare.mjs';

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
  const found = findCommand(command);
  if (found === undefined && process.env.CI) throw new PreparationError(`${command} is not here`);
  if (found === undefined) console.log(`        ${command} is not here: not checked`);
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
  if (clangTidy === undefined) return true;
  const folder = path.join(root, 'build/tidy');
  mkdirSync(folder, { recursive: true });
  const all = path.join(folder, 'all.cc');
  const files = sources('native').filter((file) => file.endsWith('.cc'));
  writeFileSync(all, files.map((file) => `#include "${path.join(root, file)}"\n`).join(''));
  const included = ['--checks=-bugprone-suspicious-include', `--header-filter=^${root}native/`];
  const headers = [nodeHeaders(), path.join(root, 'node_modules/node-addon-api')].map((place) => `-I${place}`);
  const args = ['--quiet', `--config-file=${root}.clang-tidy`, ...included, all, '--', ...FLAGS, ...headers];
  const result = spawnSync(clangTidy, args, { cwd: root, encoding: 'utf8' });
  if (result.status !== 0) console.log(result.stdout || result.stderr);
  return result.status === 0;
}

function nodeHeaders() {
  return path.join(path.dirname(path.dirname(process.execPath)), 'include/node');
}

/** Each file of test/native/misuse compiles as it is, and with MISUSE defined ends in the error that it announces. */
function checkMisuse() {
  const clang = findCommand('clang++');
  const compiler = clang ?? findCommand('g++');
  const files = sources('test/native/misuse');
  const wrong = files.flatMap((file) => {
    const expected = /\/\/ error: (.+)$/m.exec(readFileSync(path.join(root, file), 'utf8'))?.[1];
    const compile = (...defines) =>
      spawnSync(
        compiler,
        [...FLAGS, '-fsyntax-only', '-Wthread-safety', '-Werror', ...defines, file].filter(accepted),
        {
          cwd: root,
          encoding: 'utf8',
        },
      );
    // Without clang nobody knows of locks: then that file is right either way.
    const annotated = clang === undefined && expected === 'requires holding mutex';
    const right = compile();
    const misused = compile('-DMISUSE');
    if (expected === undefined || right.status !== 0) return [`${file}: ${right.stderr}`];
    if (annotated) return [];
    const refused = misused.status !== 0 && new RegExp(`error: .*(${expected})`).test(misused.stderr);
    return refused ? [] : [`${file}: expected "${expected}", received ${misused.stderr || 'no error'}`];
  });
  for (const one of wrong) console.log(`        ${one}`);
  return wrong.length === 0 && files.length > 0;

  function accepted(flag) {
    return clang !== undefined || flag !== '-Wthread-safety';
  }
}

function checkNodeHeaders() {
  const strangers = sources('native').filter(
    (file) => !file.startsWith('native/binding/') && NODE_HEADER.test(readFileSync(path.join(root, file), 'utf8')),
  );
  for (const file of strangers) console.log(`        ${file}`);
  return strangers.length === 0;
}
