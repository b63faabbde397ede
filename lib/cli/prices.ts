// prices.ts: which prices a command counts with, as the user says them.

import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { MoneyOptions, PriceTable } from '../report.js';
import { misuse } from './exit.js';
import { shown } from './print.js';

export interface PricesGiven {
  instance?: string;
  price?: string;
  prices?: string;
}

const STANDARD_INPUT = '-';

export function withPrices(command: Command): Command {
  return command
    .option('--instance <name>', 'the machine that models ran on, as the price table names it, such as "aws g5.xlarge"')
    .option('--price <usd>', 'what an hour of a GPU costs, in US dollars, in place of --instance')
    .option('--prices <file>', 'a price table as JSON, in place of the list prices of zerohop');
}

/** @throws with the code ERR_CLI_USAGE: they contradict each other, or are none. */
export async function moneyOptionsOf({ instance, price, prices }: PricesGiven): Promise<MoneyOptions> {
  if (instance !== undefined && price !== undefined)
    throw misuse('--instance and --price: expected one of them, received both');
  const { GPU_PRICES } = await import('../report.js');
  return {
    prices: prices === undefined ? GPU_PRICES : (jsonFrom(prices, 'a price table, see docs/MONEY.md') as PriceTable),
    ...(instance !== undefined && { otherwise: { instance } }),
    ...(price !== undefined && { otherwise: { usdPerHour: usdOf(price) } }),
  };
}

function usdOf(price: string): number {
  const usd = Number(price);
  if (price.trim() === '' || !(usd >= 0 && usd < Infinity))
    throw misuse(`--price: expected US dollars an hour, such as 1.25, received "${shown(price)}"`);
  return usd;
}

/** What a file has; "-": standard input. */
export function jsonFrom(file: string, what: string): unknown {
  const text = readFileSync(file === STANDARD_INPUT ? 0 : file, 'utf8');
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${shown(file)}: expected JSON of ${what}`);
  }
}
