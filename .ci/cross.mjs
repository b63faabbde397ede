// cross.mjs — `npm run build:cross [-- linux-arm64 …] [--test]`: the addon for platforms that are not this one, by
// Debian's cross compilers, into build/addons/PLATFORM/zerohop.node.
//
// --use: a program that uses the addon too, in a Node of that platform, under qemu-user.  --test: and the native tests.

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { nodeBinary } from './nodes.mjs';
import { hostPlatform, PLATFORMS } from './platforms.mjs';
import {
  findCommand,
  NATIVE_TEST_TOOLS,
  nodeHeaders,
  PreparationError,
  prepare,
  requireTools,
  root,
  runMain,
} from './prepare.mjs';

/** The Node that the foreign addon is loaded into; any version does, Node-API is the same. */
const NODE_MAJOR = '22';

/** As CMake calls them. */
const PROCESSORS = { arm64: 'aarch64', x64: 'x86_64' };

/** Programs of a sanitizer's or a model's length take minutes in an emulator: these rooms are run. */
const EMULATED_TESTS = '^(base|cache|fingerprint)/';

/** What a first program does: a value in, a view out, a batch, a full cache. */
const PROGRAM = `
  const { float32, open } = require('zerohop');
  const cache = open({ maxBytes: '4MB' });
  const vectors = cache.keyspace('v', { codec: float32(256) });
  for (let i = 0; i < 20000; ++i) if (!vectors.set('key ' + i, new Float32Array(256).fill(i))) throw new Error('refused');
  const found = [...vectors.entries()];
  if (found.length < 1000 || found.some(([key, view]) => 'key ' + view[255] !== key)) throw new Error('wrong');
  const out = new Float32Array(512);
  const { hits } = vectors.gather([found[0][0], 'nothing'], out);
  if (hits !== 1 || out[0] !== found[0][1][0] || out[256] !== 0) throw new Error('gathered wrong');
  console.log(process.arch, cache.stats().backend, found.length);
`;

runMain(() => {
  const names = process.argv.slice(2).filter((arg) => !arg.startsWith('--'));
  const foreign = PLATFORMS.filter((one) => one.emulator !== undefined && one !== hostPlatform());
  const unknown = names.filter((name) => !foreign.some((one) => one.name === name));
  if (unknown.length > 0)
    throw new PreparationError(
      `no cross compiler for ${unknown.join(', ')}; for ${foreign.map(({ name }) => name).join(', ')} there is one`,
    );
  prepare(); // the program uses the package's JavaScript
  for (const platform of foreign.filter(({ name }) => names.length === 0 || names.includes(name))) {
    build(
      platform,
      process.argv.includes('--test'),
      process.argv.some((arg) => arg === '--use' || arg === '--test'),
    );
  }
});

function build(platform, test, use) {
  const { name, compiler, emulator, sysroot } = platform;
  const tools = use ? [compiler, emulator] : [compiler];
  const wanted = tools.map(({ command, debianPackage }) => ({ commands: [command], debianPackage }));
  requireTools([...NATIVE_TEST_TOOLS, ...wanted], `compile for ${name}`);
  const headers = nodeHeaders();
  if (headers === undefined) throw new PreparationError(`no node_api.h beside ${process.execPath}`);
  const folder = path.join(root, 'build/cross', name);
  const emulated = [findCommand(emulator.command) ?? emulator.command, '-L', sysroot];
  const startedMs = performance.now();
  cmake(
    ...['-S', root, '-B', folder, ...(findCommand('ninja') ? ['-G', 'Ninja'] : [])],
    ...['-DCMAKE_SYSTEM_NAME=Linux', `-DCMAKE_SYSTEM_PROCESSOR=${PROCESSORS[platform.cpu]}`],
    `-DCMAKE_CXX_COMPILER=${compiler.command}`,
    ...['-DZEROHOP_ADDON=ON', `-DCMAKE_JS_INC=${headers}`, `-DZEROHOP_TESTS=${test ? 'ON' : 'OFF'}`],
    `-DCMAKE_CROSSCOMPILING_EMULATOR=${emulated.join(';')}`,
  );
  cmake('--build', folder, '--parallel', '2');
  const addon = path.join(root, 'build/addons', name, 'zerohop.node');
  mkdirSync(path.dirname(addon), { recursive: true });
  copyFileSync(path.join(folder, 'zerohop.node'), addon);
  console.log(`${path.relative(root, addon)}: ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  if (test) {
    run('ctest', [
      '--test-dir',
      folder,
      '--output-on-failure',
      '--no-tests=error',
      '--parallel',
      '2',
      '-R',
      EMULATED_TESTS,
    ]);
  }
  if (use) useInNode(platform, emulated, addon);
}

function useInNode({ name, cpu }, emulated, addon) {
  const place = path.join(root, 'build/cross', `${name}-node`);
  // As it is installed: the package's JavaScript, and the addon where it looks for a build.
  const installed = path.join(place, 'node_modules/zerohop');
  mkdirSync(path.join(installed, 'build/Release'), { recursive: true });
  copyFileSync(addon, path.join(installed, 'build/Release/zerohop.node'));
  copyFileSync(path.join(root, 'package.json'), path.join(installed, 'package.json'));
  run('cp', ['-r', path.join(root, 'dist'), installed]);
  writeFileSync(path.join(place, 'program.cjs'), PROGRAM);
  const [command, ...args] = emulated;
  run(command, [...args, nodeBinary(NODE_MAJOR, cpu), path.join(place, 'program.cjs')]);
}

function cmake(...args) {
  run('cmake', args, { quiet: true });
}

function run(command, args, { quiet = false } = {}) {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', stdio: quiet ? 'pipe' : 'inherit' });
  if (result.status === 0) return;
  throw new PreparationError(`${command} failed\n${result.stdout ?? ''}${result.stderr ?? ''}`);
}
