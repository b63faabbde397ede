// prepare.mjs — everything a script needs before it starts, made only when it is missing or out of date.
//
//   ensureDebianPackages   tools of the system: installed when we may, else named
//   ensureDependencies     node_modules, by npm ci
//   ensureBuilt            the addon, dist/ and dist-bench/
//
// A fresh Debian with Node and a C++ compiler has to get through with one command, so this file imports
// nothing but Node itself: it runs before there is a node_modules.

import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, statSync, utimesSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Any one of the commands will do; of what is no command, a file by its absolute path.
 *
 * @typedef {{ commands: readonly string[], debianPackage: string }} WantedTool
 */

/** What node-gyp needs to compile the addon. */
export const ADDON_TOOLS = [
  { commands: ['python3'], debianPackage: 'python3' },
  { commands: ['make', 'gmake'], debianPackage: 'make' },
  { commands: ['g++', 'c++', 'clang++'], debianPackage: 'g++' },
];

/** What the native tests need on top. */
export const NATIVE_TEST_TOOLS = [...ADDON_TOOLS, { commands: ['cmake'], debianPackage: 'cmake' }];

/**
 * What is built, from what, and by which script. `product` stands for all files of its step: it is older
 * than a source exactly when the step has to run again.
 */
const BUILD_STEPS = [
  { product: 'build/Release/zerohop.node', sources: ['native', 'bench/native', 'binding.gyp'], script: 'build:addon' },
  { product: 'dist/index.mjs', sources: ['lib', 'tsconfig.json'], script: 'build:ts' },
  { product: 'dist/observe/page/page.js', sources: ['lib/observe', '.ci/build-page.mjs'], script: 'build:page' },
  { product: 'dist-bench/bench/suites.mjs', sources: ['bench'], script: 'build:ts' },
];

/** In the folders above, what a compiler reads; a new result or README asks for no build. */
const SOURCE_FILE = /\.(cc|h|gyp|[cm]?ts|mjs|html|css|svg)$|\/(sources\.txt|tsconfig[^/]*\.json)$/;

/**
 * Installs the Debian packages of those tools that are missing, where this process is root and there is
 * an apt-get. Never throws.
 *
 * @param {readonly WantedTool[]} wanted
 * @returns {string[]} the packages whose tools are still missing
 */
export function ensureDebianPackages(wanted) {
  const missing = missingPackages(wanted);
  if (missing.length === 0 || process.getuid?.() !== 0 || findCommand('apt-get') === undefined) return missing;
  console.error(`installing ${missing.join(', ')} (apt-get)`);
  updatePackageLists();
  aptGet('install', '-y', '--no-install-recommends', ...missing);
  return missingPackages(wanted);
}

/**
 * The same for tools without which there is nothing to do.
 *
 * @param {readonly WantedTool[]} wanted
 * @param {string} purpose  completes "needed to …"
 */
export function requireTools(wanted, purpose) {
  const missing = ensureDebianPackages(wanted);
  if (missing.length === 0) return;
  throw new PreparationError(
    `missing, needed to ${purpose}: ${missing.join(', ')}\n  on Debian: sudo apt-get install ${missing.join(' ')}`,
  );
}

/**
 * Runs `npm ci` when node_modules is missing or older than the lock file. Install scripts stay off (.npmrc).
 *
 * Some versions of npm 11 refuse a lock file that leaves out the optional packages of other platforms. On a developer's
 * machine `npm install --no-save` then takes the same versions. CI fails instead: it takes what the lock file says, or
 * nothing.
 */
export function ensureDependencies() {
  const installed = modifiedMs('node_modules/.package-lock.json');
  if (installed !== undefined && installed >= (modifiedMs('package-lock.json') ?? 0)) return;
  console.error('installing dependencies (npm ci)');
  try {
    runNpm(['ci'], 'npm ci', { quiet: true });
  } catch (error) {
    if (process.env.CI) throw error;
    console.error('npm ci failed; trying npm install --no-save');
    runNpm(['install', '--no-save'], 'npm install', { quiet: true });
  }
}

/** Builds what is missing or older than its sources. Needs {@link ensureDependencies} before. */
export function ensureBuilt() {
  for (const step of BUILD_STEPS) {
    if (!isStale(step)) continue; // asked anew each time: build:ts brings two of the products
    if (step.script === 'build:addon') requireTools(ADDON_TOOLS, 'compile the addon');
    console.error(`building ${path.dirname(step.product)} (npm run ${step.script})`);
    const begun = new Date();
    runNpm(['run', '--silent', step.script], `npm run ${step.script}`);
    setDate(step.product, begun);
  }
}

