// events.ts: publishes evictions and refusals on node:diagnostics_channel. If nobody listens, that costs one look at a
// flag, and only for a `set` that evicted or was refused.
import { channel } from 'node:diagnostics_channel';

/** The message of `diagnostics_channel.channel('zerohop:eviction')`. */
export interface EvictionEvent {
  /** How many entries a `set` of this thread evicted, in all keyspaces. */
  entries: number;
}

/** The message of `diagnostics_channel.channel('zerohop:refusal')`. */
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
