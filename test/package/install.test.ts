// What is published, installed as users do: from a registry, with scripts blocked, into an empty project.
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { alike, brief, glibc } from '../fixtures/child.js';
import { alike as alikeLines, firstSteps, linesOf, onAnyPort } from '../fixtures/first-steps.js';
import { type Packed, Registry } from '../fixtures/registry.js';

const PLATFORM = `${process.platform}-${process.arch}${glibc ? '' : '-musl'}`;
const root = join(__dirname, '..', '..');
const run = promisify(execFile);

interface Main {
  readonly version: string;
  readonly optionalDependencies: Record<string, string>;
  readonly peerDependencies: Record<string, string>;
}

let folder: string;
let packed: Packed[];
let registry: Registry;

/** npm's own JavaScript, to be run by the Node that runs the tests. */
function npmCli(): string {
  const npm = (process.env['PATH'] ?? '').split(delimiter).map((place) => join(place, 'npm'));
  const cli = npm
    .filter(existsSync)
    .map((file) => realpathSync(file))
    .find((file) => file.endsWith('npm-cli.js'));
  if (cli === undefined) throw new Error('npm is not on PATH');
  return cli;
}

/** An empty project with zerohop installed in it. */
async function project(name: string, ...options: string[]): Promise<string> {
  const place = join(folder, name);
  mkdirSync(place);
  writeFileSync(join(place, 'package.json'), '{ "private": true }');
  const args = [
    'install',
    'zerohop',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--no-update-notifier',
    ...options,
  ];
  const here = ['--registry', registry.url, '--cache', join(folder, 'npm-cache'), '--userconfig', join(folder, 'none')];
  await run(process.execPath, [npmCli(), ...args, ...here], { cwd: place });
  return place;
}

/** What a program of the project prints. */
async function printed(place: string, file: string, text: string): Promise<string> {
  writeFileSync(join(place, file), text);
  return (await run(process.execPath, [file], { cwd: place })).stdout.trim();
}

const USE = `
  const cache = open({ maxBytes: '1MB' });
  const vectors = cache.keyspace('vectors', { codec: float32(3) });
  vectors.set('k', Float32Array.of(1, 2, 3));
  console.log(vectors.get('k').join(), cache.stats().hits, new CacheError('ERR_CACHE_IO', 'x') instanceof Error);
  cache.close();`;

/** What the package depends on, packed from where it is installed. */
async function dependency(name: string): Promise<Packed> {
  const from = join(root, 'node_modules', name);
  const manifest = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8'));
  await run('npm', ['pack', from, '--pack-destination', folder, '--ignore-scripts'], { cwd: folder });
  return { name, tarball: join(folder, `${name}-${manifest.version}.tgz`), manifest };
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'zerohop-install-'));
  await run(process.execPath, [join(root, '.ci/pack.mjs'), join(folder, 'packed')], { cwd: root });
  packed = readdirSync(join(folder, 'packed'))
    .filter((file) => file.endsWith('.tgz'))
    .map((file) => join(folder, 'packed', file))
    .map((tarball) => {
      const staged = tarball.includes('zerohop-linux-')
        ? `@zerohop/${/zerohop-(linux-.*)-\d+\.\d+/.exec(tarball)![1]}`
        : 'zerohop';
      const manifest = JSON.parse(readFileSync(join(folder, 'packed', 'staged', staged, 'package.json'), 'utf8'));
      return { name: staged, tarball, manifest };
    });
  // Those that were not compiled here are offered too, for npm to turn down: their tarballs are never asked for.
  const compiled = packed.find(({ name }) => name !== 'zerohop')!;
  const names = Object.keys((packed.find(({ name }) => name === 'zerohop')!.manifest as Main).optionalDependencies);
  const others = names
    .filter((name) => packed.every((one) => one.name !== name))
    .map((name) => {
      const [, cpu, musl] = name.replace('@zerohop/', '').split('-');
      const manifest = { ...compiled.manifest, name, cpu: [cpu], libc: [musl ?? 'glibc'] };
      return { name, tarball: compiled.tarball, manifest };
    });
  registry = await Registry.serving([...packed, ...others, await dependency('commander')]);
}, 180_000);

