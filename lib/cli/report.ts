// report.ts: `zerohop report`, what caches saved, from the ledgers that their processes kept as JSON.

import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import type { LedgerSnapshot, MoneyOptions, PriceTable } from '../report.js';
import { misuse } from './exit.js';
import { print, printJson, shown } from './print.js';

interface Given {
  instance?: string;
  price?: string;
  prices?: string;
  since?: string;
  json?: boolean;
}

const STANDARD_INPUT = '-';

export function reportCommand(): Command {
  return new Command('report')
    .description('tell what caches saved, in seconds and money, from what `ledgerOf` of zerohop/report gave')
    .argument('<file...>', 'a ledger as JSON, of one process each; "-": standard input')
    .option('--instance <name>', 'the machine that models ran on, as the price table names it, such as "aws g5.xlarge"')
    .option('--price <usd>', 'what an hour of a GPU costs, in US dollars, in place of --instance')
    .option('--prices <file>', 'a price table as JSON, in place of the list prices of zerohop')
    .option('--since <date>', 'count only what happened since, such as 2026-11-01')
    .option('--json', 'print JSON')
    .action(run);
}

async function run(files: string[], given: Given): Promise<void> {
  if (given.instance !== undefined && given.price !== undefined)
    throw misuse('--instance and --price: expected one of them, received both');
  const { GPU_PRICES, report, reportText } = await import('../report.js');
  const ledgers = files.map((file) => {
    const ledger = jsonFrom(file, 'a ledger, as ledgerOf gives') as LedgerSnapshot;
    try {
      report(ledger);
      return ledger;
    } catch (error) {
      throw new Error(`${shown(file)}: expected a ledger, as ledgerOf gives: ${(error as Error).message}`);
    }
  });
  const money = report(ledgers, {
    prices:
      given.prices === undefined
        ? GPU_PRICES
        : (jsonFrom(given.prices, 'a price table, see docs/MONEY.md') as PriceTable),
    ...otherwise(given),
    ...(given.since !== undefined && { since: given.since }),
  });
  if (given.json) printJson(money);
  else print(reportText(money).trimEnd());
}

function otherwise({ instance, price }: Given): Pick<MoneyOptions, 'otherwise'> {
  if (instance !== undefined) return { otherwise: { instance } };
  if (price === undefined) return {};
  const usdPerHour = Number(price);
  if (price.trim() === '' || !(usdPerHour >= 0 && usdPerHour < Infinity))
    throw misuse(`--price: expected US dollars an hour, such as 1.25, received "${shown(price)}"`);
  return { otherwise: { usdPerHour } };
}

function jsonFrom(file: string, what: string): unknown {
  const text = readFileSync(file === STANDARD_INPUT ? 0 : file, 'utf8');
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${shown(file)}: expected JSON of ${what}`);
  }
}
