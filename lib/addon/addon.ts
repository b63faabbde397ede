// addon.ts: finds the native addon. In a checkout it is the one that was built there. Otherwise it is that of the
// package for this platform (@zerohop/<platform>), which npm installs as an optional dependency, without a script.
//
// This file imports no module of Node. In a bundle of ES modules the first `require` fails with a message of the
// bundler, and our own message should come first.
import { CacheError } from '../base/errors.js';

const BUNDLED = "it was bundled; tell the bundler that 'zerohop' is external";

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly optionalDependencies?: Record<string, string>;
}

/** `linux-x64`, `linux-x64-musl` and so on, as in the names of the packages. */
function platformName(): string {
  const name = `${process.platform}-${process.arch}`;
  return process.platform === 'linux' && !usesGlibc() ? `${name}-musl` : name;
}

/** Whether the C library is glibc. The report takes some 20 ms, so it is made only on Linux. */
function usesGlibc(): boolean {
  const { report } = process as { report?: NodeJS.ProcessReport & { excludeNetwork?: boolean } };
  if (report === undefined) return true;
  const before = report.excludeNetwork;
  report.excludeNetwork = true; // it would ask name servers
  const { header } = report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  if (before !== undefined) report.excludeNetwork = before;
  return header.glibcVersionRuntime !== undefined;
}

/**
 * The addon's exports.
 *
 * @throws {CacheError} `ERR_CACHE_ADDON`: there is none for this platform, its package is not installed or has another
 *   version, or the system refuses to load it. The message says which of these, and what to type.
 */
export function loadAddon(): unknown {
  // A bundle of ES modules has no folder.
  if (typeof __dirname === 'undefined') throw failure(BUNDLED);
  const { existsSync } = process.getBuiltinModule('node:fs');
  const { join } = process.getBuiltinModule('node:path');
  const folder = join(__dirname, '..', '..');
  const require = process.getBuiltinModule('node:module').createRequire(join(folder, 'package.json'));
  if (permission?.has('fs.read', join(folder, 'package.json')) === false)
    throw failure(`Node may not read ${folder}; start it with --allow-fs-read=${folder}/* too, and --allow-addons`);
  const { name: self, version, optionalDependencies = {} } = manifestIn(require);
  if (self !== 'zerohop') throw failure(BUNDLED);
  const built = join(folder, 'build', 'Release', 'zerohop.node');
  if (existsSync(built)) return load(require, built, 'the build in this checkout');
  const known = Object.keys(optionalDependencies);
  if (known.length === 0) throw failure(`there is no native addon at ${built}; run 'npm run build' in the checkout`);
  const name = installedPackage(require, known) ?? `@zerohop/${platformName()}`;
  if (!known.includes(name)) throw failure(`there is no package for ${platformName()}, only ${known.join(', ')}`);
  let installed: string;
  try {
    ({ version: installed } = require(`${name}/package.json`) as Manifest);
  } catch (cause) {
    throw failure(
      `the package ${name}@${version}, which holds the native addon, is not installed; install on the platform that ` +
        `it is to run on, without --omit=optional, or run 'npm install ${name}@${version}'`,
      cause,
    );
  }
  if (installed !== version)
    throw failure(`${name} is version ${installed}, zerohop ${version}; run 'npm install ${name}@${version}'`);
  return load(require, `${name}/zerohop.node`, `${name}@${version}`);
}

/** The installed package for this system and processor; none if there are two, for two C libraries. */
function installedPackage(require: NodeJS.Require, known: readonly string[]): string | undefined {
  const name = `@zerohop/${process.platform}-${process.arch}`;
  const there = [name, `${name}-musl`].filter((one) => known.includes(one) && resolves(require, `${one}/package.json`));
  return there.length === 1 ? there[0] : undefined;
}

function resolves(require: NodeJS.Require, file: string): boolean {
  try {
    require.resolve(file);
    return true;
  } catch {
    return false;
  }
}

/** Node's permission model; undefined if it is not in force. */
const { permission } = process as { permission?: { has(scope: string, path?: string): boolean } };

/** The manifest of the folder in which this file was installed. In a bundle it is another one's, or there is none. */
function manifestIn(require: NodeJS.Require): Partial<Manifest> {
  return resolves(require, './package.json') ? (require('./package.json') as Manifest) : {};
}

function load(require: NodeJS.Require, file: string, what: string): unknown {
  try {
    return require(file);
  } catch (cause) {
    if ((cause as { code?: unknown }).code === 'ERR_DLOPEN_DISABLED')
      throw failure(
        permission === undefined
          ? "Node was started with --no-addons, and zerohop is one; start it without, or import 'zerohop/fingerprint' alone"
          : "Node's permission model forbids addons; start it with --allow-addons too",
        cause,
      );
    throw failure(
      `${what} does not load on ${platformName()}; install or build it on the system that it is to run on ` +
        `(${(cause as Error).message})`,
      cause,
    );
  }
}

function failure(message: string, cause?: unknown): CacheError {
  return new CacheError('ERR_CACHE_ADDON', `zerohop: ${message}`, cause === undefined ? undefined : { cause });
}
