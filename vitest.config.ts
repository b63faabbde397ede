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

// What test/fixtures/child.ts says of ZEROHOP_PART: the files that have a long part are those that ask it for cases.
const HAS_LONG_PART = /\b(alike|backends|viewBackends)\b.*from '.*\/fixtures\/child\.js'/;
const withLongPart = () =>
  readdirSync(join(__dirname, 'test'), { recursive: true, encoding: 'utf8' })
    .map((file) => join('test', file))
    .filter((file) => file.endsWith('.test.ts') && HAS_LONG_PART.test(readFileSync(join(__dirname, file), 'utf8')));

function include(): string[] {
  if (process.env['ZEROHOP_BRIEF'] === '1') return VERSION_DEPENDENT;
  return process.env['ZEROHOP_PART'] === 'long' ? withLongPart() : ['test/**/*.test.ts'];
}

export default defineConfig({
  test: {
    include: include(),
    pool: 'forks',
    execArgv: ['--expose-gc'],
    maxWorkers: 2,
    maxConcurrency: 3,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    server: { deps: { external: [/\/dist\//] } },
  },
});
