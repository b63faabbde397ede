// start.mjs — `npm start`: from a fresh checkout to the main job's table, with one command.

import { runMain } from './prepare.mjs';
import { runSuite } from './run-suite.mjs';

runMain(() => runSuite('start', process.argv.slice(2)));
