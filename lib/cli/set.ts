// set.ts: `zerohop set`, one value: from the command line, a file or standard input.

import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { costOption, durationOption, tagsOption } from '../base/options.js';
import { exactJson } from '../cache/json.js';
import type { Argument } from '../resp/client.js';
import { bytesOfHex, type KeysGiven, keyOf, onServer, type ServerGiven, withKeys, withServer } from './connection.js';
import { misuse, NotThere } from './exit.js';
import { jsonOf, printJson } from './print.js';

interface Given extends ServerGiven, KeysGiven {
  file?: string;
  hex?: boolean;
  f32?: boolean;
  ttl?: string;
  tag?: string[];
  cost?: string;
  ifAbsent?: boolean;
}

export function setCommand(): Command {
  const command = new Command('set')
    .description('store a value; without one on the command line it is read from standard input')
    .argument('<key>')
    .argument('[value]')
    .option('--file <path>', 'store what the file contains; -: standard input')
    .option('--hex', 'the value is written as hexadecimal digits')
    .option('--f32', 'the value is written as numbers, separated by spaces or commas, and stored as float32')
    .option('--ttl <duration>', 'how long it may be served, such as 10m')
    .option('--tag <tag...>', 'names by which zerohop purge --tag deletes it')
    .option('--cost <ms>', 'what computing it again would take: the cache keeps longer what costs more')
    .option('--if-absent', 'only if there is no value under the key');
  return withServer(withKeys(command), {
    json: 'the value is JSON, unless --hex or --f32 says what it is; it is checked, and what is printed is JSON too',
  }).action(run);
}

async function run(key: string, value: string | undefined, given: Given): Promise<void> {
  if (given.hex && given.f32) throw misuse('--hex and --f32 cannot be given together');
  const bytes = keyOf(key, given);
  const options = optionsOf(given);
  const stored = encoded(await sourceOf(value, given), given);
  await onServer(given, async (client) => {
    // Redis knows SET as well; what needs our own command says so.
    const command = given.tag !== undefined || given.cost !== undefined ? 'ZH.SET' : 'SET';
    const reply = await client.call(command, bytes, stored, ...options);
    if (given.json) printJson({ key: jsonOf(bytes), stored: reply !== null, bytes: stored.length });
    if (reply === null)
      throw new NotThere(given.json ? '' : 'there is a value under the key already; nothing was stored');
  });
}

function optionsOf({ ttl, tag, cost, ifAbsent }: Given): Argument[] {
  const tags = tag === undefined ? [] : tagsOption('--tag', tag);
  return [
    ...(ttl === undefined ? [] : ['PX', finite(durationOption('--ttl', ttl))]),
    ...(tags.length === 0 ? [] : ['TAGS', tags.length, ...tags]),
    ...(cost === undefined ? [] : ['COST', costOption('--cost', Number(cost))]),
    ...(ifAbsent ? ['NX'] : []),
  ];
}

function finite(ms: number): number {
  if (ms === Number.POSITIVE_INFINITY) throw misuse('--ttl: what is to stay for ever needs none');
  return ms;
}

async function sourceOf(value: string | undefined, { file }: Given): Promise<Buffer> {
  if (value !== undefined && file !== undefined) throw misuse('a value and --file cannot be given together');
  if (value !== undefined) return Buffer.from(value);
  if (file !== undefined && file !== '-') return readFileSync(file);
  if (file === undefined && process.stdin.isTTY)
    throw misuse('say the value, or --file <path>, or give it on standard input');
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function encoded(source: Buffer, { hex, f32, json }: Given): Buffer {
  if (hex) return bytesOfHex('value', source.toString('latin1'));
  if (!f32) return json ? asCodecJson(source) : source;
  const numbers = source
    .toString()
    .split(/[\s,[\]]+/)
    .filter((word) => word !== '')
    .map(numberOf);
  return Buffer.from(Float32Array.from(numbers).buffer);
}

/** As the codec `json` stores it, so that code in a process reads it. */
function asCodecJson(source: Buffer): Buffer {
  let value: unknown;
  try {
    if (!isUtf8(source)) throw new SyntaxError('it is no UTF-8');
    value = JSON.parse(source.toString());
  } catch (error) {
    throw misuse(`value: expected JSON: ${(error as SyntaxError).message}`);
  }
  return Buffer.from(exactJson(value));
}

function numberOf(word: string): number {
  const number = Number(word);
  if (Number.isNaN(number) && word !== 'NaN') throw misuse(`value: ${JSON.stringify(word.slice(0, 40))} is no number`);
  return number;
}
