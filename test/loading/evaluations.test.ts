// The library's JavaScript evaluated more than once over one addon: by test runners, reloads and bundles.
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { alike, answer, whole } from '../fixtures/child.js';

const root = path.join(__dirname, '..', '..');
const projects = path.join(__dirname, 'projects');
const execute = promisify(execFile);

/** Runs a test runner as its users do; rejects with what it prints if a test fails. */
async function run(script: string, ...args: string[]): Promise<string> {
  const { VITEST: _, NODE_ENV: __, ...env } = process.env;
  const options = { cwd: root, env: { ...env, CI: '1', FORCE_COLOR: '0', NO_COLOR: '1' } };
  const { stdout, stderr } = await execute(
    process.execPath,
    [path.join(root, 'node_modules', script), ...args],
    options,
  );
  return stdout + stderr;
}

test('each evaluation serves its own values, throws its own errors, and can be collected', async () => {
  expect(await answer('evaluations.mjs')).toEqual([]);
});

describe('in a test runner', () => {
  test.runIf(whole)(
    'Jest: resetModules, isolateModules, files side by side and fake timers change no answer',
    async () => {
      const folder = path.join(projects, 'jest');
      const config = path.join(folder, 'jest.config.cjs');
      const printed = await run('jest/bin/jest.js', '--rootDir', folder, '--config', config, '--runInBand');
      expect(printed).toContain('Tests:       8 passed, 8 total');
    },
  );

  test.each(alike(['threads', 'forks', 'vmForks', 'vmThreads']))(
    'vitest, %s: files side by side and fake timers change no answer',
    async (pool) => {
      const printed = await run('vitest/vitest.mjs', 'run', '--root', path.join(projects, 'vitest'), '--pool', pool);
      expect(printed).toMatch(/Tests +4 passed \(4\)/);
    },
  );
});

test.each(['before', 'after'])(
  "sinon's fake timers, installed %s the library is loaded, stop no predict",
  async (when) => {
    expect(await answer('fake-timers.mjs', { args: [when] })).toEqual(['A', 'B']);
  },
);
