import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

// The package is loaded as users load it: by its name, from dist/, outside of vite. A second copy of dist/ would load
// the addon's JavaScript side twice in one process.
// Briefly, on the Nodes beside the first one: whatever meets V8, its collector, threads or ends of processes.
const VERSION_DEPENDENT = [
  'test/cache/{api,backends,codecs,detach,exits,memory,opening,reclaim,views}.test.ts',
  'test/examples/examples.test.ts',
  'test/weights/{beyond-4gib,digest,embedding-table,ends,external-data,gguf,weights,windows}.test.ts',
  'test/workers/!(near-coherence).test.ts',
];

// Who asks test/fixtures/child.ts for cases or rounds has less to do in the short part; the long part is these files, and
// those that it has alone: packing and installing the package, and the dashboard in a browser.
const LONG_ALONE = ['test/package/install.test.ts', 'test/observe/page.test.ts'];
const ASKS = /\b(alike|backends|rounds|similar|viewBackends|whole)\b.*from '.*\/fixtures\/child\.js'/;
const files = readdirSync(join(__dirname, 'test'), { recursive: true, encoding: 'utf8' })
  .map((file) => join('test', file))
  .filter((file) => file.endsWith('.test.ts'));
const hasLongPart = (file: string) =>
  LONG_ALONE.includes(file) || ASKS.test(readFileSync(join(__dirname, file), 'utf8'));

function include(): string[] {
  if (process.env['ZEROHOP_BRIEF'] === '1') return VERSION_DEPENDENT;
  if (process.env['ZEROHOP_PART'] === 'long') return files.filter(hasLongPart);
  return process.env['ZEROHOP_PART'] === 'short' ? files.filter((file) => !LONG_ALONE.includes(file)) : files;
}

// Files that look at nothing but what they make themselves share a process: to start one costs more than most of them
// do. The others start processes, count bytes, garbage or warnings of their own, or change what all of it sees.
const ALONE = [
  /^test\/(cli|docs|examples|loading|package|resp|tier|workers)\//,
  /^test\/cache\/(address-space|backends|detach|events|exits|history|memory|near-cache|opening|policy)\./,
  /^test\/cache\/(reclaim|small-caches|views|writes)\./,
  /^test\/fingerprint\/hostile\./,
  /^test\/model\/(attack|forgetting)\./,
  /^test\/weights\/(beyond-4gib|blobs|checkpoints|close|ends|external-data|file-system|shared-folder|weights|windows)\./,
];
const isAlone = (file: string) => ALONE.some((one) => one.test(file));

export default defineConfig({
  test: {
    pool: 'forks',
    execArgv: ['--expose-gc'],
    maxWorkers: 2,
    maxConcurrency: 3,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    server: { deps: { external: [/\/dist\//] } },
    projects: [
      {
        extends: true,
        test: { name: 'alone', include: include(), exclude: files.filter((file) => !isAlone(file)) },
      },
      {
        extends: true,
        test: { name: 'together', include: include(), exclude: files.filter(isAlone), isolate: false },
      },
    ],
  },
});
