// options.ts: how metrics of a cache are told: the options, and their checks.

import { isBranded } from '../base/kinds.js';
import { countOption, optionsObject, textOption, typeError } from '../base/options.js';
import type { Cache } from '../cache/cache.js';

export interface MetricsOptions {
  /** The value of the label `cache`. Default `'default'`. Each cache of one register needs another one. */
  name?: string | undefined;
  /**
   * How many keyspaces, and how many models, have a label of their own; those opened later are summed under `other`.
   * 1 to 1 024, default 100.
   */
  labels?: number | undefined;
}

const LABELS_DEFAULT = 100;
const LABELS_MAX = 1024;

export function metricsOptions(cache: unknown, options: MetricsOptions): { cache: Cache; name: string; limit: number } {
  if (!isBranded(cache, 'Cache')) throw typeError('cache', 'a Cache', cache);
  const { name, labels } = optionsObject('options', options, ['name', 'labels']);
  return {
    cache: cache as Cache,
    name: name === undefined ? 'default' : textOption('options.name', name, 128, 1),
    limit: labels === undefined ? LABELS_DEFAULT : countOption('options.labels', labels, 1, LABELS_MAX),
  };
}