afterAll(() => {
  registry?.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('what is published', () => {
  test('has no scripts, nothing to compile, and no development dependencies', () => {
    expect(packed.map(({ name }) => name)).toContain('zerohop');
    for (const { name, manifest } of packed) {
      for (const key of ['scripts', 'devDependencies', 'overrides', 'imports', 'private', 'gypfile'])
        expect(manifest, name).not.toHaveProperty(key);
    }
  });

  test('holds what it says, and nothing else', async () => {
    for (const { name, tarball } of packed) {
      const files = (await run('tar', ['-tzf', tarball])).stdout
        .trim()
        .split('\n')
        .map((file) => file.replace('package/', ''));
      const rest = files.filter((file) => !/^(package\.json|README\.md|LICENSE)$/.test(file));
      if (name === 'zerohop') {
        const page = ['icon.svg', 'index.html', 'page.css', 'page.js'].map((file) => `dist/observe/page/${file}`);
        const own = ['CHANGELOG.md', 'dist/zerohop.1', 'dist/cli/zerohop.config.schema.json', ...page];
        const room = /(adapters|addon|base|cache|cli|fingerprint|model|observe|resp|tier|weights)/.source;
        const code = new RegExp(`^dist/(${room}/)?[\\w-]+\\.(d\\.m?ts|m?js)(\\.map)?$`);
        expect(rest.filter((file) => !code.test(file)).sort()).toEqual(own.sort());
      } else expect(rest).toEqual(['zerohop.node']);
    }
  });

  test('asks for the addon of each platform, in its own version', () => {
    const { manifest } = packed.find(({ name }) => name === 'zerohop')!;
    const { version, optionalDependencies } = manifest as Main;
    expect(Object.keys(optionalDependencies)).toContain('@zerohop/linux-x64');
    expect(new Set(Object.values(optionalDependencies))).toEqual(new Set([version]));
    for (const one of packed) expect(one.manifest.version).toBe(version);
  });
});

describe('installed with scripts blocked', () => {
  let place: string;
  beforeAll(async () => {
    place = await project('consumer');
  }, 120_000);

  test('brings the package of this platform alone', () => {
    const installed = readdirSync(join(place, 'node_modules/@zerohop'));
    expect(installed).toEqual([PLATFORM]);
    // npm asks for what might be installed beside it, and does without; those of other platforms were there to be had.
    const peers = Object.keys((packed.find(({ name }) => name === 'zerohop')!.manifest as Main).peerDependencies);
    expect(registry.unknown.filter((path) => !peers.includes(path.slice(1)))).toEqual([]);
    expect(readdirSync(join(place, 'node_modules')).filter((name) => name[0] !== '.')).toEqual([
      '@zerohop',
      'commander',
      'zerohop',
    ]);
  });

  test('works from an ES module', async () => {
    const text = `import { CacheError, float32, open } from 'zerohop';${USE}`;
    expect(await printed(place, 'main.mjs', text)).toBe('1,2,3 1 true');
  });

  test('brings the command, which serves', async () => {
    const command = join(place, 'node_modules/.bin/zerohop');
    expect((await run(command, ['--version'], { cwd: place })).stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/);
    const use = `import { open, serve } from 'zerohop'; const server = serve(open({ maxBytes: '1MB' }), { port: 0 });
      console.log(server.addresses[0].startsWith('redis://127.0.0.1:')); await server.close();`;
    expect(await printed(place, 'serve.mjs', use)).toBe('true');
  });

  test('brings the dashboard, which needs no other package', async () => {
    const use = `import { open } from 'zerohop'; import { serveDashboard } from 'zerohop/dashboard';
      const one = await serveDashboard(open({ maxBytes: '1MB' }), { port: 0 });
      const script = await (await fetch(one.url + 'page.js')).text();
      console.log((await fetch(one.url)).status, script.includes('uPlot')); await one.close();`;
    expect(await printed(place, 'dashboard.mjs', use)).toBe('200 true');
  });

  test('takes the first steps of the documentation as they are written', async () => {
    const [install, ...steps] = firstSteps();
    expect(install!.words.join(' ')).toBe('npm install zerohop'); // as `project` did
    expect(steps.map(({ words }) => words[1])).toEqual(['init', 'start', 'set', 'get', 'status', 'stop']);
    const { ZEROHOP_URL: _, ...env } = process.env;
    let at = {}; // another test may have the port of the documentation
    const npx = join(dirname(npmCli()), 'npx-cli.js');
    for (const { words, prints } of steps) {
      const args = [npx, '--no', ...words];
      const { stdout, stderr } = await run(process.execPath, args, { cwd: place, env: { ...env, ...at } });
      expect([stderr, ...alikeLines(linesOf(stdout))], words.join(' ')).toEqual(['', ...alikeLines(prints)]);
      if (words[1] === 'init') {
        expect(readFileSync(join(place, 'zerohop.config.json'), 'utf8')).toContain(
          '"$schema": "./node_modules/zerohop/',
        );
        onAnyPort(place);
      }
      if (words[1] === 'start') at = { ZEROHOP_URL: /redis:\S+/.exec(stdout)![0] };
    }
    expect(existsSync(join(place, 'zerohop.pid'))).toBe(false);
  });

  test('makes the same fingerprints with the addon and without', async () => {
    const use = `const of = { scope: one.PUBLIC, model: 'm', input: new Float32Array(3) };
      console.log(one.PUBLIC === other.PUBLIC, one.fingerprint(of).hex === other.fingerprint(of).hex);`;
    const module = `import * as one from 'zerohop'; import * as other from 'zerohop/fingerprint'; ${use}`;
    expect(await printed(place, 'names.mjs', module)).toBe('true true');
    const common = `const one = require('zerohop'), other = require('zerohop/fingerprint'); ${use}`;
    expect(await printed(place, 'names.cjs', common)).toBe('true true');
  });

  test('brings its adapters, which need none of the libraries they are for', async () => {
    const use =
      'for (const one of [ai, langchain, keyv, transformers]) for (const [name, of] of Object.entries(one)) '.concat(
        "if (typeof of === 'function') console.log(name);",
      );
    const expected = [
      'areComplete',
      'cachedEmbeddings',
      'embeddingMiddleware',
      'isComplete',
      'keepAnswers',
      'keyvStore',
      'languageMiddleware',
      'llmCache',
      'transformersCache',
    ];
    const module = `import * as ai from 'zerohop/ai-sdk'; import * as langchain from 'zerohop/langchain';
      import * as keyv from 'zerohop/keyv'; import * as transformers from 'zerohop/transformers'; ${use}`;
    expect((await printed(place, 'adapters.mjs', module)).split('\n').sort()).toEqual(expected);
    const common = `const ai = require('zerohop/ai-sdk'), langchain = require('zerohop/langchain');
      const keyv = require('zerohop/keyv'), transformers = require('zerohop/transformers'); ${use}`;
    expect((await printed(place, 'adapters.cjs', common)).split('\n').sort()).toEqual(expected);
  });

  test('works from CommonJS', async () => {
    const text = `const { CacheError, float32, open } = require('zerohop');${USE}`;
    expect(await printed(place, 'main.cjs', text)).toBe('1,2,3 1 true');
  });

  // The compiler is one and the same on every Node.
  test.skipIf(brief).each(
    alike([
      ['bundler', 'preserve', 'bundled.mts', 'bundled.mjs'],
      ['nodenext', 'nodenext', 'typed.cts', 'typed.cjs'],
      ['nodenext', 'nodenext', 'typed.mts', 'typed.mjs'],
    ] as const),
  )('compiles in strict TypeScript, %s', async (moduleResolution, module, source, output) => {
    const typed = `
      import { embeddingMiddleware, languageMiddleware } from 'zerohop/ai-sdk';
      import { keyvStore } from 'zerohop/keyv';
      import { cachedEmbeddings, llmCache } from 'zerohop/langchain';
      import { transformersCache } from 'zerohop/transformers';
      import { type Cache, CacheError, float32, type Keyspace, open, type ReadonlyFloat32Array } from 'zerohop';
      const cache: Cache = open({ maxBytes: '1MB', ttl: '1h' });
      const vectors = cache.keyspace('vectors', { codec: float32(3) });
      vectors.set('k', Float32Array.of(1, 2, 3), { ttl: 1000, tags: ['a'] });
      const found: ReadonlyFloat32Array | undefined = vectors.get('k');
      // @ts-expect-error: a view is not to be written to
      if (found) found[0] = found[0]!;
      // @ts-expect-error: vectors are not text
      const wrong = () => vectors.set('k', 'text');
      console.log([...found!].join(), cache.stats().hits, new CacheError('ERR_CACHE_IO', 'x') instanceof Error);
      cache.close();
      export type { Keyspace };
      void [wrong, embeddingMiddleware, languageMiddleware, keyvStore, cachedEmbeddings, llmCache, transformersCache];`;
    writeFileSync(join(place, source), typed);
    const options = { strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true, types: [] };
    const target = { target: 'es2022', lib: ['es2023', 'esnext.disposable', 'dom'], module, moduleResolution };
    const compilerOptions = { ...options, ...target, skipLibCheck: false };
    writeFileSync(join(place, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [source] }));
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    await run(process.execPath, [tsc, '-p', '.'], { cwd: place }).catch(({ stdout }) => expect(stdout).toBe(''));
    expect((await run(process.execPath, [output], { cwd: place })).stdout.trim()).toBe('1,2,3 1 true');
  });
});

describe('without its addon', () => {
  const FAIL = "try { require('zerohop') } catch (error) { console.log(error.code, error.message) }";
  const version = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version;
  const name = `@zerohop/${PLATFORM}`;
  let place: string;
  beforeAll(async () => {
    place = await project('without', '--omit=optional');
  }, 120_000);

  test('the error names the package that is missing, and what to type', async () => {
    const message = await printed(place, 'main.cjs', FAIL);
    expect(message).toMatch(/^ERR_CACHE_ADDON zerohop: the package @zerohop\/linux-[\w-]+@\d/);
    expect(message).toContain(`run 'npm install ${name}@${version}'`);
  });

  test('the error on another platform says which there are', async () => {
    const foreign = `Object.defineProperty(process, 'platform', { value: 'sunos' });${FAIL}`;
    const message = await printed(place, 'foreign.cjs', foreign);
    expect(message).toMatch(/^ERR_CACHE_ADDON zerohop: there is no package for sunos-\w+, only @zerohop\/linux-x64, /);
  });

  test('one of another version is refused, and named', async () => {
    const other = join(place, 'node_modules', name);
    mkdirSync(other, { recursive: true });
    writeFileSync(join(other, 'package.json'), JSON.stringify({ name, version: '0.0.1' }));
    const message = await printed(place, 'other.cjs', FAIL);
    expect(message).toContain(`${name} is version 0.0.1, zerohop ${version}; run 'npm install ${name}@${version}'`);
  });

  test('one that does not load says why', async () => {
    const broken = join(place, 'node_modules', name);
    mkdirSync(broken, { recursive: true });
    writeFileSync(join(broken, 'package.json'), JSON.stringify({ name, version }));
    writeFileSync(join(broken, 'zerohop.node'), 'this is no shared library');
    const message = await printed(place, 'broken.cjs', FAIL);
    expect(message).toMatch(
      /^ERR_CACHE_ADDON zerohop: @zerohop\/linux-\S+ does not load on linux-\S+; install or build it on /,
    );
  });
});
