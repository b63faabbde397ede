// contender.mts — the process of one contender: it reads what it is told to, checks each answer, and tells how long it took.
//
//   contender.mjs STORE SOCKET ENTRIES IDS-FILE
//
// Each has a process of its own, so that a heap of a million entries burdens nobody else's collector. They wait while
// another one is timed. IDS-FILE holds ids that all of them read, as 32-bit numbers.

import { readFileSync } from 'node:fs';
import { check, compare } from './answers.mjs';
import { openStore, type TierStore } from './stores.mjs';

/** What the suite asks for. `from` and `to` are places in the file of ids. */
export type Order =
  | { readonly do: 'fill' | 'compare' | 'read'; readonly from: number; readonly to: number }
  | { readonly do: 'hit'; readonly from: number; readonly to: number; readonly ms: number };

/** Times are of one read, in ns. */
export interface Told {
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  /** Commands sent to Redis. */
  readonly commands: number;
  /** Resident memory of the process. */
  readonly rss: number;
}

const FILL_STEP = 1000;

const [name = '', socket = '', entries = '', file = ''] = process.argv.slice(2);
const ids = new Uint32Array(new Uint8Array(readFileSync(file)).buffer);
const store = await openStore[name]?.({ socket, entries: Number(entries) });
if (store === undefined) throw new Error(`no store is called ${name}`);

process.on('message', (order: Order) => {
  obey(order, store).then(
    (told) => process.send?.({ told }),
    (error: Error) => process.send?.({ error: error.message }),
  );
});
process.once('disconnect', () => process.exit());
process.send?.({ told: 'ready' });

async function obey(order: Order, of: TierStore): Promise<Told> {
  const some = ids.subarray(order.from, order.to);
  const before = of.commands();
  let times: Float64Array = new Float64Array();
  if (order.do === 'fill')
    for (let from = 0; from < some.length; from += FILL_STEP) await of.readAll(some.subarray(from, from + FILL_STEP));
  else if (order.do === 'compare')
    // The second time L0 answers.
    for (let time = 0; time < 2; time++) for (const id of some) compare(name, id, await of.read(id));
  else if (order.do === 'hit') times = Float64Array.of(await timeHits(of, some, order.ms));
  else times = await timeReads(of, some);
  const mean = times.reduce((sum, time) => sum + time, 0) / times.length;
  times.sort();
  const at = (share: number) => times[Math.floor(share * (times.length - 1))] ?? Number.NaN;
  const { rss } = process.memoryUsage();
  return { mean, p50: at(0.5), p99: at(0.99), commands: of.commands() - before, rss };
}

/** One after another, as a handler of requests does. Ends of a read are beginnings of the next: one clock a read. */
async function timeReads(of: TierStore, some: Uint32Array): Promise<Float64Array> {
  const times = new Float64Array(some.length);
  let before = performance.now();
  for (let i = 0; i < some.length; i++) {
    const id = some[i] as number;
    check(name, id, await of.read(id));
    const now = performance.now();
    times[i] = (now - before) * 1e6;
    before = now;
  }
  return times;
}

/** The mean, in ns. No clock between hits: it would take as long as they do. */
async function timeHits(of: TierStore, some: Uint32Array, ms: number): Promise<number> {
  for (const id of some) await of.read(id); // whoever has evicted one, has it again
  const begun = performance.now();
  let reads = 0;
  do {
    for (const id of some) check(name, id, await of.read(id));
    reads += some.length;
  } while (performance.now() - begun < ms);
  return ((performance.now() - begun) * 1e6) / reads;
}
