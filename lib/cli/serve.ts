// serve.ts: `zerohop serve`, a cache of its own process that speaks Redis.

import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import type { ServeOptions } from '../resp/options.js';

interface Given {
  port: string;
  host?: string[];
  socket?: string;
  socketMode?: string;
  memoryLimit?: string;
  threads?: string;
  ioUring: boolean;
  passwordFile?: string;
  userFile?: string;
  protectedMode: boolean;
  maxClients?: string;
  idleTimeout?: string;
  tlsPort?: string;
  tlsCert?: string;
  tlsKey?: string;
  tlsCa?: string;
}

/** How long a server that is told to end waits for the replies that are on their way. */
const DRAIN = '5s';

export function serveCommand(): Command {
  return new Command('serve')
    .alias('start')
    .description('serve a cache to every Redis client')
    .option('-p, --port <number>', 'TCP port; 0: any that is free; "none": no TCP', '6380')
    .option('--host <address...>', 'addresses to listen on (default: loopback alone)')
    .option('--socket <path>', 'a unix socket to listen on too')
    .option('--socket-mode <octal>', 'file mode of the socket (default: 600)')
    .option('-m, --memory-limit <size>', "memory for the cache, such as 4GB (default: a quarter of the machine's)")
    .option('--threads <number>', 'threads that serve (default: one a CPU, 4 at most)')
    .option('--no-io-uring', 'make each system call alone, also where the kernel takes many at once')
    .option('--password-file <path>', 'what clients must say with AUTH; or the environment variable ZEROHOP_PASSWORD')
    .option('--user-file <path>', 'users, one a line, as ACL SETUSER takes them: "reader on >secret ~* +@read"')
    .option('--no-protected-mode', 'let other hosts in without a password')
    .option('--max-clients <number>', 'the most clients at a time (default: 10000)')
    .option('--idle-timeout <duration>', 'disconnect clients that say nothing for so long, such as 10m')
    .option('--tls-port <number>', 'TCP port for TLS (default: one more than --port)')
    .option('--tls-cert <path>', 'PEM file of the certificate; with --tls-key it turns TLS on')
    .option('--tls-key <path>', 'PEM file of its key')
    .option('--tls-ca <path>', 'PEM file of those who may sign certificates of clients, which then must show one')
    .action(run);
}

async function run(given: Given): Promise<void> {
  const { open, serve } = await import('../index.js');
  const options = optionsOf(given);
  const cache = open(given.memoryLimit === undefined ? {} : { maxBytes: given.memoryLimit });
  const server = serve(cache, options);
  await server.ready;
  for (const address of server.addresses) process.stdout.write(`zerohop serves ${address}\n`);
  const signal = await new Promise<NodeJS.Signals>((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, resolve);
  });
  process.stdout.write(`zerohop ends on ${signal}\n`);
  await server.close({ drain: DRAIN });
  cache.close();
}

function optionsOf(given: Given): ServeOptions {
  const users = linesOf(given.userFile);
  const password =
    given.passwordFile === undefined ? process.env['ZEROHOP_PASSWORD'] : textOf(given.passwordFile).trim();
  const tls = tlsOf(given);
  return {
    port: given.port === 'none' ? false : Number(given.port),
    protectedMode: given.protectedMode,
    ioUring: given.ioUring,
    ...(given.host !== undefined && { host: given.host }),
    ...(given.socket !== undefined && { path: given.socket }),
    ...(given.socketMode !== undefined && { pathMode: Number.parseInt(given.socketMode, 8) }),
    ...(given.threads !== undefined && { threads: Number(given.threads) }),
    ...(password !== undefined && password !== '' && { password }),
    ...(users.length > 0 && { users }),
    ...(given.maxClients !== undefined && { maxClients: Number(given.maxClients) }),
    ...(given.idleTimeout !== undefined && { idleTimeout: given.idleTimeout }),
    ...(tls !== undefined && { tls }),
  };
}

function tlsOf({ tlsPort, tlsCert, tlsKey, tlsCa }: Given): ServeOptions['tls'] {
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
