// init.ts: `zerohop init`, a config file to begin with. It asks nothing.

import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Command, Option } from 'commander';
import { sizeOption } from '../base/options.js';
import { CONFIG_FILE, PROPERTIES } from './config-file.js';
import { print, printJson, shown, wrapped } from './print.js';

interface Given {
  config: string;
  mode: Mode;
  memoryLimit?: string;
  force?: boolean;
  json?: boolean;
}

const SCHEMA = './node_modules/zerohop/dist/cli/zerohop.config.schema.json';
const COMMENT_COLUMNS = 96;

/** What a cache is for, what follows for its clients, and the settings that are good for it. */
const MODES = {
  inference: {
    about: 'Results of models. Say what computing one took (ZH.SET … COST): what is dear stays longer.',
    settings: {},
  },
  embeddings: {
    about: 'Vectors, read in batches: ZH.GATHER gives rows side by side. The socket is faster than TCP for batches.',
    settings: { socket: 'zerohop.sock' },
  },
  features: {
    about: 'Rows of features, read by many short requests. Clients that have gone are forgotten after a while.',
    settings: { socket: 'zerohop.sock', idleTimeout: '10m' },
  },
  weights: {
    about:
      'Large values, such as shards of weights and states of tokenizers, for programs of this machine. What comes once ' +
      'does not push out what is used. A Node.js program maps files instead (weights.open), and copies nothing.',
    settings: { port: 'none', socket: 'zerohop.sock', maxValue: '4GB', admission: true },
  },
} as const;
type Mode = keyof typeof MODES;

export function initCommand(): Command {
  return new Command('init')
    .description('write a config file that tells every setting, for zerohop serve')
    .addOption(new Option('--mode <mode>', 'what the cache is for').choices(Object.keys(MODES)).default('inference'))
    .option('-m, --memory-limit <size>', "memory for the cache, such as 4GB (default: a quarter of the machine's)")
    .option('-c, --config <path>', 'where to write it', CONFIG_FILE)
    .option('--force', 'write over the file that is there')
    .option('--json', 'print JSON')
    .action(run);
}

function run({ config, mode, memoryLimit, force, json }: Given): void {
  if (memoryLimit !== undefined) sizeOption('--memory-limit', memoryLimit, 2 ** 20, 2 ** 44);
  const hasSchema = existsSync(path.resolve(path.dirname(config), SCHEMA));
  const text = textOf(MODES[mode].about, {
    ...(hasSchema && { $schema: SCHEMA }),
    ...(memoryLimit !== undefined && { memoryLimit }),
    port: PROPERTIES['port']!.default,
    ...MODES[mode].settings,
  });
  try {
    writeFileSync(config, text, { flag: force ? 'w' : 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    throw new Error(`${config} is there already; zerohop init --force writes over it`);
  }
  if (json) printJson({ config: path.resolve(config) });
  else print(`wrote ${shown(config)}; zerohop start serves by it`);
}

/** Every setting with what it means. Those that are not set are comments, with an example of a value. */
function textOf(about: string, values: Record<string, unknown>): string {
  const parts = Object.entries(PROPERTIES)
    .filter(([name]) => name !== '$schema' || name in values)
    .map(([name, property]) => {
      const comments = name === '$schema' ? [] : wrapped(property.description, COMMENT_COLUMNS);
      const value = values[name] ?? property.default ?? property.examples?.[0];
      const member = `${JSON.stringify(name)}: ${JSON.stringify(value)},`;
      return [...comments.map((line) => `  // ${line}`), `  ${name in values ? '' : '// '}${member}`].join('\n');
    });
  const head = ['What zerohop serve is to do. Comments are allowed; paths are relative to this file.', about]
    .flatMap((text) => wrapped(text, COMMENT_COLUMNS))
    .map((line) => `// ${line}`);
  return `${head.join('\n')}\n{\n${parts.join('\n\n')}\n}\n`;
}
