// loads.mts — what a load of memory waits on this machine, and how large the caches before it are.
//
// bench/native/machine.cc maps 256 MiB twice, in pages of 4 KiB and in huge ones, and loads lines of them at random.
// It takes a second or two. Where the last cache is larger than that, or is shared with other machines, some of these
// loads are answered by it, as some of a suite's are.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const BYTES = 2 ** 28;

/** Nanoseconds a load of a line that lies in no cache of this process. */
export interface LoadTimes {
  /** The address is known when the load before it has ended. */
  readonly dependentNs: number;
  /** All addresses are known: as many loads are under way as the processor can. */
  readonly independentNs: number;
}

export interface Loads {
  readonly smallPages: LoadTimes;
  readonly hugePages: LoadTimes;
  /** How much of the memory of `hugePages` the system gave in huge pages; undefined where it does not tell. */
  readonly hugeShare: number | undefined;
}

/** Bytes; 0 where the C library does not know. */
export interface Caches {
  readonly level1Data: number;
  readonly level2: number;
  readonly level3: number;
}

interface MachineAddon {
  map(bytes: number, huge: 0 | 1): void;
  timeLoads(): [dependentNs: number, independentNs: number];
  unmap(): void;
  cacheSizes(): [level1Data: number, level2: number, level3: number];
}

/** @param root  of the checkout, where the addon was built */
export function probeMemory(root: URL): { loads: Loads; caches: Caches } {
  const addon = createRequire(import.meta.url)(
    new URL('build/Release/zerohop_machine.node', root).pathname,
  ) as MachineAddon;
  const timed = (huge: 0 | 1): { times: LoadTimes; hugeBytes: number | undefined } => {
    const before = readHugeBytes();
    addon.map(BYTES, huge);
    const after = readHugeBytes();
    const [dependentNs, independentNs] = addon.timeLoads();
    addon.unmap();
    const hugeBytes = before === undefined || after === undefined ? undefined : after - before;
    return { times: { dependentNs, independentNs }, hugeBytes };
  };
  const small = timed(0);
  const huge = timed(1);
  const [level1Data, level2, level3] = addon.cacheSizes();
  const hugeShare = huge.hugeBytes === undefined ? undefined : huge.hugeBytes / BYTES;
  return {
    loads: { smallPages: small.times, hugePages: huge.times, hugeShare },
    caches: { level1Data, level2, level3 },
  };
}

/** Of this process, in huge pages; undefined where the system does not tell. */
function readHugeBytes(): number | undefined {
  try {
    const found = /^AnonHugePages:\s+(\d+) kB/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'));
    return found === null ? undefined : 1024 * Number(found[1]);
  } catch {
    return undefined;
  }
}
