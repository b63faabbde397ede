// asking.ts: a call of the user's loader: with a deadline, and an end when the cache is closed.

import { CacheError } from '../base/errors.js';
import { clearTimeout, setTimeout } from '../base/time.js';
import type { Key } from '../cache/keys.js';
import type { Loader } from './options.js';

/** The calls of one keyspace's loader. */
export class Asking {
  readonly #loader: Loader<unknown>;
  readonly #timeoutMs: number;
  readonly #controllers = new Set<AbortController>();

  constructor(loader: Loader<unknown>, timeoutMs: number) {
    this.#loader = loader;
    this.#timeoutMs = timeoutMs;
  }

  /** A value for each key. @throws what the loader throws; {CacheError} `ERR_UPSTREAM_LOADER`; the reason of `end`. */
  async ask(keys: Key[]): Promise<readonly unknown[]> {
    const { length } = keys;
    const controller = new AbortController();
    this.#controllers.add(controller);
    const timer = setTimeout(() => controller.abort(late(this.#timeoutMs)), this.#timeoutMs);
    const { signal } = controller;
    const ended = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
    try {
      const values = await Promise.race([this.#loader(keys, { signal }), ended]);
      if (Array.isArray(values) && values.length === length) return values;
      const received = Array.isArray(values) ? `${values.length} values` : typeof values;
      throw new CacheError(
        'ERR_UPSTREAM_LOADER',
        `the loader was asked for ${length} keys: expected an array of as many values, received ${received}`,
      );
    } finally {
      clearTimeout(timer);
      this.#controllers.delete(controller);
    }
  }

  end(reason: Error): void {
    for (const controller of this.#controllers) controller.abort(reason);
  }
}

const late = (ms: number) =>
  new CacheError('ERR_UPSTREAM_LOADER', `the loader took longer than ${ms} ms: see upstream.loaderTimeout`);
