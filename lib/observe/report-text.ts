// report-text.ts: a report as a person reads it. Amounts are rounded towards what saves least. Names of models are
// shown, whatever is in them: what would steer a terminal is written as an escape.

import type { ModelMoney, MoneyReport } from './report.js';

/** Of reading direction, invisible, and of line ends: what would make a text look like another one. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;

/** The text, without anything that steers a terminal or hides. @internal */
export function visible(text: string): string {
  return text.replace(UNSEEN, (one) => `\\u{${one.codePointAt(0)!.toString(16)}}`);
}

/**
 * The report in lines of at most some 80 columns.
 *
 * @example console.log(reportText(report(cache)))
 */
export function reportText(report: MoneyReport): string {
  const { from, to, tables, models, total } = report;
  if (from === null || models.length === 0) return 'No model was asked.\n';
  const lines = [`From ${from} to ${to}.`];
  for (const { name, date } of tables) lines.push(`Prices: ${visible(name)}, of ${visible(date)}.`);
  for (const model of models) lines.push('', ...modelLines(model));
  lines.push('', `All models: at least ${secondsText(total.seconds.saved[0])} saved, ${usdText(total.usd.saved[0])}.`);
  if (total.unpricedModels > 0)
    lines.push(`${total.unpricedModels} of them without a price: only their seconds are counted.`);
  return `${lines.join('\n')}\n`;
}

function modelLines(model: ModelMoney): string[] {
  const { seconds: s, wrong } = model;
  const share = model.hits + model.asked + model.coalesced;
  const lines = [
    `${visible(model.model)} ${visible(model.version)}: ${count(model.hits)} hits that avoided a run, of ${count(share)} inputs`,
    row('avoided by hits', secondsText(s.avoided), ''),
    row(
      'found wrong',
      secondsText(-s.wrong),
      wrong.compared === 0 ? 'none was compared' : `${wrong.differed} of ${wrong.compared} compared`,
    ),
    row('renewing results', secondsText(-s.refresh), ''),
    row('comparing hits', secondsText(-s.verify), ''),
    row('our own time', secondsText(-s.overhead[1]), 'at most'),
    row(
      'saved',
      secondsText(s.saved[0]),
      model.usd === null ? 'no price' : `${usdText(model.usd.saved[0])}, at most ${usdText(model.usd.saved[1])}`,
    ),
    row('joined callers', secondsText(s.coalesced), model.usd === null ? '' : usdText(model.usd.coalesced)),
  ];
  for (const { name, table, date } of model.prices)
    lines.push(`  at ${visible(name)} of ${visible(table)}, ${visible(date)}`);
  for (const note of model.notes) lines.push(`  ${visible(note)}`);
  return lines;
}

const row = (name: string, amount: string, note: string) =>
  `  ${name.padEnd(18)}${amount.padStart(14)}  ${note}`.trimEnd();

/** Down, whatever the sign, to so many digits behind the point. */
function floored(amount: number, digits: number): string {
  const scaled = Math.floor(amount * 10 ** digits) / 10 ** digits;
  return (Number.isFinite(scaled) ? scaled : amount).toFixed(digits);
}

/** @internal */
export const secondsText = (amount: number): string => `${floored(amount === 0 ? 0 : amount, 3)} s`;
/** @internal */
export const usdText = (amount: number): string => `${floored(amount, Math.abs(amount) < 1 ? 6 : 2)} USD`;
const count = (amount: number) => String(amount);