/** Dependencies and build, in order. */
export function prepare() {
  ensureDependencies();
  ensureBuilt();
}

/** An error whose message is all there is to say: no stack. */
export class PreparationError extends Error {}

/**
 * Runs a script's main function. A {@link PreparationError} is printed as its message, and ends with exit code 1.
 *
 * @param {() => unknown} main
 */
export async function runMain(main) {
  try {
    await main();
  } catch (error) {
    console.error(error instanceof PreparationError ? error.message : error);
    process.exitCode = 1;
  }
}

/**
 * @param {string} command
 * @returns {string | undefined} its path, found on PATH
 */
export function findCommand(command) {
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter((folder) => folder !== '');
  return folders.map((folder) => path.join(folder, command)).find(isExecutable);
}

/**
 * Runs npm in the repository, its output on ours.
 *
 * @param {readonly string[]} args
 * @param {string} what  for the message of the error
 * @param {{ cwd?: string, quiet?: boolean }} [options]  quiet: the output shows only when it fails
 */
export function runNpm(args, what, { cwd = root, quiet = false } = {}) {
  // Under `npm run` this names the very npm that runs us (or a program that is not npm); else take PATH's.
  const npm = process.env.npm_execpath;
  const [command, first] = npm?.endsWith('npm-cli.js') ? [process.execPath, [npm]] : ['npm', []];
  // Standard output is the caller's: a suite prints its table there.
  const stdio = quiet ? 'pipe' : ['ignore', 2, 2];
  const result = spawnSync(command, [...first, ...args], { cwd, stdio, encoding: 'utf8' });
  if (result.status === 0) return;
  const said = [result.error?.message, result.stdout, result.stderr].filter(Boolean).join('\n');
  throw new PreparationError(`${what} failed (${result.signal ?? `exit code ${result.status}`})\n${said}`.trimEnd());
}

/** The folder of node_api.h, where this Node has its headers beside it. */
export function nodeHeaders() {
  const folder = path.join(path.dirname(path.dirname(process.execPath)), 'include/node');
  return existsSync(path.join(folder, 'node_api.h')) ? folder : undefined;
}

/** For node-gyp: headers beside this Node are used, and nothing is downloaded. */
export function headerOptions() {
  const headers = nodeHeaders();
  return headers === undefined ? [] : [`--nodedir=${path.resolve(headers, '../..')}`];
}

/**
 * Whether a product is there, and no older than what it is made from.
 *
 * @param {string} product
 * @param {readonly string[]} sources  files and folders; all from the repository's root
 */
export function isUpToDate(product, sources) {
  const built = modifiedMs(product);
  return built !== undefined && sources.every((source) => newestMs(path.join(root, source)) <= built);
}

let listsAreFresh = false;

function updatePackageLists() {
  if (!listsAreFresh) aptGet('update');
  listsAreFresh = true;
}

/** Failures are told, not thrown: the caller looks at what is there afterwards. */
function aptGet(...args) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const result = spawnSync('apt-get', ['-q', ...args], { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  if (result.status === 0) return;
  const lines = `${result.stderr ?? ''}`.trim().split('\n').slice(-5);
  console.error(`apt-get ${args[0]} failed:\n  ${lines.join('\n  ')}`);
}

function missingPackages(wanted) {
  const isThere = (tool) => (path.isAbsolute(tool) ? existsSync(tool) : findCommand(tool) !== undefined);
  return wanted.filter(({ commands }) => !commands.some(isThere)).map(({ debianPackage }) => debianPackage);
}

function isStale({ product, sources }) {
  return !isUpToDate(product, sources);
}

/**
 * A build may decide that a changed source changes nothing, and leave the product its old date. It gets that
 * of the beginning, not of the end: what was edited in between is not in it.
 */
function setDate(product, date) {
  const file = path.join(root, product);
  if (!existsSync(file)) throw new PreparationError(`the build did not make ${product}`);
  utimesSync(file, date, date);
}

function newestMs(file) {
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) return 0;
  if (!stat.isDirectory()) return SOURCE_FILE.test(file) ? stat.mtimeMs : 0;
  return readdirSync(file).reduce((newest, name) => Math.max(newest, newestMs(path.join(file, name))), 0);
}

function modifiedMs(file) {
  return statSync(path.join(root, file), { throwIfNoEntry: false })?.mtimeMs;
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await runMain(prepare);
