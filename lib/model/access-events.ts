// access-events.ts: tells node:diagnostics_channel what models are asked for: the inputs of a sample, which the
// fingerprint decides (traffic.ts), so each input is told always or never. While nobody listens, it costs a look at a
// flag for an input of the sample, and nothing for others.

import { channel } from 'node:diagnostics_channel';
import type { Keyspace } from '../cache/keyspace.js';
import type { Fingerprint } from '../fingerprint/fingerprint.js';
import type { Ledger } from './ledger.js';

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

/** What is told about the inputs of a model's sample. */
interface Sampled {
  readonly name: string;
  readonly version: string;
  readonly answers: Keyspace<never, unknown, unknown>;
  readonly ledger: Ledger;
}

/** An input of the sample was asked for. Tells the ledger, and who listens. */
export function noteAccess({ name, version, answers, ledger }: Sampled, key: Fingerprint): void {
  const bytes = answers.bytesOf(key);
  ledger.sample(key, bytes);
  if (!accesses.hasSubscribers) return;
  const costMs = bytes === undefined ? undefined : answers.costOf(key) || undefined;
  accesses.publish({ model: name, version, fingerprint: key.hex, bytes, costMs } satisfies AccessEvent);
}
