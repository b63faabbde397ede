// settings.ts: what `zerohop serve` can be told: on the command line, or in a config file. The command line wins.

import { existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { ServeOptions } from '../resp/options.js';
import { CONFIG_FILE, PROPERTIES, readConfigFile } from './config-file.js';

/** Named as the settings of the config file are, and as commander names the options. */
export interface Settings {
  memoryLimit?: string | number;
  maxValue: string | number;
  admission?: boolean;
  port: string | number;
  host?: string | string[];
  socket?: string;
  socketMode?: string;
  threads?: string | number;
  ioUring: boolean;
  passwordFile?: string;
  userFile?: string;
  protectedMode: boolean;
  maxClients?: string | number;
  idleTimeout?: string | number;
  tlsPort?: string | number;
  tlsCert?: string;
  tlsKey?: string;
  tlsCa?: string;
  metrics?: string | number;
  pidFile?: string;
  logFile?: string;
}

/** The option for each setting. Its description is that of the config file's schema, unless it turns something off. */
const FLAGS: Readonly<Record<keyof Settings, string | readonly [flags: string, description: string]>> = {
  memoryLimit: '-m, --memory-limit <size>',
  maxValue: '--max-value <size>',
  admission: ['--admission', 'When the cache is full, store no new keys that are worth less than nearly all others.'],
  port: '-p, --port <number>',
  host: '--host <address...>',
  socket: '--socket <path>',
  socketMode: '--socket-mode <octal>',
  threads: '--threads <number>',
  ioUring: ['--no-io-uring', 'Make each system call alone, also where the kernel takes many at once.'],
  passwordFile: '--password-file <path>',
  userFile: '--user-file <path>',
  protectedMode: ['--no-protected-mode', 'Let other hosts in without a password.'],
  maxClients: '--max-clients <number>',
  idleTimeout: '--idle-timeout <duration>',
  tlsPort: '--tls-port <number>',
  tlsCert: '--tls-cert <path>',
  tlsKey: '--tls-key <path>',
  tlsCa: '--tls-ca <path>',
  metrics: '--metrics <address>',
  pidFile: '--pid-file <path>',
  logFile: '--log-file <path>',
};

/** Adds an option for each setting, and one for the config file. */
export function withSettings(command: Command): Command {
  withConfig(command);
  for (const [name, flags] of Object.entries(FLAGS)) {
    const { description, default: otherwise } = PROPERTIES[name]!;
    if (typeof flags === 'object') command.option(...flags);
    else if (otherwise === undefined) command.option(flags, description);
    else command.option(flags, description, String(otherwise));
  }
  return command;
}

export function withConfig(command: Command): Command {
  return command.option('-c, --config <path>', `config file (default: ${CONFIG_FILE}, if there is one here)`);
}

/** The settings by the command line, the config file, and their defaults, in this order. */
export function settingsOf(command: Command): Settings {
  const given = command.opts<Settings & { config?: string }>();
  const fromFile = configOf(given.config);
  const typed = Object.entries(given).filter(([name]) => command.getOptionValueSource(name) === 'cli');
  return { ...given, ...fromFile, ...Object.fromEntries(typed) };
}

/** The settings of the config file that was named, or that lies here; none if there is none. */
export function configOf(config: string | undefined): Partial<Settings> {
  if (config !== undefined) return readConfigFile(config);
  return existsSync(CONFIG_FILE) ? readConfigFile(CONFIG_FILE) : {};
}

/** What the server of the library is started with. */
export function serveOptionsOf(given: Settings): ServeOptions<string> {
  const users = linesOf(given.userFile);
  const password =
    given.passwordFile === undefined ? process.env['ZEROHOP_PASSWORD'] : textOf(given.passwordFile).trim();
  const tls = tlsOf(given);
  return {
    port: given.port === 'none' ? false : Number(given.port),
    protectedMode: given.protectedMode,
    ioUring: given.ioUring,
    maxBulkBytes: given.maxValue,
    ...(given.host !== undefined && { host: given.host }),
    ...(given.socket !== undefined && { path: given.socket, pathMode: Number.parseInt(given.socketMode ?? '', 8) }),
    ...(given.threads !== undefined && { threads: Number(given.threads) }),
    ...(password !== undefined && password !== '' && { password }),
    ...(users.length > 0 && { users }),
    ...(given.maxClients !== undefined && { maxClients: Number(given.maxClients) }),
    ...(given.idleTimeout !== undefined && { idleTimeout: given.idleTimeout }),
    ...(tls !== undefined && { tls }),
  };
}

function tlsOf({ tlsPort, tlsCert, tlsKey, tlsCa }: Settings): ServeOptions['tls'] {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  return {
    cert: tlsCert === undefined ? '' : textOf(tlsCert),
    key: tlsKey === undefined ? '' : textOf(tlsKey),
    ...(tlsCa !== undefined && { ca: textOf(tlsCa) }),
    ...(tlsPort !== undefined && { port: Number(tlsPort) }),
  };
}

function textOf(path: string): string {
  return readFileSync(path, 'utf8');
}

function linesOf(path: string | undefined): string[] {
  if (path === undefined) return [];
  return textOf(path)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}
