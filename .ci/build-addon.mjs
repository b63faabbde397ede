// build-addon.mjs — `npm run build:addon`: compiles build/Release/zerohop.node by node-gyp; with names behind it, those
// targets of binding.gyp too; with `--all` all of them, and the addons of rivals.
//
// Configure and build, never rebuild: rebuild begins by deleting all of build/, where other things live
// too (the Node versions of test-nodes.mjs, the native tests).  make recompiles what changed.
// Where this Node has its headers beside it, node-gyp is pointed at them and downloads nothing.

import { spawnSync } from 'node:child_process';
import path from 'node:path';
import {
  ADDON_TOOLS,
  ensureDependencies,
  headerOptions,
  PreparationError,
  requireTools,
  root,
  runMain,
} from './prepare.mjs';
import { ensureRivals } from './rivals.mjs';

const PRODUCT = 'build/Release/zerohop.node';
const TARGETS = ['zerohop', 'zerohop_floor', 'zerohop_machine'];

runMain(() => {
  ensureDependencies();
  requireTools(ADDON_TOOLS, 'compile the addon');
  const startedMs = performance.now();
  const nodeGyp = path.join(root, 'node_modules/node-gyp/bin/node-gyp.js');
  const all = process.argv.includes('--all');
  const targets = all ? [] : [...TARGETS, ...process.argv.slice(2)];
  for (const command of [['configure'], ['build', ...targets]]) {
    const args = [nodeGyp, ...command, '--release', '--jobs', 'max', ...headerOptions()];
    const result = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 28 });
    if (result.status !== 0) throw new PreparationError(`${result.stdout}${result.stderr}\nthe addon did not build`);
    for (const warning of compilerWarnings(result.stderr)) console.log(warning);
  }
  if (all) ensureRivals();
  console.log(`${PRODUCT}: ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
});

/** What node-gyp itself says (`gyp info …`) is of no use after a success; what the compiler says is. */
function compilerWarnings(stderr) {
  return stderr.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('gyp '));
}
