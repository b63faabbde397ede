// calls.ts: what a caller may say about one call of a language model, beside what goes to the model.

import { CacheError } from '../base/errors.js';
import { choiceOption, optionsObject, tagsOption } from '../base/options.js';
import { type CacheMode, MODES } from '../model/options.js';

export interface CallOptions {
  /**
   * As fetch's `cache`. `reload` asks the model, and keeps the new answer in place of the old one. `no-store` asks the
   * model, and keeps nothing. `only-if-cached` rejects with a CacheError `ERR_MODEL_NOT_CACHED` if no answer is kept,
   * or if answers to such a call are not kept. Default `default`.
   */
  cache?: CacheMode | undefined;
  /**
   * Tags that are stored with a new answer, by which `forget` finds it: at most 16, of 1 to 255 bytes. They do not
   * count for the fingerprint.
   */
  tags?: readonly string[] | undefined;
}

/** Checked. @internal */
export interface CheckedCallOptions {
  readonly mode: CacheMode;
  readonly tags: readonly string[];
}

const AS_USUAL: CheckedCallOptions = { mode: 'default', tags: [] };

/** @throws {TypeError | RangeError} `options`, called `name`, are wrong. @internal */
export function callOptions(name: string, options: unknown): CheckedCallOptions {
  if (options === undefined) return AS_USUAL;
  const { cache, tags } = optionsObject(name, options, ['cache', 'tags']);
  return {
    mode: cache === undefined ? 'default' : choiceOption(`${name}.cache`, cache, MODES),
    tags: tags === undefined ? [] : tagsOption(`${name}.tags`, tags),
  };
}

/**
 * For a call that cannot be looked up. It goes to the model, unless it wants only a kept answer.
 *
 * @throws {CacheError} `ERR_MODEL_NOT_CACHED`: it wants only a kept answer. @internal
 */
export function checkMayAsk({ mode }: CheckedCallOptions): void {
  if (mode === 'only-if-cached')
    throw new CacheError('ERR_MODEL_NOT_CACHED', "answers to such calls are not kept, and cache is 'only-if-cached'");
}
