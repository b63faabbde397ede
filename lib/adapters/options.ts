// options.ts: the options of every adapter that keeps answers: where, for whom, for how long.

import '../model/attach.js'; // adapters call `cache.model`
import { isBranded } from '../base/kinds.js';
import { type Duration, durationOption, optionsObject, textOption, typeError } from '../base/options.js';
import type { Cache } from '../cache/cache.js';
import { PUBLIC, type Scope } from '../fingerprint/fingerprint.js';
import type { ModelBaseOptions } from '../model/options.js';

export interface AdapterOptions {
  /** Where the answers are kept. The caller closes it. */
  cache: Cache;
  /** Whose answers they are: a tenant's name, or PUBLIC. Scopes never share answers. */
  scope: Scope;
  /** Separates uses of one model whose answers must not mix. Default `''`. */
  domain?: string | undefined;
  /** How long answers may be served. Default: the cache's. */
  ttl?: Duration | undefined;
}

/** Checked. @internal */
export interface CheckedAdapterOptions {
  readonly cache: Cache;
  readonly scope: Scope;
  readonly domain: string;
  /** Empty if the cache's ttl is meant. */
  readonly life: { readonly ttl?: number };
}

const OPTIONS = ['cache', 'scope', 'domain', 'ttl'] as const;

/**
 * Checks the options that every adapter has. `given` holds all options. The caller checks those in `others`.
 * @internal
 */
export function adapterOptions(
  options: object,
  others: readonly string[] = [],
): CheckedAdapterOptions & { given: Record<string, unknown> } {
  if (options === undefined) throw typeError('options', 'an object with cache and scope', options);
  const given = optionsObject('options', options, [...OPTIONS, ...others]);
  const { cache, scope, domain, ttl } = given;
  if (!isBranded(cache, 'Cache')) throw typeError('options.cache', 'a cache, as open() gives', cache);
  return {
    cache: cache as Cache,
    scope: scope === PUBLIC ? PUBLIC : textOption('options.scope', scope, 1024, 1),
    domain: domain === undefined ? '' : textOption('options.domain', domain),
    life: ttl === undefined ? {} : { ttl: durationOption('options.ttl', ttl) },
    given,
  };
}

/** The options of the model that keeps an adapter's answers. @internal */
export function modelOptions(
  { scope, domain, life }: CheckedAdapterOptions,
  name: string,
  version: string,
): ModelBaseOptions {
  return { name, version, scope, domain, ...life };
}

/**
 * The label and options of an adapter's keyspace. The label is one that no program gives by chance. Keyspaces are known
 * by scope and label, so that of one scope is never that of another. Adapters of one kind share it. The `ttl` of each goes
 * with its values. @internal
 */
export function keyspaceOf(name: string, scope: Scope): { label: string; options: { scope?: string } } {
  return { label: JSON.stringify([name, null]), options: scope === PUBLIC ? {} : { scope } };
}
