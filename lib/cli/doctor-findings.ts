// doctor-findings.ts: what the facts of a machine mean for the cache. Knows no system: tests give it any facts.

import type { Facts } from './doctor-facts.js';
import { size } from './print.js';

export interface Finding {
  /** `bad`: zerohop does not work; `note`: it works, and something costs time or room. */
  readonly state: 'good' | 'note' | 'bad';
  readonly what: string;
  readonly found: string;
  readonly cost?: string;
  readonly mend?: string;
}

const LOCK_BYTES_FEW = 2 ** 30;
/** Each client of a server is a file; by default there may be 10 000. */
const OPEN_FILES_FEW = 10_100;
const DEFAULT_SHARE = 0.25;

export function findingsOf(facts: Facts): Finding[] {
  const addon = addonFinding(facts);
  if (addon.state === 'bad') return [addon];
  return [
    addon,
    exposureFinding(facts),
    vectorsFinding(facts),
    memoryFinding(facts),
    processorsFinding(facts),
    hugePagesFinding(facts),
    lockFinding(facts),
    filesFinding(facts),
    ...overcommitFindings(facts),
    ringFinding(facts),
  ];
}

function addonFinding({ addon, platform, node }: Facts): Finding {
  const what = 'native addon';
  if (addon === undefined) return { state: 'good', what, found: `loads on ${platform} with Node ${node}` };
  return { state: 'bad', what, found: `does not load: ${addon}`, cost: 'Nothing works without it.' };
}

function exposureFinding({ backend }: Facts): Finding {
  const what = 'views of the cache';
  if (backend === 'shared') return { state: 'good', what, found: 'hits are shown where they lie' };
  if (backend === 'array')
    return {
      state: 'note',
      what,
      found: 'hits are shown as buffers of one thread',
      cost: 'They cannot be handed to another thread without a copy.',
      mend: 'Unset ZEROHOP_EXPOSURE, or use a newer Node.',
    };
  return {
    state: 'note',
    what,
    found: 'hits are copied',
    cost: 'A hit of 4 KiB costs a copy of 4 KiB: some 55 ns instead of none, and garbage to collect.',
    mend: 'Unset ZEROHOP_EXPOSURE. Runtimes that forbid external memory, such as Electron, can only copy.',
  };
}

function vectorsFinding({ flags, platform }: Facts): Finding {
  const what = 'vector instructions';
  if (flags.includes('avx512f')) return { state: 'good', what, found: 'AVX-512' };
  if (flags.includes('asimd')) return { state: 'good', what, found: 'NEON' };
  if (flags.includes('avx2') && flags.includes('fma'))
    return { state: 'good', what, found: 'AVX2 (with AVX-512, checksums take some 25 % less)' };
  return {
    state: 'note',
    what,
    found: `none that are used on ${platform}`,
    cost: 'Checksums take some 10 times as long, fingerprints twice, searches over embeddings several times.',
    mend: 'Give virtual machines the processor of their host (QEMU: -cpu host); choose machines with AVX2.',
  };
}

function memoryFinding({ memoryBytes, memoryLimitBytes = memoryBytes }: Facts): Finding {
  const what = 'memory';
  const share = `a cache takes ${size(memoryLimitBytes * DEFAULT_SHARE)} unless it is told`;
  if (memoryLimitBytes >= memoryBytes) return { state: 'good', what, found: `${size(memoryBytes)}; ${share}` };
  return {
    state: 'note',
    what,
    found: `the control group allows ${size(memoryLimitBytes)} of ${size(memoryBytes)}; ${share}`,
    cost: 'A process that takes more is killed. The cache counts its own memory, not that of models and of the heap.',
    mend: 'Set maxBytes (--memory-limit) to what the other parts leave, or raise the limit of the container.',
  };
}

function processorsFinding({ processors, processorsAllowed }: Facts): Finding {
  const what = 'processors';
  if (processorsAllowed >= processors) return { state: 'good', what, found: String(processors) };
  return {
    state: 'note',
    what,
    found: `${processorsAllowed} of ${processors} may be used`,
    cost: `A server uses ${Math.min(processorsAllowed, 4)} threads by default.`,
    mend: 'Raise the quota or the set of processors, if more clients are to be served.',
  };
}

function hugePagesFinding({ hugePages }: Facts): Finding {
  const what = 'huge pages';
  const chosen = /\[(\w+)\]/.exec(hugePages ?? '')?.[1];
  if (chosen === 'always' || chosen === 'madvise') return { state: 'good', what, found: `on request (${chosen})` };
  return {
    state: 'note',
    what,
    found: chosen === undefined ? 'the kernel tells of none' : 'switched off',
    cost: 'A large cache is read through 512 times as many entries of the page table.',
    mend: 'As root: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled',
  };
}

function lockFinding({ lockBytes }: Facts): Finding {
  const what = 'locked memory';
  if (lockBytes === undefined) return { state: 'good', what, found: 'no limit' };
  const found = `at most ${size(lockBytes)}`;
  if (lockBytes >= LOCK_BYTES_FEW) return { state: 'good', what, found };
  return {
    state: 'note',
    what,
    found,
    cost: 'weights.lock() fails for larger files: their pages may go when memory is short, and are read again.',
    mend: 'ulimit -l unlimited; systemd: LimitMEMLOCK=infinity; Docker: --ulimit memlock=-1',
  };
}

function filesFinding({ openFiles }: Facts): Finding {
  const what = 'open files';
  if (openFiles === undefined || openFiles >= OPEN_FILES_FEW)
    return { state: 'good', what, found: openFiles === undefined ? 'no limit' : `at most ${openFiles}` };
  return {
    state: 'note',
    what,
    found: `at most ${openFiles}`,
    cost: 'A server takes 10 000 clients by default, and each is a file: those beyond the limit are not let in.',
    mend: 'ulimit -n 20000; systemd: LimitNOFILE=20000; Docker: --ulimit nofile=20000',
  };
}

function overcommitFindings({ overcommit }: Facts): Finding[] {
  if (overcommit !== '2') return [];
  return [
    {
      state: 'note',
      what: 'overcommit',
      found: 'the kernel promises no memory that it may not have (vm.overcommit_memory=2)',
      cost: 'All of maxBytes counts as used from the start: opening a large cache may fail.',
      mend: 'As root: sysctl vm.overcommit_memory=0, or choose a smaller maxBytes.',
    },
  ];
}

function ringFinding({ ioUring, ioUringSetting, filtered }: Facts): Finding {
  const what = 'io_uring';
  if (ioUring) return { state: 'good', what, found: 'a server receives and sends for many clients in one call' };
  const cost = 'A server makes a system call for each receive and send: it serves many small requests more slowly.';
  if (ioUring === undefined) return { state: 'note', what, found: 'no server could be started here to see it' };
  if (ioUringSetting !== undefined && ioUringSetting !== '0')
    return { state: 'note', what, found: 'switched off', cost, mend: 'As root: sysctl kernel.io_uring_disabled=0' };
  if (filtered)
    return {
      state: 'note',
      what,
      found: 'a filter of system calls forbids it, as in most containers',
      cost,
      mend: 'Allow io_uring_setup, io_uring_enter and io_uring_register in the seccomp profile.',
    };
  return { state: 'note', what, found: 'the kernel does not have it', cost, mend: 'Use Linux 5.6 or later.' };
}
