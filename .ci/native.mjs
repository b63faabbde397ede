// native.mjs — `npm run test:native`, `test:asan`, `test:tsan`, `fuzz`: the core's own tests, without Node.
//
//   node .ci/native.mjs release|asan|tsan [--short]
//   node .ci/native.mjs fuzz [seconds]                        of fuzzing in total, 60 if not given
//
// --short is what `npm test` has time for: all tests but those labelled long, and the model with fewer operations.
//
// Each mode has a build folder of its own, build/native/<mode>.  The sanitizers and fuzzers are clang's, which also
// checks the lock annotations; where clang cannot be had, gcc has sanitizers too, and the fuzzers get a driver of our
// own that follows no coverage.  Which of the two it was is printed, and returned.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  ensureDebianPackages,
  findCommand,
  NATIVE_TEST_TOOLS,
  PreparationError,
  requireTools,
  root,
  runMain,
} from './prepare.mjs';

/** @typedef {'release' | 'asan' | 'tsan' | 'fuzz'} Mode */
/** @typedef {{ mode: Mode, compiler: string, folder: string, libFuzzer: boolean }} NativeBuild */

/** Sanitized code: assertions on, and optimised a little, or the tests would take minutes. */
const WATCHED = ['-DCMAKE_BUILD_TYPE=RelWithDebInfo', '-DCMAKE_CXX_FLAGS_RELWITHDEBINFO=-O1 -g1'];

/** What CMake is told in each mode. */
const MODES = {
  release: ['-DCMAKE_BUILD_TYPE=Release'],
  asan: [...WATCHED, '-DZEROHOP_SANITIZE=address'],
  tsan: [...WATCHED, '-DZEROHOP_SANITIZE=thread'],
  fuzz: [...WATCHED, '-DZEROHOP_SANITIZE=address', '-DZEROHOP_FUZZ=ON', '-DZEROHOP_TESTS=OFF'],
};

/** The folders of test/native/fuzz/corpus; the targets are named after them. */
const FUZZERS = ['cache_ops', 'entry', 'safetensors', 'gguf', 'resp_parser'];

/** Short runs: operations of each model test. */
const SHORT_MODEL_OPS = { release: '250000', asan: '20000', tsan: '20000' };

/** What {@link chooseCompiler} looks for. */
export const CLANG = [{ commands: ['clang++'], debianPackage: 'clang' }];

const SANITIZER_ENVIRONMENT = {
  // Huge reservations are refused by the system, not by the allocator; a leak is a failure.
  ASAN_OPTIONS: 'detect_leaks=1:allocator_may_return_null=1',
  UBSAN_OPTIONS: 'print_stacktrace=1',
  TSAN_OPTIONS: 'halt_on_error=1:second_deadlock_stack=1',
};

/**
 * Configures and compiles one mode.
 *
 * @param {Mode} mode
 * @param {{ jobs?: number, short?: boolean }} [options]  short: what `--short` runs alone
 * @returns {NativeBuild}
 */
export function buildNative(mode, { jobs = 2, short = false } = {}) {
  requireTools(NATIVE_TEST_TOOLS, 'build the native tests');
  const compiler = chooseCompiler(mode);
  const libFuzzer = mode === 'fuzz' && path.basename(compiler) === 'clang++';
  // A compiler other than last time would have CMake delete and redo its cache half way: one folder each.
  const folder = path.join(root, 'build/native', compiler === 'c++' ? mode : `${mode}-${path.basename(compiler)}`);
  const generator = findCommand('ninja') ? ['-G', 'Ninja'] : ['-G', 'Unix Makefiles'];
  const configured = existsSync(path.join(folder, 'CMakeCache.txt')) ? [] : generator;
  mkdirSync(folder, { recursive: true });
  run('cmake', ['-S', root, '-B', folder, ...configured, `-DCMAKE_CXX_COMPILER=${compiler}`, ...MODES[mode]]);
  run('cmake', ['--build', folder, '--parallel', String(jobs), ...(short ? ['--target', 'short_tests'] : [])]);
  return { mode, compiler, folder, libFuzzer };
}

/**
 * Builds a mode and runs its tests.
 *
 * @param {'release' | 'asan' | 'tsan'} mode
 * @param {{ short?: boolean }} [options]
 * @returns {NativeBuild & { passed: number, seconds: number }}  passed: test programs' runs, one a test file
 */
export function testNative(mode, { short = false } = {}) {
  const build = buildNative(mode, { short });
  const startedMs = performance.now();
  const parallel = ['--parallel', String(os.availableParallelism())];
  const args = ['--test-dir', build.folder, '--output-on-failure', '--no-tests=error', ...parallel];
  if (short) args.push('--label-exclude', 'long');
  const shorter = short && !process.env.ZEROHOP_MODEL_OPS ? { ZEROHOP_MODEL_OPS: SHORT_MODEL_OPS[mode] } : {};
  const env = { ...SANITIZER_ENVIRONMENT, ...shorter };
  const output = run(...withoutRandomLayout(mode, 'ctest', args), { env });
  const passed = Number(/tests failed out of (\d+)/.exec(output)?.[1] ?? Number.NaN);
  return { ...build, passed, seconds: (performance.now() - startedMs) / 1000 };
}

