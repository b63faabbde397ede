// access-events.ts: tells node:diagnostics_channel what models are asked for: the inputs of a sample, which the
// fingerprint decides (traffic.ts), so each input is told always or never. While nobody listens, it costs a look at a
// flag for an input of the sample, and nothing for others.

import { channel } from 'node:diagnostics_channel';

export const ACCESS_CHANNEL = 'zerohop:access';

/** The message of `diagnostics_channel.channel('zerohop:access')`. */
export interface AccessEvent {
  readonly model: string;
  readonly version: string;
  /** Of the input, in hex. */
  readonly fingerprint: string;
  /** Of the stored result; undefined: there was none. */
  readonly bytes: number | undefined;
  /** What its run took, in ms; undefined: there was none, or that is not known. */
  readonly costMs: number | undefined;
}

const accesses = channel(ACCESS_CHANNEL);

export function announceAccess(event: () => AccessEvent): void {
  if (accesses.hasSubscribers) accesses.publish(event());
}
