// config-file.ts: zerohop.config.json, read and checked by its schema.
//
// Comments and a comma behind the last member are allowed, as in tsconfig.json. A setting that nobody knows is an
// error: it would be a limit that does not hold.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { misuse } from './exit.js';

import schema = require('./zerohop.config.schema.json');

export const CONFIG_FILE = 'zerohop.config.json';

interface Property {
  readonly type: string | readonly string[];
  readonly description: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
}

export const PROPERTIES: Readonly<Record<string, Property>> = schema.properties;

/** Settings whose value is a path, relative to the file. */
const PATHS = ['socket', 'passwordFile', 'userFile', 'tlsCert', 'tlsKey', 'tlsCa', 'pidFile', 'logFile'];

/** The settings of a file. @throws with the code ERR_CLI_USAGE: there is none, or one of them is wrong. */
export function readConfigFile(file: string): Record<string, unknown> {
  const given = parsed(file, readFileSync(file, 'utf8'));
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw misuse(`${file}: expected an object of settings`);
  const settings: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(given)) {
    const property = Object.hasOwn(PROPERTIES, name) ? PROPERTIES[name] : undefined;
    if (property === undefined)
      throw misuse(`${file}: ${JSON.stringify(name)} is no setting; there are ${Object.keys(PROPERTIES).join(', ')}`);
    const types = [property.type].flat();
    if (!types.some((type) => isOfType(value, type)))
      throw misuse(`${file}: ${name}: expected ${types.join(' or ')}, received ${JSON.stringify(value)}`);
    if (name !== '$schema')
      settings[name] = PATHS.includes(name) ? path.resolve(path.dirname(file), value as string) : value;
  }
  return settings;
}

function isOfType(value: unknown, type: string): boolean {
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'array') return Array.isArray(value) && value.every((one) => typeof one === 'string');
  return typeof value === type;
}

function parsed(file: string, text: string): unknown {
  try {
    return JSON.parse(withoutComments(text));
  } catch (error) {
    const { message } = error as SyntaxError;
    const position = /at position (\d+)/.exec(message)?.[1];
    const line = position === undefined ? '' : `:${text.slice(0, Number(position)).split('\n').length}`;
    throw misuse(`${file}${line}: ${message}`);
  }
}

/** Strings as they are; comments, and commas behind the last member, as blanks, so that places stay the same. */
const PARTS =
  /"(?:[^"\\\n]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\/|,(?=(?:\s|\/\/[^\n]*\n|\/\*(?:(?!\*\/)[\s\S])*\*\/)*[}\]])/g;

function withoutComments(text: string): string {
  return text.replace(PARTS, (part) => (part.startsWith('"') ? part : part.replace(/[^\n]/g, ' ')));
}
