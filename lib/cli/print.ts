// print.ts: what commands print: text that cannot command a terminal, columns, colours, JSON.
//
// Keys, names and values come from anybody. Whatever of them is no plain text is shown as an escape (`\x1b`,
// `\u{202e}`), and a backslash as two, so that what is shown tells exactly what there is.

import { isUtf8 } from 'node:buffer';

const NARROW = 60;
const DEFAULT_WIDTH = 80;

/** Control and format characters, separators of lines, and what is no character at all. */
const UNPLAIN = /[\p{C}\p{Zl}\p{Zp}\\]/gu;
/** The same without the backslash and, for text of several lines, without line ends and tabs. */
const UNPLAIN_IN_LINES = /[^\P{C}\n\t]|[\p{Zl}\p{Zp}]/gu;
/** Of the above, what JSON.stringify leaves as it is. */
const UNPLAIN_IN_JSON = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** A key or a name, in one line. */
export function shown(value: string | Uint8Array): string {
  if (typeof value === 'string') return value.replace(UNPLAIN, escapeOf);
  return isUtf8(value) ? shown(Buffer.from(value).toString()) : shownBytes(value);
}

/** Bytes that are no UTF-8: ASCII as it is, the others one by one. */
function shownBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) =>
    byte < 0x80 ? shown(String.fromCharCode(byte)) : `\\x${byte.toString(16).padStart(2, '0')}`,
  ).join('');
}

/** A text of several lines, such as a message: escapes only what could do something to a terminal. */
export function shownLines(text: string): string {
  return text.replace(UNPLAIN_IN_LINES, escapeOf);
}

function escapeOf(character: string): string {
  if (character === '\\') return '\\\\';
  if (character === '\n') return '\\n';
  if (character === '\r') return '\\r';
  if (character === '\t') return '\\t';
  const code = character.codePointAt(0)!;
  return code < 0x80 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`;
}

export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** One document of JSON, on one line, which is plain text too. */
export function printJson(value: unknown): void {
  print(jsonText(value));
}

export function jsonText(value: unknown): string {
  return JSON.stringify(value).replace(UNPLAIN_IN_JSON, unicodeEscapes);
}

/** JSON of several lines: the same, with its line ends. */
export function jsonLines(json: string): string {
  return json
    .split('\n')
    .map((line) => line.replace(UNPLAIN_IN_JSON, unicodeEscapes))
    .join('\n');
}

function unicodeEscapes(character: string): string {
  return Array.from(
    { length: character.length },
    (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`,
  ).join('');
}

/** Bytes as JSON has them: text if they are UTF-8, else in base64. */
export function jsonOf(bytes: Uint8Array): string | { base64: string } {
  return isUtf8(bytes) ? Buffer.from(bytes).toString() : { base64: Buffer.from(bytes).toString('base64') };
}

/** Of standard output, in columns. */
export function width(): number {
  const columns = process.stdout.columns ?? Number(process.env['COLUMNS'] ?? DEFAULT_WIDTH);
  return columns > 0 ? columns : DEFAULT_WIDTH;
}

/** Lines of a label and what belongs to it. In a narrow terminal the second begins on a line of its own. */
export function printPairs(pairs: readonly (readonly [label: string, text: string])[]): void {
  const most = Math.max(0, ...pairs.map(([label]) => label.length));
  const columns = width();
  for (const [label, text] of pairs) {
    const room = columns - most - 2;
    if (columns >= NARROW || text.length <= room) printHanging(`${label.padEnd(most)}  `, text, columns);
    else {
      print(label);
      printHanging('  ', text, columns);
    }
  }
}

/** Text behind `head`, broken between words; what follows stands below its beginning. */
function printHanging(head: string, text: string, columns: number): void {
  const lines = wrapped(text, Math.max(columns - head.length, 16));
  for (const [i, line] of lines.entries()) print(`${i === 0 ? head : ' '.repeat(head.length)}${line}`.trimEnd());
}

export function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** A table. Numbers stand at the right of their column. In a narrow terminal the last columns are left out. */
export function printTable(head: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  const cells = [head, ...rows.map((row) => row.map(String))];
  const widths = head.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  let columns = widths.length;
  const total = (count: number) => widths.slice(0, count).reduce((sum, one) => sum + one + 2, -2);
  while (columns > 2 && total(columns) > width()) --columns;
  for (const row of cells) {
    const line = row.slice(0, columns).map((cell, column) => {
      const isNumber = typeof rows[0]?.[column] === 'number';
      return isNumber ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!);
    });
    print(line.join('  ').trimEnd());
  }
}

const COLOURS = { red: 31, green: 32, yellow: 33, bold: 1, dim: 2 };

/** Only on a terminal, and not where NO_COLOR says so. */
export function colour(name: keyof typeof COLOURS, text: string): string {
  const { NO_COLOR, TERM } = process.env;
  const wanted = process.stdout.isTTY && (NO_COLOR === undefined || NO_COLOR === '') && TERM !== 'dumb';
  return wanted ? `\x1b[${COLOURS[name]}m${text}\x1b[0m` : text;
}

const SIZES = ['B', 'KB', 'MB', 'GB', 'TB'];

/** `1.5 GB`: powers of 1 024, as options take them. */
export function size(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(SIZES.length - 1, Math.floor(Math.log2(bytes) / 10));
  const count = bytes / 2 ** (10 * power);
  return `${Number.isInteger(count) || count >= 100 ? Math.round(count) : count.toFixed(1)} ${SIZES[power]}`;
}

/** A text that takes at most so many columns. */
export function cut(text: string, columns: number): string {
  return text.length > columns ? `${text.slice(0, columns - 1)}…` : text;
}

/** `1 234 567`. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ' ');
}

/** `2d 3h`: the two largest units. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = Math.floor(ms / 1000);
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join(' ');
}
