// build-page.mjs — `npm run build:page`: the dashboard page, from lib/observe/page into dist/observe/page: one script
// with uPlot in it, one style sheet, the page and its icon. uPlot's licence stands at the head of the script.

import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';
import { root, runMain } from './prepare.mjs';

const from = path.join(root, 'lib/observe/page');
const to = path.join(root, 'dist/observe/page');

runMain(async () => {
  const licence = readFileSync(path.join(root, 'node_modules/uplot/LICENSE'), 'utf8').trim();
  mkdirSync(to, { recursive: true });
  await build({
    entryPoints: { page: path.join(from, 'main.ts') },
    outdir: to,
    bundle: true,
    minify: true,
    format: 'esm',
    target: ['es2022'],
    banner: { js: `/*! This file contains uPlot.\n${licence}\n*/` },
    logLevel: 'warning',
  });
  await build({
    entryPoints: { page: path.join(from, 'style.css') },
    outdir: to,
    bundle: true,
    minify: true,
    logLevel: 'warning',
  });
  for (const file of ['index.html', 'icon.svg']) copyFileSync(path.join(from, file), path.join(to, file));
});
