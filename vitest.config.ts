import { defineConfig } from 'vitest/config';

// The package is loaded as users load it: by its name, from dist/, outside of vite. A second copy of dist/ would load
// the addon's JavaScript side twice in one process.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    execArgv: ['--expose-gc'],
    maxWorkers: 2,
    maxConcurrency: 3,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    server: { deps: { external: [/\/dist\//] } },
  },
});
