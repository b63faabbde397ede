// doctor-facts.ts: what `zerohop doctor` judges, as the system and the addon tell it.

import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir, totalmem } from 'node:os';
import path from 'node:path';
import { RespClient } from '../resp/client.js';
import { serverPlace } from '../resp/url.js';

const TIMEOUT_MS = 5000;

export interface Facts {
  readonly platform: string;
  readonly node: string;
  /** Why the addon does not load; undefined: it does. */
  readonly addon: string | undefined;
  /** Undefined, like what the addon tells beside it, if it does not load. */
  readonly backend: string | undefined;
  readonly memoryLimitBytes: number | undefined;
  readonly memoryBytes: number;
  readonly processors: number;
  readonly processorsAllowed: number;
  /** Flags of the processor, such as avx2; on arm64, asimd. */
  readonly flags: readonly string[];
  /** The words of the setting, of which the chosen one is in brackets; undefined: the kernel has no such pages. */
  readonly hugePages: string | undefined;
  /** Undefined: no limit. */
  readonly lockBytes: number | undefined;
  readonly openFiles: number | undefined;
  readonly overcommit: string | undefined;
  /** Whether a server here gets a ring; undefined: no server could be started to see it. */
  readonly ioUring: boolean | undefined;
  readonly ioUringSetting: string | undefined;
  /** Whether system calls are filtered, as in most containers. */
  readonly filtered: boolean;
}

export async function readFacts(): Promise<Facts> {
  const addon = await addonFacts();
  return {
    platform: `${process.platform}-${process.arch}`,
    node: process.version,
    ...addon,
    memoryBytes: totalmem(),
    processors: cpus().length,
    processorsAllowed: availableParallelism(),
    flags: /^(?:flags|Features)\s*:\s*(.*)$/m.exec(textOf('/proc/cpuinfo') ?? '')?.[1]?.split(' ') ?? [],
    hugePages: textOf('/sys/kernel/mm/transparent_hugepage/enabled')?.trim(),
    lockBytes: limitOf('Max locked memory'),
    openFiles: limitOf('Max open files'),
    overcommit: textOf('/proc/sys/vm/overcommit_memory')?.trim(),
    ioUringSetting: textOf('/proc/sys/kernel/io_uring_disabled')?.trim(),
    filtered: /^Seccomp:\s*2$/m.test(textOf('/proc/self/status') ?? ''),
  };
}

type FromAddon = Pick<Facts, 'addon' | 'backend' | 'memoryLimitBytes' | 'ioUring'>;

async function addonFacts(): Promise<FromAddon> {
  try {
    const { native } = await import('../addon/native.js');
    const { backend, memoryLimitBytes } = native.environment();
    return { addon: undefined, backend, memoryLimitBytes, ioUring: await getsRing() };
  } catch (error) {
    return { addon: (error as Error).message, backend: undefined, memoryLimitBytes: undefined, ioUring: undefined };
  }
}

/** Starts a server, on a socket that nobody else sees, and looks whether it has a ring. */
async function getsRing(): Promise<boolean | undefined> {
  const { open, serve } = await import('../index.js');
  const folder = mkdtempSync(path.join(tmpdir(), 'zerohop-doctor-'));
  try {
    const socket = path.join(folder, 'socket');
    const cache = open({ maxBytes: '4MB' });
    const server = serve(cache, { port: false, path: socket, threads: 1 });
    // The thread that answers has asked for its ring before.
    const client = await RespClient.connect(serverPlace(`unix:${socket}`), { timeoutMs: TIMEOUT_MS });
    await client.call('PING');
    client.close();
    const rings = readdirSync('/proc/self/fd').filter((file) => linkOf(`/proc/self/fd/${file}`).includes('io_uring'));
    await server.close();
    cache.close();
    return rings.length > 0;
  } catch {
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The soft limit of the process; undefined: none. */
function limitOf(name: string): number | undefined {
  const line = (textOf('/proc/self/limits') ?? '').split('\n').find((one) => one.startsWith(name));
  const soft = line?.slice(name.length).trim().split(/\s+/)[0];
  return soft === undefined || soft === 'unlimited' ? undefined : Number(soft);
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
