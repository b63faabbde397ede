// get.ts: `zerohop get`, one value: to a file, to another program byte by byte, or shown.

import { isUtf8 } from 'node:buffer';
import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { type KeysGiven, keyOf, onServer, type ServerGiven, withKeys, withServer } from './connection.js';
import { misuse, NotThere } from './exit.js';
import { jsonLines, jsonOf, print, printJson, shown, shownLines } from './print.js';

interface Given extends ServerGiven, KeysGiven {
  file?: string;
  hex?: boolean;
  f32?: boolean;
  raw?: boolean;
  pretty?: boolean;
}

const FLOAT_BYTES = 4;

export function getCommand(): Command {
  const command = new Command('get')
    .description('print a value; byte by byte to a file or another program, and so that it does no harm to a terminal')
    .argument('<key>')
    .option('--file <path>', 'write it to a file')
    .option('--hex', 'print it as hexadecimal digits')
    .option('--f32', 'print it as float32 numbers, separated by spaces')
    .option('--pretty', 'print it as JSON in lines, indented')
    .option('--raw', 'print its bytes to a terminal too');
  return withServer(withKeys(command)).action(run);
}

async function run(key: string, given: Given): Promise<void> {
  if ([given.hex, given.f32, given.pretty, given.raw, given.file].filter(Boolean).length > 1)
    throw misuse('--file, --hex, --f32, --pretty and --raw cannot be given together');
  if (given.pretty && given.json) throw misuse('--pretty and --json cannot be given together');
  const bytes = keyOf(key, given);
  await onServer(given, async (client) => {
    const value = await client.call('GET', bytes);
    if (value === null && given.json) printJson({ key: jsonOf(bytes), found: false });
    if (value === null) throw new NotThere(given.json ? '' : `there is no value under ${shown(bytes)}`);
    const found = value as Buffer;
    if (given.file !== undefined) writeFileSync(given.file, found);
    if (given.json)
      printJson({ key: jsonOf(bytes), found: true, bytes: found.length, ...(!given.file && asJson(found, given)) });
    else if (given.file === undefined) write(found, given);
  });
}

function asJson(value: Buffer, { hex, f32 }: Given): { value: unknown } {
  if (hex) return { value: value.toString('hex') };
  return { value: f32 ? Array.from(floatsOf(value)) : jsonOf(value) };
}

function write(value: Buffer, { hex, f32, pretty, raw }: Given): void {
  if (hex) print(value.toString('hex'));
  else if (pretty) print(jsonLines(indented(value)));
  else if (f32) print(floatsOf(value).join(' '));
  else if (raw || !process.stdout.isTTY) process.stdout.write(value);
  else print(shownLines(isUtf8(value) ? value.toString() : shown(value)));
}

function indented(value: Buffer): string {
  try {
    return JSON.stringify(JSON.parse(value.toString()), undefined, 2);
  } catch {
    throw new Error(`the value, of ${value.length} bytes, is no JSON text`);
  }
}

function floatsOf(value: Buffer): Float32Array {
  if (value.length % FLOAT_BYTES !== 0)
    throw new Error(`the value has ${value.length} bytes, which is no multiple of 4`);
  return new Float32Array(new Uint8Array(value).buffer);
}
