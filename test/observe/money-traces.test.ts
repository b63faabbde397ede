// What a report says that a cache saved is never more than it did, and hardly less: on traffic whose truth is known.
import { describe, expect, test } from 'vitest';
import { answer, rounds } from '../fixtures/child.js';

interface Trace {
  seed: number;
  name: string;
  /** When prices change; else within an hour. */
  atMidnight: boolean;
  truth: { ms: number; usd: number; coalescedMs: number; coalesced: number; hits: number };
  hits: number;
  coalesced: number;
  seconds: [number, number];
  usd: [number, number];
  coalescedSeconds: number;
}

const LEAST_SHARE = 0.97;
/** Of the hour in which a price changed, nobody knows what was before: it is worth the lower price. */
const LEAST_SHARE_WITHIN_HOUR = 0.9;
const CHUNK = rounds(5, 100);
const seeds = Array.from({ length: rounds(1, 10) }, (_, i) => 1 + i * CHUNK);

/** Traces for which `reported` is above `truth`, or below the share of it. */
function wrong(
  traces: Trace[],
  reported: (trace: Trace) => number,
  truth: (trace: Trace) => number,
  leastShare: (trace: Trace) => number = () => LEAST_SHARE,
): string[] {
  return traces.flatMap((trace) => {
    const [said, is] = [reported(trace), truth(trace)];
    const right = said <= is && (is <= 0 || said >= leastShare(trace) * is);
    return right ? [] : [`trace ${trace.seed}, ${trace.name}: ${said} of ${is}`];
  });
}

describe.each(seeds)('a report of traces from %i on', (first) => {
  test('is never above the truth, and at least 0.97 of it, in seconds, money and counts', async () => {
    const traces: Trace[] = await answer('money-traces.mjs', { args: [first, CHUNK] });
    expect(traces).toHaveLength(3 * CHUNK);
    expect(
      wrong(
        traces,
        ({ seconds }) => seconds[0],
        ({ truth }) => truth.ms / 1000,
      ),
    ).toEqual([]);
    expect(
      wrong(
        traces,
        ({ usd }) => usd[0],
        ({ truth }) => truth.usd,
        ({ atMidnight }) => (atMidnight ? LEAST_SHARE : LEAST_SHARE_WITHIN_HOUR),
      ),
    ).toEqual([]);
    expect(
      wrong(
        traces,
        ({ coalescedSeconds }) => coalescedSeconds,
        ({ truth }) => truth.coalescedMs / 1000,
      ),
    ).toEqual([]);
    const counts = (of: { hits: number; coalesced: number }) => [of.hits, of.coalesced];
    expect(traces.map(counts)).toEqual(traces.map(({ truth }) => counts(truth)));
    // The range holds the truth: at its other end the report may say too much.
    for (const { seconds, truth } of traces) expect(seconds[1]).toBeGreaterThanOrEqual((truth.ms / 1000) * (1 - 1e-5));
  });
});
