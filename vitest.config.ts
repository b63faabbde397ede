import { defineConfig } from 'vitest/config';

// The package is loaded as users load it: by its name, from dist/, outside of vite. A second copy of dist/ would load
// the addon's JavaScript side twice in one process.
// Briefly, on the Nodes beside the first one: whatever meets V8, its collector, threads or ends of processes.
const VERSION_DEPENDENT = [
  'test/cache/{api,backends,codecs,detach,exits,memory,opening,reclaim,views}.test.ts',
  'test/examples/examples.test.ts',
  'test/weights/{beyond-4gib,embedding-table,ends,external-data,weights,windows}.test.ts',
  'test/workers/!(near-coherence).test.ts',
];

export default defineConfig({
  test: {
    include: process.env['ZEROHOP_BRIEF'] === '1' ? VERSION_DEPENDENT : ['test/**/*.test.ts'],
    pool: 'forks',
    execArgv: ['--expose-gc'],
    maxWorkers: 2,
    maxConcurrency: 3,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    server: { deps: { external: [/\/dist\//] } },
  },
});
