// report.ts: `zerohop report`, what caches saved, from the ledgers that their processes kept as JSON.

import { Command } from 'commander';
import type { LedgerSnapshot } from '../report.js';
import { jsonFrom, moneyOptionsOf, type PricesGiven, withPrices } from './prices.js';
import { print, printJson, shown } from './print.js';

interface Given extends PricesGiven {
  since?: string;
  json?: boolean;
}

export function reportCommand(): Command {
  const command = new Command('report')
    .description('tell what caches saved, in seconds and money, from what `ledgerOf` of zerohop/report gave')
    .argument('<file...>', 'a ledger as JSON, of one process each; "-": standard input');
  return withPrices(command)
    .option('--since <date>', 'count only what happened since, such as 2026-11-01')
    .option('--json', 'print JSON')
    .action(run);
}

async function run(files: string[], given: Given): Promise<void> {
  const options = await moneyOptionsOf(given);
  const { report, reportText } = await import('../report.js');
  const ledgers = files.map((file) => {
    const ledger = jsonFrom(file, 'a ledger, as ledgerOf gives') as LedgerSnapshot;
    try {
      report(ledger);
      return ledger;
    } catch (error) {
      throw new Error(`${shown(file)}: expected a ledger, as ledgerOf gives: ${(error as Error).message}`);
    }
  });
  const money = report(ledgers, { ...options, ...(given.since !== undefined && { since: given.since }) });
  if (given.json) printJson(money);
  else print(reportText(money).trimEnd());
}