/**
 * Builds the fuzzers and runs each for its part of the time.
 *
 * @param {number} seconds  in total
 * @returns {NativeBuild & { runs: Record<string, string> }}  runs: what each fuzzer said last
 */
export function fuzzNative(seconds = 60) {
  const build = buildNative('fuzz');
  const share = Math.max(1, Math.round(seconds / FUZZERS.length));
  const runs = Object.fromEntries(FUZZERS.map((name) => [name, fuzz(build, name, share)]));
  return { ...build, runs };
}

function fuzz(build, name, seconds) {
  // What the fuzzer finds worth keeping goes to the build folder; the checked-in corpus is only read.
  const found = path.join(build.folder, 'corpus', name);
  mkdirSync(found, { recursive: true });
  const corpus = path.join(root, 'test/native/fuzz/corpus', name);
  const args = [`-max_total_time=${seconds}`];
  if (build.libFuzzer) args.push('-print_final_stats=1', '-timeout=20', '-max_len=4096', found);
  const program = path.join(build.folder, 'test/native', `${name}_fuzz`);
  const output = run(program, [...args, corpus], { env: SANITIZER_ENVIRONMENT, cwd: found });
  const lastLine = /^Done (.*)$|^(\d+ mutated inputs)$/m.exec(output)?.[0] ?? 'no count printed';
  console.log(`${name}: ${lastLine}`);
  return lastLine;
}

/** clang where it is needed and can be had; else the system's compiler, and a word about it. */
function chooseCompiler(mode) {
  if (mode === 'release') return 'c++';
  ensureDebianPackages(CLANG);
  if (findCommand('clang++') && canLink('clang++', mode)) return 'clang++';
  // Debian keeps clang's sanitizer libraries in a package of their own, named after the version.
  const major = findCommand('clang++') ? clangMajor() : undefined;
  if (major !== undefined) {
    ensureDebianPackages([{ commands: [], debianPackage: `libclang-rt-${major}-dev` }]);
    if (canLink('clang++', mode)) return 'clang++';
  }
  console.log(
    `${mode}: clang with its sanitizers cannot be had here; using c++${mode === 'fuzz' ? ' and our own fuzz driver, which follows no coverage' : ''}`,
  );
  if (!canLink('c++', mode)) throw new PreparationError(`no compiler here can link what ${mode} needs`);
  return 'c++';
}

function clangMajor() {
  const result = spawnSync('clang++', ['-dumpversion'], { encoding: 'utf8' });
  return /^\d+/.exec(result.stdout ?? '')?.[0];
}

function canLink(compiler, mode) {
  const sanitizer = mode === 'tsan' ? 'thread' : 'address,undefined';
  const fuzzer = mode === 'fuzz' && compiler === 'clang++' ? ',fuzzer' : '';
  const source = fuzzer
    ? 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }'
    : 'int main() { return 0; }';
  const args = ['-x', 'c++', `-fsanitize=${sanitizer}${fuzzer}`, '-', '-o', '/dev/null'];
  return spawnSync(compiler, args, { input: source }).status === 0;
}

/** ThreadSanitizer cannot place its shadow where the system scatters mappings too widely (vm.mmap_rnd_bits > 28). */
function withoutRandomLayout(mode, command, args) {
  const bits = '/proc/sys/vm/mmap_rnd_bits';
  const scattered = mode === 'tsan' && existsSync(bits) && Number(readFileSync(bits, 'utf8')) > 28;
  if (!scattered || spawnSync('setarch', ['-R', 'true']).status !== 0) return [command, args];
  return ['setarch', ['-R', command, ...args]];
}

/** Runs a command, showing its output; throws when it fails. Returns what it wrote to standard output and error. */
function run(command, args, { env = {}, cwd = root } = {}) {
  // The caller's own options go first: the last one of a name counts.
  const merged = Object.fromEntries(
    Object.entries(env).map(([name, value]) => [name, [value, process.env[name]].filter(Boolean).join(':')]),
  );
  const result = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...merged },
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}`;
  if (result.status === 0) return output;
  process.stdout.write(output);
  throw new PreparationError(
    `${path.basename(command)} failed (${result.error?.message ?? result.signal ?? `exit code ${result.status}`})`,
  );
}

function main([mode, option]) {
  if (mode === 'fuzz') {
    const seconds = option;
    const { compiler, libFuzzer } = fuzzNative(seconds === undefined ? 60 : Number(seconds));
    console.log(`fuzz: nothing found (${compiler}, ${libFuzzer ? 'libFuzzer' : 'our own driver'})`);
  } else if (Object.hasOwn(MODES, mode ?? '')) {
    const { compiler, passed, seconds: taken } = testNative(mode, { short: option === '--short' });
    console.log(`${mode}: ${passed} test files passed in ${taken.toFixed(1)} s (${compiler})`);
  } else {
    throw new PreparationError('usage: node .ci/native.mjs release|asan|tsan [--short], or fuzz [seconds]');
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runMain(() => main(process.argv.slice(2)));
