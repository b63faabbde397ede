// memory-case.mts N TTL — how much larger a process becomes by opening a cache and setting N small entries that live
// for TTL milliseconds (0: for ever); prints one line of JSON.  A program of its own, so that nothing else grows
// meanwhile.
//
// Before the first reading the same code has run on a small cache, which was closed again: compiled code and the heap
// that it runs in are the program's, not an entry's.

import { setTimeout as pause } from 'node:timers/promises';
import { type Cache, open } from 'zerohop';
import { SmallEntries } from '../workloads/small-entries.mjs';

export interface MemoryFigures {
  readonly entries: number;
  readonly residentBytes: number;
  readonly indexBytes: number;
  readonly segmentBytes: number;
  /** The first id that was missing or other than it was set, or -1. */
  readonly wrong: number;
}

const MAX_BYTES = 256 * 2 ** 20;
const WARM_UP = 20_000;

const [entries = 0, ttl = 0] = process.argv.slice(2).map(Number);
const small = new SmallEntries();
const first = openBytes();
fill(first, WARM_UP);
check(first, WARM_UP);
first.close();
const before = await readResident();
const cache = openBytes();
fill(cache, entries);
const residentBytes = (await readResident()) - before;
const { bytes } = cache.stats();
const figures: MemoryFigures = {
  entries,
  residentBytes,
  indexBytes: bytes.index,
  segmentBytes: bytes.resident,
  wrong: check(cache, entries), // afterwards: views take memory
};
process.stdout.write(`${JSON.stringify(figures)}\n`);

function openBytes(): Cache {
  return open(ttl === 0 ? { maxBytes: MAX_BYTES } : { maxBytes: MAX_BYTES, ttl });
}

function fill(target: Cache, count: number): void {
  for (let id = 0; id < count; id++) {
    small.select(id);
    target.set(small.key, small.value);
  }
}

function check(target: Cache, count: number): number {
  for (let id = 0; id < count; id++) {
    small.select(id);
    const value = target.get(small.key);
    if (value === undefined || !small.holds(value)) return id;
  }
  return -1;
}

/** Of the process, once garbage is gone and what finishes later has finished. */
async function readResident(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    globalThis.gc?.();
    await pause(200);
  }
  return process.memoryUsage.rss();
}
