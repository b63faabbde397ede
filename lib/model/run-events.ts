// run-events.ts: tells node:diagnostics_channel of each run of a model. While nobody listens, a run costs one look at a
// flag more.
//
// A `TracingChannel` named `zerohop:run`: it publishes on `tracing:zerohop:run:start`, `…:end`, `…:asyncStart`,
// `…:asyncEnd` and `…:error`. Each of them gets the same object for one run.

import { tracingChannel } from 'node:diagnostics_channel';

/** The message of `diagnostics_channel.tracingChannel('zerohop:run')`. */
export interface RunEvent {
  readonly model: string;
  readonly version: string;
  /** How many inputs are run together. */
  readonly inputs: number;
  /** Of them: how many somebody waits for. The others are computed for later callers. */
  readonly awaited: number;
  /** What the run failed with: there from `error` on. */
  error?: unknown;
}

export const RUN_CHANNEL = 'zerohop:run';

const runs = tracingChannel<RunEvent>(RUN_CHANNEL);

/**
 * What `run` gives. If somebody listens, it is told, and also what `check` throws for it. If nobody does, `run` is all
 * that happens: not even a microtask is added to it.
 */
export function tracedRun<Result>(
  event: () => RunEvent,
  run: () => Promise<Result>,
  check: (result: Result) => void,
): Promise<Result> {
  if (!runs.hasSubscribers) return run();
  const checked = async () => {
    const result = await run();
    check(result);
    return result;
  };
  return runs.tracePromise(checked, event());
}
