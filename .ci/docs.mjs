// docs.mjs — `npm run docs [-- --look FOLDER]`: the site, into build/docs. A dead link fails, and so does a docstring
// that names what there is not.
//
// --look: pictures of its pages, as Chromium shows them, light and dark, into the folder.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ensureDependencies, findCommand, PreparationError, requireTools, root, runMain } from './prepare.mjs';

const PAGES = ['', 'guide/embedding-lookups', 'guide/memory-and-views', 'api/', 'DECISIONS'];
const PORT = 4173;

runMain(async () => {
  ensureDependencies();
  run('typedoc', 'node_modules/typedoc/bin/typedoc', ['--options', 'docs/typedoc.json']);
  mkdirSync(path.join(root, 'docs/public'), { recursive: true });
  copyFileSync(path.join(root, 'docs/pictures/start.svg'), path.join(root, 'docs/public/start.svg'));
  run('vitepress', 'node_modules/vitepress/bin/vitepress.js', ['build', 'docs']);
  console.log('build/docs: npx vitepress preview docs');
  const look = process.argv.indexOf('--look');
  if (look !== -1) await photograph(path.resolve(process.argv[look + 1] ?? 'build/docs-pictures'));
});

function run(what, script, args) {
  const result = spawnSync(process.execPath, [path.join(root, script), ...args], { cwd: root, stdio: 'inherit' });
  if (result.status !== 0) throw new PreparationError(`${what} failed`);
}

async function photograph(folder) {
  requireTools([{ commands: ['chromium'], debianPackage: 'chromium' }], 'look at the pages');
  mkdirSync(folder, { recursive: true });
  const script = path.join(root, 'node_modules/vitepress/bin/vitepress.js');
  const server = spawn(process.execPath, [script, 'preview', 'docs', '--port', `${PORT}`], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(server.stdout, 'data');
  for (const page of PAGES) {
    const file = path.join(folder, `${page.replaceAll('/', '-') || 'home'}.png`);
    screenshot(`http://localhost:${PORT}/${page}`, file);
    console.log(file);
  }
  server.kill();
}

function screenshot(url, file) {
  const profile = mkdtempSync(path.join(os.tmpdir(), 'zerohop-chromium-'));
  const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];
  const shown = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--hide-scrollbars'];
  const page = ['--window-size=1280,1600', '--virtual-time-budget=5000', `--screenshot=${file}`, url];
  const { status } = spawnSync(findCommand('chromium'), [...shown, ...quiet, `--user-data-dir=${profile}`, ...page]);
  rmSync(profile, { recursive: true, force: true });
  if (status !== 0) throw new PreparationError(`chromium could not show ${url}`);
}
