// events.ts: evictions and refusals, told to whoever listens on node:diagnostics_channel. Nobody listening costs one
// look at a flag, and only for a `set` that evicted or was refused.
import { channel } from 'node:diagnostics_channel';

/** What `diagnostics_channel.channel('zerohop:eviction')` tells. */
export interface EvictionEvent {
  /** Entries that a `set` of this thread pushed out, of whatever keyspace. */
  entries: number;
}

/** What `diagnostics_channel.channel('zerohop:refusal')` tells. */
export interface RefusalEvent {
  /** `set` or `touch` could not store; `stats().refusalsBy` says why. */
  entries: 1;
}

const evictions = channel('zerohop:eviction');
const refusals = channel('zerohop:refusal');

export function announceEvictions(entries: number): void {
  if (evictions.hasSubscribers) evictions.publish({ entries } satisfies EvictionEvent);
}

export function announceRefusal(): void {
  if (refusals.hasSubscribers) refusals.publish({ entries: 1 } satisfies RefusalEvent);
}
