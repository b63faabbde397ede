// stats.ts: what is counted of that which lies behind a keyspace or a model.

import type { UpstreamCounts } from '../cache/upstreams.js';
import type { Tier } from './tier.js';

/**
 * Counts of what lies behind a keyspace or a model, of this thread. Those of the link are of all that have this Redis.
 */
export interface UpstreamStats extends UpstreamCounts {
  /** Whether Redis is used. `'down'`: loads go to the loader or the model, and L0 was emptied. */
  state: 'idle' | 'connecting' | 'up' | 'down' | 'closed';
}

export function upstreamStatsOf({ link, counts }: Tier): UpstreamStats {
  return { state: link.state, ...counts, ...link.counts };
}
