// calls.ts: what a caller may say of one call of a language model, beside what the model is told.

import { CacheError } from '../base/errors.js';
import { choiceOption, optionsObject, tagsOption } from '../base/options.js';
import { type CacheMode, MODES } from '../model/options.js';

export interface CallOptions {
  /**
   * As fetch's `cache`. `reload` asks the model, and keeps the new answer in place of the old one; `no-store` asks it
   * and keeps nothing; `only-if-cached` rejects with a CacheError `ERR_MODEL_NOT_CACHED` if nothing is kept, or if
   * the call is one whose answers are not kept. Default `default`.
   */
  cache?: CacheMode;
  /**
   * Names that are stored with a new answer, by which `forget` finds it: at most 16, of 1 to 255 bytes. They do not
   * count for what is kept.
   */
  tags?: readonly string[];
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
 * For a call that cannot be looked up: it goes to the model, unless it may not.
 *
 * @throws {CacheError} `ERR_MODEL_NOT_CACHED`: it asks for what is kept alone. @internal
 */
export function checkMayAsk({ mode }: CheckedCallOptions): void {
  if (mode === 'only-if-cached')
    throw new CacheError('ERR_MODEL_NOT_CACHED', "answers to such calls are not kept, and cache is 'only-if-cached'");
}
