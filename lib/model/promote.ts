// promote.ts: computes the hottest inputs of one version under the next one, before traffic is switched to it.

import { countOption, limitOption, optionsObject, rangeError, typeError } from '../base/options.js';
import { isModel, type Model } from './model.js';
import { signalOption } from './options.js';
import type { Stage } from './pipeline.js';

export interface PromoteOptions<Input> {
  /** The version in use, opened with `keepInputs`. */
  from: Model<Input, unknown, unknown>;
  /** The next version, of the same scope. */
  to: Model<Input, unknown, unknown>;
  /** How many of the hottest inputs. Default: all that are kept. */
  top?: number | undefined;
  /** Inputs of one batch; default 64. Live traffic of the new version runs between batches. */
  batch?: number | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: Promotion) => void) | undefined;
}

export interface Promotion {
  /** Inputs to do. */
  inputs: number;
  /** Inputs that had a result under the new version already. */
  known: number;
  computed: number;
  failed: number;
}

const PROMOTE_OPTIONS = ['from', 'to', 'top', 'batch', 'signal', 'onProgress'] as const;
const BATCH = 64;

/** An input that the new version cannot name counts as missing; its run then fails. */
function isKnown(model: Stage, input: unknown): boolean {
  try {
    return model.peek(input) !== undefined;
  } catch {
    return false;
  }
}

/**
 * Computes the hottest inputs of one version under another one, the hottest first. A run that fails is counted, and the
 * rest goes on.
 *
 * Rejects with `signal`'s reason.
 * @throws {TypeError | RangeError} an option is missing or wrong; the two have different scopes.
 * @example await promote({ from: v1, to: v2, top: 10_000 })
 */
export async function promote<Input>(options: PromoteOptions<Input>): Promise<Promotion> {
  const given = optionsObject('options', options, PROMOTE_OPTIONS);
  const { from, to, onProgress } = given as unknown as PromoteOptions<Input>;
  if (!isModel(from)) throw typeError('options.from', 'a model', from);
  if (!isModel(to) || (to as unknown) === from) throw typeError('options.to', 'another model', to);
  // An input of one tenant is never run, nor its result stored, for another tenant.
  if (from.scope !== to.scope) throw rangeError('options.to', 'a model with the scope of options.from', to);
  const signal = signalOption(given['signal']);
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw typeError('options.onProgress', 'a function', onProgress);
  const top =
    given['top'] === undefined ? Number.POSITIVE_INFINITY : limitOption('options.top', given['top'], 0, 2 ** 31);
  const batch = given['batch'] === undefined ? BATCH : countOption('options.batch', given['batch'], 1, 2 ** 20);
  const inputs = from.hottest(top);
  const progress: Promotion = { inputs: inputs.length, known: 0, computed: 0, failed: 0 };
  for (let at = 0; at < inputs.length; at += batch) {
    if (signal?.aborted) throw signal.reason;
    const missing = inputs.slice(at, at + batch).filter((input) => !isKnown(to, input));
    progress.known += Math.min(batch, inputs.length - at) - missing.length;
    const done = await Promise.allSettled(missing.map((input) => to.promote(input, signal && { signal })));
    if (signal?.aborted) throw signal.reason;
    for (const { status } of done) progress[status === 'fulfilled' ? 'computed' : 'failed']++;
    onProgress?.({ ...progress });
  }
  return progress;
}
