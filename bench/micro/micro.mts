// micro.mts — what does each operation of the public interface cost, in one table?
//
// For those who change it: run it before and after. tinybench times each operation for some ms in every round, in turns
// (operation.mts). Half of the rounds are within the margin around their median. Caches and files are small, 80 MB at
// most: what lookups wait for memory is the question of the other suites. Every answer is checked before the first is
// timed.

import type { SuiteArguments } from '../harness/arguments.mjs';
import { makeTemporaryFolder } from '../harness/cleanup.mjs';
import { clearProgress, showProgress } from '../harness/progress.mjs';
import { makeCase } from '../harness/report.mjs';
import { summarize } from '../harness/statistics.mjs';
import { runSuite, type SuiteFigures } from '../harness/suite.mjs';
import { formatNumber, formatTable } from '../harness/table.mjs';
import { marginOf, type Operation, timeInRounds } from './operation.mjs';
import { openRooms } from './rooms.mjs';

const FULL = { rounds: 7, timeMs: 8 };
const QUICK = { rounds: 3, timeMs: 4 };

await runSuite('micro', measure);

async function measure({ quick }: SuiteArguments): Promise<SuiteFigures> {
  const { rounds, timeMs } = quick ? QUICK : FULL;
  showProgress('micro: filling');
  const rooms = await openRooms(makeTemporaryFolder());
  const operations = [...rooms].flatMap(([room, { operations }]) => operations.map((one) => inRoom(room, one)));
  showProgress('micro: checking every answer');
  for (const { check } of operations) await check();
  const onRound = (round: number) => showProgress(`micro: round ${round + 1} of ${rounds}`);
  const samples = await timeInRounds(operations, { rounds, timeMs, onRound });
  for (const { close } of rooms.values()) close();
  clearProgress();
  const rows = [...samples].map(([name, ns]) => {
    return [name, formatNumber(summarize(ns).median), `± ${(100 * marginOf(ns)).toFixed(0)} %`];
  });
  console.log(
    [
      `\n${operations.length} operations; ns an item (a call, or a key, row or input of a batch)`,
      `median of ${rounds} rounds, of which half are within the margin\n`,
    ].join('\n'),
  );
  console.log(formatTable(['operation', 'ns', 'margin'], rows));
  return { cases: [...samples].map(([name, ns]) => makeCase(name, 'ns', summarize(ns))), ratios: {} };
}

function inRoom(room: string, operation: Operation): Operation {
  return { ...operation, name: `${room}: ${operation.name}` };
}
